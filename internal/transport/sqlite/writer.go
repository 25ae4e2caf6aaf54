package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// request is what one caller wants; several share a transaction.
type request struct {
	send    []body
	receive int
	changes []change
	depth   bool

	deliveries []jobs.Delivery
	wait       time.Duration // until the next message becomes visible
	errs       []error       // of the changes
	counted    jobs.Depth
	err        error
	done       chan struct{}
}

type body struct {
	raw     []byte
	sent    time.Time
	visible time.Time
}

type change struct {
	receipt string
	remove  bool
	visible time.Time
	held    bool
}

// batchLimit bounds the requests of one transaction.
const batchLimit = 64

// longestWait is how long a receiver sleeps when no message is there at all.
const longestWait = time.Minute

func (q *Queue) do(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	select {
	case <-q.stop:
		return fmt.Errorf("%w: the queue is closed", jobs.ErrUnavailable)
	default:
	}
	select {
	case q.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-q.stop:
		return fmt.Errorf("%w: the queue is closed", jobs.ErrUnavailable)
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *Queue) run() {
	defer func() {
		for _, s := range q.stmts {
			_ = s.Close() // the connection goes with it
		}
		_ = q.conn.Close()
	}()
	for {
		select {
		case r := <-q.requests:
			q.serve(q.gather(r))
		case <-q.stop:
			for {
				select {
				case r := <-q.requests:
					q.serve(q.gather(r))
				default:
					return
				}
			}
		}
	}
}

func (q *Queue) gather(first *request) []*request {
	batch := append(make([]*request, 0, 8), first)
	for len(batch) < batchLimit {
		select {
		case r := <-q.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// serve applies a batch in one transaction, wakes receivers if there may be
// something for them, and answers.
func (q *Queue) serve(batch []*request) {
	ctx := context.Background()
	ring, err := q.transaction(ctx, batch)
	if err != nil {
		err = fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	for _, r := range batch {
		if err != nil {
			r.deliveries, r.err = nil, err
		}
		close(r.done)
	}
	if ring {
		q.ring()
	}
}

func (q *Queue) transaction(ctx context.Context, batch []*request) (ring bool, err error) {
	begin := "BEGIN" // a receiver that finds nothing must not wait for a writer, nor be one
	for _, r := range batch {
		if len(r.send)+len(r.changes) > 0 || r.receive == 0 && !r.depth {
			begin = "BEGIN IMMEDIATE"
		}
	}
	if begin == "BEGIN" {
		if idle, err := q.idle(ctx, batch); idle || err != nil {
			return false, err
		}
		begin = "BEGIN IMMEDIATE"
	}
	if err := q.exec(ctx, begin); err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.exec(ctx, "ROLLBACK"))
		}
	}()
	now := time.Now()
	for _, r := range batch {
		if err := q.apply(ctx, r, now); err != nil {
			return false, err
		}
		ring = ring || len(r.send) > 0
		for _, c := range r.changes {
			ring = ring || !c.remove && !c.held
		}
	}
	return ring, q.exec(ctx, "COMMIT")
}

// idle answers receivers without a transaction when nothing is visible.
func (q *Queue) idle(ctx context.Context, batch []*request) (bool, error) {
	now := time.Now()
	next, err := q.next(ctx)
	if err != nil {
		return false, err
	}
	for _, r := range batch {
		if r.depth || next <= now.UnixNano() {
			return false, nil
		}
	}
	for _, r := range batch {
		r.wait = time.Duration(min(next-now.UnixNano(), int64(longestWait)))
	}
	return true, nil
}

// next is when the first message becomes visible.
func (q *Queue) next(ctx context.Context) (int64, error) {
	var next sql.NullInt64
	s, err := q.stmt(ctx, "SELECT min(visible) FROM messages")
	if err != nil {
		return 0, err
	}
	if err := s.QueryRowContext(ctx).Scan(&next); err != nil {
		return 0, err
	}
	if !next.Valid {
		return 1<<63 - 1, nil
	}
	return next.Int64, nil
}

func (q *Queue) apply(ctx context.Context, r *request, now time.Time) error {
	for _, b := range r.send {
		err := q.exec(ctx, "INSERT INTO messages (visible, sent, body) VALUES (?, ?, ?)", b.visible.UnixNano(), b.sent.UnixNano(), b.raw)
		if err != nil {
			return err
		}
	}
	if len(r.changes) > 0 {
		r.errs = make([]error, len(r.changes))
		for i, c := range r.changes {
			changed, err := q.changeOne(ctx, c)
			if err != nil {
				return err
			}
			if !changed {
				r.errs[i] = jobs.ErrFenced
			}
		}
	}
	if r.depth {
		return q.count(ctx, r, now)
	}
	if r.receive > 0 {
		return q.take(ctx, r, now)
	}
	return nil
}

func (q *Queue) changeOne(ctx context.Context, c change) (bool, error) {
	id, delivery, ok := parseReceipt(c.receipt)
	if !ok {
		return false, nil
	}
	query, args := "DELETE FROM messages WHERE id = ? AND delivery = ? AND held > 0", []any{id, delivery}
	if !c.remove {
		held := 0
		if c.held {
			held = 1
		}
		query = "UPDATE messages SET visible = ?, held = ? WHERE id = ? AND delivery = ? AND held > 0"
		args = []any{c.visible.UnixNano(), held, id, delivery}
	}
	s, err := q.stmt(ctx, query)
	if err != nil {
		return false, err
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func (q *Queue) take(ctx context.Context, r *request, now time.Time) error {
	s, err := q.stmt(ctx, `UPDATE messages SET visible = ?1, delivery = delivery + 1, held = 1
		WHERE id IN (SELECT id FROM messages WHERE visible <= ?2 ORDER BY visible LIMIT ?3)
		RETURNING id, delivery, sent, body`)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, now.Add(q.options.Visibility).UnixNano(), now.UnixNano(), r.receive)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id, delivery, sent int64
		var raw []byte
		if err := rows.Scan(&id, &delivery, &sent, &raw); err != nil {
			return errors.Join(err, rows.Close())
		}
		d := jobs.Delivery{
			Receipt: strconv.FormatInt(id, 10) + "." + strconv.FormatInt(delivery, 10),
			Sent:    time.Unix(0, sent), Origin: "sqlite",
		}
		if d.Message, d.Err = jobs.DecodeMessage(raw); d.Err != nil {
			d.Raw = raw
		}
		r.deliveries = append(r.deliveries, d)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if len(r.deliveries) > 0 {
		return nil
	}
	next, err := q.next(ctx)
	r.wait = time.Duration(min(max(0, next-now.UnixNano()), int64(longestWait)))
	return err
}

func (q *Queue) count(ctx context.Context, r *request, now time.Time) error {
	s, err := q.stmt(ctx, `SELECT
		(SELECT count(*) FROM messages WHERE visible <= ?1),
		(SELECT count(*) FROM messages WHERE visible > ?1 AND held > 0),
		(SELECT count(*) FROM messages WHERE visible > ?1 AND held = 0)`)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, now.UnixNano()).Scan(&r.counted.Visible, &r.counted.InFlight, &r.counted.Delayed)
}

func (q *Queue) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := q.stmts[query]; s != nil {
		return s, nil
	}
	s, err := q.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	q.stmts[query] = s
	return s, nil
}

func (q *Queue) exec(ctx context.Context, query string, args ...any) error {
	s, err := q.stmt(ctx, query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, args...)
	return err
}

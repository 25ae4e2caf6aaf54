package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// request is what one caller wants of the file; several share a transaction.
type request struct {
	ready   []*message // to be received by anybody
	park    []parking
	drop    []int64 // parked rows
	change  []rowChange
	receive int
	look    bool // whether another process has written
	depth   bool
	ping    bool
	behind  bool // messages that have counted as leaving

	received []*message
	rows     []int64 // of what was parked
	changed  []bool
	counted  jobs.Depth
	err      error
	done     chan struct{}
}

// parking is a message that can not be received before a time.
type parking struct {
	*message
	visible time.Time
	number  int64 // of the delivery that holds it; 0: nobody does, it is delayed
}

// rowChange is a change to a parked delivery.
type rowChange struct {
	row     int64
	remove  bool
	held    bool
	visible time.Time
}

func (r *request) writes() bool {
	return len(r.ready)+len(r.park)+len(r.drop)+len(r.change) > 0 || r.receive > 0 || r.ping
}

// batchLimit bounds the requests of one transaction.
const batchLimit = 64

// do has a request served and waits for its answer. When ctx ends first, it may
// or may not be served.
func (q *Queue) do(ctx context.Context, r *request) error {
	if err := q.open(ctx); err != nil {
		return err
	}
	return q.hand(ctx, r)
}

func (q *Queue) hand(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	select {
	case q.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-q.stopped:
		return errClosed
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-q.stopped:
		select {
		case <-r.done: // among the last
			return r.err
		default:
			return errClosed
		}
	}
}

// run serves requests until the queue is closed, everything that was in memory
// is in the file and nobody waits any more.
func (q *Queue) run() {
	defer func() {
		close(q.stopped)
		for _, s := range q.stmts {
			_ = s.Close() // the connection goes with it
		}
		_ = q.conn.Close()
	}()
	for {
		select {
		case r := <-q.requests:
			q.serve(q.gather(r))
		case <-q.written:
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

// fileState is what is known of the file besides what it holds.
type fileState struct {
	ready   bool
	parked  int64
	version int64
	rings   bool // something may have become receivable
}

// serve applies a batch in one transaction, wakes receivers if there may be
// something for them, and answers.
func (q *Queue) serve(batch []*request) {
	ctx := context.Background()
	q.mu.Lock()
	s := fileState{ready: q.ready, parked: q.parked, version: q.version}
	q.mu.Unlock()
	err := q.transaction(ctx, batch, &s)
	if err != nil {
		err = fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	q.mu.Lock()
	if err == nil {
		q.ready, q.parked, q.version = s.ready, s.parked, s.version
	}
	for _, r := range batch {
		if err != nil {
			r.received, r.err = nil, err
			continue
		}
		q.settled(r)
		if r.depth {
			r.counted.Visible += int64(len(q.fresh) + q.leaving)
			for _, h := range q.held {
				if h.row == 0 {
					r.counted.InFlight++
				}
			}
		}
	}
	if err == nil && s.rings {
		q.ring()
	}
	q.mu.Unlock()
	for _, r := range batch {
		close(r.done)
	}
}

func (q *Queue) transaction(ctx context.Context, batch []*request, s *fileState) (err error) {
	if err := q.lookout(ctx, s); err != nil {
		return err
	}
	writes := false
	for _, r := range batch {
		writes = writes || r.writes()
	}
	if writes {
		if err := q.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, q.exec(ctx, "ROLLBACK"))
			}
		}()
	}
	for _, r := range batch {
		if err := q.apply(ctx, r, s); err != nil {
			return err
		}
	}
	if !writes {
		return nil
	}
	return q.exec(ctx, "COMMIT")
}

// lookout notices that another process has written.
func (q *Queue) lookout(ctx context.Context, s *fileState) error {
	version, err := q.number(ctx, "PRAGMA data_version")
	if err != nil {
		return err
	}
	if version == s.version {
		return nil
	}
	s.version = version
	s.ready, s.rings = true, true
	s.parked, err = q.nextParked(ctx)
	return err
}

func (q *Queue) nextParked(ctx context.Context) (int64, error) {
	return q.number(ctx, fmt.Sprintf("SELECT coalesce(min(visible), %d) FROM parked", int64(math.MaxInt64)))
}

func (q *Queue) apply(ctx context.Context, r *request, s *fileState) error {
	if len(r.ready) > 0 {
		if err := q.insert(ctx, r.ready); err != nil {
			return err
		}
		s.ready, s.rings = true, true
	}
	if err := q.park(ctx, r, s); err != nil {
		return err
	}
	for _, row := range r.drop {
		if err := q.exec(ctx, "DELETE FROM parked WHERE id = ? AND held > 0", row); err != nil {
			return err
		}
	}
	r.changed = make([]bool, len(r.change))
	for i, c := range r.change {
		var err error
		if r.changed[i], err = q.changeRow(ctx, c, s); err != nil {
			return err
		}
	}
	if r.depth {
		return q.count(ctx, r)
	}
	if r.receive > 0 {
		return q.receive(ctx, r, s)
	}
	return nil
}

// insertChunk is how many messages are inserted by one statement.
const insertChunk = 32

var insertMany = "INSERT INTO ready (sent, body) VALUES (?, ?)" + strings.Repeat(", (?, ?)", insertChunk-1)

func (q *Queue) insert(ctx context.Context, all []*message) error {
	args := make([]any, 0, 2*insertChunk)
	for len(all) >= insertChunk {
		args = args[:0]
		for _, m := range all[:insertChunk] {
			args = append(args, m.sent.UnixNano(), m.raw())
		}
		if err := q.exec(ctx, insertMany, args...); err != nil {
			return err
		}
		all = all[insertChunk:]
	}
	for _, m := range all {
		if err := q.exec(ctx, "INSERT INTO ready (sent, body) VALUES (?, ?)", m.sent.UnixNano(), m.raw()); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) park(ctx context.Context, r *request, s *fileState) error {
	r.rows = make([]int64, len(r.park))
	for i, p := range r.park {
		held := 0
		if p.number != 0 {
			held = 1
		}
		st, err := q.stmt(ctx, "INSERT INTO parked (visible, held, sent, body) VALUES (?, ?, ?, ?)")
		if err != nil {
			return err
		}
		result, err := st.ExecContext(ctx, p.visible.UnixNano(), held, p.sent.UnixNano(), p.raw())
		if err != nil {
			return err
		}
		if r.rows[i], err = result.LastInsertId(); err != nil {
			return err
		}
		s.seen(p.visible)
	}
	return nil
}

// seen takes note of a parked message.
func (s *fileState) seen(visible time.Time) {
	if at := visible.UnixNano(); at < s.parked {
		s.parked, s.rings = at, true // receivers sleep until then, not longer
	}
}

func (q *Queue) changeRow(ctx context.Context, c rowChange, s *fileState) (bool, error) {
	query, args := "DELETE FROM parked WHERE id = ? AND held > 0", []any{c.row}
	if !c.remove {
		query, args = "UPDATE parked SET visible = ?, held = ? WHERE id = ? AND held > 0", []any{c.visible.UnixNano(), c.held, c.row}
	}
	st, err := q.stmt(ctx, query)
	if err != nil {
		return false, err
	}
	result, err := st.ExecContext(ctx, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	if n > 0 && !c.remove {
		s.seen(c.visible)
	}
	return n > 0, err
}

const (
	takeParked = `DELETE FROM parked WHERE id IN (SELECT id FROM parked WHERE visible <= ? ORDER BY visible LIMIT ?) RETURNING sent, body`
	takeReady  = `DELETE FROM ready WHERE id IN (SELECT id FROM ready ORDER BY id LIMIT ?) RETURNING sent, body`
)

// receive takes messages out of the file.
func (q *Queue) receive(ctx context.Context, r *request, s *fileState) error {
	now := time.Now().UnixNano()
	if s.parked <= now {
		if err := q.takeOut(ctx, r, takeParked, now, r.receive); err != nil {
			return err
		}
		var err error
		if s.parked, err = q.nextParked(ctx); err != nil {
			return err
		}
	}
	if room := r.receive - len(r.received); s.ready && room > 0 {
		if err := q.takeOut(ctx, r, takeReady, room); err != nil {
			return err
		}
		s.ready = len(r.received) == r.receive
	}
	return nil
}

func (q *Queue) takeOut(ctx context.Context, r *request, query string, args ...any) error {
	st, err := q.stmt(ctx, query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var sent int64
		var raw []byte
		if err := rows.Scan(&sent, &raw); err != nil {
			return errors.Join(err, rows.Close())
		}
		r.received = append(r.received, stored(raw, time.Unix(0, sent)))
	}
	return errors.Join(rows.Err(), rows.Close())
}

// count counts what is in the file. The ids of messages that can be received
// have no gaps.
func (q *Queue) count(ctx context.Context, r *request) error {
	st, err := q.stmt(ctx, `SELECT
		(SELECT coalesce(max(id), 0) FROM ready) - (SELECT coalesce(min(id), 1) FROM ready) + 1,
		(SELECT count(*) FROM parked WHERE visible <= ?1),
		(SELECT count(*) FROM parked WHERE visible > ?1 AND held > 0),
		(SELECT count(*) FROM parked WHERE visible > ?1 AND held = 0)`)
	if err != nil {
		return err
	}
	d, late := &r.counted, int64(0)
	err = st.QueryRowContext(ctx, time.Now().UnixNano()).Scan(&d.Visible, &late, &d.InFlight, &d.Delayed)
	d.Visible += late
	return err
}

func (q *Queue) number(ctx context.Context, query string) (n int64, err error) {
	st, err := q.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	return n, st.QueryRowContext(ctx).Scan(&n)
}

func (q *Queue) exec(ctx context.Context, query string, args ...any) error {
	st, err := q.stmt(ctx, query)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx, args...)
	return err
}

// stmt prepares a statement once.
func (q *Queue) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := q.stmts[query]; s != nil {
		return s, nil
	}
	s, err := q.conn.PrepareContext(ctx, query)
	if err == nil {
		q.stmts[query] = s
	}
	return s, err
}

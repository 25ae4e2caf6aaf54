package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/butakero/butakero/internal/jobs"
)

// request is what one caller wants written. Each caller's commands are applied
// one after the other; several requests share a transaction.
type request struct {
	jobs       []jobs.JobCommand
	operations []jobs.OperationCommand
	note       *jobs.Note
	purge      *purge

	// The answer, valid after done.
	jobOutcomes       []jobs.JobOutcome
	operationOutcomes []jobs.OperationOutcome
	noteOutcome       jobs.Note
	err               error
	done              chan struct{}
}

func (r *request) size() int { return len(r.jobs) + len(r.operations) + 1 }

// batchLimit bounds the commands of one transaction.
const batchLimit = 1024

// writer owns the writing connection.
type writer struct {
	options  Options
	requests chan *request
	stop     chan struct{}
	stopped  sync.WaitGroup

	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	cache *cache
	seen  int64 // data_version at the end of the last transaction
}

func startWriter(ctx context.Context, db *sql.DB, o Options) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		options: o, requests: make(chan *request, 256), stop: make(chan struct{}),
		conn: conn, stmts: map[string]*sql.Stmt{}, cache: newCache(o.Cache),
	}
	w.stopped.Go(w.run)
	return w, nil
}

// do hands a request over and waits for its answer. When ctx ends first, the
// request may or may not be applied.
func (w *writer) do(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	select {
	case w.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return fmt.Errorf("%w: the store is closed", jobs.ErrUnavailable)
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) close() {
	close(w.stop)
	w.stopped.Wait()
}

// run writes until the store is closed, and then what has come in.
func (w *writer) run() {
	defer func() {
		for _, s := range w.stmts {
			_ = s.Close() // the connection goes with it
		}
		_ = w.conn.Close()
	}()
	for {
		select {
		case r := <-w.requests:
			w.write(w.gather(r))
		case <-w.stop:
			for {
				select {
				case r := <-w.requests:
					w.write(w.gather(r))
				default:
					return
				}
			}
		}
	}
}

// gather takes what is waiting beside the first request, without waiting for
// more.
func (w *writer) gather(first *request) []*request {
	batch := append(make([]*request, 0, 16), first)
	for n := first.size(); n < batchLimit; {
		select {
		case r := <-w.requests:
			batch = append(batch, r)
			n += r.size()
		default:
			return batch
		}
	}
	return batch
}

// write applies a batch in one transaction and answers its callers.
func (w *writer) write(batch []*request) {
	// The driver starts a goroutine for every statement under a context that can
	// end: the writer's can not.
	ctx := context.Background()
	err := w.transaction(ctx, batch)
	if err != nil {
		w.cache.clear() // what was changed in memory is not in the file
		err = fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	for _, r := range batch {
		if err != nil {
			r.jobOutcomes, r.operationOutcomes, r.err = nil, nil, err
		}
		close(r.done)
	}
}

func (w *writer) transaction(ctx context.Context, batch []*request) (err error) {
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.exec(ctx, "ROLLBACK"))
		}
	}()
	var version int64
	if err := w.row(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		return err
	}
	if version != w.seen { // another process has written
		w.cache.clear()
		w.seen = version
	}
	t := &tx{w: w, ctx: ctx, counts: map[string]int64{}}
	for _, r := range batch {
		if err := t.apply(r); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := w.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	w.cache.settle()
	return nil
}

// stmt returns a prepared statement.
func (w *writer) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := w.stmts[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = s
	return s, nil
}

func (w *writer) exec(ctx context.Context, query string, args ...any) error {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, args...)
	return err
}

// scanner is a row to be read, or the error that prevented it.
type scanner interface{ Scan(into ...any) error }

type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

func (w *writer) row(ctx context.Context, query string, args ...any) scanner {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return failed{err}
	}
	return s.QueryRowContext(ctx, args...)
}

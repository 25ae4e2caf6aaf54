package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// request is what one caller wants written. Each caller's commands are applied
// one after the other; several requests share a transaction.
type request struct {
	jobs       []jobs.JobCommand
	operations []jobs.OperationCommand
	note       *jobs.Note
	purge      *purge
	catchUp    bool

	// The answer, valid after done.
	jobOutcomes       []jobs.JobOutcome
	operationOutcomes []jobs.OperationOutcome
	noteOutcome       jobs.Note
	err               error
	done              chan struct{}
}

func (r *request) size() int { return len(r.jobs) + len(r.operations) + 1 }

// catchUpAfter is how far lists may lag behind a claim.
const catchUpAfter = time.Second

// batchLimit bounds the commands of one transaction.
const batchLimit = 512

// writer owns the writing connection.
type writer struct {
	options  Options
	requests chan *request
	stop     chan struct{}
	stopping sync.Once
	stopped  chan struct{}

	conn   *conn
	cache  *cache
	seen   int64  // data_version at the end of the last transaction
	window int64  // where the last purge has stopped looking
	next   serial // the numbers that the next records get
	buf    []byte // a record is encoded here before the driver copies it

	lagging map[jobs.Key]bool // jobs whose columns may not be those of their records
	tick    <-chan time.Time  // when they are to be; nil: there are none

	written     int           // commands since the last checkpoint was asked for
	checkpoints chan struct{} // asks the checkpointer to copy
	copied      chan struct{} // the checkpointer has copied what it could
}

// serial are the last numbers given out, kept in memory while nobody else writes.
type serial struct{ job, operation, end int64 }

func startWriter(c *conn, o Options) *writer {
	w := &writer{
		options: o, requests: make(chan *request, 512), stop: make(chan struct{}), stopped: make(chan struct{}),
		conn: c, cache: newCache(o.Cache), seen: -1, lagging: map[jobs.Key]bool{},
		checkpoints: make(chan struct{}, 1), copied: make(chan struct{}, 1),
	}
	go w.run()
	return w
}

var errClosed = fmt.Errorf("%w: the store is closed", jobs.ErrUnavailable)

// do hands a request over and waits for its answer. When ctx ends first, the
// request may or may not be applied.
func (w *writer) do(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	select {
	case w.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
		select {
		case <-r.done: // among the last
			return r.err
		default:
			return errClosed
		}
	}
}

func (w *writer) close() error {
	first := false
	w.stopping.Do(func() { close(w.stop); first = true })
	<-w.stopped
	if !first {
		return nil
	}
	return w.conn.close()
}

// run writes until the store is closed, and then what has come in.
func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case r := <-w.requests:
			w.write(w.gather(r))
		case <-w.tick:
			w.write([]*request{{catchUp: true, done: make(chan struct{})}})
		case <-w.copied:
			w.checkpoint()
		case <-w.stop:
			for {
				select {
				case r := <-w.requests:
					w.write(w.gather(r))
				default:
					if len(w.lagging) > 0 {
						w.write([]*request{{catchUp: true, done: make(chan struct{})}})
					}
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
	err := w.transaction(batch)
	if err != nil {
		w.cache.clear() // what was changed in memory is not in the file
		w.seen = -1
		if w.tick != nil { // try again later, also what should have been caught up with
			w.tick = time.After(catchUpAfter)
		}
		err = fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	for _, r := range batch {
		if err != nil {
			r.jobOutcomes, r.operationOutcomes, r.err = nil, nil, err
		}
		w.written += r.size()
		close(r.done)
	}
	if w.written >= checkpointEvery {
		w.written = 0
		select {
		case w.checkpoints <- struct{}{}:
		default:
		}
	}
}

func (w *writer) transaction(batch []*request) (err error) {
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil { // a statement that failed may have ended the transaction already
			if _, undo := w.conn.exec("ROLLBACK"); undo != nil {
				err = errors.Join(err, undo)
			}
		}
	}()
	version, err := w.conn.number("PRAGMA data_version")
	if err != nil {
		return err
	}
	if version != w.seen { // another process has written
		w.cache.clear()
		if w.next, err = w.serials(); err != nil {
			return err
		}
		w.seen = version
	}
	t := &tx{w: w, end: w.next.end}
	if err := t.prefetch(batch); err != nil {
		return err
	}
	for _, r := range batch {
		if err := t.apply(r); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if _, err := w.conn.exec("COMMIT"); err != nil {
		return err
	}
	w.cache.settle()
	if t.catchingUp {
		clear(w.lagging)
		w.tick = nil
	}
	if len(w.lagging) > 0 && w.tick == nil {
		w.tick = time.After(catchUpAfter)
	}
	return nil
}

func (w *writer) serials() (s serial, err error) {
	if s.job, err = w.conn.number("SELECT max(row) FROM jobs"); err != nil {
		return s, err
	}
	if s.operation, err = w.conn.number("SELECT max(row) FROM operations"); err != nil {
		return s, err
	}
	// The ends are counted, as the newest may have been deleted and a reader of
	// the events may have seen it.
	s.end, err = w.conn.number("SELECT n FROM counts WHERE name = ?", int64(countEnds))
	return s, err
}

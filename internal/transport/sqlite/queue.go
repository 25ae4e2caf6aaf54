// Package sqlite is the embedded queue: messages in an SQLite file of their
// own, beside the store's.
//
// A message only rings, and one that is lost is rung again by the reconciler;
// so the file is written without waiting for the disk (synchronous=NORMAL: a
// power cut may cost the last messages, a crash of the process costs none). One
// goroutine writes, and puts what has come in meanwhile into one transaction.
// Receivers in this process are woken at once; those of other processes on the
// same file look whether it has changed.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/butakero/butakero/internal/jobs"
)

// Options are the queue's settings; the zero value is legal.
type Options struct {
	Visibility  time.Duration // a delivery is hidden from others for so long; 90 s
	BusyTimeout time.Duration // wait for another process so long; 5 s
	PollEvery   time.Duration // look for messages of other processes so often; 100 ms
}

// Queue implements jobs.Queue.
type Queue struct {
	options  Options
	db       *sql.DB
	conn     *sql.Conn
	stmts    map[string]*sql.Stmt
	requests chan *request
	stop     chan struct{}
	stopOnce sync.Once
	running  sync.WaitGroup

	mu   sync.Mutex
	wake chan struct{} // closed when something may have become receivable
}

var _ jobs.Queue = (*Queue)(nil)

// Errors of Open, found with errors.Is.
var (
	ErrNewerSchema = errors.New("the queue was written by a newer version of Butakero")
	ErrCorrupt     = errors.New("the queue's file is damaged")
	ErrNotWritable = errors.New("the queue's file can not be written")
)

const schemaVersion = 1

// delivery counts the deliveries of a message; it is part of the receipt, so
// that an older receipt is stale.
const schema = `
CREATE TABLE messages (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	visible  INTEGER NOT NULL,
	delivery INTEGER NOT NULL DEFAULT 0,
	held     INTEGER NOT NULL DEFAULT 0,
	sent     INTEGER NOT NULL,
	body     BLOB NOT NULL
);
CREATE INDEX messages_visible ON messages (visible, held);
`

// Open opens the queue, making file and folder where they are missing.
func Open(ctx context.Context, path string, o Options) (*Queue, error) {
	if o.Visibility <= 0 {
		o.Visibility = 90 * time.Second
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.PollEvery <= 0 {
		o.PollEvery = 100 * time.Millisecond
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate" + fmt.Sprintf("&_pragma=busy_timeout(%d)", o.BusyTimeout.Milliseconds()) +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-4096)&_pragma=wal_autocheckpoint(4000)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	q := &Queue{
		options: o, db: db, stmts: map[string]*sql.Stmt{},
		requests: make(chan *request, 256), stop: make(chan struct{}), wake: make(chan struct{}),
	}
	if err := q.prepare(ctx, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if q.conn, err = db.Conn(ctx); err != nil {
		return nil, errors.Join(openError(path, err), db.Close())
	}
	q.running.Go(q.run)
	return q, nil
}

func (q *Queue) prepare(ctx context.Context, path string) error {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return openError(path, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return openError(path, err)
	}
	if version > schemaVersion {
		return fmt.Errorf("%w: %s has schema %d, this version knows %d", ErrNewerSchema, path, version, schemaVersion)
	}
	if version == 0 {
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)); err != nil {
			return openError(path, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return openError(path, err)
	}
	return nil
}

func openError(path string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "malformed"), strings.Contains(text, "not a database"):
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	case strings.Contains(text, "readonly"), strings.Contains(text, "unable to open"):
		return fmt.Errorf("%w: %s: %w", ErrNotWritable, path, err)
	case strings.Contains(text, "locked"):
		return fmt.Errorf("%w: %s is in use by another process: %w", jobs.ErrUnavailable, path, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// Send implements jobs.Queue.
func (q *Queue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	if len(messages) == 0 {
		return ctx.Err()
	}
	r := &request{send: make([]body, len(messages))}
	now := time.Now()
	for i, m := range messages {
		r.send[i] = body{jobs.EncodeMessage(m.Message), now, now.Add(m.Delay)}
	}
	return q.do(ctx, r)
}

// SendRaw sends a body that need not be a message, for tests.
func (q *Queue) SendRaw(ctx context.Context, raw []byte) error {
	now := time.Now()
	return q.do(ctx, &request{send: []body{{raw, now, now}}})
}

// Receive implements jobs.Queue.
func (q *Queue) Receive(ctx context.Context, limit int) ([]jobs.Delivery, error) {
	poll := time.NewTicker(q.options.PollEvery)
	defer poll.Stop()
	for {
		wake := q.waker()
		r := &request{receive: limit}
		// What is received belongs to this caller: it is not given up half-way.
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := q.do(context.WithoutCancel(ctx), r); err != nil || len(r.deliveries) > 0 {
			return r.deliveries, err
		}
		next := time.NewTimer(max(r.wait, time.Millisecond))
		select {
		case <-ctx.Done():
		case <-q.stop:
		case <-wake:
		case <-next.C:
		case <-poll.C:
		}
		next.Stop()
	}
}

func (q *Queue) waker() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wake
}

func (q *Queue) ring() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.wake)
	q.wake = make(chan struct{})
}

// Extend implements jobs.Queue.
func (q *Queue) Extend(ctx context.Context, deliveries []jobs.Delivery, d time.Duration) []error {
	changes := make([]change, len(deliveries))
	until := time.Now().Add(d)
	for i, delivery := range deliveries {
		changes[i] = change{receipt: delivery.Receipt, visible: until, held: true}
	}
	return q.change(ctx, changes)
}

// Settle implements jobs.Queue.
func (q *Queue) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	changes := make([]change, len(settlements))
	now := time.Now()
	for i, s := range settlements {
		changes[i] = change{receipt: s.Delivery.Receipt, remove: !s.Release, visible: now.Add(s.Delay)}
	}
	return q.change(ctx, changes)
}

func (q *Queue) change(ctx context.Context, changes []change) []error {
	r := &request{changes: changes}
	if err := q.do(ctx, r); err != nil {
		errs := make([]error, len(changes))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	return r.errs
}

// Depth implements jobs.Queue.
func (q *Queue) Depth(ctx context.Context) (jobs.Depth, error) {
	r := &request{depth: true}
	err := q.do(ctx, r)
	return r.counted, err
}

// Held implements jobs.Queue.
func (q *Queue) Held() bool { return true }

// Ping says whether the file answers and can be written.
func (q *Queue) Ping(ctx context.Context) error { return q.do(ctx, &request{}) }

// Close writes what has come in and closes the file. Waiting receivers return.
func (q *Queue) Close() error {
	q.stopOnce.Do(func() { close(q.stop) })
	q.running.Wait()
	return q.db.Close()
}

func parseReceipt(receipt string) (id, delivery int64, ok bool) {
	a, b, found := strings.Cut(receipt, ".")
	id, errA := strconv.ParseInt(a, 10, 64)
	delivery, errB := strconv.ParseInt(b, 10, 64)
	return id, delivery, found && errA == nil && errB == nil
}

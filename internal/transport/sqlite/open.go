package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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

// Errors of Open, found with errors.Is.
var (
	ErrNewerSchema = errors.New("the queue was written by a newer version of Butakero")
	ErrCorrupt     = errors.New("the queue's file is damaged")
	ErrNotWritable = errors.New("the queue's file can not be written")
)

const schemaVersion = 2

// Messages that can be received are a list: new ones come behind the last, and
// the first are taken, so no index is needed and the ids of those that are there
// have no gaps. Parked are those that can not be received yet: delayed, or held
// by somebody. A parked row's id is never used again, as a delivery is known by it.
const schema = `
DROP TABLE IF EXISTS messages;
CREATE TABLE ready (
	id   INTEGER PRIMARY KEY,
	sent INTEGER NOT NULL,
	body BLOB NOT NULL
);
CREATE TABLE parked (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	visible INTEGER NOT NULL,
	held    INTEGER NOT NULL,
	sent    INTEGER NOT NULL,
	body    BLOB NOT NULL
);
CREATE INDEX parked_visible ON parked (visible);
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
		options: o, db: db, stmts: map[string]*sql.Stmt{}, held: map[int64]*holds{}, ready: true,
		requests: make(chan *request, 256), stop: make(chan struct{}), wake: make(chan struct{}), written: make(chan struct{}), stopped: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	if err := q.prepare(ctx, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if q.conn, err = db.Conn(ctx); err != nil {
		return nil, errors.Join(openError(path, err), db.Close())
	}
	q.running.Go(q.run)
	q.running.Go(q.writesBehind)
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
	if version < schemaVersion { // the messages of an older one are rung again by the reconciler
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

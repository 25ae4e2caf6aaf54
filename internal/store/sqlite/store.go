// Package sqlite keeps jobs, operations and notes in one SQLite file: the
// embedded store, with no server.
//
// One goroutine writes (writer.go). Whatever commands have come in while the
// last transaction was written go into the next one together, so many callers
// share one fsync and a single caller waits for nobody. The transitions
// themselves are the domain's own functions, run inside the transaction; the
// writer keeps the records it works on in memory as long as no other process has
// written to the file. Readers see what has been committed.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/butakero/butakero/internal/jobs"
)

// Options are the store's settings; the zero value is legal.
type Options struct {
	BusyTimeout time.Duration    // wait for another process so long; 5 s
	Cache       int              // records that the writer keeps in memory; 8192
	KeepDead    time.Duration    // dead and cancelled jobs are deleted so long after their end; 90 days
	Now         func() time.Time // clock by which notes expire; time.Now
}

// Store implements jobs.Backend.
type Store struct {
	options Options
	write   *sql.DB
	read    *sql.DB
	writer  *writer
}

var _ jobs.Backend = (*Store)(nil)

// Errors of Open, found with errors.Is.
var (
	ErrNewerSchema = errors.New("the database was written by a newer version of Butakero")
	ErrCorrupt     = errors.New("the database is damaged")
	ErrNotWritable = errors.New("the database can not be written")
)

const schemaVersion = 1

const schema = `
CREATE TABLE jobs (
	row     INTEGER PRIMARY KEY,
	key     TEXT NOT NULL UNIQUE,
	state   TEXT NOT NULL,
	due     INTEGER NOT NULL,
	asked   INTEGER NOT NULL,
	listed  INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	doc     BLOB NOT NULL
);
CREATE INDEX jobs_due ON jobs (due, state, asked) WHERE due > 0;
CREATE INDEX jobs_listed ON jobs (listed);
CREATE INDEX jobs_dead ON jobs (listed) WHERE state = 'dead';
CREATE INDEX jobs_expires ON jobs (expires) WHERE expires > 0;

CREATE TABLE operations (
	row     INTEGER PRIMARY KEY,
	id      BLOB NOT NULL UNIQUE,
	waiting INTEGER,
	due     INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	doc     BLOB NOT NULL
);
CREATE INDEX operations_waiting ON operations (waiting, id) WHERE waiting IS NOT NULL;
CREATE INDEX operations_due ON operations (due) WHERE due > 0;
CREATE INDEX operations_expires ON operations (expires) WHERE expires > 0;

CREATE TABLE ends (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	operation INTEGER NOT NULL
);

CREATE TABLE notes (
	key     TEXT PRIMARY KEY,
	version INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	value   BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX notes_expires ON notes (expires) WHERE expires > 0;

CREATE TABLE counts (
	name TEXT PRIMARY KEY,
	n    INTEGER NOT NULL
) WITHOUT ROWID;
`

// Open opens the database, making file and folder where they are missing.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.Cache <= 0 {
		o.Cache = 8192
	}
	if o.KeepDead <= 0 {
		o.KeepDead = 90 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	if err := private(path); err != nil {
		return nil, err
	}
	s := &Store{options: o}
	var err error
	if s.write, err = connect(path, o, "_txlock=immediate"); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.prepare(ctx, path); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if s.read, err = connect(path, o, "_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	s.read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	if s.writer, err = startWriter(ctx, s.write, o); err != nil {
		return nil, errors.Join(err, s.read.Close(), s.write.Close())
	}
	return s, nil
}

// private makes the file, readable by its owner alone.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	return f.Close()
}

func connect(path string, o Options, extra string) (*sql.DB, error) {
	pragmas := []string{
		fmt.Sprintf("_pragma=busy_timeout(%d)", o.BusyTimeout.Milliseconds()),
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(0)",
		"_pragma=cache_size(-16384)", "_pragma=temp_store(MEMORY)", "_pragma=wal_autocheckpoint(8000)", extra,
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(pragmas, "&")
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// prepare checks the file and brings its schema up to date.
func (s *Store) prepare(ctx context.Context, path string) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return openError(path, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return openError(path, err)
	}
	switch {
	case version > schemaVersion:
		return fmt.Errorf("%w: %s has schema %d, this version knows %d", ErrNewerSchema, path, version, schemaVersion)
	case version == schemaVersion:
		var result string
		// One problem is enough, and a look at the structure is quick.
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM jobs LIMIT 1)").Scan(&result); err != nil {
			return openError(path, err)
		}
		return nil
	}
	if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)); err != nil {
		return openError(path, err)
	}
	if err := tx.Commit(); err != nil {
		return openError(path, err)
	}
	return nil
}

func openError(path string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "malformed"), strings.Contains(text, "not a database"), strings.Contains(text, "(11)"), strings.Contains(text, "(26)"):
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	case strings.Contains(text, "readonly"), strings.Contains(text, "unable to open"):
		return fmt.Errorf("%w: %s: %w", ErrNotWritable, path, err)
	case strings.Contains(text, "locked"), strings.Contains(text, "SQLITE_BUSY"):
		return fmt.Errorf("%w: %s is in use by another process: %w", jobs.ErrUnavailable, path, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// Ping says whether the database answers and can be written.
func (s *Store) Ping(ctx context.Context) error {
	return s.writer.do(ctx, &request{})
}

// Close writes what has come in and closes the file.
func (s *Store) Close() error {
	s.writer.close()
	return errors.Join(s.read.Close(), s.write.Close())
}

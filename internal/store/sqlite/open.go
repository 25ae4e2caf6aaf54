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

	driversqlite "modernc.org/sqlite"

	"github.com/butakero/butakero/internal/jobs"
)

// OpenError is why a database can not be used. It is found with errors.As; two of
// the same Code are errors.Is.
type OpenError struct {
	Code    string // stable, lower case with underscores
	Message string // what is wrong with the file, and what to do
	Path    string
	Err     error
}

// The reasons.
var (
	ErrNewerSchema = &OpenError{Code: "store_newer_schema", Message: "the database was written by a newer version of Butakero: run that one, or take another folder"}
	ErrCorrupt     = &OpenError{Code: "store_corrupt", Message: "the database is damaged, or no SQLite file at all: restore a copy, or move it away to begin anew"}
	ErrNotWritable = &OpenError{Code: "store_not_writable", Message: "the database can not be written: look at its folder, its owner and its rights"}
	ErrFull        = &OpenError{Code: "store_full", Message: "there is no room left for the database"}
)

// Error implements error.
func (e *OpenError) Error() string {
	text := e.Code + ": " + e.Message
	if e.Path != "" {
		text += " (" + e.Path + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *OpenError) Unwrap() error { return e.Err }

// Is compares the codes.
func (e *OpenError) Is(target error) bool {
	other, ok := target.(*OpenError)
	return ok && other.Code == e.Code
}

func (e *OpenError) at(path string, cause error) error {
	return &OpenError{Code: e.Code, Message: e.Message, Path: path, Err: cause}
}

// schemaVersion 2 has the index of the dead, and records of codecVersion 2.
const schemaVersion = 2

// Times are nanoseconds since 1970, 0 for none. States have numbers (rows.go).
const schema = `
CREATE TABLE jobs (
	row     INTEGER PRIMARY KEY,
	key     TEXT NOT NULL UNIQUE,
	state   INTEGER NOT NULL,
	due     INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	doc     BLOB NOT NULL
);
CREATE INDEX jobs_due ON jobs (due) WHERE due > 0;
CREATE INDEX jobs_list ON jobs (state, updated);

CREATE TABLE operations (
	row     INTEGER PRIMARY KEY,
	id      BLOB NOT NULL, -- unique: the writer looks before it inserts
	due     INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	ended   INTEGER,
	doc     BLOB NOT NULL
);
CREATE INDEX operations_id ON operations (id); -- of all, so that an end leaves this large index alone
CREATE INDEX operations_due ON operations (due) WHERE due > 0;
CREATE INDEX operations_ended ON operations (ended) WHERE ended IS NOT NULL;

CREATE TABLE notes (
	key     TEXT PRIMARY KEY,
	version INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	value   BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX notes_expires ON notes (expires) WHERE expires > 0;

CREATE TABLE counts (name INTEGER PRIMARY KEY, n INTEGER NOT NULL);
INSERT INTO counts VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0);
`

// private makes folder and file, for their owner alone.
func private(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return ErrNotWritable.at(path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return ErrNotWritable.at(path, err)
	}
	return f.Close()
}

// dsn names the file and the settings of a connection. The log is copied back by
// the checkpointer; SQLite does it by itself only when that one is far behind.
func dsn(path string, o Options, extra string) string {
	pragmas := []string{
		fmt.Sprintf("_pragma=busy_timeout(%d)", o.BusyTimeout.Milliseconds()),
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=wal_autocheckpoint(20000)",
		"_pragma=foreign_keys(0)", "_pragma=temp_store(MEMORY)", "_txlock=immediate",
	}
	if extra != "" {
		pragmas = append(pragmas, extra)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(pragmas, "&")
}

// checkedBytes bounds the file whose every page is checked when it is opened: that
// takes well under a second. Of a larger one the structure is.
const checkedBytes = 32 << 20

// prepare checks the file and brings its schema up to date.
func prepare(ctx context.Context, path string, o Options) (err error) {
	db, err := sql.Open("sqlite", dsn(path, o, ""))
	if err != nil {
		return openError(path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil)
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
		return ErrNewerSchema.at(path, fmt.Errorf("schema %d, this version knows %d", version, schemaVersion))
	case version == schemaVersion:
		return check(ctx, tx, path)
	}
	if version == 0 {
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return openError(path, err)
		}
	}
	if err := indexDead(ctx, tx); err != nil {
		return openError(path, err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)); err != nil {
		return openError(path, err)
	}
	if err := tx.Commit(); err != nil {
		return openError(path, err)
	}
	return nil
}

func check(ctx context.Context, tx *sql.Tx, path string) error {
	for _, table := range []string{"jobs", "operations", "notes", "counts", "dead"} {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+table+" LIMIT 1)").Scan(&n); err != nil {
			return openError(path, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > checkedBytes {
		return err
	}
	var result string
	if err := tx.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return openError(path, err)
	}
	if result != "ok" {
		return ErrCorrupt.at(path, errors.New(result))
	}
	return nil
}

// The primary result codes of SQLite (sqlite.org/rescode.html).
const (
	codePermission = 3
	codeBusy       = 5
	codeReadOnly   = 8
	codeCorrupt    = 11
	codeFull       = 13
	codeCanNotOpen = 14
	codeNoDatabase = 26
)

// openError says in the user's terms what the engine said.
func openError(path string, err error) error {
	var e *driversqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("open %s: %w", path, err)
	}
	switch e.Code() & 0xff {
	case codeCorrupt, codeNoDatabase:
		return ErrCorrupt.at(path, err)
	case codePermission, codeReadOnly, codeCanNotOpen:
		return ErrNotWritable.at(path, err)
	case codeFull:
		return ErrFull.at(path, err)
	case codeBusy:
		return fmt.Errorf("%w: %s is in use by another process: %w", jobs.ErrUnavailable, path, err)
	}
	if strings.Contains(err.Error(), "no such table") {
		return ErrCorrupt.at(path, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

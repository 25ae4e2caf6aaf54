// Package sqlite keeps jobs, operations and notes in one SQLite file: the
// embedded store, with no server.
//
// # How it writes
//
// One goroutine writes (writer.go). Whatever commands have come in while the
// last transaction was written go into the next one together, so that many
// callers share one fsync and a single caller waits for nobody. The transitions
// themselves are the domain's own functions, run on the records inside the
// transaction (tx.go); each record that has changed is then written once
// (rows.go). The writer keeps what it works on in memory as long as no other
// process has written to the file, which SQLite tells at the beginning of every
// transaction. Copying the log back into the file is another goroutine's work
// (checkpoint.go).
//
// # What is in the file
//
// A record is one blob (codec.go) beside the few columns by which it is found.
// The indexes are partial, and their conditions are exactly those of the
// queries: what needs no attention is in none of them, so that a claim costs the
// same among a million waiting jobs as among a thousand.
//
// Readers use connections of their own and see what has been committed.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Options are the store's settings; the zero value is legal.
type Options struct {
	BusyTimeout time.Duration    // wait for another process so long; 5 s
	Cache       int              // records of each kind that the writer keeps in memory; 8192
	KeepDead    time.Duration    // dead and cancelled jobs are deleted so long after their end; 90 days; negative: not by Purge
	Now         func() time.Time // clock by which notes expire; time.Now
}

// Store implements jobs.Backend.
type Store struct {
	options Options
	read    *sql.DB
	reads   map[string]*sql.Stmt
	writer  *writer
	stop    context.CancelFunc
	helpers sync.WaitGroup
}

var _ jobs.Backend = (*Store)(nil)

// Open opens the database, making file and folder where they are missing, for
// their owner alone. The errors are those of this package, or wrap
// jobs.ErrUnavailable when another process holds the file for longer than
// Options.BusyTimeout.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.Cache <= 0 {
		o.Cache = 8192
	}
	if o.KeepDead == 0 {
		o.KeepDead = 90 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := private(path); err != nil {
		return nil, err
	}
	if err := prepare(ctx, path, o); err != nil {
		return nil, err
	}
	s := &Store{options: o, reads: map[string]*sql.Stmt{}}
	// A long backlog outgrows any cache, and each job then misses some fifteen pages
	// of it: mapped, they cost no system call.
	w, err := dial(dsn(path, o, "_pragma=cache_size(-65536)&_pragma=mmap_size(2147483648)"))
	if err != nil {
		return nil, openError(path, err)
	}
	if s.read, err = sql.Open("sqlite", dsn(path, o, "_pragma=query_only(1)")); err != nil {
		return nil, errors.Join(openError(path, err), w.close())
	}
	s.read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	s.read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	for _, query := range []string{
		readJob, readOperation, readWaiting, readOthers, dueJobs, dueOperations, readEnds, readCounts, readOldest, readNote, listNotes,
	} {
		if s.reads[query], err = s.read.PrepareContext(ctx, query); err != nil {
			return nil, errors.Join(openError(path, err), s.read.Close(), w.close())
		}
	}
	copying, err := sql.Open("sqlite", dsn(path, o, ""))
	if err != nil {
		return nil, errors.Join(openError(path, err), s.read.Close(), w.close())
	}
	copying.SetMaxOpenConns(1)
	s.writer = startWriter(w, o)
	helping, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.helpers.Go(func() {
		s.checkpointer(helping, copying)
		_ = copying.Close() // it has written nothing that could be lost
	})
	return s, nil
}

// Ping says whether the database answers and can be written.
func (s *Store) Ping(ctx context.Context) error {
	return s.writer.do(ctx, &request{})
}

// Close writes what has come in and closes the file. What comes later is refused.
func (s *Store) Close() error {
	s.stop()
	s.helpers.Wait()
	err := s.writer.close()
	if errRead := s.read.Close(); err == nil && errRead != nil {
		err = fmt.Errorf("close: %w", errRead)
	}
	return err
}

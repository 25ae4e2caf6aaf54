package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// ApplyJobs implements jobs.Store.
func (s *Store) ApplyJobs(ctx context.Context, commands []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	if len(commands) == 0 {
		return nil, ctx.Err()
	}
	r := &request{jobs: commands}
	if err := s.writer.do(ctx, r); err != nil {
		return nil, err
	}
	return r.jobOutcomes, nil
}

// ApplyOperations implements jobs.Store.
func (s *Store) ApplyOperations(ctx context.Context, commands []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	if len(commands) == 0 {
		return nil, ctx.Err()
	}
	r := &request{operations: commands}
	if err := s.writer.do(ctx, r); err != nil {
		return nil, err
	}
	return r.operationOutcomes, nil
}

// The reads that the protocol needs are prepared once per connection.
const (
	readJob       = `SELECT doc FROM jobs WHERE key = ?`
	readOperation = `SELECT doc FROM operations WHERE id = ?`
	readWaiting   = `SELECT doc FROM operations WHERE ended IS NULL AND id > ? AND id <= ? ORDER BY id`
	readOthers    = `SELECT doc FROM operations WHERE ended IS NOT NULL AND id > ? AND id <= ? ORDER BY id`
	dueJobs       = `SELECT doc FROM jobs WHERE due > 0 AND due <= ? ORDER BY due`
	dueOperations = `SELECT doc FROM operations WHERE due > 0 AND due <= ? ORDER BY due LIMIT ?`
)

// Job implements jobs.Store.
func (s *Store) Job(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	var doc []byte
	if err := s.reads[readJob].QueryRowContext(ctx, rowKey(key)).Scan(&doc); err != nil {
		return jobs.Job{}, readError(ctx, err)
	}
	return decodeJob(doc)
}

// Operation implements jobs.Store.
func (s *Store) Operation(ctx context.Context, id string) (jobs.Operation, error) {
	packed, ok := packID(id)
	if !ok {
		if err := ctx.Err(); err != nil {
			return jobs.Operation{}, err
		}
		return jobs.Operation{}, jobs.ErrNotFound
	}
	var doc []byte
	if err := s.reads[readOperation].QueryRowContext(ctx, packed).Scan(&doc); err != nil {
		return jobs.Operation{}, readError(ctx, err)
	}
	return decodeOperation(doc)
}

// OperationsOf implements jobs.Store. The operations of a song lie together, as
// their ids begin with it; those that wait have an index of their own.
func (s *Store) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) ([]jobs.Operation, error) {
	first, last := idRange(key.Song)
	if packed, ok := packID(after); ok && bytes.Compare(packed, first) > 0 {
		first = packed
	}
	query := readOthers
	if state == jobs.OperationWaiting {
		query = readWaiting
	}
	var found []jobs.Operation
	err := s.documents(ctx, query, []any{first, last}, func(doc []byte) (bool, error) {
		o, err := decodeOperation(doc)
		if err != nil {
			return false, err
		}
		if o.Key == key && o.State == state && len(found) < limit {
			found = append(found, o)
		}
		return len(found) < limit, nil
	})
	return found, err
}

// Due implements jobs.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due jobs.Due, err error) {
	err = s.documents(ctx, dueJobs, []any{nanos(now)}, func(doc []byte) (bool, error) {
		j, err := decodeJob(doc)
		if err == nil && !j.DueAt.After(now) && len(due.Jobs) < limit { // the index may be early (see lags)
			due.Jobs = append(due.Jobs, j)
		}
		return len(due.Jobs) < limit, err
	})
	if err != nil {
		return due, err
	}
	slices.SortFunc(due.Jobs, func(a, b jobs.Job) int { return a.DueAt.Compare(b.DueAt) })
	err = s.documents(ctx, dueOperations, []any{nanos(now), limit}, func(doc []byte) (bool, error) {
		o, err := decodeOperation(doc)
		due.Operations = append(due.Operations, o)
		return true, err
	})
	return due, err
}

// documents runs a prepared query for documents until each says stop.
func (s *Store) documents(ctx context.Context, query string, args []any, each func(doc []byte) (more bool, err error)) error {
	rows, err := s.reads[query].QueryContext(ctx, args...)
	if err != nil {
		return readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&doc); err != nil {
			return readError(ctx, err)
		}
		if more, err := each(doc); err != nil || !more {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return readError(ctx, err)
	}
	return nil
}

func readError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return jobs.ErrNotFound
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
}

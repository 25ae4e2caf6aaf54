package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

// Job implements jobs.Store.
func (s *Store) Job(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	var doc []byte
	err := s.read.QueryRowContext(ctx, "SELECT doc FROM jobs WHERE key = ?", key.String()).Scan(&doc)
	if err != nil {
		return jobs.Job{}, readError(ctx, err)
	}
	return decodeJob(doc)
}

// Operation implements jobs.Store.
func (s *Store) Operation(ctx context.Context, id string) (jobs.Operation, error) {
	var doc []byte
	err := s.read.QueryRowContext(ctx, "SELECT doc FROM operations WHERE id = ?", packID(id)).Scan(&doc)
	if err != nil {
		return jobs.Operation{}, readError(ctx, err)
	}
	return decodeOperation(doc)
}

// OperationsOf implements jobs.Store. Waiting operations have an index; the
// others are found by the song that their ids begin with.
func (s *Store) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) ([]jobs.Operation, error) {
	query := "SELECT doc FROM operations WHERE waiting = ?1 AND id > ?2 ORDER BY id"
	args := []any{waitingKey(key), packID(after)}
	if state != jobs.OperationWaiting {
		first, last := idRange(key.Song)
		if after != "" {
			first = packID(after)
		}
		query = "SELECT doc FROM operations WHERE id > ?1 AND id <= ?2 ORDER BY id"
		args = []any{first, last}
	}
	var found []jobs.Operation
	err := s.documents(ctx, query, args, func(doc []byte) (bool, error) {
		o, err := decodeOperation(doc)
		if err != nil {
			return false, err
		}
		if o.Key == key && o.State == state && o.ID > after {
			found = append(found, o)
		}
		return len(found) < limit, nil
	})
	return found, err
}

// idRange is where the ids of a song's operations lie: they begin with the song.
// first is a prefix of the lowest one and so sorts before it.
func idRange(song jobs.Song) (first, last []byte) {
	low := packID(jobs.NewOperationID(song, [8]byte{}))
	high := jobs.NewOperationID(song, [8]byte{255, 255, 255, 255, 255, 255, 255, 255})
	return low[:len(low)-1], packID(high)
}

// Due implements jobs.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (jobs.Due, error) {
	var due jobs.Due
	args := []any{nanos(now), limit}
	err := s.documents(ctx, "SELECT doc FROM jobs WHERE due > 0 AND due <= ? ORDER BY due LIMIT ?", args, func(doc []byte) (bool, error) {
		j, err := decodeJob(doc)
		due.Jobs = append(due.Jobs, j)
		return true, err
	})
	if err != nil {
		return due, err
	}
	err = s.documents(ctx, "SELECT doc FROM operations WHERE due > 0 AND due <= ? ORDER BY due LIMIT ?", args, func(doc []byte) (bool, error) {
		o, err := decodeOperation(doc)
		due.Operations = append(due.Operations, o)
		return true, err
	})
	return due, err
}

// documents runs a query for one column of documents until each says stop.
func (s *Store) documents(ctx context.Context, query string, args []any, each func(doc []byte) (more bool, err error)) error {
	rows, err := s.read.QueryContext(ctx, query, args...)
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

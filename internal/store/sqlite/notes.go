package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Note implements jobs.Notes.
func (s *Store) Note(ctx context.Context, key string) (jobs.Note, error) {
	n := jobs.Note{Key: key}
	var expires int64
	err := s.read.QueryRowContext(ctx, "SELECT version, expires, value FROM notes WHERE key = ?", key).
		Scan(&n.Version, &expires, &n.Value)
	if err != nil {
		return jobs.Note{}, readError(ctx, err)
	}
	n.ExpiresAt = fromNanos(expires)
	if s.expired(n) {
		return jobs.Note{}, jobs.ErrNotFound
	}
	return n, nil
}

func (s *Store) expired(n jobs.Note) bool {
	return !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.options.Now())
}

// SwapNote implements jobs.Notes.
func (s *Store) SwapNote(ctx context.Context, n jobs.Note) (jobs.Note, error) {
	r := &request{note: &n}
	err := s.writer.do(ctx, r)
	if err != nil && !errors.Is(err, jobs.ErrConflict) {
		return jobs.Note{}, err
	}
	return r.noteOutcome, err
}

// note compares and swaps inside the transaction.
func (t *tx) note(r *request) error {
	n := *r.note
	kept := jobs.Note{Key: n.Key}
	var expires int64
	err := t.w.row(t.ctx, "SELECT version, expires, value FROM notes WHERE key = ?", n.Key).Scan(&kept.Version, &expires, &kept.Value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	stored := kept.Version
	if kept.ExpiresAt = fromNanos(expires); expires != 0 && !kept.ExpiresAt.After(t.w.options.Now()) {
		kept = jobs.Note{}
	}
	if kept.Version != n.Version {
		r.noteOutcome, r.err = kept, jobs.ErrConflict
		return nil
	}
	if n.Value == nil {
		n.Value = []byte{}
	}
	// A note that comes after an expired one goes on counting: nobody's old
	// version can ever match again.
	n.Version = stored + 1
	r.noteOutcome = n
	return t.w.exec(t.ctx,
		`INSERT INTO notes (key, version, expires, value) VALUES (?, ?, ?, ?)
		 ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires, value = excluded.value`,
		n.Key, n.Version, nanos(n.ExpiresAt), n.Value)
}

// ListNotes implements jobs.Notes.
func (s *Store) ListNotes(ctx context.Context, prefix, after string, limit int) ([]jobs.Note, error) {
	rows, err := s.read.QueryContext(ctx,
		"SELECT key, version, expires, value FROM notes WHERE key >= ?1 AND key > ?2 AND substr(key, 1, length(?1)) = ?1 AND (expires = 0 OR expires > ?3) ORDER BY key LIMIT ?4",
		prefix, after, nanos(s.options.Now()), limit)
	if err != nil {
		return nil, readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	var found []jobs.Note
	for rows.Next() {
		var n jobs.Note
		var expires int64
		if err := rows.Scan(&n.Key, &n.Version, &expires, &n.Value); err != nil {
			return nil, readError(ctx, err)
		}
		n.ExpiresAt = fromNanos(expires)
		found = append(found, n)
	}
	if err := rows.Err(); err != nil {
		return nil, readError(ctx, err)
	}
	return found, nil
}

// purge deletes what has outlived its time.
type purge struct {
	now     time.Time
	limit   int
	deleted int
}

// Purge deletes expired operations and notes, and dead and cancelled jobs after
// Options.KeepDead; at most limit of each. It returns how many it deleted.
func (s *Store) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	r := &request{purge: &purge{now: now, limit: limit}}
	if err := s.writer.do(ctx, r); err != nil {
		return 0, err
	}
	return r.purge.deleted, nil
}

func (t *tx) purge(p *purge) error {
	if err := t.flush(); err != nil {
		return err
	}
	for _, query := range []string{
		`DELETE FROM ends WHERE operation IN (SELECT row FROM operations WHERE expires > 0 AND expires <= ?1 LIMIT ?2)`,
		`DELETE FROM operations WHERE row IN (SELECT row FROM operations WHERE expires > 0 AND expires <= ?1 LIMIT ?2)`,
		`DELETE FROM notes WHERE key IN (SELECT key FROM notes WHERE expires > 0 AND expires <= ?1 LIMIT ?2)`,
	} {
		if err := t.delete(p, query); err != nil {
			return err
		}
	}
	var states []string
	rows, err := t.rows("SELECT state FROM jobs WHERE expires > 0 AND expires <= ?1 AND due = 0 LIMIT ?2", nanos(p.now), p.limit)
	if err != nil {
		return err
	}
	for rows.Next() {
		var state string
		if err := rows.Scan(&state); err != nil {
			return errors.Join(err, rows.Close())
		}
		states = append(states, state)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, state := range states {
		t.counts["job:"+state]--
	}
	t.w.cache.clear() // it may hold what is deleted here
	return t.delete(p, `DELETE FROM jobs WHERE row IN (SELECT row FROM jobs WHERE expires > 0 AND expires <= ?1 AND due = 0 LIMIT ?2)`)
}

func (t *tx) rows(query string, args ...any) (*sql.Rows, error) {
	s, err := t.w.stmt(t.ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

func (t *tx) delete(p *purge, query string) error {
	s, err := t.w.stmt(t.ctx, query)
	if err != nil {
		return err
	}
	result, err := s.ExecContext(t.ctx, nanos(p.now), p.limit)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	p.deleted += int(n)
	return err
}

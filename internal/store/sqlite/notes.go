package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/butakero/butakero/internal/jobs"
)

const (
	readNote  = `SELECT version, expires, value FROM notes WHERE key = ?`
	listNotes = `SELECT key, version, expires, value FROM notes WHERE key >= ?1 AND key > ?2 AND key < ?3
		AND (expires = 0 OR expires > ?4) ORDER BY key LIMIT ?5`
)

// Note implements jobs.Notes.
func (s *Store) Note(ctx context.Context, key string) (jobs.Note, error) {
	n := jobs.Note{Key: key}
	var expires int64
	err := s.reads[readNote].QueryRowContext(ctx, key).
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
	kept := jobs.Note{}
	err := t.w.conn.query("SELECT version, expires, value FROM notes WHERE key = ?", func(row []driver.Value) error {
		kept = jobs.Note{Key: n.Key, Version: integer(row[0]), ExpiresAt: fromNanos(integer(row[1])), Value: blob(row[2])}
		return nil
	}, n.Key)
	if err != nil {
		return err
	}
	stored := kept.Version
	if !kept.ExpiresAt.IsZero() && !kept.ExpiresAt.After(t.w.options.Now()) {
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
	n.ExpiresAt = n.ExpiresAt.UTC()
	r.noteOutcome = n
	_, err = t.w.conn.exec(
		`INSERT INTO notes (key, version, expires, value) VALUES (?, ?, ?, ?)
		 ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires, value = excluded.value`,
		n.Key, n.Version, nanos(n.ExpiresAt), n.Value)
	return err
}

// ListNotes implements jobs.Notes.
func (s *Store) ListNotes(ctx context.Context, prefix, after string, limit int) ([]jobs.Note, error) {
	rows, err := s.reads[listNotes].QueryContext(ctx, prefix, after, prefix+"\xff", nanos(s.options.Now()), limit)
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

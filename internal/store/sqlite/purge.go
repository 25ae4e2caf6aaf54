package sqlite

import (
	"context"
	"time"
)

// purge deletes what has outlived its time.
type purge struct {
	now     time.Time
	limit   int
	deleted int
}

// Purge deletes expired operations and notes, and dead and cancelled jobs after
// Options.KeepDead; at most limit of each, so that no other caller waits for long.
// It returns how many it deleted. Done jobs stay: their songs are there.
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
	now, limit := nanos(p.now), int64(p.limit)
	p.deleted = 0
	for _, query := range []string{
		`DELETE FROM operations WHERE row IN (SELECT row FROM operations WHERE expires > 0 AND expires <= ? AND ended IS NOT NULL ORDER BY expires LIMIT ?)`,
		`DELETE FROM notes WHERE key IN (SELECT key FROM notes WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT ?)`,
	} {
		n, err := t.w.conn.exec(query, now, limit)
		if err != nil {
			return err
		}
		p.deleted += int(n)
	}
	for _, state := range []int64{stateDead, stateCancelled} {
		n, err := t.w.conn.exec(
			`DELETE FROM jobs WHERE row IN (SELECT row FROM jobs WHERE state = ? AND updated <= ? AND due = 0 ORDER BY updated LIMIT ?)`,
			state, nanos(p.now.Add(-t.w.options.KeepDead)), limit)
		if err != nil {
			return err
		}
		t.counts[state] -= n
		p.deleted += int(n)
	}
	t.w.cache.clear() // it may hold what was deleted
	return nil
}

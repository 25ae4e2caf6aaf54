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

// purgeWindow is how many ends beside the oldest ones a purge looks at.
const purgeWindow = 1000

const (
	windowEnd   = `SELECT max(ended) FROM (SELECT ended FROM operations WHERE ended > ? ORDER BY ended LIMIT ?)` // NULL behind the last: begin again
	purgeOldest = `DELETE FROM operations WHERE row IN (
		SELECT row FROM (SELECT row, expires FROM operations WHERE ended IS NOT NULL ORDER BY ended LIMIT ?) WHERE expires > 0 AND expires <= ? LIMIT ?)`
	purgeWindowed = `DELETE FROM operations WHERE row IN (
		SELECT row FROM operations WHERE ended > ? AND ended <= ? AND expires > 0 AND expires <= ? LIMIT ?)`
	purgeNotes = `DELETE FROM notes WHERE key IN (SELECT key FROM notes WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT ?)`
)

func (t *tx) purge(p *purge) error {
	if err := t.flush(); err != nil {
		return err
	}
	now, limit := nanos(p.now), int64(p.limit)
	// Operations expire about in the order in which they ended: the oldest ends are
	// looked at, and a window that goes round through the rest, for those that
	// expire sooner than older ones (a retention that was shortened).
	last, err := t.w.conn.number(windowEnd, t.w.window, int64(purgeWindow))
	if err != nil {
		return err
	}
	oldest, err := t.w.conn.exec(purgeOldest, 2*limit, now, limit)
	if err != nil {
		return err
	}
	others, err := t.w.conn.exec(purgeWindowed, t.w.window, last, now, limit-oldest)
	if err != nil {
		return err
	}
	notes, err := t.w.conn.exec(purgeNotes, now, limit)
	if err != nil {
		return err
	}
	p.deleted = int(oldest + others + notes)
	t.w.window = last
	for _, state := range []int64{stateDead, stateCancelled} {
		if t.w.options.KeepDead < 0 {
			break
		}
		const forgotten = `(SELECT row FROM jobs WHERE state = ? AND updated <= ? AND due = 0 ORDER BY updated, row LIMIT ?)`
		if state == stateDead {
			_, err := t.w.conn.exec(`DELETE FROM dead WHERE row IN `+forgotten, state, nanos(p.now.Add(-t.w.options.KeepDead)), limit)
			if err != nil {
				return err
			}
		}
		n, err := t.w.conn.exec(
			`DELETE FROM jobs WHERE row IN `+forgotten,
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

package youtube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// board is what the fleet shares through the store: small JSON records changed
// by compare-and-swap. When the store is slow or away, this process goes on with
// records of its own: a song must not fail because the pace could not be
// written down.
type board struct {
	notes   jobs.Notes // nil: local alone
	local   *localNotes
	timeout time.Duration
	now     func() time.Time

	mu   sync.Mutex
	away time.Time // the store did not answer; not asked again before
}

// awayFor is how long a store that did not answer is left alone.
const awayFor = 10 * time.Second

func newBoard(notes jobs.Notes, now func() time.Time) *board {
	return &board{notes: notes, local: &localNotes{now: now, kept: map[string]jobs.Note{}}, timeout: 2 * time.Second, now: now}
}

// errContended: others were faster, time and again.
var errContended = errors.New("the note is changed too often")

// maxSwaps bounds the tries of one change.
const maxSwaps = 32

// read fills into from the record, false if there is none.
func (b *board) read(ctx context.Context, key string, into any) bool {
	return b.do(ctx, func(ctx context.Context, notes jobs.Notes) error {
		n, err := notes.Note(ctx, key)
		if err != nil {
			return err
		}
		return json.Unmarshal(n.Value, into)
	}) == nil
}

// change applies change to the record (its zero value if there is none) until
// it is written or change says false. It keeps for keep.
func change[T any](ctx context.Context, b *board, key string, keep time.Duration, edit func(*T) bool) (T, error) {
	var result T
	err := b.do(ctx, func(ctx context.Context, notes jobs.Notes) error {
		for range maxSwaps {
			var value T
			note, err := notes.Note(ctx, key)
			switch {
			case errors.Is(err, jobs.ErrNotFound):
				note = jobs.Note{Key: key}
			case err != nil:
				return err
			case json.Unmarshal(note.Value, &value) != nil:
				var zero T // another version's record: ours replaces it
				value = zero
			}
			if !edit(&value) {
				result = value
				return nil
			}
			if note.Value, err = json.Marshal(value); err != nil {
				return fmt.Errorf("note %s: %w", key, err)
			}
			note.ExpiresAt = b.now().Add(keep)
			if _, err = notes.SwapNote(ctx, note); err == nil {
				result = value
				return nil
			}
			if !errors.Is(err, jobs.ErrConflict) {
				return err
			}
			if err := sleep(ctx, rand.N(10*time.Millisecond)); err != nil {
				return err
			}
		}
		return errContended
	})
	return result, err
}

// do runs f on the shared records or, if that does not work out in time, on the
// local ones.
func (b *board) do(ctx context.Context, f func(context.Context, jobs.Notes) error) error {
	if b.notes != nil && b.there() {
		short, cancel := context.WithTimeout(ctx, b.timeout)
		err := f(short, b.notes)
		cancel()
		if err == nil || errors.Is(err, jobs.ErrNotFound) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.mu.Lock()
		b.away = b.now().Add(awayFor)
		b.mu.Unlock()
	}
	return f(ctx, b.local)
}

func (b *board) there() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.now().Before(b.away)
}

// localNotes are records of this process alone.
type localNotes struct {
	now  func() time.Time
	mu   sync.Mutex
	kept map[string]jobs.Note
}

// maxLocal bounds the records; beyond it the expired go, then all.
const maxLocal = 10_000

// Note implements jobs.Notes.
func (l *localNotes) Note(_ context.Context, key string) (jobs.Note, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.kept[key]
	if !ok || l.expired(n) {
		return jobs.Note{}, jobs.ErrNotFound
	}
	return n, nil
}

func (l *localNotes) expired(n jobs.Note) bool {
	return !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(l.now())
}

// SwapNote implements jobs.Notes.
func (l *localNotes) SwapNote(_ context.Context, n jobs.Note) (jobs.Note, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept, ok := l.kept[n.Key]
	if ok && l.expired(kept) {
		kept = jobs.Note{}
	}
	if kept.Version != n.Version {
		return kept, jobs.ErrConflict
	}
	if len(l.kept) >= maxLocal {
		for key, old := range l.kept {
			if l.expired(old) {
				delete(l.kept, key)
			}
		}
		if len(l.kept) >= maxLocal {
			clear(l.kept)
		}
	}
	n.Version++
	l.kept[n.Key] = n
	return n, nil
}

// ListNotes implements jobs.Notes; nothing here lists.
func (l *localNotes) ListNotes(context.Context, string, string, int) ([]jobs.Note, error) {
	return nil, nil
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

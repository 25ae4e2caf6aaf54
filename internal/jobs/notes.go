package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// notesPage is how many notes are read at a time.
const notesPage = 200

// eachNote calls f for the notes under a prefix, by key, until it returns false.
func eachNote(ctx context.Context, notes Notes, prefix string, f func(Note) bool) error {
	return eachNoteAfter(ctx, notes, prefix, "", f)
}

func eachNoteAfter(ctx context.Context, notes Notes, prefix, after string, f func(Note) bool) error {
	for {
		page, err := notes.ListNotes(ctx, prefix, after, notesPage)
		if err != nil {
			return err
		}
		for _, n := range page {
			if !f(n) {
				return nil
			}
			after = n.Key
		}
		if len(page) < notesPage {
			return nil
		}
	}
}

// putNote writes a note whatever there is.
func putNote(ctx context.Context, notes Notes, key string, value any, expires time.Time) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("note %s: %w", key, err)
	}
	n := Note{Key: key, Value: b, ExpiresAt: expires}
	for range 20 {
		kept, err := notes.SwapNote(ctx, n)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		n.Version = kept.Version
	}
	return ErrConflict
}

// dropNote makes a note expire at once.
func dropNote(ctx context.Context, notes Notes, key string) error {
	for range 20 {
		n, err := notes.Note(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		n.Value, n.ExpiresAt = []byte("{}"), time.Unix(1, 0)
		if _, err = notes.SwapNote(ctx, n); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}

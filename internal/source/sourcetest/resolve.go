package sourcetest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
)

func testResolve(t *testing.T, h Harness) {
	t.Parallel()
	s := h.New(t)
	for _, text := range append([]string{h.Song.Title, "  " + strings.ToUpper(h.Song.Title) + "\n"}, h.Song.Links...) {
		for range 2 { // the same text, the same song
			song, info, err := s.Resolve(t.Context(), text)
			if err != nil {
				t.Errorf("resolve %q: %v", text, err)
				break
			}
			if song != h.Song.Song {
				t.Errorf("resolve %q = %s, want %s", text, song, h.Song.Song)
			}
			if err := song.Validate(); err != nil {
				t.Errorf("resolve %q: %v", text, err)
			}
			if d := h.Song.Duration; info.Duration != 0 && d != 0 && info.Duration != d {
				t.Errorf("resolve %q: duration %v, want %v", text, info.Duration, d)
			}
		}
	}
	t.Run("AtOnce", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if song, _, err := s.Resolve(t.Context(), h.Song.Title); err != nil || song != h.Song.Song {
					t.Errorf("resolve %q = %s, %v", h.Song.Title, song, err)
				}
			})
		}
		wg.Wait()
	})
}

func testResolveRefuses(t *testing.T, h Harness) {
	t.Parallel()
	s := h.New(t)
	t.Run("Unknown", func(t *testing.T) {
		needs(t, len(h.Unknown) > 0, "Unknown texts")
		for _, text := range h.Unknown {
			_, _, err := s.Resolve(t.Context(), text)
			wantVerdict(t, err, Verdict{jobs.ClassPermanent, h.NotFound})
		}
	})
	t.Run("Invalid", func(t *testing.T) {
		needs(t, len(h.Invalid) > 0, "Invalid texts")
		for _, text := range h.Invalid {
			_, _, err := s.Resolve(t.Context(), text)
			if v := verdictOf(t, err); v.Class != jobs.ClassPermanent || v.Code == h.NotFound {
				t.Errorf("resolve %q: %v, want a permanent verdict on the text", text, err)
			}
		}
	})
	t.Run("Cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		song, _, err := s.Resolve(ctx, h.Song.Title)
		if err == nil && song != h.Song.Song {
			t.Errorf("resolve with a context that is done = %s", song)
		}
		if err != nil && jobs.AsError(err).Class == jobs.ClassPermanent {
			t.Errorf("resolve with a context that is done blames the song: %v", err)
		}
	})
}

package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

func testOpen(t *testing.T, h Harness) {
	t.Parallel()
	s := h.New(t)
	m := open(t.Context(), t, s, h.Song.Song)
	if m.Info.Title == "" {
		t.Error("the media has no title")
	}
	if m.Host == "" || m.Extractor == "" {
		t.Errorf("host %q, extractor %q: operators are to know both", m.Host, m.Extractor)
	}
	if d := h.Song.Duration; d != 0 && (m.Duration < d-time.Second || m.Duration > d+time.Second) {
		t.Errorf("announced duration %v, want %v", m.Duration, d)
	}
	data := readAll(t, m)
	if m.Size != 0 && int64(len(data)) != m.Size {
		t.Errorf("%d bytes came, %d were announced", len(data), m.Size)
	}
	if len(data) == 0 {
		t.Error("no bytes came")
	}
	if h.Song.Bytes != nil && !bytes.Equal(data, h.Song.Bytes) {
		t.Error("other bytes came than the song has")
	}
	t.Run("OneByteAtATime", func(t *testing.T) {
		again, err := io.ReadAll(iotest.OneByteReader(open(t.Context(), t, s, h.Song.Song).Body))
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%d bytes, %v; the first time %d", len(again), err, len(data))
		}
	})
	t.Run("EndStays", func(t *testing.T) {
		m := open(t.Context(), t, s, h.Song.Song)
		if _, err := io.Copy(io.Discard, m.Body); err != nil {
			t.Fatal(err)
		}
		if n, err := m.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("read behind the end: %d, %v", n, err)
		}
	})
}

func testOpenRefuses(t *testing.T, h Harness) {
	t.Parallel()
	s := h.New(t)
	refused := func(song jobs.Song) error {
		m, err := s.Open(t.Context(), song)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, m.Body) // or it turns out while reading
		return errors.Join(err, m.Body.Close())
	}
	t.Run("Unknown", func(t *testing.T) {
		needs(t, h.UnknownSong.ID != "", "UnknownSong")
		wantVerdict(t, refused(h.UnknownSong), Verdict{jobs.ClassPermanent, h.NotFound})
	})
	t.Run("NoSong", func(t *testing.T) {
		for _, song := range []jobs.Song{{}, {Platform: "elsewhere", ID: h.Song.Song.ID}, {Platform: h.Song.Song.Platform, ID: "../../etc/x"}} {
			if v := verdictOf(t, refused(song)); v.Class != jobs.ClassPermanent {
				t.Errorf("open %q: %v, want a permanent verdict", song, v)
			}
		}
	})
	for song, want := range h.Failing {
		t.Run("Failing/"+want.Code, func(t *testing.T) { wantVerdict(t, refused(song), want) })
	}
}

func testTwoAtOnce(t *testing.T, h Harness) {
	t.Parallel()
	s := h.New(t)
	first, second := open(t.Context(), t, s, h.Song.Song), open(t.Context(), t, s, h.Song.Song)
	// The one is read while the other is half way.
	half := make([]byte, 100)
	if _, err := io.ReadFull(first.Body, half); err != nil {
		t.Fatal(err)
	}
	all := readAll(t, second)
	rest := readAll(t, first)
	if !bytes.Equal(slices.Concat(half, rest), all) {
		t.Error("two readers of one song got different bytes")
	}
	var wg sync.WaitGroup
	for range 8 {
		m := open(t.Context(), t, s, h.Song.Song)
		wg.Go(func() {
			if data, err := io.ReadAll(m.Body); err != nil || !bytes.Equal(data, all) {
				t.Errorf("%d bytes, %v; want the %d that others get", len(data), err, len(all))
			}
		})
	}
	wg.Wait()
}

func testCancelled(t *testing.T, h Harness) {
	t.Parallel()
	t.Run("BeforeOpen", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		m, err := h.New(t).Open(ctx, h.Song.Song)
		if err == nil {
			_, err = io.Copy(io.Discard, m.Body)
			err = errors.Join(err, m.Body.Close())
		}
		if v := verdictOf(t, err); v.Class == jobs.ClassPermanent {
			t.Errorf("a context that is done blames the song: %v", err)
		}
	})
	t.Run("MidRead", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m := open(ctx, t, h.New(t), h.Song.Song)
		if _, err := io.ReadFull(m.Body, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		cancel()
		_, err := io.Copy(io.Discard, m.Body)
		if v := verdictOf(t, err); v.Class == jobs.ClassPermanent {
			t.Errorf("a cancelled download blames the song: %v", err)
		}
	})
	t.Run("WhileReadWaits", func(t *testing.T) {
		needs(t, h.Slow != nil, "Slow source")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m := open(ctx, t, h.Slow(t), h.Song.Song)
		ended := readOn(m.Body)
		cancel()
		if v := verdictOf(t, wait(t, ended)); v.Class == jobs.ClassPermanent {
			t.Errorf("a cancelled download blames the song: %v", v)
		}
	})
}

func testClosedEarly(t *testing.T, h Harness) {
	t.Run("WhileReadWaits", func(t *testing.T) {
		needs(t, h.Slow != nil, "Slow source")
		m := open(t.Context(), t, h.Slow(t), h.Song.Song)
		ended := readOn(m.Body)
		if err := m.Body.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		_ = verdictOf(t, wait(t, ended)) // any verdict will do
	})
	// Not parallel to others: it looks at all goroutines of the process.
	t.Run("LeavesNothing", func(t *testing.T) {
		s := h.New(t)
		for range 20 {
			m := open(t.Context(), t, s, h.Song.Song)
			if _, err := io.ReadFull(m.Body, make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			if err := m.Body.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if _, err := m.Body.Read(make([]byte, 10)); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("read after close: %v", err)
			}
		}
		deadline := time.Now().Add(patience)
		for left := leftovers(); left != ""; left = leftovers() {
			if time.Now().After(deadline) {
				t.Fatalf("goroutines that are still there:\n%s", left)
			}
			runtime.Gosched()
		}
	})
}

// readOn reads to the end in another goroutine, and returns once the first bytes
// have come.
func readOn(r io.Reader) <-chan error {
	ended, first := make(chan error, 1), make(chan struct{})
	go func() {
		buf := make([]byte, 1)
		_, err := r.Read(buf)
		close(first)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		ended <- err
	}()
	<-first
	return ended
}

func wait(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("the read goes on")
		return nil
	}
}

// leftovers returns the goroutines that an Open of this suite started.
func leftovers() string {
	buf := make([]byte, 1<<20)
	var left []string
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		_, origin, created := strings.Cut(g, "\ncreated by ")
		if created && strings.Contains(origin, "/internal/source/") && !strings.Contains(origin, "sourcetest.") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

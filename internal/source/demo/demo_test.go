package demo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/demo"
	"github.com/butakero/butakero/internal/source/sourcetest"
)

func Example() {
	source, err := demo.New(demo.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{"rio claro", "https://youtu.be/LunaOctubre", "demo:PaperLights", "no such thing"} {
		song, info, err := source.Resolve(context.Background(), text)
		if err != nil {
			fmt.Println(jobs.AsError(err).Code)
			continue
		}
		fmt.Println(song, info.Title)
	}
	// Output:
	// demo:RioClaro-01 Río Claro
	// demo:LunaOctubre Luna de Octubre
	// demo:PaperLights Paper Lights
	// not_found
}

func TestConformance(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("samples/luna-de-octubre.webm")
	if err != nil {
		t.Fatal(err)
	}
	sourcetest.Run(t, sourcetest.Harness{
		New:  func(t *testing.T) sourcetest.Source { return newSource(t, demo.Options{}) },
		Slow: func(t *testing.T) sourcetest.Source { return newSource(t, demo.Options{Rate: 10}) },
		Song: sourcetest.Sample{
			Song: song("LunaOctubre"), Title: "luna de octubre", Bytes: data, Duration: 16 * time.Second,
			Links: []string{"https://www.youtube.com/watch?v=LunaOctubre", "<https://youtu.be/LunaOctubre>", "demo:LunaOctubre"},
		},
		Unknown:     []string{"https://youtu.be/dQw4w9WgXcQ", "words of nothing here", "demo:dQw4w9WgXcQ", "\U0001F3B5"},
		UnknownSong: song("dQw4w9WgXcQ"),
		Invalid:     []string{"", "https://vimeo.com/1", "https://www.youtube.com/playlist?list=PL1"},
		Failing: map[jobs.Song]sourcetest.Verdict{
			song("PrivateRoom"): {Class: jobs.ClassPermanent, Code: "private"},
			song("ThirdCharm1"): {Class: jobs.ClassTransient, Code: "network"},
		},
	})
}

func TestConformanceOfFolder(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("samples/paper-lights.webm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "album/01_Canción_de_cuna.webm", data)
	id := demo.SongID("album/01_Canción_de_cuna.webm")
	sourcetest.Run(t, sourcetest.Harness{
		New:  func(t *testing.T) sourcetest.Source { return newSource(t, demo.Options{MediaDir: dir}) },
		Slow: func(t *testing.T) sourcetest.Source { return newSource(t, demo.Options{MediaDir: dir, Rate: 10}) },
		Song: sourcetest.Sample{
			Song: song(id), Title: "cancion de cuna", Bytes: data,
			Links: []string{"https://www.youtube.com/watch?v=" + id, "demo:" + id},
		},
		Unknown:     []string{"https://youtu.be/LunaOctubre", "luna de octubre"},
		UnknownSong: song("LunaOctubre"),
		Invalid:     []string{"", "https://vimeo.com/1"},
	})
}

func TestFailsTwiceThenWorks(t *testing.T) {
	t.Parallel()
	s := newSource(t, demo.Options{})
	for i := range 4 {
		m, err := s.Open(t.Context(), song("ThirdCharm1"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, m.Body)
		if fails := i < 2; fails != (err != nil) || !fails && n != m.Size || fails && n != 20<<10 {
			t.Errorf("time %d: %d of %d bytes, %v", i+1, n, m.Size, err)
		}
	}
	if got := s.Opens("ThirdCharm1"); got != 4 || s.TotalOpens() != 4 || s.Opens("LunaOctubre") != 0 {
		t.Errorf("%d opens counted, %d in total", got, s.TotalOpens())
	}
}

func TestFailuresOfOptions(t *testing.T) {
	t.Parallel()
	s := newSource(t, demo.Options{Failures: map[string]demo.Failure{
		"LunaOctubre": {Err: jobs.RetryAfter(time.Minute, "rate_limited", "Too many.", nil), Times: 1},
		"PrivateRoom": {Err: jobs.Permanent("geo_blocked", "Not here.", nil)},
	}})
	_, err := s.Open(t.Context(), song("LunaOctubre"))
	if v := jobs.AsError(err); v.Code != "rate_limited" || v.RetryAfter != time.Minute {
		t.Errorf("first open: %v", err)
	}
	if _, err := s.Open(t.Context(), song("LunaOctubre")); err != nil {
		t.Errorf("second open: %v", err)
	}
	if _, err := s.Open(t.Context(), song("PrivateRoom")); jobs.AsError(err).Code != "geo_blocked" {
		t.Errorf("the options do not come first: %v", err)
	}
	if _, err := demo.New(demo.Options{Failures: map[string]demo.Failure{"x": {}}}); err == nil {
		t.Error("a failure without an error was taken")
	}
	if _, err := demo.New(demo.Options{Rate: -1}); err == nil {
		t.Error("a negative rate was taken")
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, demo.Options{Rate: 10_000})
		m, err := s.Open(t.Context(), song("LunaOctubre"))
		if err != nil {
			t.Fatal(err)
		}
		start, steps, last := time.Now(), 0, time.Duration(0)
		buf := make([]byte, 64<<10)
		for {
			_, err := m.Body.Read(buf)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if at := time.Since(start); at > last {
				steps, last = steps+1, at
			}
		}
		want := time.Duration(m.Size) * time.Second / 10_000
		if got := time.Since(start); got < want-time.Second || got > want+time.Second {
			t.Errorf("%d bytes took %v, want %v", m.Size, got, want)
		}
		if steps < 50 {
			t.Errorf("%d steps: nothing to see on a progress bar", steps)
		}
	})
}

func song(id string) jobs.Song { return jobs.Song{Platform: jobs.PlatformDemo, ID: id} }

func newSource(t *testing.T, o demo.Options) *demo.Source {
	t.Helper()
	s, err := demo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

package youtube

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/memory"
)

// recorder is an observer that remembers.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) add(parts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, strings.Join(parts, " "))
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

func (r *recorder) Extracted(extractor, identity, code string) { r.add(extractor, identity, code) }
func (r *recorder) Circuit(extractor, state string)            { r.add("circuit", extractor, state) }
func (r *recorder) Searched(how, code string)                  { r.add("searched", how, code) }
func (r *recorder) CookiesRotated()                            { r.add("cookies rotated") }

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// timeoutWhen returns a context that ends once something reads at a named pipe's
// other end.
func timeoutWhen(t *testing.T, fifo string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if f, err := os.Open(fifo); err == nil {
				_ = f.Close()
				return
			}
		}
	}()
	return ctx, cancel
}

func TestCircuit(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := d.song(anID, 3000)
	blocked := true
	d.player[anID] = func(call) any {
		if blocked {
			return unplayable("LOGIN_REQUIRED", "Sign in to confirm you're not a bot")
		}
		return d.playable(anID, nil)
	}
	time0 := newClock()
	notes := memory.New()
	notes.Now = time0.now
	var seen recorder
	config := func(o *Options) { o.Now, o.Notes, o.Observer, o.Pause = time0.now, notes, &seen, time.Minute }
	s, other := d.source(config), d.source(config) // two processes of a fleet

	calls := func() int { return d.count("youtubei/v1/player") }
	expect := func(s *Source, pause time.Duration, wantCalls int) {
		t.Helper()
		before := calls()
		_, err := get(t, s, anID)
		e := verdict(t, err, jobs.ClassThrottled, CodeBotCheck)
		if e.RetryAfter != pause || calls()-before != wantCalls {
			t.Errorf("retry after %v with %d calls, want %v with %d", e.RetryAfter, calls()-before, pause, wantCalls)
		}
		if !strings.Contains(e.Err.Error(), "paused: youtube until") || !strings.Contains(e.Err.Error(), "not a bot") {
			t.Errorf("reason %v", e.Err)
		}
	}
	expect(s, time.Minute, 1)
	expect(s, time.Minute, 0)
	expect(other, time.Minute, 0)
	st := other.Status(t.Context())
	if !st.Paused || st.Code != CodeBotCheck || st.Circuits[0].State != CircuitOpen || !strings.Contains(st.String(), "paused: youtube until") {
		t.Errorf("status %+v", st)
	}
	time0.pass(30 * time.Second)
	expect(s, 30*time.Second, 0)
	time0.pass(30 * time.Second)
	expect(other, 2*time.Minute, 1) // the probe fails: doubled
	time0.pass(2 * time.Minute)
	expect(s, 4*time.Minute, 1)
	for pause := 4 * time.Minute; pause < maxPause; {
		time0.pass(pause)
		pause = min(2*pause, maxPause)
		expect(s, pause, 1)
	}
	time0.pass(maxPause)
	expect(s, maxPause, 1)
	time0.pass(maxPause)
	blocked = false
	got, err := get(t, s, anID)
	want(t, got, err, audio)
	if st := s.Status(t.Context()); st.Paused || st.Circuits[0].State != CircuitClosed || st.String() != "" {
		t.Errorf("status %+v", st)
	}
	blocked = true
	expect(s, time.Minute, 1) // the doubling is forgotten
	if all := strings.Join(seen.all(), "\n"); !strings.Contains(all, "circuit native open\n") || !strings.Contains(all, "circuit native half-open\n") || !strings.Contains(all, "circuit native closed") {
		t.Errorf("seen:\n%s", all)
	}
}

// 429 is meant for the address: all extractors pause, for as long as was said.
func TestRateLimitPausesEverything(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	time0 := newClock()
	d.player[anID] = func(call) any { return status{429, http.Header{"Retry-After": {"1800"}}, ""} }
	fake := d.withYTDLP("echo run >> $log.runs; exit 1")
	s := d.source(func(o *Options) { fake(o); o.Now = time0.now })
	_, err := get(t, s, anID)
	if e := verdict(t, err, jobs.ClassThrottled, CodeRateLimited); e.RetryAfter != 30*time.Minute {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	time0.pass(10 * time.Minute)
	_, err = get(t, s, "otherSong_1")
	if e := verdict(t, err, jobs.ClassThrottled, CodeRateLimited); e.RetryAfter != 20*time.Minute {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	if _, err := os.Stat(s.YTDLPArgs[0] + ".log.runs"); err == nil || d.count("youtubei/v1/player") != 1 {
		t.Error("somebody asked during the pause")
	}
}

// Only one of many may probe.
func TestOneProbe(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	time0 := newClock()
	s := d.source(func(o *Options) { o.Now = time0.now })
	s.health.report(t.Context(), ExtractorNative, fail(CodeBotCheck, errors.New("x")))
	time0.pass(time.Minute)
	admitted := make(chan bool, 20)
	for range cap(admitted) {
		go func() { admitted <- s.health.admit(t.Context(), ExtractorNative) == nil }()
	}
	n := 0
	for range cap(admitted) {
		if <-admitted {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d probes", n)
	}
	// The prober died: another takes over when its lease is over.
	time0.pass(probeLease)
	if s.health.admit(t.Context(), ExtractorNative) != nil {
		t.Error("nobody may probe any more")
	}
	// A verdict on a video is an answer: YouTube talks to us.
	s.health.report(t.Context(), ExtractorNative, fail(CodePrivate, nil))
	if st := s.Status(t.Context()); st.Circuits[0].State != CircuitClosed {
		t.Errorf("status %+v", st)
	}
}

// Media that is refused opens the circuit only when it happens again and again.
func TestStrikes(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := d.source(nil)
	refused := fail(CodeExpiredURL, errors.New("x"))
	for i := range 2 * maxStrikes {
		if i == maxStrikes-1 {
			s.health.report(t.Context(), ExtractorNative, nil) // a song between them
		}
		if s.health.admit(t.Context(), ExtractorNative) != nil {
			t.Fatalf("open after %d", i)
		}
		if i == 2*maxStrikes-2 {
			break
		}
		s.health.report(t.Context(), ExtractorNative, refused)
	}
	s.health.report(t.Context(), ExtractorNative, refused)
	if s.health.admit(t.Context(), ExtractorNative) == nil {
		t.Error("not open")
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := memory.New()
		a, b := pacer(t, notes), pacer(t, notes)
		take := func(s *Source, id string) time.Duration {
			err := s.health.take(t.Context(), id)
			if err == nil {
				return 0
			}
			return verdict(t, err, jobs.ClassThrottled, CodePaced).RetryAfter
		}
		for i, want := range []time.Duration{0, 0, 0, 8 * time.Second, 16 * time.Second, 24 * time.Second} {
			s := []*Source{a, b}[i%2]
			if got := take(s, "song"+string(rune('a'+i))); got != want {
				t.Errorf("song %d waits %v, want %v", i, got, want)
			}
		}
		if st := a.Status(t.Context()); time.Until(st.NextSong) != 32*time.Second {
			t.Errorf("next song at %v", st.NextSong)
		}
		// Whoever comes too early keeps the place.
		if got := take(b, "songd"); got != 8*time.Second {
			t.Errorf("came too early: %v", got)
		}
		rest(t, 16*time.Second)
		if got := take(a, "songd") + take(b, "songe"); got != 0 {
			t.Errorf("whose turn it was had to wait for %v", got)
		}
		// And a late one takes nobody else's.
		if got := take(a, "songz"); got != 16*time.Second {
			t.Errorf("the last waits %v", got)
		}
		rest(t, time.Hour)
		for i, want := range []time.Duration{0, 0, 0, 8 * time.Second} {
			if got := take(a, "later"+string(rune('a'+i))); got != want {
				t.Errorf("after a rest song %d waits %v, want %v", i, got, want)
			}
		}
	})
}

// rest lets a bubble's time pass.
func rest(t *testing.T, d time.Duration) {
	if err := sleep(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func pacer(t *testing.T, notes jobs.Notes) *Source {
	s, err := New(Options{SongsEvery: 8 * time.Second, Burst: 3, Notes: notes})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hung are notes that never answer.
type hung struct{}

func (hung) Note(ctx context.Context, _ string) (jobs.Note, error) {
	<-ctx.Done()
	return jobs.Note{}, ctx.Err()
}

func (hung) SwapNote(ctx context.Context, n jobs.Note) (jobs.Note, error) {
	<-ctx.Done()
	return n, ctx.Err()
}

func (hung) ListNotes(ctx context.Context, _, _ string, _ int) ([]jobs.Note, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A store that hangs costs seconds, no song, and the pace is kept locally.
func TestHungStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := pacer(t, hung{})
		began := time.Now()
		var refused int
		for i := range 5 {
			if s.health.take(t.Context(), "song"+string(rune('a'+i))) != nil {
				refused++
			}
		}
		if refused == 0 || time.Since(began) > time.Minute {
			t.Errorf("%d refused after %v", refused, time.Since(began))
		}
	})
}

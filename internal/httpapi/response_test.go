package httpapi

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

func TestPanicIsAnsweredAndLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := &fake{accept: func(jobs.Request) (jobs.Accepted, error) { panic("secret") }}
	var seen []Observation
	h := handler(f, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Observe = func(o Observation) { seen = append(seen, o) }
	})
	w := ask(h, http.MethodPost, "/api/v1/audio/start?song=x", "", "X-Request-Id", "abc")
	checkProblem(t, w, 500, "internal")
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the answer tells %s", w.Body)
	}
	if got := log.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "request=abc") || !strings.Contains(got, "response_test.go") {
		t.Errorf("log: %s", got)
	}
	if len(seen) != 1 || seen[0].Route != "/api/v1/audio/start" || seen[0].Status != 500 || seen[0].Method != http.MethodPost {
		t.Errorf("observed %+v", seen)
	}
}

// TestPanicInMidAnswer: the connection is cut, as half an answer must not look
// like a whole one.
func TestPanicInMidAnswer(t *testing.T) {
	t.Parallel()
	h := handler(&fake{}, func(c *Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("x")
		})
	})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // a recovered value, compared as net/http does
			t.Errorf("recovered %v", p)
		}
	}()
	get(h, "/metrics")
	t.Error("the handler returned")
}

func TestInternalErrorsAreLoggedOnceWithTheRequest(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := &fake{operation: func(string) (jobs.Operation, error) { return jobs.Operation{}, errors.New("the reason") }}
	h := handler(f, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	w := get(h, "/api/v1/audio/status?operation_id="+opID)
	checkProblem(t, w, 500, "internal")
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "the reason") || !strings.Contains(got, "request="+w.Header().Get("X-Request-Id")) {
		t.Errorf("log: %s", got)
	}
	log.Reset()
	get(h, "/api/v1/audio/status?operation_id=x")
	get(h, "/api/v1/nothing")
	if log.Len() > 0 {
		t.Errorf("a client's fault was logged: %s", log.String())
	}
}

func TestClientThatLeftIsNoError(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{true, false} {
		var log bytes.Buffer
		var seen Observation
		f := &fake{accept: func(jobs.Request) (jobs.Accepted, error) { return jobs.Accepted{}, context.Canceled }}
		h := handler(f, func(c *Config) {
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
			c.Observe = func(o Observation) { seen = o }
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if gone {
			cancel()
		}
		w := serve(h, httptest.NewRequest(http.MethodPost, "/api/v1/audio/start?song=x", http.NoBody).WithContext(ctx))
		checkProblem(t, w, 503, "store_unavailable") // never a 200 without a body
		if want := map[bool]int{true: statusClientGone, false: 503}[gone]; seen.Status != want {
			t.Errorf("gone %v: observed %d", gone, seen.Status)
		}
		if logged := log.Len() > 0; logged == gone {
			t.Errorf("gone %v: log %q", gone, log.String())
		}
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := handler(f, func(c *Config) { c.RequestTimeout = time.Millisecond; c.Intake = slowIntake{} })
	w := ask(h, http.MethodPost, "/api/v1/audio/start?song=x", "")
	checkProblem(t, w, 503, "timeout")
}

type slowIntake struct{}

func (slowIntake) Accept(ctx context.Context, _ jobs.Request) (jobs.Accepted, error) {
	<-ctx.Done()
	return jobs.Accepted{}, ctx.Err()
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	for id, kept := range map[string]bool{
		"abc-1.2_X": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "a b": false, "a\"b": false, "": false, "ñ": false,
	} {
		got := get(h, "/healthz", "X-Request-Id", id).Header().Get("X-Request-Id")
		if (got == id) != kept || got == "" {
			t.Errorf("id %q became %q", id, got)
		}
	}
	a, b := get(h, "/healthz").Header().Get("X-Request-Id"), get(h, "/healthz").Header().Get("X-Request-Id")
	if a == b {
		t.Errorf("two requests with the id %q", a)
	}
}

func TestTraceparent(t *testing.T) {
	t.Parallel()
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for in, want := range map[string]string{
		good: good, "": "", "garbage": "",
		"01" + good[2:] + "-more": "01" + good[2:],
		good + "-more":            "",
		"ff" + good[2:]:           "",
		strings.ToUpper(good):     "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": "",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": "",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g": "",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
		r.Header.Set("Traceparent", in)
		if got := traceparent(r); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := noon
	h := handler(&fake{}, func(c *Config) {
		c.Rate, c.Burst = 2, 4
		c.Now = func() time.Time { return now }
	})
	from := func(addr, path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		r.RemoteAddr = addr
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return serve(h, r)
	}
	for i, want := range []string{`"client";r=3;t=1`, `"client";r=2;t=1`, `"client";r=1;t=2`, `"client";r=0;t=2`} {
		w := from("192.0.2.1:1000", "/api/v1/jobs")
		if w.Code != http.StatusOK || w.Header()["Ratelimit"][0] != want || w.Header()["Ratelimit-Policy"][0] != `"client";q=4;w=2` {
			t.Errorf("request %d: %d %v", i, w.Code, w.Header())
		}
	}
	w := from("192.0.2.1:2000", "/api/v1/jobs", "X-Forwarded-For", "198.51.100.1") // another port, and a claim that nobody vouches for
	checkProblem(t, w, 429, "too_many_requests")
	if got := w.Header().Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
	if w := from("192.0.2.1:1", "/readyz"); w.Code != http.StatusOK {
		t.Errorf("a probe was limited: %d", w.Code)
	}
	if w := from("192.0.2.2:1", "/api/v1/jobs"); w.Code != http.StatusOK {
		t.Errorf("another client was limited: %d", w.Code)
	}
	now = now.Add(500 * time.Millisecond)
	if w := from("192.0.2.1:1", "/api/v1/jobs"); w.Code != http.StatusOK {
		t.Errorf("after half a second: %d", w.Code)
	}
	now = now.Add(-time.Hour) // a clock that jumps back gives and takes nothing
	if w := from("192.0.2.1:1", "/api/v1/jobs"); w.Code != http.StatusTooManyRequests {
		t.Errorf("after the clock's jump: %d", w.Code)
	}
}

func TestRateLimitForgetsTheOldest(t *testing.T) {
	t.Parallel()
	l := newLimiter(1, 1, 3)
	take := func(last byte) bool {
		_, ok := l.take(netip.AddrFrom4([4]byte{192, 0, 2, last}), noon)
		return ok
	}
	for _, step := range []struct {
		client byte
		ok     bool
	}{{1, true}, {2, true}, {3, true}, {1, false}, {4, true}, {1, false}, {3, false}, {2, true}, {4, true}} {
		if got := take(step.client); got != step.ok {
			t.Errorf("client %d: %v", step.client, got)
		}
		if len(l.clients) > 3 {
			t.Fatalf("%d clients are remembered", len(l.clients))
		}
	}
}

func TestClientAddr(t *testing.T) {
	t.Parallel()
	h := handler(&fake{}, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	tests := []struct{ remote, forwarded, want string }{
		{"192.0.2.1:1", "", "192.0.2.1"},
		{"192.0.2.1:1", "198.51.100.1", "192.0.2.1"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:1", "10.0.0.3", "10.0.0.3"},
		{"10.0.0.1:1", "garbage", "10.0.0.1"},
		{"[::ffff:192.0.2.1]:1", "", "192.0.2.1"},
		{"[2001:db8:1:2:3:4:5:6]:1", "", "2001:db8:1:2::"},
		{"[fd00::1]:1", "2001:db8::7", "2001:db8::"},
		{"[fe80::1%eth0]:1", "", "fe80::"},
		{"@", "", "invalid IP"},
	}
	for _, test := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = test.remote
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := h.clientAddr(r).String(); got != test.want {
			t.Errorf("%s for %q: %s, want %s", test.remote, test.forwarded, got, test.want)
		}
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"", "1", "a\x00b", strings.Repeat("long", 100)} {
		if got, err := openCursor(wrapCursor(c)); err != nil || got != c {
			t.Errorf("%q came back as %q, %v", c, got, err)
		}
	}
	whole := wrapCursor("job/12345")
	for _, bad := range []string{whole[1:], whole[:len(whole)-1], whole + "A", "=", strings.Repeat("A", 8)} {
		if got, err := openCursor(bad); err == nil {
			t.Errorf("%q was taken for %q", bad, got)
		}
	}
}

func TestAnswerThatCanNotBeEncoded(t *testing.T) {
	t.Parallel()
	w := &response{ResponseWriter: httptest.NewRecorder()}
	if err := writeJSON(w, http.StatusOK, math.Inf(1)); err == nil || w.status != 0 {
		t.Errorf("%v, status %d", err, w.status)
	}
}

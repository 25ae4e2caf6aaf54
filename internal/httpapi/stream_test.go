package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// stage holds what the store says, changed by the test while a stream runs.
type stage struct {
	mu  sync.Mutex
	op  jobs.Operation
	job jobs.Job
	err error
}

func (s *stage) set(change func(*stage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *stage) fake() *fake {
	return &fake{
		operation: func(string) (jobs.Operation, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.op, s.err
		},
		job: func(jobs.Key) (jobs.Job, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.job, s.err
		},
	}
}

// recorder is a ResponseWriter that may be read while it is written.
type recorder struct {
	mu     sync.Mutex
	header http.Header
	status int
	text   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) Flush()              {}
func (r *recorder) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// taken returns what was written since the last call.
func (r *recorder) taken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := r.text.String()
	r.text.Reset()
	return text
}

// openStream asks for an event stream and returns what it writes to, and a
// channel that is closed when the handler is through.
func openStream(ctx context.Context, h *Handler, target, lastID string) (*recorder, <-chan struct{}) {
	r := httptest.NewRequest(http.MethodGet, target, http.NoBody).WithContext(ctx)
	r.Header.Set("Accept", "text/html, text/event-stream;q=0.9")
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	w, over := &recorder{header: http.Header{}}, make(chan struct{})
	go func() { defer close(over); h.ServeHTTP(w, r) }()
	return w, over
}

// lastID returns the id of the last event that has one.
func lastID(text string) (id string) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "id: "); ok {
			id = strings.TrimSpace(v)
		}
	}
	return id
}

func names(text string) (found []string) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			found = append(found, strings.TrimSpace(v))
		}
	}
	return found
}

func isOver(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}

// tick lets a stream look once more.
func tick() {
	<-time.After(500 * time.Millisecond) // in a bubble of synctest: no waiting
	synctest.Wait()
}

func TestWatchOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{op: waiting(), job: running()}
		h := handler(s.fake())
		target := operationsPath + "/" + opID
		w, over := openStream(t.Context(), h, target, "")
		synctest.Wait()
		first := w.taken()
		if !strings.HasPrefix(first, "retry: 2000\n\nevent: progress\nid: ") || !strings.Contains(first, `"progress":42`) {
			t.Fatalf("first: %q", first)
		}
		if got := w.header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
			t.Errorf("Content-Type %q", got)
		}
		tick()
		if text := w.taken(); text != "" {
			t.Errorf("said without a change: %q", text)
		}
		s.set(func(s *stage) { s.job.Progress.Done = 500 })
		tick()
		second := w.taken()
		if got := names(second); len(got) != 1 || !strings.Contains(second, `"progress":50`) || strings.Count(second, "\n\n") != 1 {
			t.Errorf("second: %q", second)
		}
		s.set(func(s *stage) { s.err = jobs.ErrUnavailable }) // the stream outlives a store that is away
		tick()
		s.set(func(s *stage) { s.err, s.op = nil, succeeded() })
		tick()
		last := w.taken()
		if got := names(last); len(got) != 1 || got[0] != "end" || !strings.Contains(last, `"state":"succeeded"`) {
			t.Errorf("last: %q", last)
		}
		if !isOver(over) {
			t.Fatal("the stream goes on after the end")
		}

		// Who comes back with the second event's id gets the end alone; with the
		// end's id, nothing more.
		w, over = openStream(t.Context(), h, target, lastID(second))
		synctest.Wait()
		if text := w.taken(); !isOver(over) || strings.Join(names(text), " ") != "end" || lastID(text) != lastID(last) {
			t.Errorf("reconnected: %q", text)
		}
		w, over = openStream(t.Context(), h, target, lastID(last))
		synctest.Wait()
		if text := w.taken(); !isOver(over) || w.status != http.StatusNoContent || text != "" {
			t.Errorf("reconnected after the end: %d %q", w.status, text)
		}
	})
}

func TestReconnectedStreamSaysOnlyNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{op: waiting(), job: running()}
		h := handler(s.fake())
		ctx, leave := context.WithCancel(t.Context())
		w, over := openStream(ctx, h, operationsPath+"/"+opID, "")
		synctest.Wait()
		seen := lastID(w.taken())
		leave()
		synctest.Wait()
		if !isOver(over) {
			t.Fatal("the handler stays though its client has left")
		}
		w, over = openStream(t.Context(), h, operationsPath+"/"+opID, seen)
		tick()
		if got := names(w.taken()); len(got) != 0 {
			t.Errorf("said again: %v", got)
		}
		s.set(func(s *stage) { s.op = failed() })
		tick()
		if got := names(w.taken()); len(got) != 1 || got[0] != "end" || !isOver(over) {
			t.Errorf("events %v", got)
		}
	})
}

func TestSilentStreamSaysSoAndStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{op: waiting(), job: running()}
		h := handler(s.fake(), func(c *Config) { c.MaxStreams = 1 })
		w, over := openStream(t.Context(), h, operationsPath+"/"+opID, "")
		synctest.Wait()
		w.taken()
		<-time.After(15 * time.Second) // in a bubble of synctest: no waiting
		synctest.Wait()
		if text := w.taken(); text != ": still here\n\n" {
			t.Errorf("heartbeat %q", text)
		}
		second := get(h, operationsPath+"/"+opID, "Accept", "text/event-stream")
		checkProblem(t, second, 429, "too_many_streams")
		h.StopStreams()
		h.StopStreams() // twice does no harm
		synctest.Wait()
		if !isOver(over) {
			t.Error("the stream goes on though the server stops")
		}
	})
}

func TestStreamsRefuse(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	checkProblem(t, get(h, operationsPath+"/"+opID, "Accept", "text/event-stream"), 404, "operation_not_found")
	checkProblem(t, get(h, operationsPath+"/x", "Accept", "text/event-stream"), 400, "invalid_operation_id")
	checkProblem(t, get(h, "/api/v1/events", "Accept", "text/event-stream", "Last-Event-ID", "made up"), 400, "invalid_cursor")
	for _, target := range []string{operationsPath + "/" + opID, "/api/v1/events"} {
		h := handler(&fake{operation: always[string](waiting())})
		w := ask(h, http.MethodHead, target, "", "Accept", "text/event-stream")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentStream[0] {
			t.Errorf("HEAD %s: %d %v", target, w.Code, w.Header())
		}
	}
}

// TestWatchEvents: pages that are there come at once, then what is new; the
// cursor comes with the last event of a page and leads on after a reconnect.
func TestWatchEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ended := []jobs.Operation{succeeded(), failed(), cancelled()}
		f := &fake{events: func(cursor string, limit int) ([]jobs.Operation, string, error) {
			mu.Lock()
			defer mu.Unlock()
			from := len(cursor) // the cursor is as long as what it has passed
			to := min(len(ended), from+limit)
			return ended[from:to], strings.Repeat("x", to), nil
		}}
		h := handler(f)
		w, _ := openStream(t.Context(), h, "/api/v1/events?limit=2", "")
		tick()
		text := w.taken()
		if got := len(names(text)); got != 3 {
			t.Fatalf("%d events: %q", got, text)
		}
		if got := strings.Count(text, "\nid: "); got != 2 {
			t.Errorf("%d ids on two pages", got)
		}
		mu.Lock()
		ended = append(ended, succeeded())
		mu.Unlock()
		tick()
		if got := len(names(w.taken())); got != 1 {
			t.Errorf("%d events after one more ended", got)
		}
		back, _ := openStream(t.Context(), h, "/api/v1/events", lastID(text))
		synctest.Wait()
		if got := len(names(back.taken())); got != 1 {
			t.Errorf("%d events after the reconnect", got)
		}
		h.StopStreams()
	})
}

// TestServerBounds runs the real server: a stream outlives the deadlines that
// bound other requests, and Shutdown ends it without being told by the client.
func TestServerBounds(t *testing.T) {
	t.Parallel()
	s := &stage{op: waiting(), job: running()}
	h := handler(s.fake(), func(c *Config) { c.PollInterval = 5 * time.Millisecond })
	server := NewServer(h, "127.0.0.1:0")
	if server.ReadHeaderTimeout <= 0 || server.ReadTimeout <= 0 || server.WriteTimeout <= 0 || server.IdleTimeout <= 0 {
		t.Errorf("a phase without a bound: %+v", server)
	}
	server.ReadTimeout, server.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String()+operationsPath+"/"+opID, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	begun, buffer := time.Now(), make([]byte, 4096)
	for n := int64(0); time.Since(begun) < 400*time.Millisecond; n++ {
		s.set(func(s *stage) { s.job.Progress.Done = n })
		if _, err := answer.Body.Read(buffer); err != nil {
			t.Fatalf("after %v: %v", time.Since(begun), err)
		}
	}
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Errorf("end of the stream: %v", err)
	}
	if err := <-served; err != http.ErrServerClosed { //nolint:errorlint // Serve returns the sentinel itself
		t.Error(err)
	}
}

package httpapi

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
)

// TestSpecHasEveryRoute holds openapi.yaml against the router, both ways. It
// reads the two levels of the document that it needs; the test module
// validates the whole.
func TestSpecHasEveryRoute(t *testing.T) {
	t.Parallel()
	routed := map[string]bool{}
	err := chi.Walk(handler(&fake{}).mux, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routed[method+" "+route] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	specified := map[string]bool{}
	_, paths, _ := strings.Cut(openAPI, "\npaths:\n")
	path := ""
	for line := range strings.Lines(paths) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line != "" && line[0] != ' ':
			path = "end"
		case path == "end":
		case strings.HasPrefix(line, "  /"):
			path = strings.TrimSuffix(line[2:], ":")
		case strings.HasPrefix(line, "    ") && line[4] != ' ':
			method := strings.ToUpper(strings.TrimSuffix(line[4:], ":"))
			specified[method+" "+path] = true
			if method == http.MethodGet { // the document says that GET answers HEAD
				specified["HEAD "+path] = true
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(routed)), slices.Sorted(maps.Keys(specified)); !slices.Equal(got, want) {
		t.Errorf("routes:\n%s\nopenapi.yaml:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(routed) < 30 {
		t.Errorf("only %d routes were walked", len(routed))
	}
}

func TestNoSuchRouteOrMethod(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	for _, path := range []string{"/", "/api/v1", "/api/v2/health", "/api/v1/operations/", "/favicon.ico"} {
		checkProblem(t, get(h, path), 404, "route_not_found")
	}
	tests := []struct{ method, path, allow string }{
		{"GET", "/api/v1/audio/start?song=x", "POST"},
		{"POST", "/api/v1/audio/status", "GET, HEAD"},
		{"PUT", "/api/v1/operations/" + opID, "GET, HEAD, DELETE"},
		{"OPTIONS", "/api/v1/jobs", "GET, HEAD"},
		{"TRACE", "/healthz", "GET, HEAD"},
	}
	for _, test := range tests {
		w := ask(h, test.method, test.path, "")
		checkProblem(t, w, 405, "method_not_allowed")
		if got := strings.Join(w.Header()["Allow"], ", "); got != test.allow {
			t.Errorf("%s %s: Allow %q, want %q", test.method, test.path, got, test.allow)
		}
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	h := handler(&fake{}, func(c *Config) {
		c.Ready = checks(Check{Name: "store", OK: true})
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("butakero_jobs 1\n")) })
	})
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/metrics": "butakero_jobs 1\n", "/api/v1/openapi.yaml": openAPI,
		"/readyz": `{"ready":true,"checks":[{"name":"store","ok":true}]}` + "\n",
	} {
		if w := get(h, path); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	down := handler(&fake{}, func(c *Config) { c.Ready = checks(Check{Name: "store", Detail: "secret"}) })
	w := get(down, "/readyz")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("readyz while down: %d %s", w.Code, w.Body)
	}
	if w := get(down, "/healthz"); w.Code != http.StatusOK {
		t.Errorf("healthz while the store is down: %d", w.Code)
	}
}

func TestReadinessIsAskedOnceASecondAndChangesAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	asked, now, ok := 0, noon, true
	h := handler(&fake{}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Now = func() time.Time { return now }
		c.Ready = func(context.Context) []Check {
			asked++
			return []Check{{Name: "store", OK: ok, Detail: "connection refused"}}
		}
	})
	for _, step := range []struct {
		ok     bool
		status int
	}{{true, 200}, {false, 503}, {false, 503}, {true, 200}} {
		ok, now = step.ok, now.Add(2*time.Second)
		for _, path := range []string{"/readyz", "/api/v1/health"} {
			if w := get(h, path); w.Code != step.status {
				t.Errorf("%s: %d, want %d", path, w.Code, step.status)
			}
		}
	}
	if asked != 4 {
		t.Errorf("the parts were asked %d times", asked)
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "connection refused") != 1 {
		t.Errorf("log: %s", got)
	}
}

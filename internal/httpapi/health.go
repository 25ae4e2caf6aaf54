package httpapi

import (
	"context"
	_ "embed"
	"net/http"
	"strings"
	"sync"
	"time"
)

// healthAnswer is the original's.
type healthAnswer struct {
	Status   string                   `json:"status"`
	Services map[string]serviceHealth `json:"services"`
}

type serviceHealth struct {
	Status string `json:"status"`
}

// health is GET /api/v1/health: readiness in the original's words, without the
// inner life that the original showed everybody.
func (h *Handler) health(w *response, r *http.Request) error {
	checks, ok := h.check(r)
	a := healthAnswer{Status: "Todos los servicios son saludables", Services: map[string]serviceHealth{}}
	status := http.StatusOK
	if !ok {
		a.Status, status = "Uno o mas servicios no estan saludables", http.StatusServiceUnavailable
	}
	for _, c := range checks {
		s := serviceHealth{Status: "saludable"}
		if !c.OK {
			s.Status = "indisponible"
		}
		a.Services[c.Name] = s
	}
	return writeJSON(w, status, a)
}

// readyAnswer says whether the process can take requests.
type readyAnswer struct {
	Ready  bool         `json:"ready"`
	Checks []readyCheck `json:"checks"`
}

type readyCheck struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
}

// readyz is GET /readyz.
func (h *Handler) readyz(w *response, r *http.Request) error {
	checks, ok := h.check(r)
	a := readyAnswer{Ready: ok, Checks: make([]readyCheck, len(checks))}
	for i, c := range checks {
		a.Checks[i] = readyCheck{Name: c.Name, OK: c.OK}
	}
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, a)
}

// readyCache keeps the answers of the parts for a second: each question costs a
// round trip to every backend, and nobody is counted for asking.
type readyCache struct {
	mu     sync.Mutex
	at     time.Time
	checks []Check
	bad    bool
}

const readyFor = time.Second

// check asks the parts. A change is logged, with the details that clients do not
// get.
func (h *Handler) check(r *http.Request) (checks []Check, ok bool) {
	c := &h.ready
	c.mu.Lock()
	defer c.mu.Unlock()
	now := h.Now()
	if age := now.Sub(c.at); !c.at.IsZero() && age >= 0 && age < readyFor {
		return c.checks, !c.bad
	}
	// Others get this answer too: it must not depend on whether this client waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.RequestTimeout)
	defer cancel()
	checks = h.Ready(ctx)
	var failing []string
	for _, check := range checks {
		if !check.OK {
			failing = append(failing, check.Name+": "+check.Detail)
		}
	}
	if bad := len(failing) > 0; bad != c.bad {
		c.bad = bad
		h.Log.Warn("readiness has changed", "ready", !bad, "failing", strings.Join(failing, "; "))
	}
	c.at, c.checks = now, checks
	return checks, !c.bad
}

// healthz is GET /healthz: the process serves. It asks nobody: a process is not to
// be killed because its store is away.
func (h *Handler) healthz(w *response, _ *http.Request) error {
	return writeText(w, contentText, "ok\n")
}

// metrics is GET /metrics.
func (h *Handler) metrics(w *response, r *http.Request) error {
	h.Metrics.ServeHTTP(w, r)
	return nil
}

//go:embed openapi.yaml
var openAPI string

var contentYAML = []string{"application/yaml"}

// getOpenAPI is GET /api/v1/openapi.yaml.
func (h *Handler) getOpenAPI(w *response, _ *http.Request) error {
	return writeText(w, contentYAML, openAPI)
}

func writeText(w *response, contentType []string, text string) error {
	w.Header()["Content-Type"] = contentType
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(text)) // a client that left is no news
	return nil
}

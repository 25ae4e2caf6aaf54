package httpapi

import (
	_ "embed"
	"net/http"
	"strings"
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

// check asks the parts. A change is logged, with the details that clients do not
// get.
func (h *Handler) check(r *http.Request) ([]Check, bool) {
	checks, ok := h.Ready(r.Context()), true
	var bad []string
	for _, c := range checks {
		if !c.OK {
			ok = false
			bad = append(bad, c.Name+": "+c.Detail)
		}
	}
	if h.ready.Swap(ok) != ok {
		h.Log.Warn("readiness has changed", "ready", ok, "failing", strings.Join(bad, "; "))
	}
	return checks, ok
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

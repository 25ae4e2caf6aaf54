package httpapi

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// endpoint answers a request, or returns why it did not. Nothing may have been
// written when it returns an error.
type endpoint func(w *response, r *http.Request) error

// routes is the table of contents of the API.
func (h *Handler) routes() *chi.Mux {
	mux := chi.NewRouter()
	mux.NotFound(h.plain("", func(*response, *http.Request) error { return errNoRoute }))
	mux.MethodNotAllowed(h.plain("", h.methodNotAllowed))

	for _, root := range []string{"/api/v1", "/api"} { // the original documents both
		h.on(mux, http.MethodPost, root+"/audio/start", h.start)
		h.on(mux, http.MethodGet, root+"/audio/status", h.status)
		h.on(mux, http.MethodGet, root+"/health", h.health)
	}

	h.on(mux, http.MethodPost, "/api/v1/operations", h.createOperation)
	h.stream(mux, "/api/v1/operations/{id}", h.getOperation)
	h.on(mux, http.MethodDelete, "/api/v1/operations/{id}", h.cancelOperation)

	h.on(mux, http.MethodGet, "/api/v1/songs/{id}", h.getSong)
	h.stream(mux, "/api/v1/songs/{id}/audio", h.getAudio)

	h.on(mux, http.MethodGet, "/api/v1/jobs", h.listJobs)
	h.on(mux, http.MethodGet, "/api/v1/jobs/{key}", h.getJob)
	h.on(mux, http.MethodGet, "/api/v1/jobs/{key}/operations", h.listOperations)
	h.on(mux, http.MethodPost, "/api/v1/jobs/{key}/replay", h.operator(h.replayJob))
	h.on(mux, http.MethodPost, "/api/v1/jobs/{key}/cancel", h.operator(h.cancelJob))
	h.on(mux, http.MethodDelete, "/api/v1/jobs/{key}", h.operator(h.discardJob))
	h.on(mux, http.MethodGet, "/api/v1/job-groups", h.listGroups)
	h.deskRoutes(mux)

	h.stream(mux, "/api/v1/events", h.listEvents)
	h.on(mux, http.MethodGet, "/api/v1/queue", h.getQueue)
	h.on(mux, http.MethodGet, "/api/v1/openapi.yaml", h.getOpenAPI)

	h.on(mux, http.MethodGet, "/healthz", h.healthz)
	h.on(mux, http.MethodGet, "/readyz", h.readyz)
	h.on(mux, http.MethodGet, "/metrics", h.metrics)
	return mux
}

// unlimited are the routes that the rate limit leaves alone: those of the
// machinery around the process.
func unlimited(path string) bool {
	switch path {
	case "/healthz", "/readyz", "/metrics", "/api/v1/health", "/api/health":
		return true
	}
	return false
}

// on registers an endpoint that has RequestTimeout to answer. GET answers HEAD
// too, as RFC 9110 section 9.1 asks.
func (h *Handler) on(mux *chi.Mux, method, pattern string, e endpoint) {
	f := h.plain(pattern, func(w *response, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), h.RequestTimeout)
		defer cancel()
		return e(w, r.WithContext(ctx))
	})
	h.register(mux, method, pattern, f)
}

// stream registers a GET endpoint that may last: it bounds its own steps.
func (h *Handler) stream(mux *chi.Mux, pattern string, e endpoint) {
	h.register(mux, http.MethodGet, pattern, h.plain(pattern, e))
}

func (h *Handler) register(mux *chi.Mux, method, pattern string, f http.HandlerFunc) {
	mux.Method(method, pattern, f)
	if method == http.MethodGet {
		mux.Method(http.MethodHead, pattern, f)
	}
}

// plain turns an endpoint into a handler. The writer is ours: ServeHTTP hands it
// to the router, which passes it on.
func (h *Handler) plain(pattern string, e endpoint) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		w := rw.(*response)
		w.route = pattern
		if err := e(w, r); err != nil {
			h.fail(w, r, err)
		}
	}
}

// methodNotAllowed names the methods that the path does have.
func (h *Handler) methodNotAllowed(w *response, r *http.Request) error {
	path := r.URL.RawPath // as chi routes
	if path == "" {
		path = r.URL.Path
	}
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if h.mux.Match(chi.NewRouteContext(), m, path) {
			w.Header().Add("Allow", m)
		}
	}
	return errMethod
}

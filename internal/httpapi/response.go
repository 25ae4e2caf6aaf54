package httpapi

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"crypto/rand"
)

// MaxBodyBytes bounds request bodies.
const MaxBodyBytes = 64 << 10

// response is the writer that endpoints get. It carries the request's id, so
// that the request need not be copied for it, and remembers what was sent.
type response struct {
	http.ResponseWriter
	id     string
	route  string
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 || w.status < 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Header values that never change are shared between answers: net/http only
// reads them.
var (
	nosniff     = []string{"nosniff"}
	noStore     = []string{"no-store"}
	contentJSON = []string{"application/json; charset=utf-8"}
	contentProb = []string{"application/problem+json"}
	contentText = []string{"text/plain; charset=utf-8"}
)

// ServeHTTP implements http.Handler: what holds for every request, around the
// router.
func (h *Handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := h.pool.Get().(*response)
	*w = response{ResponseWriter: rw, id: h.ids.of(r)}
	begun := h.Now()
	header := w.Header()
	header["X-Content-Type-Options"] = nosniff
	header["Cache-Control"] = noStore
	header["X-Request-Id"] = []string{w.id}

	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http's own sentinel, compared as net/http does
				panic(p)
			}
			h.panicked(w, r, p)
		}
		h.done(w, r, h.Now().Sub(begun))
		*w = response{}
		h.pool.Put(w)
	}()

	if err := h.admit(w, r); err != nil {
		h.fail(w, r, err)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// admit applies the limits that need no route.
func (h *Handler) admit(w *response, r *http.Request) error {
	if h.limit != nil && !unlimited(r.URL.Path) {
		if err := h.limit.admit(w.Header(), h.clientAddr(r), h.Now()); err != nil {
			return err
		}
	}
	if r.ContentLength > MaxBodyBytes {
		return errBodyTooLarge
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w.ResponseWriter, r.Body, MaxBodyBytes)
	}
	return nil
}

func (h *Handler) panicked(w *response, r *http.Request, p any) {
	h.Log.Error("panic while serving", "request", w.id, "method", r.Method, "route", w.route,
		"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status == 0 {
		writeProblem(w, errInternal)
		return
	}
	panic(http.ErrAbortHandler) // half an answer must not look like a whole one
}

func (h *Handler) done(w *response, r *http.Request, took time.Duration) {
	if h.Observe != nil {
		h.Observe(Observation{Route: w.route, Method: r.Method, Status: w.status, Took: took})
	}
	if ctx := r.Context(); h.Log.Enabled(ctx, slog.LevelDebug) {
		h.Log.LogAttrs(context.WithoutCancel(ctx), slog.LevelDebug, "served",
			slog.String("request", w.id), slog.String("method", r.Method), slog.String("route", w.route),
			slog.Int("status", w.status), slog.Duration("took", took))
	}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooledBuffer keeps a rare long list from staying in memory for ever.
const maxPooledBuffer = 64 << 10

// writeJSON answers with v. The body is complete before the first byte is sent,
// so that a value that can not be encoded is an error and not half an answer.
func writeJSON(w *response, status int, v any) error {
	return writeBody(w, status, contentJSON, v)
}

func writeBody(w *response, status int, contentType []string, v any) error {
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= maxPooledBuffer {
			b.Reset()
			buffers.Put(b)
		}
	}()
	b.Reset()
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(b.Len())}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that left is no news
	return nil
}

// requestIDs makes ids that are unique over processes (a random prefix) and cost
// next to nothing (a counter).
type requestIDs struct {
	prefix string
	last   *atomic.Uint64
}

func newRequestIDs() requestIDs {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return requestIDs{prefix: hex.EncodeToString(b[:]) + "-", last: new(atomic.Uint64)}
}

// of returns the client's own id when it is harmless, a new one otherwise.
func (g requestIDs) of(r *http.Request) string {
	if ids := r.Header["X-Request-Id"]; len(ids) == 1 && validRequestID(ids[0]) {
		return ids[0]
	}
	return g.prefix + strconv.FormatUint(g.last.Add(1), 36)
}

func validRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

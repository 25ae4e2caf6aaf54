package httpapi

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/butakero/butakero/internal/jobs"
)

// Desk is what operators sit at, beside Operator and Lists. Letters is nil where
// the queue's engine sets no messages aside.
type Desk struct {
	Bulks      *jobs.Bulks
	Pauses     *jobs.Pauses
	Audit      *jobs.Audit
	Quarantine *jobs.Quarantine
	Letters    jobs.DeadLetters
}

// deskRoutes are for operators: see operator.
func (h *Handler) deskRoutes(mux *chi.Mux) {
	if h.Desk == nil {
		return
	}
	h.on(mux, http.MethodGet, "/api/v1/runs", h.operator(h.listRuns))
	h.on(mux, http.MethodPost, "/api/v1/runs", h.operator(h.startRun))
	h.on(mux, http.MethodGet, "/api/v1/runs/{id}", h.operator(h.getRun))
	h.on(mux, http.MethodDelete, "/api/v1/runs/{id}", h.operator(h.stopRun))

	h.on(mux, http.MethodGet, "/api/v1/pauses", h.listPauses)
	h.on(mux, http.MethodPut, "/api/v1/pauses/{target}", h.operator(h.setPause))
	h.on(mux, http.MethodDelete, "/api/v1/pauses/{target}", h.operator(h.liftPause))

	h.on(mux, http.MethodGet, "/api/v1/quarantine", h.operator(h.listQuarantine))
	h.on(mux, http.MethodPost, "/api/v1/dead-letters/import", h.operator(h.importLetters))
	h.on(mux, http.MethodGet, "/api/v1/quarantine/{id}", h.operator(h.getQuarantined))
	h.on(mux, http.MethodPost, "/api/v1/quarantine/{id}/resend", h.operator(h.resend))
	h.on(mux, http.MethodDelete, "/api/v1/quarantine/{id}", h.operator(h.dropQuarantined))

	h.on(mux, http.MethodGet, "/api/v1/audit", h.operator(h.listAudit))
}

// isOperator tells whether the request comes from an operator: it carries the
// operators' token or, where none is set, comes from this machine and from no
// proxy.
func (h *Handler) isOperator(r *http.Request) bool {
	if h.OperatorToken != "" {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		return ok && subtle.ConstantTimeCompare([]byte(token), []byte(h.OperatorToken)) == 1
	}
	if r.Header["X-Forwarded-For"] != nil || r.Header["Forwarded"] != nil {
		return false
	}
	return peer(r).IsLoopback()
}

// operator lets only operators through.
func (h *Handler) operator(e endpoint) endpoint {
	return func(w *response, r *http.Request) error {
		if !h.isOperator(r) {
			if h.OperatorToken != "" {
				w.Header()["Www-Authenticate"] = []string{`Bearer realm="butakero"`}
				return errNoToken
			}
			return errNotOperator
		}
		return e(w, r)
	}
}

// headerOperator is where a client tells who acts.
const headerOperator = "X-Butakero-Operator"

// by names who acts, for the audit: what the client says, and where it is.
func (h *Handler) by(r *http.Request) string {
	addr := h.clientAddr(r).String()
	name := r.Header.Get(headerOperator)
	if name == "" || len(name) > 128 || !cleanText(name) {
		return addr
	}
	return name + " (" + addr + ")"
}

func (h *Handler) record(r *http.Request, action, target string, count int64) {
	if h.Desk == nil {
		return
	}
	h.Desk.Audit.Record(r.Context(), jobs.Entry{By: h.by(r), Action: action, Target: target, Count: count})
}

// pauseList is what is paused.
type pauseList struct {
	Pauses []jobs.Pause `json:"pauses"`
}

// listPauses is GET /api/v1/pauses.
func (h *Handler) listPauses(w *response, r *http.Request) error {
	all, err := h.Desk.Pauses.List(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []jobs.Pause{}
	}
	return writeJSON(w, http.StatusOK, pauseList{all})
}

// pauseBody is what a pause may say; both members may be left out.
type pauseBody struct {
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// setPause is PUT /api/v1/pauses/{target}.
func (h *Handler) setPause(w *response, r *http.Request) error {
	target, err := pathText(r, "target")
	if err != nil {
		return err
	}
	var body pauseBody
	if r.ContentLength != 0 {
		if err := readJSON(r, &body); err != nil {
			return err
		}
	}
	if len(body.Reason) > 500 || !cleanText(body.Reason) {
		return errBody.detailed("reason is a text of up to 500 bytes")
	}
	one, err := h.Desk.Pauses.Set(r.Context(), jobs.Pause{Target: target, Reason: body.Reason, Until: body.Until, By: h.by(r)})
	switch {
	case errors.Is(err, jobs.ErrTarget):
		return errPauseTarget
	case errors.Is(err, jobs.ErrState):
		return errBody.detailed("until is over already")
	case err != nil:
		return err
	}
	h.Desk.Audit.Record(r.Context(), jobs.Entry{By: one.By, Action: "pause", Target: target, Count: 1, Reason: one.Reason})
	return writeJSON(w, http.StatusOK, one)
}

// liftPause is DELETE /api/v1/pauses/{target}.
func (h *Handler) liftPause(w *response, r *http.Request) error {
	target, err := pathText(r, "target")
	if err != nil {
		return err
	}
	one, err := h.Desk.Pauses.Lift(r.Context(), target)
	if errors.Is(err, jobs.ErrTarget) {
		return errPauseTarget
	}
	if err != nil {
		return notFound(err, errNoPause)
	}
	h.record(r, "resume", target, 1)
	return writeJSON(w, http.StatusOK, one)
}

// auditList is a page of what operators did. Next is absent on the last one.
type auditList struct {
	Entries []jobs.Entry `json:"entries"`
	Next    string       `json:"next,omitempty"`
}

// listAudit is GET /api/v1/audit: the newest first.
func (h *Handler) listAudit(w *response, r *http.Request) error {
	cursor, limit, err := pageOf(r)
	if err != nil {
		return err
	}
	entries, next, err := h.Desk.Audit.List(r.Context(), cursor, limit)
	if err != nil {
		return err
	}
	if entries == nil {
		entries = []jobs.Entry{}
	}
	return writeJSON(w, http.StatusOK, auditList{entries, wrapCursor(next)})
}

// pageOf reads cursor and limit of a list.
func pageOf(r *http.Request) (cursor string, limit int, err error) {
	p := params{raw: r.URL.RawQuery}
	limit = p.limit()
	cursor, err = openCursor(p.text("cursor"))
	p.keep(err)
	return cursor, limit, p.err
}

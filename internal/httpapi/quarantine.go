package httpapi

import (
	"errors"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
)

// quarantinedView is a message that nobody could work on. Text is its body where
// that is text; Raw is all that is kept of it, in base64.
type quarantinedView struct {
	ID       string    `json:"id"`
	Reason   string    `json:"reason"`
	Origin   string    `json:"origin"`
	Bytes    int       `json:"bytes"`
	Receives int       `json:"receives,omitempty"`
	At       time.Time `json:"at"`
	Text     string    `json:"text,omitempty"`
	Raw      []byte    `json:"raw,omitempty"`
}

func viewQuarantined(q jobs.Quarantined, whole bool) quarantinedView {
	v := quarantinedView{ID: q.ID, Reason: q.Reason, Origin: q.Origin, Bytes: q.Size, Receives: q.Receives, At: q.At}
	if whole {
		v.Raw = q.Raw
	}
	if text := q.Raw[:min(len(q.Raw), 2048)]; utf8.Valid(text) {
		v.Text = string(text)
	}
	return v
}

// quarantineList is a page of them. Next is absent on the last one.
type quarantineList struct {
	Messages []quarantinedView `json:"messages"`
	Next     string            `json:"next,omitempty"`
}

// listQuarantine is GET /api/v1/quarantine.
func (h *Handler) listQuarantine(w *response, r *http.Request) error {
	cursor, limit, err := pageOf(r)
	if err != nil {
		return err
	}
	all, next, err := h.Desk.Quarantine.List(r.Context(), cursor, limit)
	if err != nil {
		return err
	}
	list := quarantineList{Messages: make([]quarantinedView, len(all)), Next: wrapCursor(next)}
	for i, q := range all {
		list.Messages[i] = viewQuarantined(q, false)
	}
	return writeJSON(w, http.StatusOK, list)
}

// getQuarantined is GET /api/v1/quarantine/{id}.
func (h *Handler) getQuarantined(w *response, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	q, err := h.Desk.Quarantine.Get(r.Context(), id)
	if err != nil {
		return notFound(err, errNoMessage)
	}
	return writeJSON(w, http.StatusOK, viewQuarantined(q, true))
}

// resend is POST /api/v1/quarantine/{id}/resend.
func (h *Handler) resend(w *response, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	j, err := h.Desk.Quarantine.Resend(r.Context(), id)
	switch {
	case errors.Is(err, jobs.ErrUndecodable), errors.Is(err, jobs.ErrNewerSchema):
		return errUndecodable.detailed(err.Error())
	case err != nil:
		return notFound(err, errNoMessage)
	}
	h.record(r, "resend", "message "+id, 1)
	return writeJSON(w, http.StatusAccepted, h.viewJob(r, j, false))
}

// dropQuarantined is DELETE /api/v1/quarantine/{id}: it answers with what is
// forgotten.
func (h *Handler) dropQuarantined(w *response, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	q, err := h.Desk.Quarantine.Drop(r.Context(), id)
	if err != nil {
		return notFound(err, errNoMessage)
	}
	h.record(r, "drop", "message "+id, 1)
	return writeJSON(w, http.StatusOK, viewQuarantined(q, true))
}

// importView counts what was taken over.
type importView struct {
	Imported int `json:"imported"`
}

// importLetters is POST /api/v1/dead-letters/import.
func (h *Handler) importLetters(w *response, r *http.Request) error {
	if h.Desk.Letters == nil {
		return errNoLetters
	}
	n, err := h.Desk.Quarantine.Import(r.Context(), h.Desk.Letters)
	h.record(r, "import", "dead letters", int64(n))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, importView{n})
}

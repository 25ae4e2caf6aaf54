package httpapi

import (
	"net/http"

	"github.com/butakero/butakero/internal/events"
	"github.com/butakero/butakero/internal/jobs"
)

// eventList is a page of the outbox. Next is always there: with it a reader goes
// on later.
type eventList struct {
	Events []events.CloudEvent `json:"events"`
	Next   string              `json:"next"`
}

// viewEvent shows the news that an operation ended as the queues carry it: a
// CloudEvent. All copies of an event have the same id.
func (h *Handler) viewEvent(r *http.Request, o jobs.Operation) events.CloudEvent {
	return events.CloudEventOf(jobs.EventOf(o), h.baseURL(r))
}

// listEvents is GET /api/v1/events: ended operations in the order of their ends,
// from behind the cursor on.
func (h *Handler) listEvents(w *response, r *http.Request) error {
	p := params{raw: r.URL.RawQuery}
	limit, from := p.limit(), p.text("cursor")
	streaming := wantsStream(r)
	if last := r.Header.Get("Last-Event-ID"); streaming && last != "" {
		from = last
	}
	cursor, err := openCursor(from)
	p.keep(err)
	if p.err != nil {
		return p.err
	}
	if streaming {
		return h.watchEvents(w, r, cursor, limit)
	}
	ctx, cancel := h.bounded(r)
	defer cancel()
	ended, next, err := h.Lists.Events(ctx, cursor, limit)
	if err != nil {
		return err
	}
	list := eventList{Events: make([]events.CloudEvent, len(ended)), Next: wrapCursor(next)}
	for i, o := range ended {
		list.Events[i] = h.viewEvent(r, o)
	}
	return writeJSON(w, http.StatusOK, list)
}

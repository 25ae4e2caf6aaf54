package httpapi

import (
	"net/http"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Names in the envelope of CloudEvents 1.0.
const (
	eventSource = "/butakero"
	eventType   = "io.github.butakero.operation."
)

// eventView is the news that an operation ended, in the JSON format of
// CloudEvents 1.0. All copies of an event have the same id.
type eventView struct {
	SpecVersion     string        `json:"specversion"`
	ID              string        `json:"id"`
	Source          string        `json:"source"`
	Type            string        `json:"type"`
	Subject         string        `json:"subject"` // the operation's id
	Time            time.Time     `json:"time"`
	DataContentType string        `json:"datacontenttype"`
	Data            operationView `json:"data"`
}

// eventList is a page of the outbox. Next is always there: with it a reader goes
// on later.
type eventList struct {
	Events []eventView `json:"events"`
	Next   string      `json:"next"`
}

func (h *Handler) viewEvent(r *http.Request, o jobs.Operation) eventView {
	e := jobs.EventOf(o)
	return eventView{
		SpecVersion: "1.0", ID: e.ID, Source: eventSource, Type: eventType + string(o.State), Subject: o.ID,
		Time: o.EndedAt.UTC(), DataContentType: "application/json", Data: h.viewOperation(r, o, nil),
	}
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
	list := eventList{Events: make([]eventView, len(ended)), Next: wrapCursor(next)}
	for i, o := range ended {
		list.Events[i] = h.viewEvent(r, o)
	}
	return writeJSON(w, http.StatusOK, list)
}

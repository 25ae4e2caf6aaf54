package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/butakero/butakero/internal/jobs"
)

// Server-sent events, as the WHATWG HTML standard section 9.2 describes them.

var contentStream = []string{"text/event-stream; charset=utf-8"}

// streamStall bounds one write to a stream.
const streamStall = 30 * time.Second

// reconnectAfter tells clients how long to wait before they come back.
const reconnectAfter = 2 * time.Second

// wantsStream reports whether the client asked for an event stream by name; a
// wildcard gets JSON.
func wantsStream(r *http.Request) bool {
	for _, accept := range r.Header["Accept"] {
		for part := range strings.SplitSeq(accept, ",") {
			kind, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimFunc(kind, unicode.IsSpace), "text/event-stream") {
				return true
			}
		}
	}
	return false
}

// eventStream writes events to one client.
type eventStream struct {
	w       *response
	control *http.ResponseController
	buffer  bytes.Buffer
}

// openStream begins the answer. Whoever opened it calls the returned function at
// the end.
func (h *Handler) openStream(w *response) (*eventStream, func(), error) {
	if h.streams.Add(1) > int64(h.MaxStreams) {
		h.streams.Add(-1)
		return nil, nil, errTooManyStream
	}
	header := w.Header()
	header["Content-Type"] = contentStream
	header["X-Accel-Buffering"] = []string{"no"} // for nginx
	w.WriteHeader(http.StatusOK)
	s := &eventStream{w: w, control: http.NewResponseController(w.ResponseWriter)}
	fmt.Fprintf(&s.buffer, "retry: %d\n\n", reconnectAfter.Milliseconds())
	return s, func() { h.streams.Add(-1) }, nil
}

// event adds an event. An empty id leaves the client's last one as it is. data is
// one line: encoded JSON has no line breaks.
func (s *eventStream) event(name, id string, data []byte) {
	s.buffer.WriteString("event: " + name + "\n")
	if id != "" {
		s.buffer.WriteString("id: " + id + "\n")
	}
	s.buffer.WriteString("data: ")
	s.buffer.Write(data)
	s.buffer.WriteString("\n\n")
}

func (s *eventStream) heartbeat() { s.buffer.WriteString(": still here\n\n") }

// flush sends what was added. An error means that the client has left.
func (s *eventStream) flush() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamStall)) // a writer without deadlines needs none moved
	_, err := s.w.Write(s.buffer.Bytes())
	s.buffer.Reset()
	if err != nil {
		return err
	}
	return s.control.Flush()
}

// pump calls step every PollInterval, sends what it added, and a heartbeat when
// it has long added nothing; until step says that it is over, the client leaves
// or the server stops. A step that fails is tried again at the next tick: the
// client would come back with the same question.
func (h *Handler) pump(ctx context.Context, s *eventStream, step func(context.Context) (over bool, err error)) {
	tick := time.NewTicker(h.PollInterval)
	defer tick.Stop()
	quiet := time.Duration(0)
	for {
		if err := s.flush(); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-h.stop:
			return
		case <-tick.C:
		}
		stepCtx, cancel := context.WithTimeout(ctx, h.RequestTimeout)
		over, err := step(stepCtx)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.Log.Warn("a stream can not be fed for now", "request", s.w.id, "route", s.w.route, "error", err)
		}
		switch {
		case over:
			_ = s.flush() // it is the end either way
			return
		case s.buffer.Len() > 0:
			quiet = 0
		default:
			if quiet += h.PollInterval; quiet >= h.Heartbeat {
				quiet = 0
				s.heartbeat()
			}
		}
	}
}

// watchOperation streams an operation: an event "progress" at every change, and
// "end" when it is over. The id of an event is a digest of what it says, so that
// a client that comes back with Last-Event-ID is told only what is new; one that
// has seen the end gets 204, on which browsers stop asking.
func (h *Handler) watchOperation(w *response, r *http.Request, id string) error {
	last := r.Header.Get("Last-Event-ID")
	ctx, cancel := h.bounded(r)
	o, j, err := h.operation(r.WithContext(ctx), id)
	cancel()
	if err != nil {
		return err
	}
	data, digest, err := h.encodeOperation(r, o, j)
	if err != nil {
		return err
	}
	if o.Ended() && digest == last {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if r.Method == http.MethodHead {
		w.Header()["Content-Type"] = contentStream
		w.WriteHeader(http.StatusOK)
		return nil
	}
	s, done, err := h.openStream(w)
	if err != nil {
		return err
	}
	defer done()
	tell := func() bool {
		name := "progress"
		if o.Ended() {
			name = "end"
		}
		if digest != last {
			s.event(name, digest, data)
			last = digest
		}
		return o.Ended()
	}
	if tell() {
		_ = s.flush() // it is the end either way
		return nil
	}
	h.pump(r.Context(), s, func(ctx context.Context) (bool, error) {
		var err error
		if o, j, err = h.operation(r.WithContext(ctx), id); err != nil {
			return errors.Is(err, errNoOperation), err
		}
		if data, digest, err = h.encodeOperation(r, o, j); err != nil {
			return false, err
		}
		return tell(), nil
	})
	return nil
}

func (h *Handler) encodeOperation(r *http.Request, o jobs.Operation, j *jobs.Job) (data []byte, digest string, err error) {
	if data, err = json.Marshal(h.viewOperation(r, o, j)); err != nil {
		return nil, "", fmt.Errorf("encode operation: %w", err)
	}
	sum := fnv.New64a()
	_, _ = sum.Write(data) // never fails: hash.Hash
	return data, strconv.FormatUint(sum.Sum64(), 36), nil
}

// watchEvents streams the outbox. The cursor is the id of the last event of a
// page: a client that comes back may see some events of a page again, under
// the same ids, and misses none.
func (h *Handler) watchEvents(w *response, r *http.Request, cursor string, limit int) error {
	if r.Method == http.MethodHead {
		w.Header()["Content-Type"] = contentStream
		w.WriteHeader(http.StatusOK)
		return nil
	}
	ctx, cancel := h.bounded(r)
	page, next, err := h.Lists.Events(ctx, cursor, limit)
	cancel()
	if err != nil {
		return err
	}
	s, done, err := h.openStream(w)
	if err != nil {
		return err
	}
	defer done()
	tell := func() error {
		for i, o := range page {
			data, err := json.Marshal(h.viewEvent(r, o))
			if err != nil {
				return fmt.Errorf("encode event: %w", err)
			}
			id := ""
			if i == len(page)-1 {
				id = wrapCursor(next)
			}
			s.event("operation", id, data)
		}
		cursor = next
		return nil
	}
	if err := tell(); err != nil {
		return err
	}
	h.pump(r.Context(), s, func(ctx context.Context) (bool, error) {
		for { // pages that are there are sent without waiting for the tick
			var err error
			if page, next, err = h.Lists.Events(ctx, cursor, limit); err != nil {
				return false, err
			}
			if err := tell(); err != nil {
				return true, err
			}
			if len(page) < limit {
				return false, nil
			}
			if err := s.flush(); err != nil {
				return true, err
			}
		}
	})
	return nil
}

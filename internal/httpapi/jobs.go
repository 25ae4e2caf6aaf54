package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/butakero/butakero/internal/jobs"
)

var (
	jobStates = []string{
		string(jobs.JobPending), string(jobs.JobRunning), string(jobs.JobRetry),
		string(jobs.JobDone), string(jobs.JobDead), string(jobs.JobCancelled),
	}
	classes = []string{
		string(jobs.ClassPermanent), string(jobs.ClassTransient), string(jobs.ClassThrottled), string(jobs.ClassExtractor),
		string(jobs.ClassEnvironment), string(jobs.ClassPanic), string(jobs.ClassInterrupted), string(jobs.ClassCancelled),
	}
)

var (
	stages          = []string{string(jobs.StageFetching), string(jobs.StageStoring)}
	operationStates = []string{
		string(jobs.OperationWaiting), string(jobs.OperationSucceeded), string(jobs.OperationFailed), string(jobs.OperationCancelled),
	}
	facetNames = func() (all []string) {
		for _, f := range jobs.Facets {
			all = append(all, string(f))
		}
		return all
	}()
)

// jobList is a page of jobs. Next is absent on the last one.
type jobList struct {
	Jobs []jobView `json:"jobs"`
	Next string    `json:"next,omitempty"`
}

// listJobs is GET /api/v1/jobs: the newest update first.
func (h *Handler) listJobs(w *response, r *http.Request) error {
	p := params{raw: r.URL.RawQuery}
	filter := p.filter()
	limit := p.limit()
	cursor, err := openCursor(p.text("cursor"))
	p.keep(err)
	if p.err != nil {
		return p.err
	}
	found, next, err := h.Lists.Jobs(r.Context(), filter, cursor, limit)
	if err != nil {
		return err
	}
	list := jobList{Jobs: make([]jobView, len(found)), Next: wrapCursor(next)}
	for i, j := range found {
		list.Jobs[i] = h.viewJob(r, j, false)
	}
	return writeJSON(w, http.StatusOK, list)
}

// filter reads what selects jobs.
func (p *params) filter() jobs.JobFilter {
	return jobs.JobFilter{
		State: jobs.JobState(p.oneOf("state", jobStates...)), Class: jobs.Class(p.oneOf("class", classes...)),
		Code: p.text("code"), Host: p.text("host"), Stage: jobs.Stage(p.oneOf("stage", stages...)), Extractor: p.text("extractor"),
		Requester: p.text("requester"), Song: p.song(), Profile: p.profile(), Text: p.text("text"),
		Since: p.time("since"), Until: p.time("until"),
	}
}

// getJob is GET /api/v1/jobs/{key}.
func (h *Handler) getJob(w *response, r *http.Request) error {
	key, err := jobKey(r)
	if err != nil {
		return err
	}
	j, err := h.Records.Job(r.Context(), key)
	if err != nil {
		return notFound(err, errNoJob)
	}
	return writeJSON(w, http.StatusOK, h.viewJob(r, j, true))
}

// replayJob is POST /api/v1/jobs/{key}/replay.
func (h *Handler) replayJob(w *response, r *http.Request) error {
	key, err := jobKey(r)
	if err != nil {
		return err
	}
	p := params{raw: r.URL.RawQuery}
	force := p.yes("force")
	if p.err != nil {
		return p.err
	}
	j, err := h.Operator.Replay(r.Context(), key, force)
	var refused *jobs.RefusedError
	switch {
	case errors.As(err, &refused):
		return errReplayRefused.detailed(refused.Error())
	case errors.Is(err, jobs.ErrState), errors.Is(err, jobs.ErrStale):
		return errJobState
	case err != nil:
		return notFound(err, errNoJob)
	}
	h.record(r, "replay", key.String(), 1)
	return writeJSON(w, http.StatusAccepted, h.viewJob(r, j, true))
}

// cancelJob is POST /api/v1/jobs/{key}/cancel: it takes back every request that
// waits for the job.
func (h *Handler) cancelJob(w *response, r *http.Request) error {
	key, err := jobKey(r)
	if err != nil {
		return err
	}
	j, err := h.Operator.CancelJob(r.Context(), key)
	switch {
	case errors.Is(err, jobs.ErrEnded), errors.Is(err, jobs.ErrStale):
		if j.State != jobs.JobCancelled {
			return errJobEnded
		}
	case err != nil:
		return notFound(err, errNoJob)
	}
	h.record(r, "cancel", key.String(), 1)
	return writeJSON(w, http.StatusOK, h.viewJob(r, j, true))
}

// jobKey reads the key from the path, where clients may have escaped its colons.
func jobKey(r *http.Request) (jobs.Key, error) {
	text, err := url.PathUnescape(chi.URLParam(r, "key"))
	if err != nil {
		return jobs.Key{}, errJobKey
	}
	key, err := jobs.ParseKey(text)
	if err != nil {
		return jobs.Key{}, errJobKey
	}
	return key, nil
}

// queueView describes the backlog.
type queueView struct {
	Jobs                 map[jobs.JobState]int64 `json:"jobs"`
	OperationsWaiting    int64                   `json:"operations_waiting"`
	EventsPending        int64                   `json:"events_pending"`
	OldestPendingSeconds float64                 `json:"oldest_pending_seconds"`
	Messages             *messagesView           `json:"messages,omitempty"`
	Paused               []pausedView            `json:"paused,omitempty"`
}

// pausedView is what begins nothing for now, by an operator's wish or by a source's
// own rules.
type pausedView struct {
	Target string    `json:"target"` // queue, source:NAME or host:NAME
	Text   string    `json:"text"`   // for people
	Until  time.Time `json:"until,omitzero"`
	Code   string    `json:"code,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// paused lists it. What can not be read is left out: the counts are worth showing
// without.
func (h *Handler) paused(ctx context.Context) (all []pausedView) {
	if h.Desk != nil {
		list, err := h.Desk.Pauses.List(ctx)
		if err != nil {
			h.Log.Warn("the pauses can not be read", "error", err)
		}
		for _, p := range list {
			all = append(all, pausedView{Target: p.Target, Text: "paused: " + p.String(), Until: utc(p.Until), Reason: p.Reason})
		}
	}
	if h.Sources != nil {
		for _, s := range h.Sources(ctx) {
			all = append(all, pausedView{Target: jobs.PauseSource + s.Name, Text: s.Text, Until: utc(s.Until), Code: s.Code, Reason: s.Reason})
		}
	}
	return all
}

// messagesView is what the queue's engine counts; what it can not tell is absent.
type messagesView struct {
	Visible  *int64 `json:"visible,omitempty"`
	InFlight *int64 `json:"in_flight,omitempty"`
	Delayed  *int64 `json:"delayed,omitempty"`
}

// getQueue is GET /api/v1/queue.
func (h *Handler) getQueue(w *response, r *http.Request) error {
	v, err := h.stats.get(r.Context(), h)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v)
}

// statsCache keeps the counts for a second: they may cost a scan, and dashboards
// ask in herds.
type statsCache struct {
	mu    sync.Mutex
	at    time.Time
	value queueView
}

const statsFor = time.Second

func (c *statsCache) get(ctx context.Context, h *Handler) (queueView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := h.Now()
	if age := now.Sub(c.at); !c.at.IsZero() && age >= 0 && age < statsFor {
		return c.value, nil
	}
	s, err := h.Lists.Stats(ctx, now)
	if err != nil {
		return queueView{}, err
	}
	v := queueView{Jobs: make(map[jobs.JobState]int64, len(jobStates)), OperationsWaiting: s.Waiting, EventsPending: s.PendingEvents}
	for _, state := range jobStates {
		v.Jobs[jobs.JobState(state)] = s.Jobs[jobs.JobState(state)]
	}
	if !s.OldestPending.IsZero() {
		v.OldestPendingSeconds = max(0, now.Sub(s.OldestPending).Seconds())
	}
	if h.Depth != nil {
		d, err := h.Depth(ctx)
		if err != nil { // the records are the truth; the engine's counts are an extra
			h.Log.Warn("the queue does not tell its depth", "error", err)
		} else {
			v.Messages = &messagesView{Visible: count(d.Visible), InFlight: count(d.InFlight), Delayed: count(d.Delayed)}
		}
	}
	v.Paused = h.paused(ctx)
	c.at, c.value = now, v
	return v, nil
}

func count(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/butakero/butakero/internal/jobs"
)

// runBody asks for a bulk run: what is selected by keys or by a filter, and how.
type runBody struct {
	Kind   jobs.BulkKind  `json:"kind"`
	Keys   []string       `json:"keys"`
	Filter jobs.JobFilter `json:"filter"`
	Force  bool           `json:"force"`
	Rate   float64        `json:"rate"`
	Limit  int64          `json:"limit"`
	Reason string         `json:"reason"`
	DryRun bool           `json:"dry_run"`
}

// startRun is POST /api/v1/runs. A dry run answers 200 with what would happen; a
// real one 202, and goes on without the client.
func (h *Handler) startRun(w *response, r *http.Request) error {
	var body runBody
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if len(body.Reason) > 500 || !cleanText(body.Reason) {
		return errBody.detailed("reason is a text of up to 500 bytes")
	}
	run := jobs.Bulk{
		Kind: body.Kind, Keys: body.Keys, Filter: body.Filter, Force: body.Force, Rate: body.Rate, Limit: body.Limit,
		Reason: body.Reason, By: h.by(r),
	}
	if body.DryRun {
		p, err := h.Desk.Bulks.Preview(r.Context(), run)
		if err != nil {
			return bulkError(err)
		}
		return writeJSON(w, http.StatusOK, p)
	}
	run, err := h.Desk.Bulks.Start(r.Context(), run)
	if err != nil {
		return bulkError(err)
	}
	w.Header()["Location"] = []string{"/api/v1/runs/" + run.ID}
	return writeJSON(w, http.StatusAccepted, run)
}

func bulkError(err error) error {
	if errors.Is(err, jobs.ErrBulk) {
		return errBody.detailed(err.Error())
	}
	return err
}

// runList is all runs of the last 90 days, the newest first.
type runList struct {
	Runs []jobs.Bulk `json:"runs"`
}

// listRuns is GET /api/v1/runs.
func (h *Handler) listRuns(w *response, r *http.Request) error {
	all, err := h.Desk.Bulks.List(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []jobs.Bulk{}
	}
	return writeJSON(w, http.StatusOK, runList{all})
}

// getRun is GET /api/v1/runs/{id}.
func (h *Handler) getRun(w *response, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	run, err := h.Desk.Bulks.Get(r.Context(), id)
	if err != nil {
		return notFound(err, errNoRun)
	}
	return writeJSON(w, http.StatusOK, run)
}

// stopRun is DELETE /api/v1/runs/{id}: the run stays where it is.
func (h *Handler) stopRun(w *response, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	run, err := h.Desk.Bulks.Stop(r.Context(), id, h.by(r))
	if errors.Is(err, jobs.ErrEnded) {
		return errRunEnded
	}
	if err != nil {
		return notFound(err, errNoRun)
	}
	return writeJSON(w, http.StatusOK, run)
}

// groupView is what jobs of one value of a facet have in common.
type groupView struct {
	Value  string    `json:"value"`
	Count  int64     `json:"count"`
	Oldest time.Time `json:"oldest"`
	Newest time.Time `json:"newest"`
}

// groupList is the largest groups.
type groupList struct {
	By     jobs.Facet  `json:"by"`
	Groups []groupView `json:"groups"`
}

// listGroups is GET /api/v1/job-groups: counts by class, code, host …
func (h *Handler) listGroups(w *response, r *http.Request) error {
	p := params{raw: r.URL.RawQuery}
	filter := p.filter()
	by := jobs.Facet(p.oneOf("by", facetNames...))
	limit := p.limit()
	if p.err != nil {
		return p.err
	}
	if by == "" {
		by = jobs.FacetCode
	}
	groups, err := h.Lists.Groups(r.Context(), filter, by, limit)
	if err != nil {
		return err
	}
	list := groupList{By: by, Groups: make([]groupView, len(groups))}
	for i, g := range groups {
		list.Groups[i] = groupView{g.Value, g.Count, g.Oldest.UTC(), g.Newest.UTC()}
	}
	return writeJSON(w, http.StatusOK, list)
}

// operationPage is a page of a job's operations. Next is absent on the last one.
type operationPage struct {
	Operations []operationView `json:"operations"`
	Next       string          `json:"next,omitempty"`
}

// listOperations is GET /api/v1/jobs/{key}/operations: those in one state, waiting
// if none is named.
func (h *Handler) listOperations(w *response, r *http.Request) error {
	key, err := jobKey(r)
	if err != nil {
		return err
	}
	p := params{raw: r.URL.RawQuery}
	state := jobs.OperationState(p.oneOf("state", operationStates...))
	limit, after := p.limit(), p.text("cursor")
	if p.err != nil {
		return p.err
	}
	setDefault(&state, jobs.OperationWaiting)
	found, err := h.Records.OperationsOf(r.Context(), key, state, after, limit)
	if err != nil {
		return err
	}
	page := operationPage{Operations: make([]operationView, len(found))}
	for i, o := range found {
		page.Operations[i] = h.viewOperation(r, o, nil)
	}
	if len(found) == limit {
		page.Next = found[limit-1].ID
	}
	return writeJSON(w, http.StatusOK, page)
}

// discardJob is DELETE /api/v1/jobs/{key}: the record of a dead or cancelled job is
// forgotten.
func (h *Handler) discardJob(w *response, r *http.Request) error {
	key, err := jobKey(r)
	if err != nil {
		return err
	}
	j, err := h.Records.Job(r.Context(), key)
	if err != nil {
		return notFound(err, errNoJob)
	}
	switch err := h.Operator.Discard(r.Context(), key); {
	case errors.Is(err, jobs.ErrState), errors.Is(err, jobs.ErrStale):
		return errJobNotDead
	case err != nil:
		return notFound(err, errNoJob)
	}
	h.record(r, "discard", key.String(), 1)
	return writeJSON(w, http.StatusOK, h.viewJob(r, j, true))
}

// pathText reads a part of the path, where clients may have escaped it.
func pathText(r *http.Request, name string) (string, error) {
	text, err := url.PathUnescape(chi.URLParam(r, name))
	if err != nil || text == "" || len(text) > 200 || !cleanText(text) {
		return "", errNoRoute
	}
	return text, nil
}

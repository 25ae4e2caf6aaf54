package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/butakero/butakero/internal/jobs"
)

// operationRequest is the body of POST /operations.
type operationRequest struct {
	Song      string `json:"song"`      // title or link
	Profile   string `json:"profile"`   // "": the default one
	Requester string `json:"requester"` // on whose behalf: a user, a guild
}

// createOperation is POST /api/v1/operations: start for new clients. It answers
// 202 whether the song has yet to be made or is there already; state says which.
func (h *Handler) createOperation(w *response, r *http.Request) error {
	var body operationRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Profile != "" && !jobs.ValidProfileName(body.Profile) {
		return errProfile
	}
	if len(body.Requester) > maxRequesterBytes || !cleanText(body.Requester) {
		return invalidParam("requester", "must be up to 128 bytes without control characters")
	}
	a, err := h.accept(r, jobs.Request{Text: body.Song, Profile: body.Profile, Requester: body.Requester})
	if err != nil {
		return err
	}
	w.Header()["Location"] = []string{"/api/v1/operations/" + a.Operation.ID}
	if a.Repeated {
		w.Header()["Idempotency-Replayed"] = []string{"true"}
	}
	return writeJSON(w, http.StatusAccepted, h.viewOperation(r, a.Operation, &a.Job))
}

// getOperation is GET /api/v1/operations/{id}: the operation as it is or, as an
// event stream, as it goes.
func (h *Handler) getOperation(w *response, r *http.Request) error {
	id := chi.URLParam(r, "id")
	if wantsStream(r) {
		return h.watchOperation(w, r, id)
	}
	ctx, cancel := h.bounded(r)
	defer cancel()
	r = r.WithContext(ctx)
	o, j, err := h.operation(r, id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, h.viewOperation(r, o, j))
}

// cancelOperation is DELETE /api/v1/operations/{id}. Asking twice is no error;
// asking too late is.
func (h *Handler) cancelOperation(w *response, r *http.Request) error {
	id, err := operationID(chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	o, err := h.Operator.CancelOperation(r.Context(), id)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return errNoOperation
	case errors.Is(err, jobs.ErrEnded):
		if o.State != jobs.OperationCancelled {
			return errOperationEnded
		}
	case err != nil:
		return err
	}
	return writeJSON(w, http.StatusOK, h.viewOperation(r, o, nil))
}

// operation reads an operation and, while it waits, its job. The job may be nil:
// an operation is written before its job.
func (h *Handler) operation(r *http.Request, id string) (jobs.Operation, *jobs.Job, error) {
	id, err := operationID(id)
	if err != nil {
		return jobs.Operation{}, nil, err
	}
	o, err := h.Records.Operation(r.Context(), id)
	if err != nil {
		return o, nil, notFound(err, errNoOperation)
	}
	if o.Ended() {
		return o, nil, nil
	}
	j, err := h.Records.Job(r.Context(), o.Key)
	if errors.Is(err, jobs.ErrNotFound) {
		return o, nil, nil
	}
	return o, &j, err
}

// operationID checks the form of an id: any UUID, in lower case. One that we did
// not make is not malformed, there is just no operation under it.
func operationID(id string) (string, error) {
	if len(id) != 36 {
		return "", errOperationID
	}
	id = strings.ToLower(id)
	for i := range len(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (id[i] == '-') || !dash && !hexDigits(id[i:i+1]) {
			return "", errOperationID
		}
	}
	return id, nil
}

package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// apiError is an error that knows its answer. Those without a cause are shared:
// never change one, copy it.
type apiError struct {
	status     int
	code       string // stable, for programs
	title      string // the same for every problem of a code
	detail     string // for people: this occurrence; "" is the title again
	text       string // the original's error member, where it had words of its own; "" is the detail
	retryAfter time.Duration
	cause      error // for the log
}

// Error implements error.
func (e *apiError) Error() string {
	if e.cause != nil {
		return e.code + ": " + e.cause.Error()
	}
	return e.code
}

// Unwrap returns the cause.
func (e *apiError) Unwrap() error { return e.cause }

// The errors that carry nothing of their request. docs/api.md explains each code.
var (
	errNoRoute       = &apiError{status: 404, code: "route_not_found", title: "No such route"}
	errMethod        = &apiError{status: 405, code: "method_not_allowed", title: "The route does not have this method"}
	errBodyTooLarge  = &apiError{status: 413, code: "body_too_large", title: "The request body is too large", detail: "the body may have up to 65536 bytes"}
	errMediaType     = &apiError{status: 415, code: "unsupported_media_type", title: "The request body must be application/json"}
	errTooMany       = &apiError{status: 429, code: "too_many_requests", title: "Too many requests", detail: "this client has used up its rate; see RateLimit-Policy"}
	errTooManyStream = &apiError{status: 429, code: "too_many_streams", title: "Too many open streams", retryAfter: 5 * time.Second}
	errInternal      = &apiError{status: 500, code: "internal", title: "Internal error", detail: "the request's id, in instance, finds the reason in the log"}
	errUnavailable   = &apiError{status: 503, code: "store_unavailable", title: "The store can not be reached", detail: "try again soon", retryAfter: 5 * time.Second}
	errTimeout       = &apiError{status: 503, code: "timeout", title: "The request took too long", detail: "try again soon", retryAfter: 5 * time.Second}

	errSongMissing = &apiError{status: 400, code: "song_missing", title: "No song was given", detail: "the parameter 'song' is missing or empty", text: "Falta el parametro 'song'"}
	errSongTooLong = &apiError{status: 400, code: "song_too_long", title: "The song's text is too long", detail: "a title may have up to 500 characters, a link up to 2048"}
	errSongText    = &apiError{status: 400, code: "song_malformed", title: "The song's text is malformed", detail: "the text must be UTF-8 without control characters"}
	errQuery       = &apiError{status: 400, code: "invalid_query", title: "The query string is malformed", detail: "a percent sign is not followed by two hexadecimal digits"}
	errBody        = &apiError{status: 400, code: "invalid_body", title: "The request body is malformed"}
	errIdemKey     = &apiError{status: 400, code: "invalid_idempotency_key", title: "The Idempotency-Key is malformed", detail: "a key is 1 to 255 visible ASCII characters"}
	errCursor      = &apiError{status: 400, code: "invalid_cursor", title: "The cursor is not one of ours"}
	errOperationID = &apiError{status: 400, code: "invalid_operation_id", title: "The operation id is malformed", detail: "an operation id is a UUID", text: "operation_id invalido"}
	errSongID      = &apiError{status: 400, code: "invalid_song_id", title: "The song id is malformed", detail: "a song id is 11 characters of A-Z a-z 0-9 _ -"}
	errJobKey      = &apiError{status: 400, code: "invalid_job_key", title: "The job key is malformed", detail: "a job key is platform:id:profile"}

	errPauseTarget = &apiError{status: 400, code: "invalid_pause_target", title: "This can not be paused", detail: "a target is queue, source:NAME or host:NAME"}

	errNoToken     = &apiError{status: 401, code: "operator_token_missing", title: "This is for operators", detail: "send the token of BUTAKERO_OPERATOR_TOKEN as Authorization: Bearer"}
	errNotOperator = &apiError{status: 403, code: "operator_only", title: "This is for operators", detail: "without BUTAKERO_OPERATOR_TOKEN operators are served on the machine itself only; set it to act from elsewhere"}

	errNoOperation = &apiError{status: 404, code: "operation_not_found", title: "No such operation", detail: "there is no operation with this id", text: "Operacion no encontrada"}
	errNoSong      = &apiError{status: 404, code: "song_not_found", title: "No such song", detail: "nobody has asked for this song in this profile"}
	errNoJob       = &apiError{status: 404, code: "job_not_found", title: "No such job"}
	errNoRun       = &apiError{status: 404, code: "run_not_found", title: "No such run"}
	errNoPause     = &apiError{status: 404, code: "pause_not_found", title: "This is not paused"}
	errNoMessage   = &apiError{status: 404, code: "message_not_found", title: "No such message in quarantine"}
	errNoFile      = &apiError{status: 404, code: "file_not_found", title: "The song has no file", detail: "the song is not finished, or its file is gone"}

	errOperationEnded = &apiError{status: 409, code: "operation_ended", title: "The operation has ended", detail: "only a waiting operation can be cancelled"}
	errJobEnded       = &apiError{status: 409, code: "job_ended", title: "The job has ended", detail: "only a job that has not ended can be cancelled"}
	errJobNotDead     = &apiError{status: 409, code: "job_not_discardable", title: "The job can not be discarded", detail: "only a dead or cancelled job whose operations have ended can be discarded"}
	errReplayRefused  = &apiError{status: 409, code: "replay_refused", title: "The replay is refused"}
	errRunEnded       = &apiError{status: 409, code: "run_ended", title: "The run is over"}
	errUndecodable    = &apiError{status: 409, code: "message_undecodable", title: "The message still can not be decoded"}
	errNoLetters      = &apiError{status: 409, code: "no_dead_letters", title: "The queue sets no messages aside", detail: "only SQS has a dead-letter queue of its own; on other engines such messages come here by themselves"}
	errJobState       = &apiError{status: 409, code: "job_not_replayable", title: "The job can not be replayed", detail: "only a dead or cancelled job can be replayed, once at a time"}
)

// statusClientGone is for metrics alone: the client sees 503, should it be there
// after all (it may have closed its half of the connection only).
const statusClientGone = 499

// problemBase leads to the page that explains the codes.
const problemBase = "https://github.com/butakero/butakero/blob/main/docs/api.md#"

// problem is the body of an error: RFC 9457 section 3, with code and the
// original's error member as extensions. Instance is the request's id, a relative
// reference.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Code     string `json:"code"`
	Instance string `json:"instance"`
	Error    string `json:"error"`
}

// detailed returns a copy of e with a detail of its own.
func (e *apiError) detailed(detail string) *apiError {
	c := *e
	c.detail = detail
	return &c
}

// verdict finds the answer to an error. What it does not know is internal.
func verdict(err error) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	var je *jobs.Error
	switch {
	case errors.Is(err, jobs.ErrUnavailable), errors.Is(err, context.Canceled): // cancelled by us: the store is closing
		return caused(errUnavailable, err)
	case errors.As(err, &je):
		return songVerdict(je)
	case errors.Is(err, context.DeadlineExceeded):
		return caused(errTimeout, err)
	}
	return caused(errInternal, err)
}

func caused(e *apiError, cause error) *apiError {
	c := *e
	c.cause = cause
	return &c
}

// songVerdict answers an error of Accept. A permanent one is the request's fault
// and its code says how; it is a 400 throughout, as the original's clients
// expect of an unusable song. What another service keeps us from doing is no 503:
// that is for our own store.
func songVerdict(e *jobs.Error) *apiError {
	a := &apiError{code: e.Code, detail: e.Message}
	switch {
	case e.Code == jobs.CodeIdempotency:
		a.status, a.title = http.StatusUnprocessableEntity, "The idempotency key was used for another request"
	case e.Code == jobs.CodeUnknownProfile:
		a.status, a.title = http.StatusUnprocessableEntity, "There is no such profile"
	case e.Class == jobs.ClassPermanent:
		a.status, a.title = http.StatusBadRequest, "The song can not be used"
	case e.Class == jobs.ClassThrottled:
		a.status, a.title = http.StatusTooManyRequests, "The source asks us to wait"
		a.retryAfter = max(e.RetryAfter, time.Second)
	case e.Code == jobs.CodeInternal || e.Class == jobs.ClassPanic:
		return caused(errInternal, e)
	default:
		a.status, a.title, a.cause = http.StatusBadGateway, "The song could not be looked up", e
		a.retryAfter = 5 * time.Second
	}
	return a
}

// notFound turns the store's refusal into the answer of the resource.
func notFound(err error, answer *apiError) error {
	if errors.Is(err, jobs.ErrNotFound) || errors.Is(err, pipeline.ErrNotWhole) {
		return answer
	}
	return err
}

// fail answers with a problem, and logs what is ours to repair: the one place
// where errors of requests are logged.
func (h *Handler) fail(w *response, r *http.Request, err error) {
	e := verdict(err)
	if e.text == "" && h.Spanish != nil {
		if text := h.Spanish(e.code); text != "" {
			translated := *e
			translated.text = text
			e = &translated
		}
	}
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		if w.status == 0 {
			writeProblem(w, errUnavailable)
		}
		w.status = statusClientGone
		return
	}
	if e.cause != nil {
		h.Log.Error("request failed", "request", w.id, "method", r.Method, "route", w.route,
			"status", e.status, "code", e.code, "error", e.cause)
	}
	if w.status == 0 {
		writeProblem(w, e)
	}
}

func writeProblem(w *response, e *apiError) {
	p := problem{
		Type: problemBase + e.code, Title: e.title, Status: e.status, Detail: e.detail,
		Code: e.code, Instance: w.id, Error: e.text,
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	if p.Error == "" {
		p.Error = p.Detail
	}
	header := w.Header()
	header["Cache-Control"] = noStore
	header.Del("Etag")
	if e.retryAfter > 0 {
		header["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(e.retryAfter.Seconds())))}
	}
	if e.status == http.StatusRequestEntityTooLarge {
		header["Connection"] = []string{"close"} // the rest of the body is not read
	}
	_ = writeBody(w, e.status, contentProb, p) // strings and a number: can not fail
}

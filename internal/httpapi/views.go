package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// operationView is an operation as clients see it. What is not known is absent.
type operationView struct {
	ID        string              `json:"id"`
	SongID    string              `json:"song_id"`
	Profile   string              `json:"profile,omitempty"` // absent: the default one
	State     jobs.OperationState `json:"state"`
	Requester string              `json:"requester,omitempty"`
	Title     string              `json:"title,omitempty"`
	Job       *operationJobView   `json:"job,omitempty"`
	File      *fileView           `json:"file,omitempty"`
	CreatedAt time.Time           `json:"created_at"`
	EndedAt   time.Time           `json:"ended_at,omitzero"`
}

// operationJobView is the part of a job that concerns those who wait for it.
type operationJobView struct {
	State      jobs.JobState `json:"state"`
	Attempt    int           `json:"attempt"`
	Stage      jobs.Stage    `json:"stage,omitempty"`
	Progress   *int          `json:"progress,omitempty"` // percent; absent while the total is not known
	BytesDone  int64         `json:"bytes_done,omitempty"`
	BytesTotal int64         `json:"bytes_total,omitempty"`
	LastError  *failureView  `json:"last_error,omitempty"`
}

// failureView is a failure. The members from stage on are there in lists of
// failures only, detail, host and worker for operators only (or where Config.Details allows).
type failureView struct {
	Class   jobs.Class `json:"class"`
	Code    string     `json:"code"`
	Message string     `json:"message"`
	RetryAt time.Time  `json:"retry_at,omitzero"`

	Stage      jobs.Stage `json:"stage,omitempty"`
	Attempt    int        `json:"attempt,omitempty"`
	At         time.Time  `json:"at,omitzero"`
	Extractor  string     `json:"extractor,omitempty"`
	Generation int64      `json:"generation,omitempty"`
	Host       string     `json:"host,omitempty"`
	Worker     string     `json:"worker,omitempty"`
	Detail     string     `json:"detail,omitempty"`
}

type fileView struct {
	Path       string `json:"path"`
	Bytes      int64  `json:"bytes"`
	SHA256     string `json:"sha256"`
	Frames     int64  `json:"frames"`
	DurationMS int64  `json:"duration_ms"`
	URL        string `json:"url"`
}

// viewOperation shows an operation. j is its job, or nil: an ended operation
// tells from its own record how it ended, as the job may have moved on.
func (h *Handler) viewOperation(r *http.Request, o jobs.Operation, j *jobs.Job) operationView {
	v := operationView{
		ID: o.ID, SongID: o.Key.ID, Profile: shownProfile(o.Key.Profile), State: o.State, Requester: o.Requester,
		CreatedAt: o.CreatedAt.UTC(), EndedAt: utc(o.EndedAt),
	}
	switch o.State {
	case jobs.OperationWaiting:
		if j != nil {
			v.Title = j.Info.Title
			v.Job = viewProgress(*j)
		}
	case jobs.OperationSucceeded:
		v.Job = &operationJobView{State: jobs.JobDone, Attempt: o.Attempts}
		if o.Result != nil {
			v.Title = o.Result.Info.Title
			v.File = h.viewFile(r, o.Key, *o.Result)
		}
	case jobs.OperationFailed:
		v.Job = &operationJobView{State: jobs.JobDead, Attempt: o.Attempts, LastError: viewFailure(o.Failure)}
	case jobs.OperationCancelled:
	}
	return v
}

func viewProgress(j jobs.Job) *operationJobView {
	v := &operationJobView{
		State: j.State, Attempt: j.Attempt, Stage: j.Stage, LastError: viewFailure(j.LastError),
		BytesDone: j.Progress.Done, BytesTotal: j.Progress.Total,
	}
	if j.Progress.Total > 0 {
		percent := j.Progress.Percent()
		v.Progress = &percent
	}
	return v
}

func viewFailure(f *jobs.Failure) *failureView {
	if f == nil {
		return nil
	}
	return &failureView{Class: f.Class, Code: f.Code, Message: f.Message, RetryAt: utc(f.RetryAt)}
}

func (h *Handler) viewFile(r *http.Request, key jobs.Key, f jobs.Result) *fileView {
	return &fileView{
		Path: f.Path, Bytes: f.Bytes, SHA256: f.SHA256, Frames: f.Frames,
		DurationMS: f.Duration.Milliseconds(), URL: h.fileURL(r, key, f.Path),
	}
}

// fileURL is where clients get a song's file: this API, whatever the blob store, or
// what Config.FileURL says.
func (h *Handler) fileURL(r *http.Request, key jobs.Key, path string) string {
	if h.FileURL != nil {
		if u, err := h.FileURL(r.Context(), path); err == nil {
			return u
		} else if r.Context().Err() == nil {
			h.Log.Warn("no address of its own for a file; it is served here", "error", err)
		}
	}
	u := h.baseURL(r) + "/api/v1/songs/" + key.ID + "/audio"
	if p := shownProfile(key.Profile); p != "" {
		u += "?profile=" + url.QueryEscape(p)
	}
	return u
}

// baseURL is PublicURL or, where none is set, what this request came to.
func (h *Handler) baseURL(r *http.Request) string {
	if h.PublicURL != "" {
		return h.PublicURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if h.trusts(peer(r)) {
		if p := r.Header.Get("X-Forwarded-Proto"); p == "http" || p == "https" {
			scheme = p
		}
	}
	return scheme + "://" + r.Host
}

// shownProfile is the profile's name on the wire: the default one has none.
func shownProfile(p string) string {
	if p == jobs.DefaultProfile {
		return ""
	}
	return p
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// jobView is a job as operators see it.
type jobView struct {
	Key        string        `json:"key"`
	SongID     string        `json:"song_id"`
	Platform   string        `json:"platform"`
	Profile    string        `json:"profile,omitempty"`
	State      jobs.JobState `json:"state"`
	Generation int64         `json:"generation"`
	Attempt    int           `json:"attempt"`
	Crashes    int           `json:"crashes,omitempty"`
	Replays    int           `json:"replays,omitempty"`
	Stage      jobs.Stage    `json:"stage,omitempty"`
	Progress   *int          `json:"progress,omitempty"`
	BytesDone  int64         `json:"bytes_done,omitempty"`
	BytesTotal int64         `json:"bytes_total,omitempty"`
	Title      string        `json:"title,omitempty"`
	Artist     string        `json:"artist,omitempty"`
	Requester  string        `json:"requester,omitempty"`
	LastError  *failureView  `json:"last_error,omitempty"`
	History    []failureView `json:"history,omitempty"` // one job only, not in lists
	File       *fileView     `json:"file,omitempty"`
	RunAt      time.Time     `json:"run_at,omitzero"`
	LeaseUntil time.Time     `json:"lease_until,omitzero"`
	ForgetAt   time.Time     `json:"forget_at,omitzero"`
	CreatedAt  time.Time     `json:"created_at"`
	UpdatedAt  time.Time     `json:"updated_at"`
	EndedAt    time.Time     `json:"ended_at,omitzero"`
}

func (h *Handler) viewJob(r *http.Request, j jobs.Job, history bool) jobView {
	p := viewProgress(j)
	v := jobView{
		Key: j.Key.String(), SongID: j.Key.ID, Platform: j.Key.Platform, Profile: shownProfile(j.Key.Profile),
		State: j.State, Generation: j.Generation, Attempt: j.Attempt, Crashes: j.Crashes, Replays: j.Replays,
		Stage: j.Stage, Progress: p.Progress, BytesDone: p.BytesDone, BytesTotal: p.BytesTotal,
		Title: j.Info.Title, Artist: j.Info.Artist, Requester: j.Requester,
		RunAt: utc(j.RunAt), LeaseUntil: utc(j.LeaseUntil), ForgetAt: utc(j.ForgetAt),
		CreatedAt: j.CreatedAt.UTC(), UpdatedAt: j.UpdatedAt.UTC(), EndedAt: utc(j.EndedAt),
	}
	if j.LastError != nil {
		f := h.viewFullFailure(*j.LastError, history && h.isOperator(r))
		v.LastError = &f
	}
	if j.Result != nil {
		v.File = h.viewFile(r, j.Key, *j.Result)
	}
	if history {
		for _, f := range j.History {
			v.History = append(v.History, h.viewFullFailure(f, h.isOperator(r)))
		}
	}
	return v
}

func (h *Handler) viewFullFailure(f jobs.Failure, details bool) failureView {
	v := *viewFailure(&f)
	v.Stage, v.Attempt, v.At, v.Extractor, v.Generation = f.Stage, f.Attempt, utc(f.At), f.Extractor, f.Generation
	if h.Details || details {
		v.Host, v.Worker, v.Detail = f.Host, f.Worker, strings.ToValidUTF8(f.Detail, "\uFFFD")
	}
	return v
}

// songView is a song in one profile.
type songView struct {
	SongID     string        `json:"song_id"`
	Platform   string        `json:"platform"`
	Profile    string        `json:"profile,omitempty"`
	State      jobs.JobState `json:"state"`
	Title      string        `json:"title,omitempty"`
	Artist     string        `json:"artist,omitempty"`
	DurationMS int64         `json:"duration_ms,omitempty"`
	URL        string        `json:"url,omitempty"`
	Thumbnail  string        `json:"thumbnail,omitempty"`
	File       *fileView     `json:"file,omitempty"`
	LastError  *failureView  `json:"last_error,omitempty"`
	UpdatedAt  time.Time     `json:"updated_at"`
}

func (h *Handler) viewSong(r *http.Request, j jobs.Job) songView {
	v := songView{
		SongID: j.Key.ID, Platform: j.Key.Platform, Profile: shownProfile(j.Key.Profile), State: j.State,
		Title: j.Info.Title, Artist: j.Info.Artist, DurationMS: j.Info.Duration.Milliseconds(),
		URL: j.Info.URL, Thumbnail: j.Info.Thumbnail, LastError: viewFailure(j.LastError), UpdatedAt: j.UpdatedAt.UTC(),
	}
	if j.Result != nil {
		v.File = h.viewFile(r, j.Key, *j.Result)
		if v.DurationMS == 0 {
			v.DurationMS = j.Result.Duration.Milliseconds()
		}
	}
	return v
}

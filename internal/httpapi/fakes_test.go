package httpapi

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/store/memory"
)

var update = flag.Bool("update", false, "write golden files")

// fake stands in for everything behind the API. A nil field answers that there
// is nothing.
type fake struct {
	accept          func(jobs.Request) (jobs.Accepted, error)
	cancelOperation func(id string) (jobs.Operation, error)
	cancelJob       func(jobs.Key) (jobs.Job, error)
	replay          func(jobs.Key) (jobs.Job, error)
	job             func(jobs.Key) (jobs.Job, error)
	operation       func(id string) (jobs.Operation, error)
	jobs            func(f jobs.JobFilter, cursor string, limit int) ([]jobs.Job, string, error)
	events          func(cursor string, limit int) ([]jobs.Operation, string, error)
	stats           func() (jobs.Stats, error)
	file            []byte
	open            func(offset int64) (io.ReadCloser, error)
	statErr         error
}

func (f *fake) Accept(_ context.Context, r jobs.Request) (jobs.Accepted, error) {
	if f.accept == nil {
		o := waiting()
		return jobs.Accepted{Operation: o, Job: jobs.Job{Key: o.Key, State: jobs.JobPending, Generation: 1, CreatedAt: noon, UpdatedAt: noon}}, nil
	}
	return f.accept(r)
}

func (f *fake) CancelOperation(_ context.Context, id string) (jobs.Operation, error) {
	if f.cancelOperation == nil {
		return jobs.Operation{}, jobs.ErrNotFound
	}
	return f.cancelOperation(id)
}

func (f *fake) CancelJob(_ context.Context, key jobs.Key) (jobs.Job, error) {
	if f.cancelJob == nil {
		return jobs.Job{}, jobs.ErrNotFound
	}
	return f.cancelJob(key)
}

func (f *fake) Replay(_ context.Context, key jobs.Key, _ bool) (jobs.Job, error) {
	if f.replay == nil {
		return jobs.Job{}, jobs.ErrNotFound
	}
	return f.replay(key)
}

func (f *fake) Job(_ context.Context, key jobs.Key) (jobs.Job, error) {
	if f.job == nil {
		return jobs.Job{}, jobs.ErrNotFound
	}
	return f.job(key)
}

func (f *fake) Operation(_ context.Context, id string) (jobs.Operation, error) {
	if f.operation == nil {
		return jobs.Operation{}, jobs.ErrNotFound
	}
	return f.operation(id)
}

func (f *fake) Jobs(_ context.Context, filter jobs.JobFilter, cursor string, limit int) ([]jobs.Job, string, error) {
	if f.jobs == nil {
		return nil, "", nil
	}
	return f.jobs(filter, cursor, limit)
}

func (f *fake) Events(_ context.Context, cursor string, limit int) ([]jobs.Operation, string, error) {
	if f.events == nil {
		return nil, cursor + ".", nil
	}
	return f.events(cursor, limit)
}

func (f *fake) Stats(context.Context, time.Time) (jobs.Stats, error) {
	if f.stats == nil {
		return jobs.Stats{}, nil
	}
	return f.stats()
}

func (f *fake) Stat(_ context.Context, key string) (pipeline.BlobInfo, error) {
	if f.statErr != nil {
		return pipeline.BlobInfo{}, f.statErr
	}
	return pipeline.BlobInfo{Key: key, Bytes: int64(len(f.file)), ModTime: noon}, nil
}

func (f *fake) Open(_ context.Context, _ string, offset int64) (io.ReadCloser, error) {
	if f.open != nil {
		return f.open(offset)
	}
	return io.NopCloser(bytes.NewReader(f.file[offset:])), nil
}

func handler(f *fake, change ...func(*Config)) *Handler {
	c := Config{
		Intake: f, Operator: f, Records: f, Lists: f, Files: f, Desk: deskOver(memory.New()),
		Now: func() time.Time { return noon }, PublicURL: "http://localhost:8080",
	}
	for _, with := range change {
		with(&c)
	}
	return New(c)
}

// The README's example, under our ids.
var (
	noon    = time.Date(2024, 12, 24, 5, 39, 58, 0, time.UTC)
	song    = jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}
	songKey = jobs.Key{Song: song, Profile: jobs.DefaultProfile}
	opID    = jobs.NewOperationID(song, [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	result  = jobs.Result{
		Path:  "audio/The Emptiness Machine (Official Music Video) - Linkin Park [SRXH9AbT280].dca",
		Bytes: 1509949, SHA256: strings.Repeat("0a", 32), Frames: 10050, Duration: 201 * time.Second,
		Info: jobs.SongInfo{
			Title: "The Emptiness Machine (Official Music Video) - Linkin Park", Duration: 201 * time.Second,
			URL:       "https://youtube.com/watch?v=SRXH9AbT280",
			Thumbnail: "https://i.ytimg.com/vi/SRXH9AbT280/default.jpg",
		},
	}
)

func waiting() jobs.Operation {
	return jobs.Operation{
		ID: opID, Key: songKey, State: jobs.OperationWaiting, Generation: 1, Event: jobs.EventNone,
		CreatedAt: noon.Add(-10 * time.Second),
	}
}

func succeeded() jobs.Operation {
	o := waiting()
	o.State, o.Event, o.JobGeneration, o.Attempts, o.Result, o.EndedAt = jobs.OperationSucceeded, jobs.EventPending, 1, 1, &result, noon
	return o
}

func failed() jobs.Operation {
	o := waiting()
	o.State, o.Event, o.JobGeneration, o.Attempts, o.EndedAt = jobs.OperationFailed, jobs.EventPending, 1, 1, noon
	o.Failure = &jobs.Failure{
		Class: jobs.ClassPermanent, Code: "private", Message: "This video is private.",
		Detail: "goroutine 1 [running]: secret", Host: "www.youtube.com", Worker: "w-1", At: noon,
	}
	return o
}

func cancelled() jobs.Operation {
	o := waiting()
	o.State, o.EndedAt = jobs.OperationCancelled, noon
	o.Failure = &jobs.Failure{Class: jobs.ClassCancelled, Code: jobs.CodeCancelled, Message: "cancelled on request", At: noon}
	return o
}

func running() jobs.Job {
	return jobs.Job{
		Key: songKey, State: jobs.JobRunning, Generation: 1, Attempt: 2, Stage: jobs.StageFetching,
		Progress: jobs.Progress{Done: 420, Total: 1000}, Info: jobs.SongInfo{Title: "The Emptiness Machine"},
		LastError: &jobs.Failure{Class: jobs.ClassTransient, Code: "network", Message: "The connection broke.", Detail: "secret", At: noon},
		CreatedAt: noon.Add(-time.Minute), UpdatedAt: noon, LeaseUntil: noon.Add(time.Minute),
	}
}

func done() jobs.Job {
	j := running()
	j.State, j.Stage, j.LastError, j.Result, j.Info, j.EndedAt = jobs.JobDone, "", nil, &result, result.Info, noon
	return j
}

func always[K, V any](v V) func(K) (V, error) {
	return func(K) (V, error) { return v, nil }
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	return ask(h, http.MethodGet, target, "", headers...)
}

func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if method != http.MethodGet { // reads as a client, acts as an operator
		r.RemoteAddr = "127.0.0.1:40000"
	}
	if body == "" {
		r.Body = http.NoBody
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return serve(h, r)
}

// golden compares an answer with testdata/golden/name.json, byte for byte but for
// indentation: the order of members counts.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".json")
	got := indent(t, body)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

func checks(c ...Check) func(context.Context) []Check {
	return func(context.Context) []Check { return c }
}

func (f *fake) Discard(context.Context, jobs.Key) error { return nil }

func (f *fake) OperationsOf(context.Context, jobs.Key, jobs.OperationState, string, int) ([]jobs.Operation, error) {
	return nil, nil
}

func (f *fake) Groups(context.Context, jobs.JobFilter, jobs.Facet, int) ([]jobs.Group, error) {
	return nil, nil
}

// deskOver is a desk whose notes are in a store.
func deskOver(store jobs.Backend) *Desk {
	bell := jobs.NewBell(nil, nil)
	d := &Desk{Pauses: jobs.NewPauses(store, 0, nil), Audit: jobs.NewAudit(store, nil), Quarantine: jobs.NewQuarantine(store, store, bell)}
	d.Bulks = jobs.NewBulks(jobs.BulksConfig{Store: store, Desk: store, Notes: store, Audit: d.Audit})
	return d
}

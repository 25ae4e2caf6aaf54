package openapi

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/httpapi"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// backend is everything behind the API. While err is set, every call fails with
// it.
type backend struct {
	err       error
	op        jobs.Operation
	job       jobs.Job
	notReady  bool
	unlimited bool
}

const file = "DCA1 and some frames"

var (
	noon   = time.Date(2026, 11, 23, 9, 0, 0, 0, time.FixedZone("-03", -3*3600)) // answers are in UTC all the same
	song   = jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}
	key    = jobs.Key{Song: song, Profile: jobs.DefaultProfile}
	opID   = jobs.NewOperationID(song, [8]byte{1})
	info   = jobs.SongInfo{Title: "Título", Artist: "A", URL: "https://youtube.com/watch?v=x", Thumbnail: "https://i.ytimg.com/x", Duration: time.Minute}
	result = jobs.Result{Path: "audio/T [SRXH9AbT280].dca", Bytes: int64(len(file)), SHA256: strings.Repeat("a0", 32), Frames: 3000, Duration: time.Minute, Info: info}
	fault  = jobs.Failure{
		Class: jobs.ClassTransient, Code: "network", Message: "The connection broke.", Detail: "cause", Stage: jobs.StageFetching,
		Host: "example.org", Worker: "w1", Attempt: 1, At: noon, RetryAt: noon.Add(time.Minute),
	}
)

func operationIn(state jobs.OperationState) jobs.Operation {
	o := jobs.Operation{ID: opID, Key: key, State: state, Generation: 1, Requester: "guild", CreatedAt: noon, Attempts: 2}
	switch state {
	case jobs.OperationSucceeded:
		o.Result = &result
	case jobs.OperationFailed, jobs.OperationCancelled:
		o.Failure = &fault
	case jobs.OperationWaiting:
		return o
	}
	o.EndedAt = noon
	return o
}

func jobIn(state jobs.JobState) jobs.Job {
	j := jobs.Job{
		Key: key, State: state, Generation: 2, Attempt: 2, Crashes: 1, Replays: 1, Stage: jobs.StageStoring,
		Progress: jobs.Progress{Done: 1, Total: 2}, Info: info, Requester: "guild", LastError: &fault, History: []jobs.Failure{fault},
		RunAt: noon, LeaseUntil: noon, ForgetAt: noon, CreatedAt: noon, UpdatedAt: noon,
	}
	if state.Ended() {
		j.EndedAt, j.Stage = noon, ""
	}
	if state == jobs.JobDone {
		j.Result = &result
	}
	return j
}

func (b *backend) Accept(context.Context, jobs.Request) (jobs.Accepted, error) {
	return jobs.Accepted{Operation: b.op, Job: b.job, Repeated: true}, b.err
}
func (b *backend) CancelOperation(context.Context, string) (jobs.Operation, error) {
	return b.op, b.err
}
func (b *backend) CancelJob(context.Context, jobs.Key) (jobs.Job, error)     { return b.job, b.err }
func (b *backend) Replay(context.Context, jobs.Key) (jobs.Job, error)        { return b.job, b.err }
func (b *backend) Job(context.Context, jobs.Key) (jobs.Job, error)           { return b.job, b.err }
func (b *backend) Operation(context.Context, string) (jobs.Operation, error) { return b.op, b.err }

func (b *backend) Groups(context.Context, jobs.JobFilter, jobs.Facet, int) ([]jobs.Group, error) {
	return nil, b.err
}

func (b *backend) Jobs(context.Context, jobs.JobFilter, string, int) ([]jobs.Job, string, error) {
	return []jobs.Job{b.job, jobIn(jobs.JobDone)}, "next", b.err
}

func (b *backend) Events(context.Context, string, int) ([]jobs.Operation, string, error) {
	return []jobs.Operation{operationIn(jobs.OperationSucceeded), operationIn(jobs.OperationFailed), operationIn(jobs.OperationCancelled)}, "next", b.err
}

func (b *backend) Stats(context.Context, time.Time) (jobs.Stats, error) {
	return jobs.Stats{Waiting: 1, PendingEvents: 1, OldestPending: noon}, b.err
}

func (b *backend) Stat(context.Context, string) (pipeline.BlobInfo, error) {
	return pipeline.BlobInfo{Bytes: int64(len(file)), ModTime: noon}, b.err
}

func (b *backend) Open(_ context.Context, _ string, offset int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(file[offset:])), b.err
}

func (b *backend) handler() http.Handler {
	c := httpapi.Config{
		Intake: b, Operator: b, Records: b, Lists: b, Files: b, Details: true, PublicURL: "https://songs.example",
		Depth: func(context.Context) (jobs.Depth, error) { return jobs.Depth{Visible: 1, Delayed: -1}, nil },
		Ready: func(context.Context) []httpapi.Check {
			if errors.Is(b.err, errBug) {
				panic("a bug")
			}
			return []httpapi.Check{{Name: "store", OK: !b.notReady}}
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if b.err != nil {
				panic("a bug")
			}
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			_, _ = io.WriteString(w, "butakero_jobs 1\n")
		}),
	}
	if !b.unlimited {
		c.Rate, c.Burst = 0.001, 1
	}
	return httpapi.New(c)
}

// errBug is an error that nobody has foreseen.
var errBug = errors.New("a bug")

// operation says how to ask for one operation so that it answers well and, where
// it can, badly.
type operation struct {
	good   string // target
	bad    string // target that is malformed, "" when a malformed one is no matter
	header []string
	body   string
}

const jobPath = "/api/v1/jobs/youtube:SRXH9AbT280:default"

func operations() map[string]operation {
	all := map[string]operation{
		"post /api/v1/operations":        {good: "/api/v1/operations", header: []string{"Content-Type", "application/json"}, body: `{"song":"x"}`},
		"get /api/v1/operations/{id}":    {good: "/api/v1/operations/" + opID, bad: "/api/v1/operations/x"},
		"delete /api/v1/operations/{id}": {good: "/api/v1/operations/" + opID, bad: "/api/v1/operations/x"},
		"get /api/v1/songs/{id}":         {good: "/api/v1/songs/SRXH9AbT280", bad: "/api/v1/songs/x"},
		"get /api/v1/songs/{id}/audio":   {good: "/api/v1/songs/SRXH9AbT280/audio", bad: "/api/v1/songs/x/audio"},
		"get /api/v1/jobs":               {good: "/api/v1/jobs?state=dead&limit=5", bad: "/api/v1/jobs?state=x"},
		"get /api/v1/jobs/{key}":         {good: jobPath, bad: "/api/v1/jobs/x"},
		"post /api/v1/jobs/{key}/replay": {good: jobPath + "/replay", bad: "/api/v1/jobs/x/replay"},
		"post /api/v1/jobs/{key}/cancel": {good: jobPath + "/cancel", bad: "/api/v1/jobs/x/cancel"},
		"get /api/v1/events":             {good: "/api/v1/events", bad: "/api/v1/events?cursor=x"},
		"get /api/v1/queue":              {good: "/api/v1/queue"},
		"get /api/v1/openapi.yaml":       {good: "/api/v1/openapi.yaml"},
		"get /healthz":                   {good: "/healthz"},
		"get /readyz":                    {good: "/readyz"},
		"get /metrics":                   {good: "/metrics"},
	}
	for _, root := range []string{"/api/v1", "/api"} {
		all["post "+root+"/audio/start"] = operation{good: root + "/audio/start?song=x", bad: root + "/audio/start"}
		all["get "+root+"/audio/status"] = operation{good: root + "/audio/status?operation_id=" + opID, bad: root + "/audio/status?operation_id=x"}
		all["get "+root+"/health"] = operation{good: root + "/health"}
	}
	return all
}

// TestAnswers drives every operation into every answer.
func TestAnswers(t *testing.T) {
	t.Parallel()
	d := load(t)
	documented, known := d.operations(t), operations()
	if got, want := slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(documented)); !slices.Equal(got, want) {
		t.Fatalf("the test knows\n%s\nthe document has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, op := range known {
		t.Run(name, func(t *testing.T) { // one after another: they share the schemas' compiler
			seen := map[string]bool{}
			for _, s := range scenarios(name, op) {
				w := s.ask()
				seen[strconv.Itoa(w.Code)] = true
				if err := d.check(t, name, w); err != nil {
					t.Errorf("%s: %v\n%s", s.name, err, w.Body)
				}
			}
			for _, status := range documented[name] {
				if !seen[status] {
					t.Errorf("the documented %s never came", status)
				}
			}
		})
	}
}

type scenario struct {
	name    string
	backend backend
	method  string
	target  string
	header  []string
	body    string
	length  int64 // announced, when the body is not sent
	twice   bool  // the second answer counts
}

func (s scenario) ask() *httptest.ResponseRecorder {
	s.backend.unlimited = !s.twice
	h := s.backend.handler()
	var w *httptest.ResponseRecorder
	for range map[bool]int{false: 1, true: 2}[s.twice] {
		r := httptest.NewRequest(s.method, s.target, strings.NewReader(s.body))
		for i := 0; i+1 < len(s.header); i += 2 {
			r.Header.Set(s.header[i], s.header[i+1])
		}
		if s.length > 0 {
			r.ContentLength = s.length
		}
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
	}
	return w
}

func scenarios(name string, op operation) []scenario {
	verb, _, _ := strings.Cut(name, " ")
	base := scenario{method: strings.ToUpper(verb), target: op.good, header: op.header, body: op.body}
	base.backend = backend{op: operationIn(jobs.OperationWaiting), job: jobIn(jobs.JobRunning)}
	if strings.HasSuffix(name, "/audio") {
		base.backend.job = jobIn(jobs.JobDone)
	}
	var all []scenario
	add := func(name string, change func(*scenario)) {
		s := base
		s.name = name
		change(&s)
		all = append(all, s)
	}
	for _, state := range []jobs.OperationState{jobs.OperationWaiting, jobs.OperationSucceeded, jobs.OperationFailed, jobs.OperationCancelled} {
		add("operation "+string(state), func(s *scenario) { s.backend.op = operationIn(state) })
	}
	for _, state := range []jobs.JobState{jobs.JobPending, jobs.JobRetry, jobs.JobDone, jobs.JobDead, jobs.JobCancelled} {
		add("job "+string(state), func(s *scenario) { s.backend.job = jobIn(state) })
	}
	add("bare job", func(s *scenario) {
		s.backend.job = jobs.Job{Key: jobs.Key{Song: song, Profile: "low"}, State: jobs.JobPending, Generation: 1, CreatedAt: noon, UpdatedAt: noon}
	})
	add("not ready", func(s *scenario) { s.backend.notReady = true })
	add("too large", func(s *scenario) { s.length = 1 << 20 })
	add("too many", func(s *scenario) { s.twice = true })
	for _, err := range []error{
		errBug, jobs.ErrUnavailable, jobs.ErrNotFound, context.DeadlineExceeded,
		jobs.Permanent("private", "This video is private.", nil), jobs.Permanent(jobs.CodeIdempotency, "Used.", nil),
		jobs.RetryAfter(time.Minute, "quota", "Later.", nil), jobs.Transient("upstream", "Trouble.", nil),
	} {
		only := strings.HasSuffix(name, "/start") || name == "post /api/v1/operations"
		var verdict *jobs.Error
		if errors.As(err, &verdict) && !only || errors.Is(err, jobs.ErrNotFound) && (only || !strings.Contains(name, "{") && !strings.HasSuffix(name, "/status")) {
			continue // not an error of what this operation calls
		}
		add(err.Error(), func(s *scenario) { s.backend.err = err })
	}
	if op.bad != "" {
		add("malformed", func(s *scenario) { s.target = op.bad })
	}
	switch name {
	case "post /api/v1/operations":
		add("form", func(s *scenario) { s.header = []string{"Content-Type", "text/plain"} })
		add("no object", func(s *scenario) { s.body = "[]" })
	case "delete /api/v1/operations/{id}":
		add("ended", func(s *scenario) { s.backend.op, s.backend.err = operationIn(jobs.OperationFailed), jobs.ErrEnded })
	case "post /api/v1/jobs/{key}/replay":
		add("running", func(s *scenario) { s.backend.err = jobs.ErrState })
	case "post /api/v1/jobs/{key}/cancel":
		add("ended", func(s *scenario) { s.backend.job, s.backend.err = jobIn(jobs.JobDone), jobs.ErrEnded })
	case "get /api/v1/operations/{id}":
		stream := func(s *scenario) {
			s.backend.op = operationIn(jobs.OperationSucceeded)
			s.header = []string{"Accept", "text/event-stream"}
		}
		add("stream", stream)
		add("seen", func(s *scenario) {
			stream(s)
			_, id, _ := strings.Cut(s.ask().Body.String(), "\nid: ")
			id, _, _ = strings.Cut(id, "\n")
			s.header = append(s.header, "Last-Event-ID", id)
		})
	case "get /api/v1/songs/{id}/audio":
		for _, h := range []string{"Range: bytes=0-3", "Range: bytes=0-3,6-8", "Range: bytes=99-", `If-None-Match: "` + result.SHA256 + `"`, `If-Match: "x"`} {
			field, value, _ := strings.Cut(h, ": ")
			add(h, func(s *scenario) { s.header = []string{field, value} })
		}
	}
	return all
}

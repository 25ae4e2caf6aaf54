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
	discard   error
	token     string // of operators
	letters   bool   // the queue sets messages aside
	note      string // the value of every note, in place of a good one
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
func (b *backend) Replay(context.Context, jobs.Key, bool) (jobs.Job, error)  { return b.job, b.err }
func (b *backend) Job(context.Context, jobs.Key) (jobs.Job, error)           { return b.job, b.err }
func (b *backend) Operation(context.Context, string) (jobs.Operation, error) { return b.op, b.err }

func (b *backend) Discard(context.Context, jobs.Key) error { return errors.Join(b.err, b.discard) }

func (b *backend) OperationsOf(context.Context, jobs.Key, jobs.OperationState, string, int) ([]jobs.Operation, error) {
	return []jobs.Operation{b.op}, b.err
}

func (b *backend) Groups(context.Context, jobs.JobFilter, jobs.Facet, int) ([]jobs.Group, error) {
	return []jobs.Group{{Value: "x", Count: 1, Oldest: time.Now(), Newest: time.Now()}}, b.err
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

func (b *backend) Note(_ context.Context, key string) (jobs.Note, error) {
	value := b.note
	if value == "" {
		prefix, _, _ := strings.Cut(key, "/")
		value = notes[prefix]
	}
	return jobs.Note{Key: key, Value: []byte(value), Version: 1}, b.err
}

func (b *backend) SwapNote(_ context.Context, n jobs.Note) (jobs.Note, error) {
	n.Version++
	return n, b.err
}

func (b *backend) ListNotes(ctx context.Context, prefix, after string, _ int) ([]jobs.Note, error) {
	n, err := b.Note(ctx, prefix+"x")
	if after != "" {
		return nil, err
	}
	return []jobs.Note{n}, err
}

func (b *backend) ApplyJobs(_ context.Context, c []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	return slices.Repeat([]jobs.JobOutcome{{Job: b.job, Changed: true}}, len(c)), b.err
}

func (b *backend) DeadLetters(context.Context, int) ([]jobs.DeadLetter, error) { return nil, b.err }

func (b *backend) DropDeadLetters(context.Context, []jobs.DeadLetter) error { return b.err }

// notes are what is in the store under each prefix.
var notes = map[string]string{
	"pause":      `{"target":"queue","reason":"r","by":"b","since":"2026-11-23T12:00:00Z","until":"2026-11-24T12:00:00Z"}`,
	"bulk":       `{"id":"x","kind":"replay","state":"running","filter":{"state":"dead","since":"2026-11-23T12:00:00Z"},"refused":{"loop":1},"rate":0.5,"seen":3,"changed":2,"created_at":"2026-11-23T12:00:00Z","updated_at":"2026-11-23T12:00:00Z"}`,
	"quarantine": `{"id":"x","reason":"r","origin":"o","raw":"eyJ2IjoxLCJqb2IiOiJ5b3V0dWJlOlNSWEg5QWJUMjgwOmRlZmF1bHQiLCJnZW4iOjF9","size":57,"receives":20,"at":"2026-11-23T12:00:00Z"}`,
	"audit":      `{"id":"x","at":"2026-11-23T12:00:00Z","by":"b","action":"replay","target":"run x","filter":"state=dead","count":-1,"reason":"r"}`,
}

func (b *backend) desk() *httpapi.Desk {
	d := &httpapi.Desk{
		Pauses: jobs.NewPauses(b, 0, nil), Audit: jobs.NewAudit(b, nil),
		Quarantine: jobs.NewQuarantine(b, applier{b}, jobs.NewBell(nil, nil)),
	}
	d.Bulks = jobs.NewBulks(jobs.BulksConfig{Store: applier{b}, Desk: applier{b}, Notes: b, Audit: d.Audit})
	if b.letters {
		d.Letters = b
	}
	return d
}

// applier is a store as far as the desk needs one.
type applier struct{ *backend }

func (applier) ApplyOperations(context.Context, []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	return nil, jobs.ErrUnavailable
}

func (applier) Due(context.Context, time.Time, int) (jobs.Due, error) { return jobs.Due{}, nil }

// Jobs ends, which the list for clients never does.
func (a applier) Jobs(context.Context, jobs.JobFilter, string, int) ([]jobs.Job, string, error) {
	return []jobs.Job{a.job}, "", a.err
}

func (b *backend) handler() http.Handler {
	c := httpapi.Config{
		Desk: b.desk(), OperatorToken: b.token,
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

var asJSON = []string{"Content-Type", "application/json"}

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
		"delete /api/v1/jobs/{key}":      {good: jobPath, bad: "/api/v1/jobs/x"},

		"get /api/v1/jobs/{key}/operations": {good: jobPath + "/operations?state=failed", bad: jobPath + "/operations?state=x"},

		"get /api/v1/job-groups":              {good: "/api/v1/job-groups?by=host&state=dead", bad: "/api/v1/job-groups?by=x"},
		"get /api/v1/runs":                    {good: "/api/v1/runs"},
		"post /api/v1/runs":                   {good: "/api/v1/runs", header: asJSON, body: `{"kind":"replay","filter":{"code":"private"}}`},
		"get /api/v1/runs/{id}":               {good: "/api/v1/runs/x"},
		"delete /api/v1/runs/{id}":            {good: "/api/v1/runs/x"},
		"get /api/v1/pauses":                  {good: "/api/v1/pauses"},
		"put /api/v1/pauses/{target}":         {good: "/api/v1/pauses/host:media", bad: "/api/v1/pauses/x", header: asJSON, body: `{"reason":"r","until":"2100-01-01T00:00:00Z"}`},
		"delete /api/v1/pauses/{target}":      {good: "/api/v1/pauses/queue", bad: "/api/v1/pauses/x"},
		"get /api/v1/quarantine":              {good: "/api/v1/quarantine?limit=1", bad: "/api/v1/quarantine?cursor=x"},
		"post /api/v1/dead-letters/import":    {good: "/api/v1/dead-letters/import"},
		"get /api/v1/quarantine/{id}":         {good: "/api/v1/quarantine/x"},
		"delete /api/v1/quarantine/{id}":      {good: "/api/v1/quarantine/x"},
		"post /api/v1/quarantine/{id}/resend": {good: "/api/v1/quarantine/x/resend"},
		"get /api/v1/audit":                   {good: "/api/v1/audit", bad: "/api/v1/audit?cursor=x"},
		"post /api/v1/jobs/{key}/replay":      {good: jobPath + "/replay", bad: "/api/v1/jobs/x/replay"},
		"post /api/v1/jobs/{key}/cancel":      {good: jobPath + "/cancel", bad: "/api/v1/jobs/x/cancel"},
		"get /api/v1/events":                  {good: "/api/v1/events", bad: "/api/v1/events?cursor=x"},
		"get /api/v1/queue":                   {good: "/api/v1/queue"},
		"get /api/v1/openapi.yaml":            {good: "/api/v1/openapi.yaml"},
		"get /healthz":                        {good: "/healthz"},
		"get /readyz":                         {good: "/readyz"},
		"get /metrics":                        {good: "/metrics"},
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
	remote  string
	length  int64 // announced, when the body is not sent
	twice   bool  // the second answer counts
}

func (s scenario) ask() *httptest.ResponseRecorder {
	s.backend.unlimited = !s.twice
	h := s.backend.handler()
	var w *httptest.ResponseRecorder
	for range map[bool]int{false: 1, true: 2}[s.twice] {
		r := httptest.NewRequest(s.method, s.target, strings.NewReader(s.body))
		if r.RemoteAddr = "127.0.0.1:40000"; s.remote != "" {
			r.RemoteAddr = s.remote
		}
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
	add("from elsewhere", func(s *scenario) { s.remote = "192.0.2.1:40000" })
	add("without a token", func(s *scenario) { s.backend.token = "t" })
	add("letters", func(s *scenario) { s.backend.letters = true })
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
		if errors.As(err, &verdict) && !only || errors.Is(err, jobs.ErrNotFound) && (only || !strings.Contains(name, "{") && !strings.HasSuffix(name, "/status") || strings.HasSuffix(name, "/operations")) {
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
	case "post /api/v1/runs":
		add("dry", func(s *scenario) { s.body = `{"kind":"replay","dry_run":true}` })
		add("of done jobs", func(s *scenario) { s.body = `{"kind":"replay","filter":{"state":"done"}}` })
		add("form", func(s *scenario) { s.header = []string{"Content-Type", "text/plain"} })
	case "put /api/v1/pauses/{target}":
		add("form", func(s *scenario) { s.header = []string{"Content-Type", "text/plain"} })
		add("control characters", func(s *scenario) { s.target = "/api/v1/pauses/%00" })
	case "post /api/v1/dead-letters/import":
		for _, err := range []error{errBug, jobs.ErrUnavailable} {
			add("letters and "+err.Error(), func(s *scenario) { s.backend.letters, s.backend.err = true, err })
		}
	case "delete /api/v1/runs/{id}":
		add("ended", func(s *scenario) { s.backend.note = strings.Replace(notes["bulk"], "running", "done", 1) })
	case "post /api/v1/quarantine/{id}/resend":
		add("rubbish", func(s *scenario) { s.backend.note = `{"raw":"AAAA"}` })
	case "delete /api/v1/jobs/{key}":
		add("running", func(s *scenario) { s.backend.discard = jobs.ErrState })
	case "post /api/v1/jobs/{key}/replay":
		add("refused", func(s *scenario) { s.backend.err = &jobs.RefusedError{Reason: jobs.RefusedPermanent} })
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

package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

func TestListJobs(t *testing.T) {
	t.Parallel()
	var asked jobs.JobFilter
	var askedCursor string
	var askedLimit int
	f := &fake{jobs: func(f jobs.JobFilter, cursor string, limit int) ([]jobs.Job, string, error) {
		asked, askedCursor, askedLimit = f, cursor, limit
		return []jobs.Job{running()}, "store's\x00cursor", nil
	}}
	h := handler(f)
	w := get(h, "/api/v1/jobs?state=dead&class=permanent&code=private&song=SRXH9AbT280&profile=low&text=ac%26dc"+
		"&since=2024-12-24T05:00:00Z&until=2024-12-24T06:00:00%2B01:00&limit=7")
	want := jobs.JobFilter{
		State: jobs.JobDead, Class: jobs.ClassPermanent, Code: "private", Song: "SRXH9AbT280", Profile: "low", Text: "ac&dc",
		Since: time.Date(2024, 12, 24, 5, 0, 0, 0, time.UTC), Until: time.Date(2024, 12, 24, 5, 0, 0, 0, time.UTC),
	}
	asked.Since, asked.Until = asked.Since.UTC(), asked.Until.UTC()
	if asked != want || askedCursor != "" || askedLimit != 7 {
		t.Errorf("asked %+v %q %d", asked, askedCursor, askedLimit)
	}
	var list jobList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Jobs) != 1 || list.Jobs[0].Key != songKey.String() {
		t.Fatalf("%v %s", err, w.Body)
	}
	get(h, "/api/v1/jobs?cursor="+url.QueryEscape(list.Next))
	if askedCursor != "store's\x00cursor" || askedLimit != defaultPage {
		t.Errorf("went on with cursor %q, limit %d", askedCursor, askedLimit)
	}
	if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "history") {
		t.Errorf("the list tells too much: %s", w.Body)
	}
	empty := get(handler(&fake{}), "/api/v1/jobs")
	if got := strings.TrimSpace(empty.Body.String()); got != `{"jobs":[]}` {
		t.Errorf("empty list is %s", got)
	}
}

func TestListJobsRefuses(t *testing.T) {
	t.Parallel()
	for query, code := range map[string]string{
		"state=ended": "invalid_parameter", "class=bad": "invalid_parameter", "profile=_": "invalid_parameter",
		"since=yesterday": "invalid_parameter", "limit=0": "invalid_parameter", "limit=501": "invalid_parameter",
		"limit=x": "invalid_parameter", "song=short": "invalid_song_id", "text=%00": "invalid_parameter",
		"cursor=x": "invalid_cursor", "state=": "invalid_parameter", "until=": "invalid_parameter",
		"limit=": "invalid_parameter", "profile": "invalid_parameter", "song=": "invalid_parameter", "cursor=AAAAAAAA": "invalid_cursor", "text=%": "invalid_query",
	} {
		checkProblem(t, get(handler(&fake{}), "/api/v1/jobs?"+query), 400, code)
	}
}

func TestGetJob(t *testing.T) {
	t.Parallel()
	j := running()
	j.History = []jobs.Failure{{Class: jobs.ClassTransient, Code: "network", Message: "x", Detail: "secret", Worker: "secret", At: noon}}
	f := &fake{job: func(k jobs.Key) (jobs.Job, error) {
		if k != songKey {
			return jobs.Job{}, jobs.ErrNotFound
		}
		return j, nil
	}}
	h := handler(f)
	for _, key := range []string{"youtube:SRXH9AbT280:default", "youtube:SRXH9AbT280", "youtube%3ASRXH9AbT280%3Adefault"} {
		w := get(h, "/api/v1/jobs/"+key)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"history":[{`) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", key, w.Code, w.Body)
		}
	}
	golden(t, "job", get(h, "/api/v1/jobs/youtube:SRXH9AbT280").Body.Bytes())
	open := handler(f, func(c *Config) { c.Details = true })
	if w := get(open, "/api/v1/jobs/youtube:SRXH9AbT280"); !strings.Contains(w.Body.String(), `"detail":"secret"`) {
		t.Errorf("no details: %s", w.Body)
	}
	checkProblem(t, get(h, "/api/v1/jobs/youtube:AAAAAAAAAAA"), 404, "job_not_found")
	checkProblem(t, get(h, "/api/v1/jobs/nonsense"), 400, "invalid_job_key")
	checkProblem(t, get(h, "/api/v1/jobs/youtube:short:default"), 400, "invalid_job_key")
}

func TestReplayAndCancelJob(t *testing.T) {
	t.Parallel()
	stopped := running()
	stopped.State = jobs.JobCancelled
	tests := []struct {
		action string
		job    jobs.Job
		err    error
		status int
		code   string
	}{
		{"replay", running(), nil, 202, ""},
		{"replay", running(), jobs.ErrState, 409, "job_not_replayable"},
		{"replay", running(), jobs.ErrStale, 409, "job_not_replayable"},
		{"replay", jobs.Job{}, jobs.ErrNotFound, 404, "job_not_found"},
		{"replay", jobs.Job{}, jobs.ErrUnavailable, 503, "store_unavailable"},
		{"cancel", stopped, nil, 200, ""},
		{"cancel", stopped, jobs.ErrEnded, 200, ""},
		{"cancel", done(), jobs.ErrEnded, 409, "job_ended"},
		{"cancel", jobs.Job{}, jobs.ErrNotFound, 404, "job_not_found"},
		{"cancel", jobs.Job{}, errors.New("bug"), 500, "internal"},
	}
	for _, test := range tests {
		answer := func(jobs.Key) (jobs.Job, error) { return test.job, test.err }
		h := handler(&fake{replay: answer, cancelJob: answer})
		w := ask(h, http.MethodPost, "/api/v1/jobs/youtube:SRXH9AbT280:default/"+test.action, "")
		if test.code != "" {
			checkProblem(t, w, test.status, test.code)
		} else if w.Code != test.status {
			t.Errorf("%s %v: %d %s", test.action, test.err, w.Code, w.Body)
		}
		checkProblem(t, ask(h, http.MethodPost, "/api/v1/jobs/x/"+test.action, ""), 400, "invalid_job_key")
	}
}

func TestQueueIsCachedForASecond(t *testing.T) {
	t.Parallel()
	asked, now := 0, noon
	f := &fake{stats: func() (jobs.Stats, error) {
		asked++
		return jobs.Stats{
			Jobs: map[jobs.JobState]int64{jobs.JobPending: 3}, Waiting: 5, PendingEvents: 1, OldestPending: noon.Add(-90 * time.Second),
		}, nil
	}}
	h := handler(f, func(c *Config) {
		c.Now = func() time.Time { return now }
		c.Depth = func(context.Context) (jobs.Depth, error) {
			return jobs.Depth{Visible: 2, InFlight: 1, Delayed: -1}, nil
		}
	})
	want := `{"jobs":{"cancelled":0,"dead":0,"done":0,"pending":3,"retry":0,"running":0},"operations_waiting":5,` +
		`"events_pending":1,"oldest_pending_seconds":90,"messages":{"visible":2,"in_flight":1}}`
	for range 3 {
		if w := get(h, "/api/v1/queue"); strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if asked != 1 {
		t.Errorf("the store was asked %d times", asked)
	}
	now = now.Add(2 * time.Second)
	get(h, "/api/v1/queue")
	if asked != 2 {
		t.Errorf("the store was asked %d times", asked)
	}
	noDepth := handler(f, func(c *Config) {
		c.Depth = func(context.Context) (jobs.Depth, error) { return jobs.Depth{}, jobs.ErrUnavailable }
	})
	if w := get(noDepth, "/api/v1/queue"); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "messages") {
		t.Errorf("broker down: %d %s", w.Code, w.Body)
	}
}

func TestListEvents(t *testing.T) {
	t.Parallel()
	var asked string
	f := &fake{events: func(cursor string, _ int) ([]jobs.Operation, string, error) {
		asked = cursor
		return []jobs.Operation{succeeded(), failed(), cancelled()}, "c3", nil
	}}
	h := handler(f)
	w := get(h, "/api/v1/events?limit=3")
	golden(t, "events", w.Body.Bytes())
	var list eventList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if list.Events[0].ID != jobs.EventID(opID, 1) {
		t.Errorf("event id %s", list.Events[0].ID)
	}
	get(h, "/api/v1/events?cursor="+list.Next)
	if asked != "c3" {
		t.Errorf("went on from %q", asked)
	}
	checkProblem(t, get(h, "/api/v1/events?cursor=c3"), 400, "invalid_cursor")
	checkProblem(t, get(h, "/api/v1/events?limit=501"), 400, "invalid_parameter")
}

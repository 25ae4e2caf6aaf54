//go:build deploycheck

package image

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// pair is an API and the settings of its workers, on a volume that they share.
type pair struct {
	url, api, volume string
	settings         []string
}

func newPair(t *testing.T, settings ...string) *pair {
	t.Helper()
	network, volume := must(t, "network", "create", "check-"+strings.ToLower(t.Name())), must(t, "volume", "create")
	t.Cleanup(func() { must(t, "network", "rm", network); must(t, "volume", "rm", volume) })
	p := &pair{volume: volume, settings: []string{"--network", network, "-v", volume + ":/data", "-e", "BUTAKERO_SOURCE=demo"}}
	for _, s := range settings {
		p.settings = append(p.settings, "-e", s)
	}
	p.api = start(t, append(p.settings, "-p", "127.0.0.1::8080", "--name", "api-"+strings.ToLower(t.Name()), apiImage)...)
	p.url = "http://" + must(t, "port", p.api, "8080")
	healthy(t, p.api)
	return p
}

func (p *pair) worker(t *testing.T) string {
	t.Helper()
	id := start(t, append(p.settings, workerImage)...)
	healthy(t, id)
	return id
}

func healthy(t *testing.T, id string) {
	t.Helper()
	wait(t, "healthy", time.Minute, func() bool {
		return must(t, "inspect", "-f", "{{.State.Health.Status}}", id) == "healthy"
	})
}

// call asks the API and reads its JSON answer.
func (p *pair) call(t *testing.T, method, path string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %s (%v)", method, path, resp.Status, body, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatal(err)
	}
}

type operation struct {
	State string
	Job   struct {
		State   string
		Attempt int
	}
	File struct {
		Path   string
		Frames int
	}
}

func (p *pair) submit(t *testing.T, song string) (id string) {
	t.Helper()
	var started struct {
		ID string `json:"operation_id"`
	}
	p.call(t, http.MethodPost, "/api/v1/audio/start?song="+url.QueryEscape(song), &started)
	return started.ID
}

func (p *pair) operation(t *testing.T, id string) (o operation) {
	t.Helper()
	p.call(t, http.MethodGet, "/api/v1/operations/"+id, &o)
	return o
}

// The main job, between the two images, read-only and without a capability.
func TestJob(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	worker := p.worker(t)
	id := p.submit(t, "luna de octubre")
	var o operation
	wait(t, "the song", time.Minute, func() bool { o = p.operation(t, id); return o.State != "waiting" })
	if o.State != "succeeded" || o.File.Frames == 0 {
		t.Fatalf("%+v", o)
	}
	t.Logf("%s: %s", o.File.Path, must(t, "exec", worker, "butakero", "dca", "verify", "/data/audio-files/"+o.File.Path))
	must(t, "exec", worker, "/usr/local/bin/worker", "health")
	must(t, "exec", p.api, "/usr/local/bin/api", "health", "live")
	must(t, "stop", "-t", "30", worker)
	if _, err := docker.Docker(t.Context(), "exec", worker, "/usr/local/bin/worker", "health"); err == nil {
		t.Error("a worker that has stopped is healthy")
	}
}

// SIGTERM, as docker stop sends it, lets the song in hand come to its end.
func TestSIGTERMDrains(t *testing.T) {
	t.Parallel()
	p := newPair(t, "BUTAKERO_DEMO_RATE_BYTES=20000", "BUTAKERO_DRAIN_SECONDS=60")
	worker := p.worker(t)
	id := p.submit(t, "luna de octubre")
	wait(t, "running", time.Minute, func() bool { return p.operation(t, id).Job.State == "running" })
	began := time.Now()
	must(t, "stop", "-t", "90", worker)
	o := p.operation(t, id)
	if o.State != "succeeded" || o.Job.Attempt != 1 {
		t.Errorf("after %s: %+v", time.Since(began), o)
	}
	if code := must(t, "inspect", "-f", "{{.State.ExitCode}}", worker); code != "0" {
		t.Errorf("exit code %s", code)
	}
	if said := logs(t, worker); !strings.Contains(said, "stopping: no new work") || !strings.Contains(said, "msg=stopped") {
		t.Errorf("log: %s", said)
	}
	t.Logf("the worker went %s after SIGTERM, with its song done", time.Since(began).Round(100*time.Millisecond))
	// And the API goes at once, with 0.
	began = time.Now()
	must(t, "stop", "-t", "30", p.api)
	if code := must(t, "inspect", "-f", "{{.State.ExitCode}}", p.api); code != "0" || time.Since(began) > 20*time.Second {
		t.Errorf("the API: exit code %s after %s", code, time.Since(began))
	}
}

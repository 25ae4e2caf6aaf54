package fleet

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

func TestMain(m *testing.M) {
	defer func() {
		programs.remove()
		failing.remove()
	}()
	servers.Main(m)
}

// Two hundred songs through two apis and three workers, one of which is killed and
// one added on the way: each file is right and made once.
func TestSongs(t *testing.T) {
	const songs = 200
	media := catalogue(t, songs)
	for _, row := range mixes {
		t.Run(row.name, func(t *testing.T) {
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=60000")
			apis := []*process{start(t, "api", m.env), start(t, "api", m.env)}
			workers := []*process{start(t, "worker", m.env), start(t, "worker", m.env), start(t, "worker", m.env)}
			n, l := m.listen(t), newLedger(t)
			ask(t, l, apis, 0, songs/2)
			workers[0].kill()
			start(t, "worker", m.env)
			ask(t, l, apis, songs/2, songs)
			out := l.check(t, apis[1], n, 2*time.Minute)
			again := 0
			for _, o := range out.operations {
				if o.Job.Attempt > 1 {
					again++
				}
			}
			if out.succeeded != songs {
				t.Errorf("%+v", out)
			}
			if again > 4 { // the killed worker had four slots
				t.Errorf("%d songs were made in more than one attempt", again)
			}
			t.Logf("%s: %d songs, %d made again after the kill, %d copies of events, %s to the last", m.name, out.succeeded, again, out.copies, out.slowest.Round(time.Millisecond))
		})
	}
}

// All workers are replaced under load: no attempt is charged and nothing is made
// twice.
func TestRollingRestart(t *testing.T) {
	const songs = 60
	media := catalogue(t, songs)
	for _, row := range mixes[:2] {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=20000")
			api := start(t, "api", m.env)
			workers := []*process{start(t, "worker", m.env), start(t, "worker", m.env)}
			n, l := m.listen(t), newLedger(t)
			ask(t, l, []*process{api}, 0, songs)
			for i := range workers {
				fresh := start(t, "worker", m.env)
				workers[i].stop(t)
				workers[i] = fresh
			}
			out := l.check(t, api, n, 2*time.Minute)
			for id, o := range out.operations {
				if o.Job.Attempt != 1 {
					t.Errorf("operation %s: %d attempts were charged", id, o.Job.Attempt)
				}
			}
			if out.succeeded != songs {
				t.Errorf("%+v", out)
			}
		})
	}
}

func status(tb testing.TB, p *process, path string) int {
	tb.Helper()
	a, err := call(tb.Context(), http.MethodGet, p.base+path)
	if err != nil {
		return 0
	}
	return a.status
}

// The broker goes away and comes back: the API accepts all the while, an api that
// starts meanwhile too, and everything that was accepted is made.
func TestQueueAway(t *testing.T) {
	t.Parallel()
	broker := servers.NewKafka(t)
	media := catalogue(t, 40)
	row := mixes[1]
	row.kafka = []string{broker.Address}
	m := row.on(t, "BUTAKERO_MEDIA_DIR="+media)
	api, worker := start(t, "api", m.env), start(t, "worker", m.env)
	l := newLedger(t)
	ask(t, l, []*process{api}, 0, 10)
	broker.Kill()
	late := start(t, "api", m.env) // it need not wait for the queue
	for i := 10; i < 30; i++ {
		id, code, err := []*process{api, late}[i%2].submit(t.Context(), songName(i))
		if id == "" || err != nil {
			t.Fatalf("song %d without a broker: status %d, %v", i, code, err)
		}
		l.accept(t, id, songName(i))
	}
	if code := status(t, api, "/healthz"); code != http.StatusOK {
		t.Errorf("liveness %d", code)
	}
	until(t, 30*time.Second, "the api is still called ready", func() bool { return status(t, api, "/readyz") == http.StatusServiceUnavailable })
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	ask(t, l, []*process{api, late}, 30, 40)
	out := l.check(t, late, m.listen(t), 2*time.Minute)
	if out.succeeded != 40 {
		t.Errorf("%+v", out)
	}
	until(t, 30*time.Second, "not ready again", func() bool {
		return status(t, api, "/readyz") == http.StatusOK && status(t, worker, "/readyz") == http.StatusOK
	})
}

// Without the store, and only then, the API answers 503; afterwards it goes on.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	server := servers.NewMongo(t)
	media := catalogue(t, 20)
	row := mixes[1]
	row.mongo = server.Address
	m := row.on(t, "BUTAKERO_MEDIA_DIR="+media)
	api, worker := start(t, "api", m.env), start(t, "worker", m.env)
	n, l := m.listen(t), newLedger(t)
	ask(t, l, []*process{api}, 0, 10)
	server.Kill()
	if id, code, _ := api.submit(t.Context(), songName(10)); code != http.StatusServiceUnavailable {
		t.Errorf("accepted %q without a store: status %d", id, code)
	}
	if code := status(t, api, "/healthz"); code != http.StatusOK {
		t.Errorf("liveness %d", code)
	}
	if code := status(t, worker, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("readiness of the worker %d", code)
	}
	if a, err := call(t.Context(), http.MethodGet, api.base+"/metrics"); err != nil || !strings.Contains(string(a.body), "butakero_store_up 0") {
		t.Errorf("metrics do not show it: %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ask(t, l, []*process{api}, 10, 20)
	if out := l.check(t, api, n, 2*time.Minute); out.succeeded != 20 {
		t.Errorf("%+v", out)
	}
}

// The file store goes away and comes back: songs wait for it.
func TestFilesAway(t *testing.T) {
	t.Parallel()
	server := servers.NewS3(t)
	media := catalogue(t, 20)
	row := mixes[2]
	row.s3 = servers.S3Account{Endpoint: server.Address, Key: servers.S3(t).Key, Secret: servers.S3(t).Secret}
	m := row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=40000")
	api := start(t, "api", m.env)
	worker := start(t, "worker", m.env)
	n, l := m.listen(t), newLedger(t)
	ask(t, l, []*process{api}, 0, 8)
	server.Kill()
	ask(t, l, []*process{api}, 8, 20)
	until(t, 30*time.Second, "no song has met the outage", func() bool {
		a, err := call(context.Background(), http.MethodGet, worker.base+"/metrics")
		return err == nil && strings.Contains(string(a.body), `butakero_attempts_total{class="transient"`)
	})
	if code := status(t, worker, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("readiness without a file store: %d", code)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if out := l.check(t, api, n, 3*time.Minute); out.succeeded != 20 {
		t.Errorf("%+v", out)
	}
}

// What those who scale the fleet look at is there and moves.
func TestAutoscalingSignal(t *testing.T) {
	t.Parallel()
	media := catalogue(t, 30)
	m := mixes[1].on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=5000")
	api, worker := start(t, "api", m.env), start(t, "worker", m.env)
	l := newLedger(t)
	ask(t, l, []*process{api}, 0, 30)
	for _, p := range []*process{api, worker} {
		until(t, 30*time.Second, p.kind+" does not show the backlog", func() bool {
			a, err := call(context.Background(), http.MethodGet, p.base+"/metrics")
			text := string(a.body)
			return err == nil && !strings.Contains(text, "butakero_backlog_seconds 0\n") && strings.Contains(text, "butakero_backlog_seconds ") &&
				strings.Contains(text, "butakero_fleet_slots 4") && strings.Contains(text, `butakero_jobs{state="running"} 4`) &&
				!strings.Contains(text, "butakero_oldest_pending_seconds 0\n")
		})
	}
	if code := status(t, worker, "/api/v1/jobs"); code != http.StatusNotFound {
		t.Errorf("a worker serves more than health and metrics: %d", code)
	}
	worker.stop(t)
	until(t, 20*time.Second, "the worker that left is still counted", func() bool {
		a, err := call(context.Background(), http.MethodGet, api.base+"/metrics")
		return err == nil && strings.Contains(string(a.body), "butakero_fleet_workers 0")
	})
}

package fleet

import (
	"context"
	"net/http"
	"path/filepath"
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
			w := filepath.Join(t.TempDir(), "witness")
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=60000", "FAILPOINT_LEDGER="+w)
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
			seen := witnesses(t, w)
			for _, wrong := range seen.wrong {
				t.Error(wrong)
			}
			// The killed worker had four songs in its slots, and as many on their way into
			// the records.
			if again > 8 || seen.downloads > songs+again || seen.commits > songs {
				t.Errorf("%d songs were made in more than one attempt; %d downloads and %d commits for %d", again, seen.downloads, seen.commits, songs)
			}
			t.Logf("%s: %d songs, %d downloads, %d made again after the kill, %d copies of events, %s to the last",
				m.name, out.succeeded, seen.downloads, again, out.copies, out.slowest.Round(time.Millisecond))
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
			w := filepath.Join(t.TempDir(), "witness")
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=6000", "FAILPOINT_LEDGER="+w)
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
			if seen := witnesses(t, w); seen.downloads != songs || seen.commits != songs || len(seen.wrong) > 0 {
				t.Errorf("%d songs took %d downloads and %d commits: %v", songs, seen.downloads, seen.commits, seen.wrong)
			}
		})
	}
}

// A worker that is not given the time to finish hands its songs back: they are made by
// another at once, and no attempt is charged.
func TestHandBack(t *testing.T) {
	t.Parallel()
	const songs = 12
	media := catalogue(t, songs)
	for _, row := range mixes[:2] {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=1500", "BUTAKERO_DRAIN_SECONDS=1", "BUTAKERO_LEASE_SECONDS=60", "BUTAKERO_RING_SECONDS=40")
			api, leaving := start(t, "api", m.env), start(t, "worker", m.env)
			n, l := m.listen(t), newLedger(t)
			ask(t, l, []*process{api}, 0, songs)
			until(t, 30*time.Second, "the worker is not busy", func() bool { return strings.Contains(metrics(t, leaving), "butakero_slots_busy 4\n") })
			start(t, "worker", m.env)
			leaving.stop(t)
			if lines := metrics(t, api); !strings.Contains(lines, `butakero_jobs{state="running"}`) {
				t.Error("no gauge of running jobs")
			}
			out := l.check(t, api, n, 2*time.Minute)
			for id, o := range out.operations {
				if o.Job.Attempt != 1 {
					t.Errorf("operation %s: %d attempts were charged", id, o.Job.Attempt)
				}
			}
			// Neither the lease nor the reconciler's ring was waited for.
			if out.succeeded != songs || out.slowest > 55*time.Second {
				t.Errorf("%d songs, the last after %s", out.succeeded, out.slowest)
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

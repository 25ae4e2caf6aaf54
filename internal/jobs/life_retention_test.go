package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Ended jobs are forgotten when the time of their state is over, all of them however
// many, and not before; what lives or has no limit stays.
func TestRetention(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		k := jobs.NewKeeper(jobs.KeeperConfig{
			Store: w.store, Desk: w.store, Page: 3,
			Keep: jobs.Retention{jobs.JobDead: 24 * time.Hour, jobs.JobCancelled: 0, jobs.JobPending: time.Second},
		})
		p := &steps{do: []step{fails(jobs.Permanent("gone", "it is gone", nil))}}
		stop := w.work(p)
		for _, text := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			w.ended(w.accept(text).Operation.ID)
		}
		stop()
		p.do = []step{makes(time.Second)}
		stop = w.work(p)
		w.ended(w.accept("done").Operation.ID)
		stop()
		waiting := w.accept("waiting").Operation
		sweep := func() map[jobs.JobState]int {
			t.Helper()
			n, err := k.Sweep(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		pass(23 * time.Hour)
		if n := sweep(); len(n) != 0 {
			t.Errorf("forgotten too early: %v", n)
		}
		pass(2 * time.Hour)
		if n := sweep(); n[jobs.JobDead] != 7 || len(n) != 1 || k.Forgotten() != 7 {
			t.Errorf("forgotten: %v, counted %d; want 7 dead", n, k.Forgotten())
		}
		if n := sweep(); len(n) != 0 {
			t.Errorf("forgotten twice: %v", n)
		}
		for text, state := range map[string]jobs.JobState{"done": jobs.JobDone, "waiting": jobs.JobPending} {
			if j := w.job(keyOf(text)); j.State != state {
				t.Errorf("%s: %+v", text, j)
			}
		}
		if o, err := w.store.Operation(t.Context(), waiting.ID); err != nil || o.State != jobs.OperationWaiting {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// A job that lives again is not forgotten, though a stale list still calls it dead.
func TestRetentionOfTheRevived(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{fails(jobs.Permanent("gone", "it is gone", nil))}}
		stop := w.work(p)
		w.ended(w.accept("song").Operation.ID)
		stop()
		pass(48 * time.Hour)
		old := w.job(keyOf("song"))
		again := w.accept("song").Operation // the failure is no longer remembered
		k := jobs.NewKeeper(jobs.KeeperConfig{Store: w.store, Desk: staleDesk{w.store, old}, Keep: jobs.Retention{jobs.JobDead: time.Hour}})
		if n, err := k.Sweep(t.Context()); err != nil || len(n) != 0 {
			t.Errorf("%v, %v", n, err)
		}
		p.do = []step{makes(time.Second)}
		w.work(p)
		if o := w.ended(again.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("%+v", o)
		}
	})
}

// staleDesk lists one job as it once was.
type staleDesk struct {
	jobs.Desk
	was jobs.Job
}

// Jobs implements jobs.Desk.
func (d staleDesk) Jobs(context.Context, jobs.JobFilter, string, int) ([]jobs.Job, string, error) {
	return []jobs.Job{d.was}, "", nil
}

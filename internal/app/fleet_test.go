package app

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/memory"
)

// Workers are counted while they are there, and the backlog is told in seconds of
// work for them.
func TestFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := memory.New()
		count := func() fleet {
			t.Helper()
			f, err := readFleet(t.Context(), notes)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		if f := count(); f.Workers != 0 || f.Seconds != secondsUnknown {
			t.Errorf("nobody: %+v", f)
		}
		attendAs := func(name string, p presence) (leave func()) {
			ctx, cancel := context.WithCancel(t.Context())
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				attend(ctx, notes, name, func() presence { return p }, slog.New(slog.DiscardHandler))
			}()
			synctest.Wait()
			return func() { cancel(); <-gone }
		}
		leave := attendAs("a", presence{Slots: 3, Busy: 1, Seconds: 10})
		stay := attendAs("b", presence{Slots: 1, Busy: 1, Seconds: 30})
		defer stay()
		<-time.After(10 * time.Minute) // the notes are kept alive
		f := count()
		if f.Workers != 2 || f.Slots != 4 || f.Busy != 2 || math.Abs(f.Seconds-15) > 1e-9 {
			t.Errorf("%+v", f)
		}
		stats := jobs.Stats{Jobs: map[jobs.JobState]int64{jobs.JobPending: 38, jobs.JobRunning: 2, jobs.JobDead: 7}}
		if got := backlogSeconds(stats, f); math.Abs(got-150) > 1e-9 {
			t.Errorf("backlog of %v seconds", got)
		}
		leave()
		<-time.After(time.Second)
		if f := count(); f.Workers != 1 || f.Slots != 1 {
			t.Errorf("after one has left: %+v", f)
		}
		if got := backlogSeconds(stats, fleet{Seconds: 1}); got != 40 {
			t.Errorf("with no worker: %v", got)
		}
	})
}

func TestTimekeeper(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k := newTimekeeper(jobs.NoObserver{})
	k.now = func() time.Time { return now }
	run := func(d time.Duration, c jobs.JobCommand) {
		k.Claimed(jobs.Job{}, jobs.Delivery{})
		now = now.Add(d)
		k.Settled(jobs.Job{}, c, 0)
	}
	run(10*time.Second, jobs.JobCommand{Kind: jobs.JobCommit})
	if k.mean() != 10 {
		t.Errorf("first: %v", k.mean())
	}
	run(time.Hour, jobs.JobCommand{Kind: jobs.JobFail, Failure: &jobs.Failure{Class: jobs.ClassInterrupted}})
	run(30*time.Second, jobs.JobCommand{Kind: jobs.JobCommit})
	if k.mean() != 11 {
		t.Errorf("then: %v", k.mean())
	}
}

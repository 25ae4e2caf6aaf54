package jobs_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Workers whose clocks are ten minutes apart steal from each other what they
// should not; still every song is committed once and every operation ends once.
func TestSkewedClocks(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		commits := map[jobs.Key]int{}
		count := func(c []jobs.JobCommand) {
			mu.Lock()
			defer mu.Unlock()
			for _, one := range c {
				if one.Kind != jobs.JobCommit {
					continue
				}
				if j := w.job(one.Key); j.State == jobs.JobDone && j.Token == one.Token && j.EndedAt.Equal(one.Now) {
					commits[one.Key]++
				}
			}
		}
		w.store.applied.Store(&count)
		for _, skew := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
			w.work(&steps{do: []step{makes(45 * time.Second)}}, func(c *jobs.RunnerConfig) {
				c.Now = func() time.Time { return time.Now().Add(skew) }
				c.Policy.MaxCrashes = 100
			})
		}
		var ids []string
		for i := range 6 {
			ids = append(ids, w.accept(fmt.Sprint("song", i)).Operation.ID)
		}
		for _, id := range ids {
			o := w.ended(id)
			if o.State != jobs.OperationSucceeded {
				t.Errorf("%+v, %+v", o, o.Failure)
			}
			if events, _ := w.events.ids(id); len(events) != 1 {
				t.Errorf("%d event ids", len(events))
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for key, n := range commits {
			if n != 1 {
				t.Errorf("%s was committed %d times", key, n)
			}
		}
		if len(commits) != 6 {
			t.Errorf("%d songs were committed", len(commits))
		}
	})
}

// A clock that jumps while a song is made, forward or back, loses nothing.
func TestJumpingClock(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"forward": 3 * time.Hour, "back": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			life(t, func(t *testing.T, w *world) {
				w.work(&steps{do: []step{makes(2 * time.Minute)}}, func(c *jobs.RunnerConfig) { c.Now = w.now })
				a := w.accept("jump")
				pass(30 * time.Second)
				w.offset.Store(int64(jump))
				if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded {
					t.Errorf("%+v, %+v", o, o.Failure)
				}
			})
		})
	}
}

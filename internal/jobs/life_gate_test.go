package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// While the gate is closed a worker claims nothing and finishes what it has.
func TestGate(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		var closed atomic.Bool
		reason := errors.New("protected no more")
		p := &steps{do: []step{makes(time.Minute), makes(0)}}
		w.work(p, func(c *jobs.RunnerConfig) {
			c.Gate = func(context.Context) error {
				if closed.Load() {
					return reason
				}
				return nil
			}
		})
		before := w.accept("before")
		pass(time.Second)
		closed.Store(true)
		pass(2 * time.Second) // it is asked once a second
		during := w.accept("during")
		if o := w.ended(before.Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("in hand: %+v", o)
		}
		pass(time.Minute)
		if got := w.job(during.Job.Key); got.State != jobs.JobPending || got.Attempt != 0 {
			t.Errorf("claimed through a closed gate: %+v", got)
		}
		closed.Store(false)
		if o := w.ended(during.Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("after it opened: %+v", o)
		}
	})
}

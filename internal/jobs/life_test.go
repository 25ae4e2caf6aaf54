package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var discard = slog.New(slog.DiscardHandler)

// A request becomes a file, its operation succeeds, its event goes out once, and
// nothing stays due.
func TestLifeOfASong(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{makes(time.Second)}}
		w.work(p)
		a := w.accept("rain")
		o := w.ended(a.Operation.ID)
		if o.State != jobs.OperationSucceeded || o.Result == nil || o.Result.Bytes != 10 || o.Attempts != 1 {
			t.Errorf("operation: %+v", o)
		}
		if ids, copies := w.events.ids(o.ID); len(ids) != 1 || copies != 1 || !ids[jobs.EventID(o.ID, 1)] {
			t.Errorf("events: %v, %d copies", ids, copies)
		}
		pass(10 * time.Minute)
		j := w.job(keyOf("rain"))
		if j.State != jobs.JobDone || !j.DueAt.IsZero() || p.count() != 1 {
			t.Errorf("job: %+v, made %d times", j, p.count())
		}
		if d, err := w.queue.Depth(t.Context()); err != nil || d.Visible+d.InFlight+d.Delayed != 0 {
			t.Errorf("queue: %+v, %v", d, err)
		}
	})
}

// One song asked for by many is made once, and every one of them hears of it.
func TestSingleFlight(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{makes(3 * time.Second)}}
		w.queue.double.Store(true)
		w.work(p)
		w.work(p)
		var ids []string
		for range 250 {
			ids = append(ids, w.accept("popular").Operation.ID)
		}
		for _, id := range ids {
			if o := w.ended(id); o.State != jobs.OperationSucceeded {
				t.Errorf("%+v", o)
			}
			if events, _ := w.events.ids(id); len(events) != 1 {
				t.Errorf("%d events for %s", len(events), id)
			}
		}
		if p.count() != 1 {
			t.Errorf("made %d times", p.count())
		}
	})
}

// A transient failure is tried again with back-off, and clients can see why
// meanwhile.
func TestRetries(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		broken := jobs.Transient("network", "the line broke", errors.New("reset"))
		p := &steps{do: []step{fails(broken), fails(broken), fails(broken), makes(0)}}
		w.work(p)
		a := w.accept("flaky")
		pass(500 * time.Millisecond)
		j := w.job(keyOf("flaky"))
		if j.State != jobs.JobRetry || j.LastError == nil || j.LastError.Code != "network" || !j.LastError.RetryAt.After(time.Now()) {
			t.Errorf("while it waits: %+v, error %+v", j, j.LastError)
		}
		o := w.ended(a.Operation.ID)
		if o.State != jobs.OperationSucceeded || o.Attempts != 4 || p.count() != 4 {
			t.Errorf("%+v after %d attempts", o, p.count())
		}
		if h := w.job(keyOf("flaky")).History; len(h) != 3 || h[2].Attempt != 3 {
			t.Errorf("history: %+v", h)
		}
	})
}

// Attempts are bounded: the job dies with its last reason.
func TestDeadAfterMaxAttempts(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{fails(jobs.Transient("upstream", "they have trouble", nil))}}
		w.work(p, func(c *jobs.RunnerConfig) { c.Policy.MaxAttempts = 3 })
		o := w.ended(w.accept("doomed").Operation.ID)
		if o.State != jobs.OperationFailed || o.Failure == nil || o.Failure.Code != "upstream" || p.count() != 3 {
			t.Errorf("%+v, %+v after %d", o, o.Failure, p.count())
		}
	})
}

// A permanent failure ends at once, answers new requests for a while without
// work, and is forgotten then.
func TestNegativeCache(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		private := &jobs.Error{Class: jobs.ClassPermanent, Code: "private", Message: "this video is private", Remember: time.Hour}
		p := &steps{do: []step{fails(private), makes(0)}}
		w.work(p)
		if o := w.ended(w.accept("secret").Operation.ID); o.State != jobs.OperationFailed || o.Failure.Code != "private" {
			t.Errorf("first: %+v", o)
		}
		second := w.accept("secret")
		if second.Operation.State != jobs.OperationFailed || second.Operation.Failure.Code != "private" {
			t.Errorf("second was not answered at once: %+v", second.Operation)
		}
		w.ended(second.Operation.ID)
		if p.count() != 1 {
			t.Errorf("tried %d times", p.count())
		}
		pass(time.Hour)
		if o := w.ended(w.accept("secret").Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("after an hour: %+v", o)
		}
		if g := w.job(keyOf("secret")).Generation; g != 2 {
			t.Errorf("generation %d", g)
		}
	})
}

// Being asked to wait is not an attempt.
func TestThrottledIsNotCharged(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		wait := jobs.RetryAfter(10*time.Minute, "rate_limited", "they ask us to wait", nil)
		p := &steps{do: []step{fails(wait), fails(wait), makes(0)}}
		w.work(p)
		start := time.Now()
		o := w.ended(w.accept("busy").Operation.ID)
		if o.State != jobs.OperationSucceeded || o.Attempts != 1 {
			t.Errorf("%+v", o)
		}
		if waited := time.Since(start); waited < 20*time.Minute || waited > 25*time.Minute {
			t.Errorf("waited %s", waited)
		}
	})
}

// A panic is caught, kept with its stack, and counted towards the crash limit.
func TestPanic(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{func(context.Context, jobs.Job) (jobs.Result, error) { panic("bug") }}}
		w.work(p)
		o := w.ended(w.accept("bug").Operation.ID)
		if o.Failure == nil || o.Failure.Code != jobs.CodePanic || p.count() != 3 {
			t.Errorf("%+v after %d", o.Failure, p.count())
		}
		if d := o.Failure.Detail; len(d) < 20 || len(d) > jobs.DetailLimit {
			t.Errorf("detail: %q", d)
		}
	})
}

// An attempt has a time limit of its own.
func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{makes(time.Hour), makes(0)}}
		w.work(p, func(c *jobs.RunnerConfig) { c.Attempt = time.Minute })
		o := w.ended(w.accept("slow").Operation.ID)
		h := w.job(keyOf("slow")).History
		if o.State != jobs.OperationSucceeded || len(h) != 1 || h[0].Code != jobs.CodeTimeout {
			t.Errorf("%+v, history %+v", o, h)
		}
	})
}

// Long work keeps its lease, its progress can be seen, and nobody steals it.
func TestRenewal(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{makes(20 * time.Minute)}}
		w.work(p)
		w.work(p)
		a := w.accept("long")
		pass(10 * time.Minute)
		j := w.job(keyOf("long"))
		if j.State != jobs.JobRunning || j.Stage != jobs.StageFetching || j.Progress.Percent() != 50 || !j.LeaseUntil.After(time.Now()) {
			t.Errorf("half-way: %+v", j)
		}
		if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded || p.count() != 1 {
			t.Errorf("%+v, made %d times", o, p.count())
		}
	})
}

// stuckQueue hangs when it is asked to hold messages.
type stuckQueue struct {
	jobs.Queue
	asked int // by the worker's one loop
}

// Extend implements jobs.Queue.
func (q *stuckQueue) Extend(ctx context.Context, deliveries []jobs.Delivery, _ time.Duration) []error {
	q.asked++
	<-ctx.Done()
	return make([]error, len(deliveries))
}

// A queue that does not answer keeps nobody from renewing leases, which are the
// store's.
func TestRenewalWithoutQueue(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		queue := &stuckQueue{Queue: w.queue}
		p := &steps{do: []step{makes(3 * time.Minute)}}
		w.work(p, func(c *jobs.RunnerConfig) { c.Queue = queue })
		a := w.accept("song")
		o := w.ended(a.Operation.ID)
		if o.State != jobs.OperationSucceeded || p.count() != 1 || queue.asked == 0 {
			t.Errorf("%+v, made %d times; the queue was asked %d times", o, p.count(), queue.asked)
		}
	})
}

// A worker that dies in mid-work loses its lease; another one makes the song.
func TestStolenLease(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		a := w.accept("orphan")
		now := time.Now()
		_, err := w.store.ApplyJobs(t.Context(), []jobs.JobCommand{{
			Kind: jobs.JobClaim, Key: keyOf("orphan"), Now: now, Token: "dead worker", Owner: "dead worker",
			Until: now.Add(30 * time.Second), MaxCrashes: 3,
		}})
		if err != nil {
			t.Fatal(err)
		}
		p := &steps{do: []step{makes(time.Second)}}
		w.work(p)
		o := w.ended(a.Operation.ID)
		j := w.job(keyOf("orphan"))
		if o.State != jobs.OperationSucceeded || j.Fence != 2 || p.count() != 1 {
			t.Errorf("%+v, %+v", o, j)
		}
		outs, err := w.store.ApplyJobs(t.Context(), []jobs.JobCommand{{
			Kind: jobs.JobCommit, Key: j.Key, Now: time.Now(), Fence: 1, Token: "dead worker", Result: &jobs.Result{},
		}})
		if err != nil || !errors.Is(outs[0].Err, jobs.ErrFenced) {
			t.Errorf("the dead worker's commit: %+v, %v", outs, err)
		}
	})
}

// A song that kills every worker ends by itself.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		a := w.accept("poison")
		for i := range 4 {
			now := time.Now()
			outs, err := w.store.ApplyJobs(t.Context(), []jobs.JobCommand{{
				Kind: jobs.JobClaim, Key: keyOf("poison"), Now: now, Token: fmt.Sprint("t", i), Owner: "w",
				Until: now.Add(time.Second), MaxCrashes: 3,
			}})
			if err != nil || outs[0].Err != nil && !errors.Is(outs[0].Err, jobs.ErrEnded) {
				t.Fatalf("%d: %+v %v", i, outs, err)
			}
			pass(2 * time.Second)
		}
		o := w.ended(a.Operation.ID)
		if o.State != jobs.OperationFailed || o.Failure.Code != jobs.CodeCrashLoop {
			t.Errorf("%+v, %+v", o, o.Failure)
		}
	})
}

// While the store is away for longer than the lease, work stops before anybody
// else can have it, and nothing is written by the one who lost it.
func TestStoreOutageStopsWork(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		stopped := make(chan error, 1)
		p := &steps{do: []step{
			func(ctx context.Context, _ jobs.Job) (jobs.Result, error) {
				<-ctx.Done()
				stopped <- context.Cause(ctx)
				return jobs.Result{}, ctx.Err()
			},
			makes(time.Second),
		}}
		w.work(p)
		a := w.accept("outage")
		pass(time.Second)
		claimed := w.job(keyOf("outage"))
		w.store.down.Store(true)
		if cause := <-stopped; !errors.Is(cause, jobs.ErrLeaseLost) {
			t.Errorf("cause: %v", cause)
		}
		if !time.Now().Before(claimed.LeaseUntil) {
			t.Error("the work went on to the end of its lease")
		}
		pass(time.Minute)
		w.store.down.Store(false)
		if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded || p.count() != 2 {
			t.Errorf("%+v after %d", o, p.count())
		}
	})
}

// A commit whose answer is lost is recognised by its token when repeated.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		lose := func(c []jobs.JobCommand) {
			if c[0].Kind == jobs.JobCommit && w.store.loseAnswer.Load() == 0 {
				w.store.loseAnswer.Store(1)
				w.store.applied.Store(nil)
			}
		}
		w.store.applied.Store(&lose)
		p := &steps{do: []step{makes(0)}}
		w.work(p)
		o := w.ended(w.accept("lost").Operation.ID)
		if o.State != jobs.OperationSucceeded || p.count() != 1 {
			t.Errorf("%+v, made %d times", o, p.count())
		}
		if ids, _ := w.events.ids(o.ID); len(ids) != 1 {
			t.Errorf("%d event ids", len(ids))
		}
	})
}

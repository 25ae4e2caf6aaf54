package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// The answer to a request depends on the store, never on the broker; the
// reconciler rings for what the broker never heard of.
func TestBrokerDownOrForgetful(t *testing.T) {
	t.Parallel()
	for name, break_ := range map[string]func(*world){
		"down":      func(w *world) { w.queue.down.Store(true) },
		"forgetful": func(w *world) { w.queue.lose.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			life(t, func(t *testing.T, w *world) {
				p := &steps{do: []step{makes(0)}}
				w.work(p)
				break_(w)
				a := w.accept("unheard")
				pass(3 * time.Minute)
				w.queue.down.Store(false)
				w.queue.lose.Store(false)
				if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// With the store down nothing is accepted, and the client is told.
func TestStoreDownRefuses(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		w.store.down.Store(true)
		if _, err := w.intake.Accept(t.Context(), jobs.Request{Text: "x"}); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	})
}

// Events wait for their target, and go out with the ids they had.
func TestEventsWaitForTheirTarget(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		w.work(&steps{do: []step{makes(0)}})
		w.events.down.Store(true)
		a := w.accept("news")
		pass(5 * time.Minute)
		if o, err := w.store.Operation(t.Context(), a.Operation.ID); err != nil || o.Event != jobs.EventPending {
			t.Errorf("%+v, %v", o, err)
		}
		w.events.down.Store(false)
		o := w.ended(a.Operation.ID)
		if ids, _ := w.events.ids(o.ID); !ids[jobs.EventID(o.ID, 1)] || len(ids) != 1 {
			t.Errorf("%v", ids)
		}
	})
}

// At a graceful stop work in hand is finished; what takes longer than the drain
// is given back at once and uncharged.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{makes(10 * time.Second), makes(time.Hour), makes(0)}}
		stop := w.work(p, func(c *jobs.RunnerConfig) { c.Drain = time.Minute })
		short := w.accept("short")
		pass(time.Second)
		long := w.accept("long")
		pass(time.Second)
		begun := time.Now()
		stop()
		if took := time.Since(begun); took < 50*time.Second || took > 70*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if o := w.ended(short.Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("%+v", o)
		}
		j := w.job(keyOf("long"))
		if j.State != jobs.JobPending || j.Attempt != 0 || j.Crashes != 0 || j.LastError != nil {
			t.Errorf("given back: %+v", j)
		}
		w.work(p)
		begun = time.Now()
		if o := w.ended(long.Operation.ID); o.State != jobs.OperationSucceeded || o.Attempts != 1 {
			t.Errorf("%+v", o)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the next worker heard of it only after %s", took)
		}
	})
}

// Messages that are acknowledged at the claim, as on Kafka, lose nothing either.
func TestAcknowledgedAtTheClaim(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		w.queue.atOnce = true
		p := &steps{do: []step{fails(jobs.Transient("network", "", nil)), makes(time.Hour), makes(0)}}
		stop := w.work(p, func(c *jobs.RunnerConfig) { c.Drain = time.Second })
		a := w.accept("kafka")
		pass(10 * time.Second)
		stop() // in mid-work
		if d, err := w.queue.Depth(t.Context()); err != nil || d.InFlight != 0 {
			t.Errorf("%+v, %v", d, err)
		}
		w.work(p)
		if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("%+v", o)
		}
	})
}

// The last one who waits takes the work with him; before that it goes on.
func TestCancelOperation(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		stopped := make(chan error, 1)
		p := &steps{do: []step{func(ctx context.Context, _ jobs.Job) (jobs.Result, error) {
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return jobs.Result{}, ctx.Err()
		}, makes(0)}}
		w.work(p)
		a, b := w.accept("unwanted"), w.accept("unwanted")
		pass(time.Second)
		if o, err := w.operator.CancelOperation(t.Context(), a.Operation.ID); err != nil || o.State != jobs.OperationCancelled {
			t.Fatalf("%+v, %v", o, err)
		}
		pass(time.Minute)
		if j := w.job(keyOf("unwanted")); j.State != jobs.JobRunning {
			t.Fatalf("somebody still waits: %+v", j)
		}
		for range 2 { // asked twice: the same answer
			if o, err := w.operator.CancelOperation(t.Context(), b.Operation.ID); err != nil || o.State != jobs.OperationCancelled {
				t.Fatalf("%+v, %v", o, err)
			}
		}
		begun := time.Now()
		if cause := <-stopped; !errors.Is(cause, jobs.ErrCancelled) {
			t.Errorf("cause %v", cause)
		}
		if took := time.Since(begun); took > 11*time.Second { // a third of the lease
			t.Errorf("stopped after %s", took)
		}
		for _, id := range []string{a.Operation.ID, b.Operation.ID} {
			if o := w.ended(id); o.Failure == nil || o.Failure.Code != jobs.CodeCancelled {
				t.Errorf("%+v", o)
			}
		}
		if o := w.ended(w.accept("unwanted").Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("asked for again: %+v", o)
		}
		if _, err := w.operator.CancelOperation(t.Context(), jobs.NewOperationID(songOf("none"), [8]byte{})); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

// Whoever asks while an operator cancels the job is not cancelled with it.
func TestCancelJobSparesLateRequests(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		a := w.accept("race")
		j, err := w.operator.CancelJob(t.Context(), keyOf("race"))
		if err != nil || j.State != jobs.JobCancelled {
			t.Fatalf("%+v, %v", j, err)
		}
		// An operation that was put before the cancel and whose request saw the job
		// alive: nobody but the fan-out can help it.
		late := jobs.NewOperationID(songOf("race"), [8]byte{7})
		_, err = w.store.ApplyOperations(t.Context(), []jobs.OperationCommand{{
			Kind: jobs.OperationPut, ID: late, Now: time.Now(),
			Operation: jobs.Operation{ID: late, Key: keyOf("race"), CreatedAt: time.Now(), DueAt: time.Now().Add(2 * time.Minute)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.work(&steps{do: []step{makes(0)}})
		if o := w.ended(a.Operation.ID); o.State != jobs.OperationCancelled {
			t.Errorf("%+v", o)
		}
		if o := w.ended(late); o.State != jobs.OperationSucceeded {
			t.Errorf("%+v", o)
		}
	})
}

// A replay begins the job again, and its operations end anew, with an event of
// their own.
func TestReplay(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{fails(jobs.Permanent("extractor", "broken", nil)), makes(time.Second)}}
		w.work(p)
		var ids []string
		for range 3 {
			ids = append(ids, w.accept("again").Operation.ID)
		}
		for _, id := range ids {
			if o := w.ended(id); o.State != jobs.OperationFailed {
				t.Fatalf("%+v", o)
			}
		}
		if _, err := w.operator.Replay(t.Context(), keyOf("never"), true); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("%v", err)
		}
		j, err := w.operator.Replay(t.Context(), keyOf("again"), true)
		if err != nil || j.Generation != 2 || j.Reopen != 0 || j.Replays != 1 {
			t.Fatalf("%+v, %v", j, err)
		}
		if _, err := w.operator.Replay(t.Context(), keyOf("again"), true); !errors.Is(err, jobs.ErrState) {
			t.Errorf("a live job was replayed: %v", err)
		}
		for _, id := range ids {
			o := w.ended(id)
			events, _ := w.events.ids(id)
			if o.State != jobs.OperationSucceeded || o.Generation != 2 || !events[jobs.EventID(id, 1)] || !events[jobs.EventID(id, 2)] {
				t.Errorf("%+v, events %v", o, events)
			}
		}
	})
}

// A replay that stopped half-way is finished by the reconciler.
func TestReplayHalfWay(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{fails(jobs.Permanent("extractor", "broken", nil)), makes(0)}}
		w.work(p)
		a := w.accept("half")
		w.ended(a.Operation.ID)
		pass(time.Minute)
		_, err := w.store.ApplyJobs(t.Context(), []jobs.JobCommand{{
			Kind: jobs.JobReplay, Key: keyOf("half"), Now: time.Now(), Generation: 1, DueAt: time.Now().Add(30 * time.Second),
		}})
		if err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Minute)
		o := w.ended(a.Operation.ID)
		if o.State != jobs.OperationSucceeded || o.Generation != 2 {
			t.Errorf("%+v", o)
		}
		if j := w.job(keyOf("half")); !j.DueAt.IsZero() || j.Reopen != 0 {
			t.Errorf("%+v", j)
		}
	})
}

// A song that is there is not made again; when its file is gone, it is.
func TestReuse(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		p := &steps{do: []step{makes(0)}}
		w.work(p)
		w.ended(w.accept("kept").Operation.ID)
		second := w.accept("kept")
		if !second.Reused || second.Operation.State != jobs.OperationSucceeded || second.Operation.Result == nil {
			t.Errorf("%+v", second)
		}
		w.ended(second.Operation.ID)
		if p.count() != 1 {
			t.Errorf("made %d times", p.count())
		}
		w.files.gone.Store(true)
		third := w.accept("kept")
		if o := w.ended(third.Operation.ID); third.Reused || o.State != jobs.OperationSucceeded || p.count() != 2 {
			t.Errorf("%+v, made %d times", third, p.count())
		}
	})
}

// An idempotency key stands for one request.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		ask := func(text, client, key string) (jobs.Accepted, error) {
			return w.intake.Accept(t.Context(), jobs.Request{Text: text, Client: client, IdempotencyKey: key})
		}
		first, err := ask("one", "bot", "k")
		if err != nil || first.Repeated {
			t.Fatal(first, err)
		}
		again, err := ask("one", "bot", "k")
		if err != nil || !again.Repeated || again.Operation.ID != first.Operation.ID {
			t.Errorf("%+v, %v", again, err)
		}
		var e *jobs.Error
		if _, err := ask("two", "bot", "k"); !errors.As(err, &e) || e.Code != jobs.CodeIdempotency {
			t.Errorf("%v", err)
		}
		other, err := ask("one", "another bot", "k")
		if err != nil || other.Operation.ID == first.Operation.ID {
			t.Errorf("%+v, %v", other, err)
		}
		pass(25 * time.Hour)
		if later, err := ask("two", "bot", "k"); err != nil || later.Repeated {
			t.Errorf("after a day: %+v, %v", later, err)
		}
	})
}

// A worker that can not work (disk full) takes no more jobs for a while and says
// why.
func TestUnfitWorkerPauses(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		full := jobs.Environment("disk_full", "the disk is full", nil)
		p := &steps{do: []step{fails(full), makes(0)}}
		var r *jobs.Runner
		ctx, cancel := context.WithCancel(t.Context())
		r = jobs.NewRunner(jobs.RunnerConfig{
			Store: w.store, Queue: w.queue, Processor: p, Finisher: w.finisher, Bell: w.bell, Slots: 1,
			Random: func() float64 { return 0.5 },
		})
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx, t.Context()) }()
		a := w.accept("full")
		pass(500 * time.Millisecond)
		if err := r.Unfit(); err == nil {
			t.Error("the worker thinks that it is fit")
		}
		if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("%+v", o)
		}
		if err := r.Unfit(); err != nil {
			t.Errorf("still unfit: %v", err)
		}
		cancel()
		<-done
	})
}

// Bad requests are the client's fault and leave nothing behind.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		for name, r := range map[string]jobs.Request{
			"invalid_link":          {Text: ""},
			jobs.CodeUnknownProfile: {Text: "x", Profile: "no such"},
			jobs.CodeInvalidSong:    {Song: &jobs.Song{Platform: "demo", ID: "short"}},
		} {
			_, err := w.intake.Accept(t.Context(), r)
			if e := jobs.AsError(err); err == nil || e.Class != jobs.ClassPermanent || e.Code != name {
				t.Errorf("%s: %v", name, err)
			}
		}
		st, err := w.store.Stats(t.Context(), time.Now())
		if err != nil || len(st.Jobs) != 0 || st.Waiting != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// A reconciler that still has an old picture of a song's end does not end the
// requests that wait for its next generation.
func TestStaleDueEndsNobody(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		forgotten := &jobs.Error{Class: jobs.ClassPermanent, Code: "private", Message: "private", Remember: time.Second}
		p := &steps{do: []step{fails(forgotten), makes(10 * time.Minute)}}
		w.work(p)
		w.ended(w.accept("twice").Operation.ID)
		old := w.job(keyOf("twice"))
		pass(2 * time.Second)
		a := w.accept("twice") // begins generation 2
		look := jobs.NewReconciler(jobs.ReconcilerConfig{Store: staleDue{w.store, old}, Finisher: w.finisher, Bell: w.bell})
		if _, err := look.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if o, err := w.store.Operation(t.Context(), a.Operation.ID); err != nil || o.State != jobs.OperationWaiting {
			t.Errorf("%+v, %v", o, err)
		}
		if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("%+v", o)
		}
	})
}

// staleDue is a store whose due index lags behind.
type staleDue struct {
	jobs.Store
	old jobs.Job
}

func (s staleDue) Due(context.Context, time.Time, int) (jobs.Due, error) {
	return jobs.Due{Jobs: []jobs.Job{s.old}}, nil
}

// A replayed operation whose job's record was deleted meanwhile ends all the same:
// generations begin at 1 again then. The model checker found the way to it.
func TestReopenedOperationOutlivesItsRecord(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		a := w.accept("lost")
		step := func(c jobs.OperationCommand) {
			t.Helper()
			c.ID, c.Now = a.Operation.ID, time.Now()
			outs, err := w.store.ApplyOperations(t.Context(), []jobs.OperationCommand{c})
			if err != nil || outs[0].Err != nil {
				t.Fatalf("%s: %v, %v", c.Kind, err, outs[0].Err)
			}
		}
		gone := func(kind jobs.JobCommandKind) {
			t.Helper()
			outs, err := w.store.ApplyJobs(t.Context(), []jobs.JobCommand{{Kind: kind, Key: a.Job.Key, Now: time.Now(), Generation: 1}})
			if err != nil || outs[0].Err != nil {
				t.Fatalf("%s: %v, %v", kind, err, outs[0].Err)
			}
		}
		step(jobs.OperationCommand{Kind: jobs.OperationFinish, State: jobs.OperationFailed, JobGeneration: 3, Failure: &jobs.Failure{Code: "x"}})
		step(jobs.OperationCommand{Kind: jobs.OperationAnnounced, Generation: 1})
		step(jobs.OperationCommand{Kind: jobs.OperationReopen, Generation: 1, JobGeneration: 3, DueAt: time.Now().Add(time.Second)})
		gone(jobs.JobCancel)
		gone(jobs.JobClose)
		gone(jobs.JobDiscard)
		w.work(&steps{do: []func(context.Context, jobs.Job) (jobs.Result, error){makes(0)}})
		if o := w.ended(a.Operation.ID); o.State != jobs.OperationSucceeded || o.Generation != 2 {
			t.Errorf("%+v", o)
		}
	})
}

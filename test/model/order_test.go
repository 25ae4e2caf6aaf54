package model

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/memory"
)

// The order in which the actors of the model take their steps is written down by
// hand. Here the application's own use cases take them, on a store that writes down
// what it is asked, so that whoever changes the order learns that the model has to
// follow.

// notebook is a store that writes down what it is asked, and the target of events.
type notebook struct {
	jobs.Store

	mu    sync.Mutex
	lines []string
}

func (n *notebook) note(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notebook) take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := strings.Join(n.lines, ", ")
	n.lines = nil
	return lines
}

func (n *notebook) ApplyJobs(ctx context.Context, all []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	for _, c := range all {
		n.note("job " + string(c.Kind))
	}
	return n.Store.ApplyJobs(ctx, all)
}

func (n *notebook) ApplyOperations(ctx context.Context, all []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	for _, c := range all {
		n.note("operation " + string(c.Kind))
	}
	return n.Store.ApplyOperations(ctx, all)
}

func (n *notebook) Job(ctx context.Context, k jobs.Key) (jobs.Job, error) {
	n.note("read job")
	return n.Store.Job(ctx, k)
}

func (n *notebook) OperationsOf(ctx context.Context, k jobs.Key, s jobs.OperationState, after string, limit int) ([]jobs.Operation, error) {
	n.note("read " + string(s))
	return n.Store.OperationsOf(ctx, k, s, after, limit)
}

func (n *notebook) Publish(_ context.Context, events []jobs.Event) []error {
	for range events {
		n.note("publish")
	}
	return make([]error, len(events))
}

// hall is the application on such a store, at a clock that the test sets.
type hall struct {
	t        *testing.T
	book     *notebook
	store    *memory.Store
	clock    time.Time
	finisher *jobs.Finisher
	intake   *jobs.Intake
	operator *jobs.Operator
	repair   *jobs.Reconciler
	song     jobs.Song
}

func newHall(t *testing.T) *hall {
	store := memory.New()
	h := &hall{t: t, store: store, book: &notebook{Store: store}, clock: now, song: key.Song}
	clock := func() time.Time { return h.clock }
	bell := jobs.NewBell(nil, slog.New(slog.DiscardHandler)) // not run: it keeps what is rung
	h.finisher = jobs.NewFinisher(jobs.FinisherConfig{Store: h.book, Events: h.book, Bell: bell, Now: clock})
	h.intake = jobs.NewIntake(jobs.IntakeConfig{Store: h.book, Notes: store, Bell: bell, Finisher: h.finisher, Now: clock})
	h.operator = jobs.NewOperator(jobs.OperatorConfig{Store: h.book, Finisher: h.finisher, Bell: bell, Now: clock})
	h.repair = jobs.NewReconciler(jobs.ReconcilerConfig{Store: h.book, Finisher: h.finisher, Bell: bell, Now: clock})
	return h
}

func (h *hall) accept() jobs.Accepted {
	h.t.Helper()
	a, err := h.intake.Accept(h.t.Context(), jobs.Request{Song: &h.song})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// do writes to the job behind the notebook's back and returns it.
func (h *hall) do(c jobs.JobCommand) jobs.Job {
	h.t.Helper()
	c.Key, c.Now = key, h.clock
	outs, err := h.store.ApplyJobs(h.t.Context(), []jobs.JobCommand{c})
	if err != nil || outs[0].Err != nil {
		h.t.Fatalf("%s: %v, %v", c.Kind, err, outs[0].Err)
	}
	return outs[0].Job
}

// ends claims the job and ends it.
func (h *hall) ends(kind jobs.JobCommandKind) jobs.Job {
	h.t.Helper()
	j := h.do(jobs.JobCommand{Kind: jobs.JobClaim, Token: jobs.RandomID(), Until: h.clock.Add(time.Minute), MaxCrashes: 3})
	return h.do(jobs.JobCommand{
		Kind: kind, Fence: j.Fence, Token: j.Token, Result: file, To: jobs.JobDead, Failure: cause, ForgetAt: h.clock.Add(time.Hour),
	})
}

func (h *hall) fanOut(j jobs.Job) {
	h.t.Helper()
	if err := h.finisher.FanOut(h.t.Context(), []jobs.Job{j}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) look() {
	h.t.Helper()
	h.clock = h.clock.Add(24 * time.Hour)
	if _, err := h.repair.Look(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// wrote compares what was asked of the store since the last time.
func (h *hall) wrote(want ...string) {
	h.t.Helper()
	if got := h.book.take(); got != strings.Join(want, ", ") {
		h.t.Errorf("asked of the store:\n%s\nthe model does:\n%s", got, strings.Join(want, ", "))
	}
}

func TestOrderOfTheApplication(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(h *hall){
		"a request": func(h *hall) {
			h.accept()
			h.wrote("operation put", "job ensure")
		},
		"a request for a done job": func(h *hall) {
			h.accept()
			h.ends(jobs.JobCommit)
			h.book.take()
			h.accept()
			h.wrote("operation put", "job ensure", "operation finish")
		},
		"fan-out": func(h *hall) {
			h.accept()
			h.accept()
			j := h.ends(jobs.JobCommit)
			h.book.take()
			h.fanOut(j)
			h.wrote("read waiting", "operation finish", "operation finish", "job close")
		},
		"fan-out of a cancelled job": func(h *hall) {
			h.accept()
			j := h.do(jobs.JobCommand{Kind: jobs.JobCancel, Generation: 1})
			h.book.take()
			h.fanOut(j)
			h.wrote("read waiting", "job ensure")
		},
		"replay, the event is not out": func(h *hall) {
			h.accept()
			h.fanOut(h.ends(jobs.JobFail))
			h.book.take()
			if _, err := h.operator.Replay(h.t.Context(), key, true); err != nil {
				h.t.Fatal(err)
			}
			h.wrote("read job", "job replay", "read failed", "publish", "operation announced", "operation reopen", "job reopened", "read job")
		},
		"fan-out of a replayed job": func(h *hall) {
			h.accept()
			h.fanOut(h.ends(jobs.JobFail))
			h.do(jobs.JobCommand{Kind: jobs.JobReplay, Generation: 1})
			j := h.ends(jobs.JobCommit)
			h.book.take()
			h.fanOut(j)
			h.wrote("read failed", "publish", "operation announced", "operation reopen", "job reopened",
				"read waiting", "operation finish", "job close")
		},
		"cancel of the only operation": func(h *hall) {
			a := h.accept()
			h.book.take()
			if _, err := h.operator.CancelOperation(h.t.Context(), a.Operation.ID); err != nil {
				h.t.Fatal(err)
			}
			h.wrote("operation finish", "read waiting", "read job", "job cancel", "read waiting", "job close")
		},
		"cancel of one of two": func(h *hall) {
			a := h.accept()
			h.accept()
			h.book.take()
			if _, err := h.operator.CancelOperation(h.t.Context(), a.Operation.ID); err != nil {
				h.t.Fatal(err)
			}
			h.wrote("operation finish", "read waiting")
		},
		"cancel of a job": func(h *hall) {
			h.accept()
			h.book.take()
			if _, err := h.operator.CancelJob(h.t.Context(), key); err != nil {
				h.t.Fatal(err)
			}
			h.wrote("read job", "read waiting", "operation finish", "job cancel", "read waiting", "job close", "read job")
		},
		"reconciler, a pending job and its operation": func(h *hall) {
			h.accept()
			h.book.take()
			h.look()
			h.wrote("job ring", "read job", "operation defer")
		},
		"reconciler, an ended job": func(h *hall) {
			h.accept()
			h.ends(jobs.JobCommit)
			h.book.take()
			h.clock = h.clock.Add(time.Second) // the operation's own sweep is not due
			if _, err := h.repair.Look(h.t.Context()); err != nil {
				h.t.Fatal(err)
			}
			h.wrote("read job", "read waiting", "operation finish", "job close")
		},
		"reconciler, a waiting operation without a job": func(h *hall) {
			h.lonely()
			h.look()
			h.wrote("read job", "job ensure", "operation defer")
		},
		"reconciler, a pending event": func(h *hall) {
			h.accept()
			h.fanOut(h.ends(jobs.JobCommit))
			h.book.take()
			h.look()
			h.wrote("publish", "operation announced")
		},
		"reconciler, a half replay": func(h *hall) {
			h.accept()
			h.fanOut(h.ends(jobs.JobFail))
			h.look()
			h.do(jobs.JobCommand{Kind: jobs.JobReplay, Generation: 1, DueAt: h.clock})
			h.book.take()
			h.look()
			h.wrote("read failed", "operation reopen", "job reopened", "job ring")
		},
		"reconciler, a record made anew": func(h *hall) {
			id := h.lonely()
			for _, c := range []jobs.OperationCommand{
				{Kind: jobs.OperationFinish, State: jobs.OperationFailed, JobGeneration: 3, Failure: cause},
				{Kind: jobs.OperationAnnounced, Generation: 1},
				{Kind: jobs.OperationReopen, Generation: 1, JobGeneration: 3, DueAt: h.clock.Add(time.Hour)},
			} {
				c.ID = id
				h.operation(c)
			}
			h.do(jobs.JobCommand{Kind: jobs.JobEnsure})
			j := h.ends(jobs.JobCommit)
			h.do(jobs.JobCommand{Kind: jobs.JobClose, Generation: j.Generation})
			h.look()
			h.wrote("read job", "job ensure", "operation defer")
		},
		"a worker that holds its message": func(h *hall) {
			h.accept()
			h.book.take()
			h.work(true)
			h.wrote("job claim", "job commit", "read waiting", "operation finish", "job close", "acknowledge")
		},
		"a worker that can not hold it": func(h *hall) {
			h.accept()
			h.book.take()
			h.work(false)
			h.wrote("job claim", "acknowledge", "job commit", "read waiting", "operation finish", "job close")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(newHall(t))
		})
	}
}

// lonely puts an operation and no job.
func (h *hall) lonely() (id string) {
	h.t.Helper()
	o := jobs.Operation{ID: jobs.NewOperationID(h.song, [8]byte{1}), Key: key, DueAt: h.clock}
	h.operation(jobs.OperationCommand{Kind: jobs.OperationPut, ID: o.ID, Operation: o})
	return o.ID
}

// operation writes to an operation behind the notebook's back.
func (h *hall) operation(c jobs.OperationCommand) {
	h.t.Helper()
	c.Now = h.clock
	outs, err := h.store.ApplyOperations(h.t.Context(), []jobs.OperationCommand{c})
	if err != nil || outs[0].Err != nil {
		h.t.Fatalf("%s: %v, %v", c.Kind, err, outs[0].Err)
	}
}

// bench is a queue with one message, and the worker's tool: it makes the song and
// ends the shift.
type bench struct {
	jobs.Queue
	book *notebook
	held bool
	sent chan jobs.Delivery
	home context.CancelFunc

	settled chan struct{}
}

func (b *bench) Held() bool { return b.held }

func (b *bench) Receive(ctx context.Context, _ int) ([]jobs.Delivery, error) {
	select {
	case d := <-b.sent:
		return []jobs.Delivery{d}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *bench) Settle(_ context.Context, all []jobs.Settlement) []error {
	b.book.note("acknowledge")
	close(b.settled)
	return make([]error, len(all))
}

func (b *bench) Process(context.Context, jobs.Job, func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	if !b.held { // it is acknowledged while the work begins
		<-b.settled
	}
	b.home()
	return *file, nil
}

// work lets a worker take one message, and waits until all is settled.
func (h *hall) work(held bool) {
	h.t.Helper()
	shift, home := context.WithCancel(h.t.Context())
	b := &bench{book: h.book, held: held, sent: make(chan jobs.Delivery, 1), home: home, settled: make(chan struct{})}
	b.sent <- jobs.Delivery{Message: jobs.Message{Version: 1, Key: key.String(), Generation: 1}}
	jobs.NewRunner(jobs.RunnerConfig{
		Store: h.book, Queue: b, Processor: b, Finisher: h.finisher, Bell: h.finisher.Bell, Slots: 1,
		Now: func() time.Time { return h.clock },
	}).Run(shift, h.t.Context())
}

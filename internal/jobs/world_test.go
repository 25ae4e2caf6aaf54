package jobs_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	storememory "github.com/butakero/butakero/internal/store/memory"
	queuememory "github.com/butakero/butakero/internal/transport/memory"
)

// world is a whole system in one bubble of fake time: a memory store, a memory
// queue, the use cases, and wrappers that fail on demand.
type world struct {
	t        *testing.T
	store    *faultyStore
	queue    *faultyQueue
	events   *recorder
	intake   *jobs.Intake
	operator *jobs.Operator
	finisher *jobs.Finisher
	bell     *jobs.Bell
	look     *jobs.Reconciler
	files    *files
	offset   atomic.Int64 // of the clock that now reads
	stop     context.CancelFunc
	helpers  sync.WaitGroup
}

func newWorld(t *testing.T) *world {
	w := &world{
		t:      t,
		store:  &faultyStore{Backend: storememory.New()},
		queue:  &faultyQueue{Queue: queuememory.New(queuememory.Options{Visibility: 30 * time.Second})},
		events: &recorder{seen: map[string][]jobs.Event{}},
		files:  &files{},
	}
	w.bell = jobs.NewBell(w.queue, discard)
	w.finisher = jobs.NewFinisher(jobs.FinisherConfig{Store: w.store, Events: w.events, Bell: w.bell})
	w.intake = jobs.NewIntake(jobs.IntakeConfig{
		Store: w.store, Notes: w.store, Bell: w.bell, Finisher: w.finisher, Resolver: byText{}, Files: w.files,
		Profiles: []string{"low"},
	})
	w.operator = jobs.NewOperator(jobs.OperatorConfig{Store: w.store, Finisher: w.finisher, Bell: w.bell})
	w.look = jobs.NewReconciler(jobs.ReconcilerConfig{Store: w.store, Finisher: w.finisher, Bell: w.bell, Now: w.now})
	ctx, cancel := context.WithCancel(t.Context())
	w.stop = cancel
	w.helpers.Go(func() { w.bell.Run(ctx) })
	w.helpers.Go(func() { w.finisher.Run(ctx) })
	w.helpers.Go(func() { w.look.Run(ctx) })
	t.Cleanup(func() { cancel(); w.helpers.Wait() })
	return w
}

// work runs a worker until the returned function has stopped it.
func (w *world) work(p jobs.Processor, change ...func(*jobs.RunnerConfig)) (stop func()) {
	c := jobs.RunnerConfig{
		Store: w.store, Notes: w.store, Queue: w.queue, Processor: p, Finisher: w.finisher, Bell: w.bell,
		Slots: 4, Lease: 30 * time.Second, Random: func() float64 { return 0.5 },
	}
	for _, f := range change {
		f(&c)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		jobs.NewRunner(c).Run(ctx, w.t.Context())
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	w.t.Cleanup(stop)
	return stop
}

// now is a clock that tests can set wrong.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

func (w *world) accept(text string) jobs.Accepted {
	w.t.Helper()
	a, err := w.intake.Accept(w.t.Context(), jobs.Request{Text: text})
	if err != nil {
		w.t.Fatalf("accept %q: %v", text, err)
	}
	return a
}

// ended waits, in fake time, until the operation is over and its event is out.
func (w *world) ended(id string) jobs.Operation {
	w.t.Helper()
	for range 200_000 {
		o, err := w.store.Operation(w.t.Context(), id)
		if err == nil && o.Event == jobs.EventPublished {
			return o
		}
		pass(100 * time.Millisecond)
	}
	o, err := w.store.Operation(w.t.Context(), id)
	w.t.Fatalf("operation %s has not ended after hours: %+v, %v", id, o, err)
	return o
}

func (w *world) job(key jobs.Key) jobs.Job {
	w.t.Helper()
	j, err := w.store.Job(w.t.Context(), key)
	if err != nil {
		w.t.Fatalf("job %s: %v", key, err)
	}
	return j
}

// pass lets fake time go by: in a bubble a timer costs nothing.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// life runs a test of the whole system in fake time.
func life(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

// byText resolves a text to a song named after it.
type byText struct{}

func (byText) Resolve(_ context.Context, text string) (jobs.Song, jobs.SongInfo, error) {
	if text == "" {
		return jobs.Song{}, jobs.SongInfo{}, jobs.Permanent("invalid_link", "that is nothing", nil)
	}
	return songOf(text), jobs.SongInfo{Title: text}, nil
}

func songOf(text string) jobs.Song {
	return jobs.Song{Platform: jobs.PlatformDemo, ID: (text + strings.Repeat("_", jobs.SongIDLength))[:jobs.SongIDLength]}
}

func keyOf(text string) jobs.Key { return jobs.Key{Song: songOf(text), Profile: jobs.DefaultProfile} }

// steps is a processor that does the given step at each call; the last one is
// repeated.
type steps struct {
	mu    sync.Mutex
	calls int
	do    []func(ctx context.Context, j jobs.Job) (jobs.Result, error)
}

func (s *steps) Process(ctx context.Context, j jobs.Job, report func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	s.mu.Lock()
	next := s.do[min(s.calls, len(s.do)-1)]
	s.calls++
	s.mu.Unlock()
	report(jobs.StageFetching, jobs.Progress{Done: 1, Total: 2}, jobs.SongInfo{})
	return next(ctx, j)
}

func (s *steps) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

type step = func(context.Context, jobs.Job) (jobs.Result, error)

func makes(after time.Duration) step {
	return func(ctx context.Context, j jobs.Job) (jobs.Result, error) {
		select {
		case <-time.After(after):
			return resultOf(j), nil
		case <-ctx.Done():
			return jobs.Result{}, ctx.Err()
		}
	}
}

func fails(err error) step {
	return func(context.Context, jobs.Job) (jobs.Result, error) { return jobs.Result{}, err }
}

func resultOf(j jobs.Job) jobs.Result {
	return jobs.Result{Path: "audio/" + j.Key.ID + ".dca", Bytes: 10, SHA256: "00", Frames: 1, Duration: 20 * time.Millisecond}
}

// recorder is where events go; it takes none while down.
type recorder struct {
	mu   sync.Mutex
	seen map[string][]jobs.Event // by operation
	down atomic.Bool
}

func (r *recorder) Publish(_ context.Context, events []jobs.Event) []error {
	errs := make([]error, len(events))
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range events {
		if r.down.Load() {
			errs[i] = jobs.ErrUnavailable
			continue
		}
		r.seen[e.Operation.ID] = append(r.seen[e.Operation.ID], e)
	}
	return errs
}

// ids returns the different event ids of an operation and how many copies there
// were in all.
func (r *recorder) ids(operation string) (ids map[string]bool, copies int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids = map[string]bool{}
	for _, e := range r.seen[operation] {
		ids[e.ID] = true
	}
	return ids, len(r.seen[operation])
}

// files says which results have lost their file.
type files struct{ gone atomic.Bool }

func (f *files) Exists(context.Context, jobs.Result) (bool, error) { return !f.gone.Load(), nil }

// faultyStore fails, or loses the answers of what it has applied.
type faultyStore struct {
	jobs.Backend
	down       atomic.Bool
	loseAnswer atomic.Int32 // so many next answers of ApplyJobs are lost
	applied    atomic.Pointer[func([]jobs.JobCommand)]
}

func (s *faultyStore) ApplyJobs(ctx context.Context, c []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	if s.down.Load() {
		return nil, jobs.ErrUnavailable
	}
	outs, err := s.Backend.ApplyJobs(ctx, c)
	if f := s.applied.Load(); f != nil {
		(*f)(c)
	}
	if s.loseAnswer.Load() > 0 {
		s.loseAnswer.Add(-1)
		return nil, errors.Join(jobs.ErrUnavailable, errors.New("the answer was lost"))
	}
	return outs, err
}

func (s *faultyStore) ApplyOperations(ctx context.Context, c []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	if s.down.Load() {
		return nil, jobs.ErrUnavailable
	}
	return s.Backend.ApplyOperations(ctx, c)
}

// faultyQueue refuses or swallows what is sent, or doubles it.
type faultyQueue struct {
	jobs.Queue
	down   atomic.Bool
	lose   atomic.Bool
	double atomic.Bool
	atOnce bool // acknowledge at the claim, as Kafka does
}

func (q *faultyQueue) Held() bool { return !q.atOnce }

func (q *faultyQueue) Send(ctx context.Context, m []jobs.Outgoing) error {
	switch {
	case q.down.Load():
		return jobs.ErrUnavailable
	case q.lose.Load():
		return nil
	case q.double.Load():
		m = append(append([]jobs.Outgoing{}, m...), m...)
	}
	return q.Queue.Send(ctx, m)
}

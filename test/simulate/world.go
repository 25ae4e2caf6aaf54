package simulate

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	queuememory "github.com/butakero/butakero/internal/transport/memory"
)

// dice is a source of chance that many goroutines may throw.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, stream))} }

func (d *dice) float() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64()
}

func (d *dice) int(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func (d *dice) chance(p float64) bool { return d.float() < p }

// between is a duration, odd to the nanosecond.
func (d *dice) between(low, high time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return low + time.Duration(d.r.Int64N(int64(high-low)))
}

// token is like jobs.RandomID, but of the seed.
func (d *dice) token() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("%016x%016x", d.r.Uint64(), d.r.Uint64())
}

// roll is the chance of one thing that a process does: of the seed, the moment and
// what it is about. Threads that run at the same moment do not disturb each other.
func (p *process) roll(what string) *dice {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s", time.Now().UnixNano(), what)
	return newDice(p.w.seed^h.Sum64(), p.stream)
}

// world is what the processes of one run share.
type world struct {
	seed    uint64
	dice    *dice
	store   jobs.Backend
	queue   *queuememory.Queue
	atOnce  bool // acknowledged at the claim, as Kafka does
	faulty  atomic.Bool
	rate    float64 // of faults, per call
	ledger  *ledger
	streams uint64

	mu        sync.Mutex
	processes []*process
	stopped   sync.WaitGroup
}

func newWorld(seed uint64, store jobs.Backend) *world {
	w := &world{
		seed: seed, dice: newDice(seed, 0), store: store, ledger: newLedger(),
		queue: queuememory.New(queuememory.Options{Visibility: lease}),
	}
	w.atOnce = w.dice.chance(0.5)
	w.rate = []float64{0, 0.01, 0.05, 0.15}[w.dice.int(4)]
	w.faulty.Store(true)
	return w
}

const (
	lease       = 30 * time.Second
	songs       = 5
	maxAttempts = 4
)

// process is an API or a worker: the use cases over its own wrappers, with its own
// clock.
type process struct {
	w      *world
	name   string
	stream uint64
	dead   atomic.Bool
	skew   atomic.Int64
	stop   context.CancelFunc

	intake   *jobs.Intake
	operator *jobs.Operator
	pauses   *jobs.Pauses
	bulks    *jobs.Bulks
}

func (p *process) now() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }

// start brings a process up; a worker also works.
func (w *world) start(name string, works bool) *process {
	w.mu.Lock()
	w.streams++
	stream := w.streams
	w.mu.Unlock()
	p := &process{w: w, name: fmt.Sprintf("%s-%d", name, stream), stream: stream}
	if d := p.roll("start"); w.faulty.Load() && d.chance(0.3) {
		p.skew.Store(int64(d.between(-10*time.Minute, 10*time.Minute)))
	}
	store, queue, events := &store{w.store, p}, &queue{w.queue, p}, &target{p}
	log := slog.New(slog.DiscardHandler)
	bell := jobs.NewBell(queue, log)
	finisher := jobs.NewFinisher(jobs.FinisherConfig{Store: store, Events: events, Bell: bell, Now: p.now})
	var entropy atomic.Int64
	p.intake = jobs.NewIntake(jobs.IntakeConfig{
		Store: store, Notes: store, Bell: bell, Finisher: finisher, Resolver: resolver{p}, Files: w.ledger, Now: p.now,
		Entropy: func() (e [8]byte) { copy(e[:], p.roll(fmt.Sprint("entropy ", entropy.Add(1))).token()); return e },
	})
	p.operator = jobs.NewOperator(jobs.OperatorConfig{Store: store, Finisher: finisher, Bell: bell, Now: p.now})
	p.pauses = jobs.NewPauses(store, time.Second, log)
	p.bulks = jobs.NewBulks(jobs.BulksConfig{
		Store: store, Desk: store, Notes: store, Operator: p.operator, Audit: jobs.NewAudit(store, log), Worker: p.name, Now: p.now,
	})
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	helpers := 0
	run := func(f func()) {
		helpers++
		part := fmt.Sprint("helper ", helpers)
		w.stopped.Go(func() { p.rest(part); f() })
	}
	run(func() { bell.Run(ctx) })
	run(func() { finisher.Run(ctx) })
	if works {
		run(func() {
			jobs.NewReconciler(jobs.ReconcilerConfig{
				Store: store, Finisher: finisher, Bell: bell, Every: 5 * time.Second, Now: p.now, Random: p.roll("reconciler").float,
			}).Run(ctx)
		})
		run(func() { p.bulks.Run(ctx) })
		runner := jobs.NewRunner(jobs.RunnerConfig{
			Store: store, Notes: store, Queue: queue, Finisher: finisher, Bell: bell, Worker: p.name, Gate: p.pauses.Gate,
			Processor: jobs.Pausable{Processor: processor{p}, Pauses: p.pauses}, Policy: jobs.Policy{MaxAttempts: maxAttempts, MaxBlocked: time.Hour},
			Slots: 2, Lease: lease, Margin: 3 * time.Second, Attempt: 3 * time.Minute, Drain: 10 * time.Second,
			Now: p.now, Token: p.roll("token").token, Random: p.roll("random").float,
		})
		run(func() { runner.Run(ctx, ctx) })
	}
	w.mu.Lock()
	w.processes = append(w.processes, p)
	w.mu.Unlock()
	return p
}

// crash ends a process as kill -9 does: nothing that it does from now on has an
// effect, and no answer reaches it.
func (p *process) crash() {
	p.dead.Store(true)
	p.stop()
	p.w.forget(p)
	p.w.ledger.count("crashes")
}

// quit ends a process gracefully.
func (p *process) quit() {
	p.stop()
	p.w.forget(p)
	p.w.ledger.count("restarts")
}

func (w *world) forget(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.processes {
		if other == p {
			w.processes = append(w.processes[:i:i], w.processes[i+1:]...)
			return
		}
	}
}

// any returns one of the processes of a kind that live, or nil.
func (w *world) any(kind string) *process {
	w.mu.Lock()
	var some []*process
	for _, p := range w.processes {
		if strings.HasPrefix(p.name, kind) {
			some = append(some, p)
		}
	}
	w.mu.Unlock()
	if len(some) == 0 {
		return nil
	}
	return some[w.dice.int(len(some))]
}

// rest takes a moment of fake time that is nobody else's.
func (p *process) rest(what string) {
	pass(p.roll(what).between(time.Microsecond, 20*time.Millisecond))
}

// pass lets fake time go by.
func pass(d time.Duration) { <-time.After(d) }

func keyOf(n int) jobs.Key {
	id := fmt.Sprintf("song%07d", n)
	return jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: id}, Profile: jobs.DefaultProfile}
}

// resolver knows the songs by their numbers.
type resolver struct{ p *process }

// Resolve implements jobs.Resolver.
func (r resolver) Resolve(_ context.Context, text string) (jobs.Song, jobs.SongInfo, error) {
	var n int
	if _, err := fmt.Sscanf(text, "song %d", &n); err != nil {
		return jobs.Song{}, jobs.SongInfo{}, jobs.Permanent("not_found", "no such song", nil)
	}
	return keyOf(n).Song, jobs.SongInfo{Title: text}, nil
}

// processor makes songs, or fails in every way there is.
type processor struct{ p *process }

// Process implements jobs.Processor.
func (x processor) Process(ctx context.Context, j jobs.Job, report func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	d := x.p.roll("process " + j.Key.String())
	x.p.w.ledger.count("runs")
	took := d.between(100*time.Millisecond, 5*time.Second)
	if d.chance(0.15) {
		took = d.between(5*time.Second, 100*time.Second) // longer than a lease
	}
	if x.p.w.faulty.Load() && d.chance(0.02) {
		took = time.Hour // it hangs
	}
	for done := time.Duration(0); done < took; {
		step := min(d.between(50*time.Millisecond, 3*time.Second), took-done)
		select {
		case <-ctx.Done():
			return jobs.Result{}, ctx.Err()
		case <-time.After(step):
		}
		done += step
		report(jobs.StageFetching, jobs.Progress{Done: int64(done), Total: int64(took)}, jobs.SongInfo{})
	}
	if x.p.w.faulty.Load() && d.chance(4*x.p.w.rate) {
		switch d.int(7) {
		case 0:
			return jobs.Result{}, jobs.Permanent("private", "the video is private", nil)
		case 1, 2:
			return jobs.Result{}, jobs.Transient("network", "the connection broke", nil)
		case 3:
			return jobs.Result{}, jobs.RetryAfter(d.between(time.Second, time.Minute), "blocked", "too many requests", nil)
		case 4:
			return jobs.Result{}, &jobs.Error{Class: jobs.ClassExtractor, Code: "extractor_broken", Message: "new player"}
		case 5:
			return jobs.Result{}, jobs.Environment("disk_full", "the disk is full", nil)
		case 6:
			panic("a bug")
		}
	}
	report(jobs.StageStoring, jobs.Progress{Done: 1, Total: 1}, jobs.SongInfo{})
	if x.p.dead.Load() {
		return jobs.Result{}, errors.New("the process is gone")
	}
	return x.p.w.ledger.stored(j), nil
}

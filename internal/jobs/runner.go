package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Causes of a stopped attempt, found with context.Cause.
var (
	ErrShutdown  = errors.New("the worker is shutting down")
	ErrLeaseLost = errors.New("the lease was lost")
	ErrCancelled = errors.New("the job was cancelled")
	errTimeout   = errors.New("the attempt took too long")
)

// RunnerConfig holds what a Runner needs. Store, Queue, Processor, Finisher and
// Bell must be set.
type RunnerConfig struct {
	Store     Store
	Notes     Notes // keeps undecodable messages; nil: they go back to the queue
	Queue     Queue
	Processor Processor
	Finisher  *Finisher
	Bell      *Bell
	Policy    Policy
	Observer  Observer
	Log       *slog.Logger

	// Gate, if not nil, is asked before messages are taken. While it gives a
	// reason the worker takes none; what is in hand goes on.
	Gate func(ctx context.Context) error

	Worker string // name of this worker in records; a random id
	Slots  int    // jobs at a time; 2

	Lease         time.Duration // 90 s; renewed at a third
	Margin        time.Duration // a lease is stolen only so long after its end; 5 s
	ProgressEvery time.Duration // fresh progress is written at most so often; 2 s
	Attempt       time.Duration // limit of one attempt; 0: none
	Drain         time.Duration // what runs at shutdown may go on for so long; 25 s
	RingAfter     time.Duration // grace of the delayed message that wakes a retry; 10 s

	Now    func() time.Time
	Token  func() string
	Random func() float64
}

// Runner works: it receives messages, claims their jobs, has them processed
// under renewed leases and settles them (W5 to W12).
type Runner struct {
	RunnerConfig
	slots chan struct{}
	ended chan finished
	unfit atomic.Pointer[Error]
	gate  atomic.Pointer[gate]

	mu      sync.Mutex
	running map[Key]*attempt
}

// attempt is a job in hand.
type attempt struct {
	job      Job
	delivery Delivery
	stop     context.CancelCauseFunc

	mu       sync.Mutex // guards what report writes
	stage    Stage
	progress Progress
	info     SongInfo
	fresh    bool

	renewed    time.Time // when the lease was last renewed, by the worker's clock
	leaseUntil time.Time
	extended   time.Time
}

// finished is an attempt that has come to its end.
type finished struct {
	attempt *attempt
	result  Result
	err     error
}

// NewRunner fills in the defaults.
func NewRunner(c RunnerConfig) *Runner {
	c.Policy = c.Policy.WithDefaults()
	setDefault(&c.Worker, RandomID())
	setDefault(&c.Slots, 2)
	setDefault(&c.Lease, 90*time.Second)
	setDefault(&c.Margin, 5*time.Second)
	setDefault(&c.ProgressEvery, 2*time.Second)
	setDefault(&c.Drain, 25*time.Second)
	setDefault(&c.RingAfter, 10*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Token == nil {
		c.Token = RandomID
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Gate == nil {
		c.Gate = func(context.Context) error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observer == nil {
		c.Observer = NoObserver{}
	}
	return &Runner{
		RunnerConfig: c,
		slots:        make(chan struct{}, c.Slots),
		ended:        make(chan finished, c.Slots),
		running:      make(map[Key]*attempt, c.Slots),
	}
}

// Running returns how many jobs are in hand, and the number of slots.
func (r *Runner) Running() (running, slots int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running), r.Slots
}

// Unfit returns why this worker takes no jobs for now (disk full, ffmpeg
// missing), or nil.
func (r *Runner) Unfit() error {
	if e := r.unfit.Load(); e != nil {
		return e
	}
	return nil
}

// Run works until intake is done, then finishes what it has in hand. What is
// not finished after Drain, or when work is done, is stopped with ErrShutdown
// and given back uncharged. Run returns when everything is settled.
func (r *Runner) Run(intake, work context.Context) {
	attempts, stopAttempts := context.WithCancelCause(context.WithoutCancel(work))
	defer stopAttempts(nil)
	beating, stopBeating := context.WithCancel(context.WithoutCancel(work))
	defer stopBeating()

	var loops, settlers sync.WaitGroup
	loops.Go(func() { r.beat(beating) })
	for range settleLoops {
		settlers.Go(r.settleLoop)
	}

	r.receive(intake, attempts)

	// Every slot that can be taken is one that works no more.
	drained := make(chan struct{})
	go func() {
		for range r.Slots {
			r.slots <- struct{}{}
		}
		close(drained)
	}()
	drain := time.NewTimer(r.Drain)
	defer drain.Stop()
	select {
	case <-drained:
	case <-drain.C:
		stopAttempts(ErrShutdown)
	case <-work.Done():
		stopAttempts(ErrShutdown)
	}
	<-drained
	close(r.ended)
	settlers.Wait()
	stopBeating()
	loops.Wait()
}

// receiveBatch bounds the messages that are claimed in one call; claimLoops the
// calls that are on their way at a time: while one batch is claimed, the next is
// received.
const (
	receiveBatch = 256
	claimLoops   = 2
)

// receive takes messages as long as there are free slots; there is no buffer
// between the queue and the slots.
func (r *Runner) receive(intake, attempts context.Context) {
	gate := newGate(intake, r.Gate, r.Log)
	r.gate.Store(gate)
	gate.look(intake)
	var keeping sync.WaitGroup
	keeping.Go(func() { gate.keep(intake) })
	defer keeping.Wait()
	claiming := make(chan struct{}, claimLoops)
	var claims sync.WaitGroup
	defer claims.Wait()
	wait := time.Duration(0)
	for intake.Err() == nil {
		if wait > 0 && !sleep(intake, wait) {
			return
		}
		open, ok := gate.pass(intake)
		if !ok {
			return
		}
		free := r.acquire(open)
		if free == 0 {
			continue
		}
		deliveries, err := r.Queue.Receive(open, free)
		for range free - len(deliveries) {
			<-r.slots
		}
		if len(deliveries) > 0 {
			claiming <- struct{}{}
			claims.Go(func() {
				// What was received is looked after even if intake has ended meanwhile.
				used := r.take(context.WithoutCancel(intake), attempts, deliveries)
				for range len(deliveries) - used {
					<-r.slots
				}
				<-claiming
			})
		}
		switch {
		case err != nil && open.Err() == nil:
			if wait == 0 {
				r.Log.Warn("can not receive; trying again", "error", err)
			}
			wait = min(max(2*wait, 100*time.Millisecond), 10*time.Second)
		case r.unfit.Load() != nil:
			wait = min(max(2*wait, time.Second), time.Minute)
		default:
			wait = 0
		}
	}
}

// acquire waits for a free slot and takes as many as there are, up to
// receiveBatch. 0: ctx is done.
func (r *Runner) acquire(ctx context.Context) int {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	n := 1
	for n < receiveBatch {
		select {
		case r.slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
	return n
}

// claimTimeout bounds the store calls around a claim or a settlement.
const claimTimeout = 15 * time.Second

// take claims the jobs of the deliveries (W5) and starts those that it got. It
// returns how many slots are in use by them. A message whose job somebody else
// has, is not due or has ended has done its work: the record rings again by
// itself.
func (r *Runner) take(ctx, attempts context.Context, deliveries []Delivery) (started int) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	var (
		settle   []Settlement
		claims   []JobCommand
		claimers []Delivery
		dead     []Job
		now      = r.Now()
		seen     = make(map[Key]bool, len(deliveries))
	)
	for _, d := range deliveries {
		if d.Err != nil {
			settle = append(settle, r.quarantine(ctx, d))
			continue
		}
		key, err := ParseKey(d.Message.Key)
		if err != nil || seen[key] || r.inHand(key) {
			settle = append(settle, Settlement{Delivery: d})
			continue
		}
		seen[key] = true
		claims = append(claims, JobCommand{
			Kind: JobClaim, Key: key, Now: now, Token: r.Token(), Owner: r.Worker,
			Until: now.Add(r.Lease), Margin: r.Margin, MaxCrashes: r.Policy.MaxCrashes,
		})
		claimers = append(claimers, d)
	}
	outcomes, err := r.Store.ApplyJobs(ctx, claims)
	if err != nil {
		r.Log.Warn("can not claim; messages go back", "error", err, "messages", len(claims))
		for _, d := range claimers {
			settle = append(settle, Settlement{Delivery: d, Release: true, Delay: time.Second})
		}
		outcomes = nil
	}
	for i, o := range outcomes {
		d := claimers[i]
		switch {
		case o.Err == nil && o.Job.State == JobDead: // crash loop
			dead = append(dead, o.Job)
			settle = append(settle, Settlement{Delivery: d})
		case o.Err == nil:
			started++
			if !r.Queue.Held() {
				settle = append(settle, Settlement{Delivery: d})
			}
			r.Observer.Claimed(o.Job, d)
			r.start(attempts, o.Job, d, now)
		case isRefusal(o.Err):
			settle = append(settle, Settlement{Delivery: d})
		default:
			settle = append(settle, Settlement{Delivery: d, Release: true, Delay: time.Second})
		}
	}
	if len(dead) > 0 {
		if err := r.Finisher.FanOut(ctx, dead); err != nil {
			r.Log.Warn("operations of dead jobs wait for the reconciler", "error", err)
		}
	}
	r.settle(ctx, settle)
	return started
}

func isRefusal(err error) bool {
	return errors.Is(err, ErrBusy) || errors.Is(err, ErrNotDue) || errors.Is(err, ErrEnded) || errors.Is(err, ErrNotFound)
}

func (r *Runner) inHand(key Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[key] != nil
}

// settle is the one place where deliveries are acknowledged or released. A
// stale receipt is no error: the record decides, the message only rang.
func (r *Runner) settle(ctx context.Context, settlements []Settlement) {
	if len(settlements) == 0 {
		return
	}
	for _, err := range r.Queue.Settle(ctx, settlements) {
		if err != nil && !errors.Is(err, ErrFenced) {
			r.Log.Debug("a message was not settled and will come again", "error", err)
		}
	}
}

// start processes a claimed job in a goroutine of its own.
func (r *Runner) start(attempts context.Context, j Job, d Delivery, now time.Time) {
	ctx, stop := context.WithCancelCause(attempts)
	a := &attempt{job: j, delivery: d, stop: stop, renewed: now, leaseUntil: j.LeaseUntil, extended: now}
	r.mu.Lock()
	r.running[j.Key] = a
	r.mu.Unlock()
	go func() {
		f := finished{attempt: a}
		f.result, f.err = r.process(ctx, a)
		if f.err != nil && ctx.Err() != nil {
			f.err = stopped(context.Cause(ctx), f.err)
		}
		stop(nil)
		// The slot is free for the next song while this one is settled; what waits to
		// be settled is bounded by the channel, and by what claims need: the store.
		r.ended <- f
		<-r.slots
	}()
}

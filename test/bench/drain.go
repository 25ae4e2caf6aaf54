package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Engines are what a worker runs on. They are opened and closed by the caller.
type Engines struct {
	Store  jobs.Backend
	Queue  jobs.Queue
	Events jobs.Events // nil: events are marked as published, and go nowhere

	// Requests, if not nil, counts the requests that have gone to the servers of the
	// store and of the queue.
	Requests func() (store, queue int64)
}

// MessageBytes is how long the messages of Fill are.
const MessageBytes = 256

// Fill accepts n new songs: their operations and jobs are written and their messages
// sent. The reconciler leaves them alone for as long as a run takes.
func (e Engines) Fill(ctx context.Context, n int) error {
	return e.fill(ctx, n, time.Hour, padding())
}

// Messages returns the bodies of n messages of Fill, without their jobs.
func Messages(n int) [][]byte {
	all, requester := make([][]byte, n), padding()
	for i := range all {
		all[i] = jobs.EncodeMessage(message(newSong(), requester))
	}
	return all
}

// Send sends n messages of Fill, without their jobs.
func Send(ctx context.Context, q jobs.Queue, n int) error {
	requester := padding()
	for n > 0 {
		batch := make([]jobs.Outgoing, min(n, fillBatch))
		n -= len(batch)
		for i := range batch {
			batch[i].Message = message(newSong(), requester)
		}
		if err := q.Send(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// padding is the requester that brings a message to its length.
func padding() string {
	bare := len(jobs.EncodeMessage(message(newSong(), "x"))) - 1
	return strings.Repeat("g", MessageBytes-bare)
}

// message is what an API sends for a new song that was asked for under a trace.
func message(s jobs.Song, requester string) jobs.Message {
	m := jobs.Message{
		Version: jobs.MessageVersion, Key: jobs.Key{Song: s, Profile: jobs.DefaultProfile}.String(), Generation: 1, Requester: requester,
	}
	if requester != "" {
		m.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	}
	return m
}

// Drained is what it took to work off messages, from when the first had come.
type Drained struct {
	Rate
	Allocations uint64 // of this process
	Calls       int64  // of the store's port
	Requests    Requests
}

// Requests are those that went over the network; negative: not counted.
type Requests struct{ Store, Queue int64 }

// AllocationsEach is the allocations of one job.
func (d Drained) AllocationsEach() float64 { return float64(d.Allocations) / float64(max(1, d.Count)) }

// Each is a count divided by the jobs; negative: not counted.
func (d Drained) Each(n int64) float64 { return float64(n) / float64(max(1, d.Count)) }

// Drain lets a worker with so many slots work off n jobs, all that wait, each of
// which takes so long, and returns when all have ended, their events are out and
// marked as published, and their messages are acknowledged.
func (e Engines) Drain(ctx context.Context, n, slots int, each time.Duration) (d Drained, err error) {
	runtime.GC()
	r := newRig(ctx, e)
	defer func() { err = errors.Join(err, r.close()) }()
	meter := gauge{requests: e.Requests, calls: &r.counted.calls}
	queue := &settled{Queue: e.Queue, first: meter.start, target: int64(n), reached: make(chan struct{})}
	r.Queue = queue
	r.counted.expect(n)
	stop := r.work(waits(each), slots)
	defer stop()
	if err := r.counted.wait(ctx); err != nil {
		return d, err
	}
	select {
	case <-queue.reached:
	case <-ctx.Done():
		return d, fmt.Errorf("%d of %d messages acknowledged: %w", queue.count.Load(), n, ctx.Err())
	}
	return meter.stop(n), nil
}

// Consume lets a loop work off n messages, each of which takes so long, and returns
// when the work on the last of them is over.
func Consume(ctx context.Context, loop func(ctx context.Context, work func()) error, n int, each time.Duration) (d Drained, err error) {
	runtime.GC()
	var (
		meter   gauge
		done    atomic.Int64
		reached = make(chan struct{})
		ended   = make(chan error, 1)
	)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		ended <- loop(ctx, func() {
			meter.start()
			wait(ctx, each)
			if done.Add(1) == int64(n) {
				close(reached)
			}
		})
	}()
	select {
	case <-reached:
	case err := <-ended:
		return d, errors.Join(err, fmt.Errorf("the loop ended after %d of %d messages: %w", done.Load(), n, ctx.Err()))
	}
	d = meter.stop(n)
	stop()
	return d, <-ended
}

// gauge notes what a process has used up.
type gauge struct {
	requests func() (store, queue int64)
	calls    *atomic.Int64

	once sync.Once
	from reading
}

type reading struct {
	at           time.Time
	cpu          time.Duration
	mallocs      uint64
	calls        int64
	store, queue int64
}

func (m *gauge) read() (r reading) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	r.mallocs = memory.Mallocs
	if m.requests != nil {
		r.store, r.queue = m.requests()
	}
	if m.calls != nil {
		r.calls = m.calls.Load()
	}
	r.cpu, r.at = processCPU(), time.Now()
	return r
}

// start begins at its first call.
func (m *gauge) start() { m.once.Do(func() { m.from = m.read() }) }

func (m *gauge) stop(n int) Drained {
	to := m.read()
	d := Drained{
		Rate:        Rate{Count: n, Wall: to.at.Sub(m.from.at), CPU: to.cpu - m.from.cpu},
		Allocations: to.mallocs - m.from.mallocs, Calls: to.calls - m.from.calls, Requests: Requests{-1, -1},
	}
	if m.requests != nil {
		d.Requests = Requests{Store: to.store - m.from.store, Queue: to.queue - m.from.queue}
	}
	return d
}

// settled tells of the first message that comes, and when so many are acknowledged.
type settled struct {
	jobs.Queue
	first   func()
	count   atomic.Int64
	target  int64
	reached chan struct{}
}

// Receive implements jobs.Queue.
func (q *settled) Receive(ctx context.Context, limit int) ([]jobs.Delivery, error) {
	deliveries, err := q.Queue.Receive(ctx, limit)
	if len(deliveries) > 0 {
		q.first()
	}
	return deliveries, err
}

// Settle implements jobs.Queue.
func (q *settled) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	errs := q.Queue.Settle(ctx, settlements)
	n := int64(0)
	for i, s := range settlements {
		if !s.Release && errs[i] == nil {
			n++
		}
	}
	if after := q.count.Add(n); n > 0 && after >= q.target && after-n < q.target {
		close(q.reached)
	}
	return errs
}

// waits is a processor that takes so long over a song, and uses nothing meanwhile.
type waits time.Duration

// Process implements jobs.Processor.
func (w waits) Process(ctx context.Context, j jobs.Job, report func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	wait(ctx, time.Duration(w))
	return nothing{}.Process(ctx, j, report)
}

// wait is the work that all contenders do.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Package memory is a queue in one process's memory, for tests, simulations and
// the demo. It uses nothing but channels and timers, so it lives in fake time
// (testing/synctest) as well. Nothing survives the process.
package memory

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Options are the queue's settings; the zero value is legal.
type Options struct {
	Visibility time.Duration    // a delivery is hidden from others for so long; 30 s
	Now        func() time.Time // time.Now
}

// Queue implements jobs.Queue.
type Queue struct {
	visibility time.Duration
	now        func() time.Time

	mu       sync.Mutex
	last     int64
	messages map[int64]*message
	wake     chan struct{} // closed when something may have become receivable
	closed   bool
}

type message struct {
	body    []byte
	sent    time.Time
	visible time.Time
	receipt string // of the last delivery; "" never delivered, or released
}

var _ jobs.Queue = (*Queue)(nil)

// New returns an empty queue.
func New(o Options) *Queue {
	if o.Visibility <= 0 {
		o.Visibility = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Queue{visibility: o.Visibility, now: o.Now, messages: map[int64]*message{}, wake: make(chan struct{})}
}

// Send implements jobs.Queue.
func (q *Queue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return jobs.ErrUnavailable
	}
	for _, m := range messages {
		q.put(jobs.EncodeMessage(m.Message), m.Delay)
	}
	q.ring()
	return nil
}

// SendRaw puts a body that need not be a message, for tests.
func (q *Queue) SendRaw(body []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.put(body, 0)
	q.ring()
}

func (q *Queue) put(body []byte, delay time.Duration) {
	now := q.now()
	q.last++
	q.messages[q.last] = &message{body: body, sent: now, visible: now.Add(delay)}
}

func (q *Queue) ring() {
	close(q.wake)
	q.wake = make(chan struct{})
}

// Receive implements jobs.Queue.
func (q *Queue) Receive(ctx context.Context, limit int) ([]jobs.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		deliveries, wait, wake, err := q.take(limit)
		if err != nil || len(deliveries) > 0 {
			return deliveries, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take returns what is visible now, or how long to wait for the next.
func (q *Queue) take(limit int) (deliveries []jobs.Delivery, wait time.Duration, wake chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, 0, nil, jobs.ErrUnavailable
	}
	now := q.now()
	wait = time.Hour
	for _, id := range slices.Sorted(maps.Keys(q.messages)) { // the oldest first, so that simulations repeat
		m := q.messages[id]
		if len(deliveries) >= limit {
			break
		}
		if m.visible.After(now) {
			wait = min(wait, m.visible.Sub(now))
			continue
		}
		q.last++
		m.receipt = strconv.FormatInt(id, 10) + "." + strconv.FormatInt(q.last, 10)
		m.visible = now.Add(q.visibility)
		d := jobs.Delivery{Receipt: m.receipt, Sent: m.sent, Origin: "memory"}
		if d.Message, d.Err = jobs.DecodeMessage(m.body); d.Err != nil {
			d.Raw = m.body
		}
		deliveries = append(deliveries, d)
	}
	return deliveries, wait, q.wake, nil
}

// find returns the message that a receipt names, nil when the receipt is stale.
func (q *Queue) find(receipt string) (int64, *message) {
	for i := range len(receipt) {
		if receipt[i] != '.' {
			continue
		}
		id, err := strconv.ParseInt(receipt[:i], 10, 64)
		if m := q.messages[id]; err == nil && m != nil && m.receipt == receipt {
			return id, m
		}
	}
	return 0, nil
}

// Extend implements jobs.Queue.
func (q *Queue) Extend(ctx context.Context, deliveries []jobs.Delivery, d time.Duration) []error {
	errs := make([]error, len(deliveries))
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, delivery := range deliveries {
		_, m := q.find(delivery.Receipt)
		switch {
		case ctx.Err() != nil:
			errs[i] = ctx.Err()
		case q.closed:
			errs[i] = jobs.ErrUnavailable
		case m == nil:
			errs[i] = jobs.ErrFenced
		default:
			m.visible = q.now().Add(d)
		}
	}
	return errs
}

// Settle implements jobs.Queue.
func (q *Queue) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	errs := make([]error, len(settlements))
	q.mu.Lock()
	defer q.mu.Unlock()
	released := false
	for i, s := range settlements {
		id, m := q.find(s.Delivery.Receipt)
		switch {
		case ctx.Err() != nil:
			errs[i] = ctx.Err()
		case q.closed:
			errs[i] = jobs.ErrUnavailable
		case m == nil:
			errs[i] = jobs.ErrFenced
		case s.Release:
			m.receipt, m.visible = "", q.now().Add(s.Delay)
			released = true
		default:
			delete(q.messages, id)
		}
	}
	if released {
		q.ring()
	}
	return errs
}

// Depth implements jobs.Queue.
func (q *Queue) Depth(ctx context.Context) (jobs.Depth, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Depth{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return jobs.Depth{}, jobs.ErrUnavailable
	}
	var d jobs.Depth
	now := q.now()
	for _, m := range q.messages {
		switch {
		case !m.visible.After(now):
			d.Visible++
		case m.receipt != "":
			d.InFlight++
		default:
			d.Delayed++
		}
	}
	return d, nil
}

// Held implements jobs.Queue.
func (q *Queue) Held() bool { return true }

// Ping says whether the queue is open.
func (q *Queue) Ping(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return jobs.ErrUnavailable
	}
	return ctx.Err()
}

// Close ends the queue; waiting receivers return.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		q.ring()
	}
	return nil
}

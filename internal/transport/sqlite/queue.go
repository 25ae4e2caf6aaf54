// Package sqlite is the embedded queue: messages in an SQLite file of their
// own, beside the store's.
//
// A message only rings, and one that is lost is rung again by the reconciler. So
// most messages never reach the file: what is sent in a process that also
// receives is kept in memory for a moment, what is received is taken out of the
// file, and only what then still waits, or is still held, is written. A message
// that is received and settled at once costs no write at all; a process that is
// killed loses the messages of its last moment, and one that is closed loses
// none. In a process that only sends, every message is in the file when Send
// returns. The file is written without waiting for the disk (synchronous=NORMAL).
//
//   - queue.go: the port, and what is in memory
//   - behind.go: writing behind
//   - file.go: the one goroutine that reads and writes the file
//   - open.go: opening, schema and reasons to refuse
package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
)

// Queue implements jobs.Queue.
type Queue struct {
	options  Options
	db       *sql.DB
	conn     *sql.Conn
	stmts    map[string]*sql.Stmt
	requests chan *request
	stop     chan struct{}
	stopOnce sync.Once
	written  chan struct{}  // closed when nothing is left to write behind
	stopped  chan struct{}  // closed when nothing is served any more
	running  sync.WaitGroup // both goroutines
	kick     chan struct{}  // there is something to write behind

	mu        sync.Mutex
	wake      chan struct{}    // closed when something may have become receivable
	receives  bool             // somebody receives in this process
	fresh     []*message       // sent or released here, to be received, not in the file
	leaving   int              // messages on their way into the file
	held      map[int64]*holds // deliveries of this process, by number
	last      int64            // number of the last delivery
	expires   time.Time        // no delivery in memory becomes visible before
	ready     bool             // the file may have messages that can be received
	parked    int64            // when the first parked message of the file becomes visible
	version   int64            // of the file, as far as other processes write it
	garbage   []int64          // rows of deliveries that were settled while they were written
	late      []rowChange      // of deliveries that were extended while they were written
	writeFail error            // of the last writing behind
}

// message is a message outside of the file.
type message struct {
	body    []byte // nil: message, encoded
	message jobs.Message
	err     error // of decoding body
	sent    time.Time
}

func (m *message) raw() []byte {
	if m.body != nil {
		return m.body
	}
	return jobs.EncodeMessage(m.message)
}

// holds is a delivery that is not settled.
type holds struct {
	*message
	since   time.Time
	visible time.Time
	leaving bool  // on its way into the file
	row     int64 // in the file, where it is looked after from then on; 0: in memory
}

var _ jobs.Queue = (*Queue)(nil)

// freshLimit bounds what waits in memory; beyond it Send writes.
const freshLimit = 8192

// Send implements jobs.Queue.
func (q *Queue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	if len(messages) == 0 {
		return ctx.Err()
	}
	now := time.Now()
	all := make([]*message, 0, len(messages))
	var later []parking
	for _, m := range messages {
		one := outgoing(m.Message, now)
		if m.Delay > 0 {
			later = append(later, parking{message: one, visible: now.Add(m.Delay)})
			continue
		}
		all = append(all, one)
	}
	return q.send(ctx, all, later)
}

// SendRaw sends a body that need not be a message, for tests.
func (q *Queue) SendRaw(ctx context.Context, raw []byte) error {
	return q.send(ctx, []*message{stored(raw, time.Now())}, nil)
}

func (q *Queue) send(ctx context.Context, now []*message, later []parking) error {
	if err := q.open(ctx); err != nil {
		return err
	}
	if len(now) > 0 && q.keep(now) {
		now = nil
	}
	if len(now)+len(later) == 0 {
		return nil
	}
	return q.do(ctx, &request{ready: now, park: later})
}

// keep takes messages into memory, if somebody in this process may want them.
func (q *Queue) keep(all []*message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.receives || len(q.fresh)+len(all) > freshLimit {
		return false
	}
	q.fresh = append(q.fresh, all...)
	q.ring()
	q.writeBehind()
	return true
}

// outgoing is a message as a receiver would get it from the file.
func outgoing(m jobs.Message, now time.Time) *message {
	const short = 128
	if m.Version == jobs.MessageVersion && m.Generation > 0 && len(m.Key) <= short &&
		len(m.Requester) <= short && len(m.Trace) <= short && utf8.ValidString(m.Requester) && utf8.ValidString(m.Trace) {
		if _, err := jobs.ParseKey(m.Key); err == nil {
			return &message{message: m, sent: now}
		}
	}
	return stored(jobs.EncodeMessage(m), now)
}

// stored is a message from its body.
func stored(raw []byte, sent time.Time) *message {
	m := &message{body: raw, sent: sent}
	m.message, m.err = jobs.DecodeMessage(raw)
	return m
}

// Receive implements jobs.Queue.
func (q *Queue) Receive(ctx context.Context, limit int) ([]jobs.Delivery, error) {
	poll := time.NewTicker(q.options.PollEvery)
	defer poll.Stop()
	look := false
	for {
		if err := q.open(ctx); err != nil {
			return nil, err
		}
		if look {
			if err := q.do(ctx, &request{look: true}); err != nil {
				return nil, err
			}
		}
		deliveries, wait, wake, err := q.take(ctx, limit)
		if err != nil || len(deliveries) > 0 {
			return deliveries, err
		}
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-q.stop:
		case <-wake:
		case <-next.C:
		case <-poll.C:
			look = true
		}
		next.Stop()
	}
}

// take returns what can be received now; if nothing can, how long to wait and
// what to wait for besides.
func (q *Queue) take(ctx context.Context, limit int) (deliveries []jobs.Delivery, wait time.Duration, wake <-chan struct{}, err error) {
	now := time.Now()
	q.mu.Lock()
	q.receives = true
	wake = q.wake
	inFile := q.ready || q.parked <= now.UnixNano()
	q.mu.Unlock()
	r := &request{receive: limit}
	if inFile { // what waits there is older than what is in memory
		// What is received belongs to this caller: it is not given up half-way.
		if err := q.do(context.WithoutCancel(ctx), r); err != nil {
			return nil, 0, nil, err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now = time.Now()
	q.expire(now)
	got := r.received
	n := min(limit-len(got), len(q.fresh))
	got = append(got, q.fresh[:n]...)
	if q.fresh = q.fresh[n:]; len(q.fresh) == 0 {
		q.fresh = nil
	}
	for _, m := range got {
		deliveries = append(deliveries, q.hold(m, now))
	}
	wait = min(time.Duration(max(0, q.parked-now.UnixNano())), longestWait)
	if !q.expires.IsZero() {
		wait = min(wait, q.expires.Sub(now))
	}
	return deliveries, max(wait, time.Millisecond), wake, nil
}

// longestWait is how long a receiver sleeps when no message is there at all.
const longestWait = time.Minute

// hold makes a delivery of a message.
func (q *Queue) hold(m *message, now time.Time) jobs.Delivery {
	q.last++
	h := &holds{message: m, since: now, visible: now.Add(q.options.Visibility)}
	q.held[q.last] = h
	q.expiresAt(h.visible)
	q.writeBehind()
	d := jobs.Delivery{Receipt: strconv.FormatInt(q.last, 10), Sent: m.sent, Origin: "sqlite", Message: m.message, Err: m.err}
	if m.err != nil {
		d.Raw = m.body
	}
	return d
}

func (q *Queue) expiresAt(t time.Time) {
	if q.expires.IsZero() || t.Before(q.expires) {
		q.expires = t
	}
}

// expire makes deliveries that nobody has settled receivable again.
func (q *Queue) expire(now time.Time) {
	if q.expires.IsZero() || now.Before(q.expires) {
		return
	}
	q.expires = time.Time{}
	for n, h := range q.held {
		switch {
		case h.row != 0 || h.leaving: // the file's business
		case h.visible.After(now):
			q.expiresAt(h.visible)
		default:
			delete(q.held, n)
			q.fresh = append(q.fresh, h.message)
		}
	}
}

// ring wakes the receivers; q.mu is held.
func (q *Queue) ring() {
	close(q.wake)
	q.wake = make(chan struct{})
}

// Extend implements jobs.Queue.
func (q *Queue) Extend(ctx context.Context, deliveries []jobs.Delivery, d time.Duration) []error {
	now := time.Now()
	changes := make([]change, len(deliveries))
	for i := range deliveries {
		changes[i] = change{number: number(deliveries[i]), kind: extend, visible: now.Add(d)}
	}
	return q.change(ctx, changes, now)
}

// Settle implements jobs.Queue.
func (q *Queue) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	now := time.Now()
	changes := make([]change, len(settlements))
	for i := range settlements {
		s := &settlements[i]
		changes[i] = change{number: number(s.Delivery), kind: acknowledge}
		if s.Release {
			changes[i].kind, changes[i].visible = release, now.Add(s.Delay)
		}
	}
	return q.change(ctx, changes, now)
}

// number is what a receipt says; 0: it is none of ours.
func number(d jobs.Delivery) int64 {
	n, err := strconv.ParseInt(d.Receipt, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Depth implements jobs.Queue.
func (q *Queue) Depth(ctx context.Context) (jobs.Depth, error) {
	r := &request{depth: true}
	err := q.do(ctx, r)
	return r.counted, err
}

// Held implements jobs.Queue.
func (q *Queue) Held() bool { return true }

// Ping says whether the file answers and can be written.
func (q *Queue) Ping(ctx context.Context) error {
	if err := q.do(ctx, &request{ping: true}); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.writeFail
}

// open says whether the queue can be used.
func (q *Queue) open(ctx context.Context) error {
	select {
	case <-q.stop:
		return errClosed
	default:
		return ctx.Err()
	}
}

var errClosed = fmt.Errorf("%w: the queue is closed", jobs.ErrUnavailable)

// Close writes what is in memory and closes the file. Waiting receivers return.
func (q *Queue) Close() error {
	q.stopOnce.Do(func() { close(q.stop) })
	q.running.Wait()
	return q.db.Close()
}

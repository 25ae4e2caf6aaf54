// Package transporttest holds every queue adapter against the contract of
// jobs.Queue. It knows no engine: what one can not do is said in Features, and
// what must be forced from outside comes through the Harness.
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, transporttest.Features{…}, func(t *testing.T) transporttest.Harness { … })
//	}
package transporttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Features says what an engine can do, and how long its times are.
type Features struct {
	Held           bool // single deliveries can be held, extended and released
	Delays         bool // messages and releases can be delayed by the engine
	ToldWhenStale  bool // a stale receipt is an error; otherwise it silently does nothing
	ExactDepth     bool // Depth is right at once
	Persistent     bool // Reopen finds what was sent
	Visibility     time.Duration
	WakeWithin     time.Duration // a waiting receiver hears of a message within; 1 s
	OtherConsumers bool          // Second opens another consumer of the same queue
}

// Harness is one queue of its own, empty.
type Harness struct {
	Queue   jobs.Queue
	SendRaw func(ctx context.Context, body []byte) error // a body that need not be a message
	Second  func(t *testing.T) jobs.Queue                // Features.OtherConsumers
	Reopen  func(t *testing.T) jobs.Queue                // Features.Persistent: closes the queue and opens it again
	Close   func() error                                 // ends the queue; further calls must wrap jobs.ErrUnavailable
}

// Run runs the suite. Every test has a queue of its own.
func Run(t *testing.T, f Features, open func(t *testing.T) Harness) {
	t.Helper()
	if f.Visibility == 0 || f.WakeWithin == 0 {
		t.Fatal("Features.Visibility and WakeWithin must be set")
	}
	for name, test := range map[string]func(*suite){
		"Fields":          (*suite).fields,
		"Batches":         (*suite).batches,
		"Limit":           (*suite).limit,
		"Wakes":           (*suite).wakes,
		"EndsWithContext": (*suite).endsWithContext,
		"Undecodable":     (*suite).undecodable,
		"Acknowledged":    (*suite).acknowledged,
		"Redelivered":     (*suite).redelivered,
		"Extended":        (*suite).extended,
		"Released":        (*suite).released,
		"ReleasedLater":   (*suite).releasedLater,
		"DelayedSend":     (*suite).delayedSend,
		"StaleReceipts":   (*suite).staleReceipts,
		"Depth":           (*suite).depth,
		"Consumers":       (*suite).consumers,
		"SecondConsumer":  (*suite).secondConsumer,
		"Reopened":        (*suite).reopened,
		"SettledAfterEnd": (*suite).settledAfterEnd,
		"Closed":          (*suite).closed,
		"HeldAgrees":      (*suite).heldAgrees,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			test(&suite{T: t, Features: f, Harness: open(t), ctx: ctx})
		})
	}
}

// suite is one test with its queue.
type suite struct {
	*testing.T
	Features
	Harness
	ctx context.Context
}

// needs skips a test that the engine's features exclude, by name.
func (s *suite) needs(ok bool, what string) {
	s.Helper()
	if !ok {
		s.Skipf("the engine has no %s (Features)", what)
	}
}

func message(i int) jobs.Message {
	return jobs.Message{
		Version: jobs.MessageVersion, Key: fmt.Sprintf("demo:%011d:default", i), Generation: int64(i + 1),
		Requester: "guild-1", Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

// send sends n different messages and returns their keys.
func (s *suite) send(n int) map[string]bool {
	s.Helper()
	keys := map[string]bool{}
	var all []jobs.Outgoing
	for i := range n {
		all = append(all, jobs.Outgoing{Message: message(i)})
		keys[message(i).Key] = true
	}
	if err := s.Queue.Send(s.ctx, all); err != nil {
		s.Fatalf("send: %v", err)
	}
	return keys
}

// receive waits for at least one delivery from q.
func (s *suite) receive(q jobs.Queue, limit int) []jobs.Delivery {
	s.Helper()
	for {
		ds, err := q.Receive(s.ctx, limit)
		if err != nil {
			s.Fatalf("receive: %v", err)
		}
		if len(ds) > limit {
			s.Fatalf("%d deliveries, limit %d", len(ds), limit)
		}
		if len(ds) > 0 {
			return ds
		}
	}
}

// none fails if a message comes within d.
func (s *suite) none(q jobs.Queue, d time.Duration) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, d)
	defer cancel()
	for {
		ds, err := q.Receive(ctx, 10)
		if len(ds) > 0 {
			s.Fatalf("a message came: %+v", ds[0])
		}
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				s.Fatalf("receive: %v", err)
			}
			return
		}
	}
}

func (s *suite) settle(q jobs.Queue, settlements ...jobs.Settlement) {
	s.Helper()
	for i, err := range q.Settle(s.ctx, settlements) {
		if err != nil {
			s.Fatalf("settlement %d: %v", i, err)
		}
	}
}

func (s *suite) acknowledge(q jobs.Queue, ds []jobs.Delivery) {
	s.Helper()
	all := make([]jobs.Settlement, len(ds))
	for i, d := range ds {
		all[i] = jobs.Settlement{Delivery: d}
	}
	s.settle(q, all...)
}

// stale checks the answer to a receipt that is no longer valid.
func (s *suite) stale(what string, errs []error) {
	s.Helper()
	for _, err := range errs {
		if s.ToldWhenStale && !errors.Is(err, jobs.ErrFenced) || !s.ToldWhenStale && err != nil && !errors.Is(err, jobs.ErrFenced) {
			s.Errorf("%s with a stale receipt: %v", what, err)
		}
	}
}

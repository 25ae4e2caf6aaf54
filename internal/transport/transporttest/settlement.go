package transporttest

import (
	"context"
	"errors"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// What was acknowledged does not come again.
func (s *suite) acknowledged() {
	s.send(3)
	for got := 0; got < 3; {
		ds := s.receive(s.Queue, 3)
		got += len(ds)
		s.acknowledge(s.Queue, ds)
	}
	s.none(s.Queue, s.Visibility+s.Visibility/2)
}

// What was received and not settled comes again after the visibility time, and
// not before.
func (s *suite) redelivered() {
	s.needs(s.Held, "hold on single deliveries")
	s.send(1)
	received := time.Now()
	first := s.receive(s.Queue, 1)[0]
	second := s.receive(s.Queue, 1)[0]
	if early := s.Visibility - time.Since(received); early > s.Visibility/10 {
		s.Errorf("came again %s too early", early)
	}
	if second.Message != first.Message || second.Receipt == first.Receipt {
		s.Errorf("%+v then %+v", first, second)
	}
	s.acknowledge(s.Queue, []jobs.Delivery{second})
}

// An extended delivery stays hidden.
func (s *suite) extended() {
	s.needs(s.Held, "hold on single deliveries")
	s.send(1)
	d := s.receive(s.Queue, 1)
	for _, err := range s.Queue.Extend(s.ctx, d, 4*s.Visibility) {
		if err != nil {
			s.Fatal(err)
		}
	}
	s.none(s.Queue, 2*s.Visibility)
	s.acknowledge(s.Queue, d)
	s.none(s.Queue, 50*time.Millisecond)
}

// A released delivery comes again at once.
func (s *suite) released() {
	s.needs(s.Held, "hold on single deliveries")
	s.send(1)
	d := s.receive(s.Queue, 1)[0]
	s.settle(s.Queue, jobs.Settlement{Delivery: d, Release: true})
	begun := time.Now()
	again := s.receive(s.Queue, 1)
	if took := time.Since(begun); took > s.WakeWithin {
		s.Errorf("came again after %s", took)
	}
	s.acknowledge(s.Queue, again)
}

// A release can be put off.
func (s *suite) releasedLater() {
	s.needs(s.Held && s.Delays, "delays")
	const delay = 1500 * time.Millisecond // engines count whole seconds
	s.send(1)
	d := s.receive(s.Queue, 1)[0]
	begun := time.Now()
	s.settle(s.Queue, jobs.Settlement{Delivery: d, Release: true, Delay: delay})
	again := s.receive(s.Queue, 1)
	if took := time.Since(begun); took < delay-600*time.Millisecond || took > delay+time.Second+s.WakeWithin {
		s.Errorf("came again after %s", took)
	}
	s.acknowledge(s.Queue, again)
}

// A message can be sent for later; others do not wait for it.
func (s *suite) delayedSend() {
	s.needs(s.Delays, "delays")
	const delay = 1500 * time.Millisecond
	begun := time.Now()
	err := s.Queue.Send(s.ctx, []jobs.Outgoing{{Message: message(1), Delay: delay}, {Message: message(2)}})
	if err != nil {
		s.Fatal(err)
	}
	now := s.receive(s.Queue, 2)
	if len(now) != 1 || now[0].Message.Key != message(2).Key {
		s.Fatalf("%+v", now)
	}
	s.acknowledge(s.Queue, now)
	later := s.receive(s.Queue, 2)
	if took := time.Since(begun); took < delay-600*time.Millisecond {
		s.Errorf("came after %s", took)
	}
	s.acknowledge(s.Queue, later)
}

// The holder of an old receipt can do the new holder no harm.
func (s *suite) staleReceipts() {
	s.needs(s.Held, "hold on single deliveries")
	s.send(1)
	old := s.receive(s.Queue, 1)
	held := s.receive(s.Queue, 1) // after the visibility time
	for _, err := range s.Queue.Extend(s.ctx, held, 5*s.Visibility) {
		if err != nil {
			s.Fatal(err)
		}
	}
	s.stale("extend", s.Queue.Extend(s.ctx, old, 0))
	s.stale("release", s.Queue.Settle(s.ctx, []jobs.Settlement{{Delivery: old[0], Release: true}}))
	s.stale("acknowledge", s.Queue.Settle(s.ctx, acks(old)))
	s.none(s.Queue, s.Visibility)
	s.acknowledge(s.Queue, held)
	// Twice, and with a receipt that never was one.
	s.stale("acknowledge again", s.Queue.Settle(s.ctx, acks(held)))
	made := held[0]
	made.Receipt = "no receipt"
	for _, err := range s.Queue.Settle(s.ctx, acks([]jobs.Delivery{made})) {
		if err != nil && !errors.Is(err, jobs.ErrFenced) {
			s.Errorf("a made-up receipt: %v", err)
		}
	}
}

// The counts tell what waits, what is in work and what is for later.
func (s *suite) depth() {
	s.needs(s.ExactDepth, "exact depth")
	want := func(visible, inFlight, delayed int64) {
		s.Helper()
		d, err := s.Queue.Depth(s.ctx)
		if err != nil || d != (jobs.Depth{Visible: visible, InFlight: inFlight, Delayed: delayed}) {
			s.Errorf("%+v, %v; want %d %d %d", d, err, visible, inFlight, delayed)
		}
	}
	want(0, 0, 0)
	s.send(3)
	want(3, 0, 0)
	d := s.receive(s.Queue, 1)
	want(2, 1, 0)
	delayed := int64(0)
	if s.Delays {
		if err := s.Queue.Send(s.ctx, []jobs.Outgoing{{Message: message(9), Delay: time.Minute}}); err != nil {
			s.Fatal(err)
		}
		delayed = 1
	}
	want(2, 1, delayed)
	s.acknowledge(s.Queue, d)
	want(2, 0, delayed)
}

// What was sent is there after the queue was closed and opened; so is what was
// received and not settled.
func (s *suite) reopened() {
	s.needs(s.Persistent, "persistence")
	s.send(4)
	if d := s.receive(s.Queue, 1); len(d) != 1 {
		s.Fatal(d)
	}
	q := s.Reopen(s.T)
	seen := map[string]bool{}
	for len(seen) < 4 {
		ds := s.receive(q, 4)
		for _, d := range ds {
			seen[d.Message.Key] = true
		}
		s.acknowledge(q, ds)
	}
}

// Settling goes on when the context of the work is over, as at a shutdown.
func (s *suite) settledAfterEnd() {
	s.send(1)
	work, end := context.WithCancel(s.ctx)
	d := s.receive(s.Queue, 1)
	end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), 10*time.Second)
	defer cancel()
	for _, err := range s.Queue.Settle(ctx, acks(d)) {
		if err != nil {
			s.Error(err)
		}
	}
	s.none(s.Queue, s.Visibility+s.Visibility/2)
}

// A closed queue says that it is unavailable, and its receivers return.
func (s *suite) closed() {
	got := make(chan error, 1)
	waiting := make(chan struct{})
	go func() {
		close(waiting)
		for {
			if _, err := s.Queue.Receive(s.ctx, 1); err != nil {
				got <- err
				return
			}
		}
	}()
	<-waiting
	if err := s.Close(); err != nil {
		s.Fatal(err)
	}
	select {
	case err := <-got:
		if !errors.Is(err, jobs.ErrUnavailable) {
			s.Errorf("receive: %v", err)
		}
	case <-time.After(10 * time.Second):
		s.Fatal("the receiver stays")
	}
	if err := s.Queue.Send(s.ctx, []jobs.Outgoing{{Message: message(1)}}); !errors.Is(err, jobs.ErrUnavailable) {
		s.Errorf("send: %v", err)
	}
	if _, err := s.Queue.Depth(s.ctx); !errors.Is(err, jobs.ErrUnavailable) {
		s.Errorf("depth: %v", err)
	}
}

func (s *suite) heldAgrees() {
	if s.Queue.Held() != s.Held {
		s.Errorf("Held() is %v, Features.Held %v", s.Queue.Held(), s.Held)
	}
}

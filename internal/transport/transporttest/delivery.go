package transporttest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// What was sent is what comes.
func (s *suite) fields() {
	before := time.Now()
	s.send(1)
	d := s.receive(s.Queue, 1)[0]
	if d.Message != message(0) || d.Err != nil || d.Receipt == "" || d.Origin == "" {
		s.Errorf("%+v", d)
	}
	if d.Sent.Before(before.Add(-5*time.Second)) || d.Sent.After(time.Now().Add(5*time.Second)) {
		s.Errorf("sent %s", d.Sent)
	}
	s.acknowledge(s.Queue, []jobs.Delivery{d})
}

// Batches larger than an engine's own arrive whole, each message once.
func (s *suite) batches() {
	keys := s.send(57)
	if err := s.Queue.Send(s.ctx, nil); err != nil {
		s.Errorf("sending nothing: %v", err)
	}
	seen := map[string]bool{}
	for len(seen) < len(keys) {
		ds := s.receive(s.Queue, 20)
		for _, d := range ds {
			if !keys[d.Message.Key] || seen[d.Message.Key] {
				s.Fatalf("unknown or twice: %+v", d)
			}
			seen[d.Message.Key] = true
		}
		s.acknowledge(s.Queue, ds)
	}
	s.none(s.Queue, 50*time.Millisecond)
}

// Nobody gets more than he has room for.
func (s *suite) limit() {
	s.send(7)
	got := 0
	for got < 7 {
		ds := s.receive(s.Queue, 2) // fails itself when there are more
		got += len(ds)
		s.acknowledge(s.Queue, ds)
	}
}

// A receiver that waits hears of a message soon.
func (s *suite) wakes() {
	type answer struct {
		ds  []jobs.Delivery
		err error
		at  time.Time
	}
	got := make(chan answer, 1)
	waiting := make(chan struct{})
	go func() {
		close(waiting)
		for {
			ds, err := s.Queue.Receive(s.ctx, 1)
			if len(ds) > 0 || err != nil {
				got <- answer{ds, err, time.Now()}
				return
			}
		}
	}()
	<-waiting
	sent := time.Now()
	s.send(1)
	a := <-got
	if a.err != nil || len(a.ds) != 1 {
		s.Fatalf("%+v", a)
	}
	if took := a.at.Sub(sent); took > s.WakeWithin {
		s.Errorf("heard of it after %s", took)
	}
	s.acknowledge(s.Queue, a.ds)
}

// A receiver goes when its context ends, and takes no message with it.
func (s *suite) endsWithContext() {
	for i := range 20 {
		ctx, cancel := context.WithCancel(s.ctx)
		type answer struct {
			ds  []jobs.Delivery
			err error
		}
		got := make(chan answer, 1)
		go func() {
			ds, err := s.Queue.Receive(ctx, 1)
			got <- answer{ds, err}
		}()
		if err := s.Queue.Send(s.ctx, []jobs.Outgoing{{Message: message(i)}}); err != nil {
			s.Fatal(err)
		}
		cancel() // races with the delivery
		var a answer
		select {
		case a = <-got:
		case <-time.After(10 * time.Second):
			s.Fatal("the receiver stays")
		}
		switch {
		case len(a.ds) == 1: // it came first
		case a.err == nil || errors.Is(a.err, context.Canceled):
			a.ds = s.receive(s.Queue, 1) // and if not, it is still there
		default:
			s.Fatalf("receive: %v", a.err)
		}
		if a.ds[0].Message.Key != message(i).Key {
			s.Fatalf("%+v", a.ds)
		}
		s.acknowledge(s.Queue, a.ds)
	}
}

// A body that is no message of ours comes with its raw bytes and can be settled;
// so does one of a newer schema.
func (s *suite) undecodable() {
	for body, want := range map[string]error{
		`not json`: jobs.ErrUndecodable,
		`{"v":99,"job":"demo:00000000000:default","gen":1,"new":"field"}`: jobs.ErrNewerSchema,
	} {
		if err := s.SendRaw(s.ctx, []byte(body)); err != nil {
			s.Fatal(err)
		}
		d := s.receive(s.Queue, 1)[0]
		if !errors.Is(d.Err, want) || !bytes.Equal(d.Raw, []byte(body)) || d.Origin == "" {
			s.Errorf("%+v", d)
		}
		s.acknowledge(s.Queue, []jobs.Delivery{d})
	}
}

// Many consumers share the messages; undisturbed, each message is settled once.
func (s *suite) consumers() {
	const workers, total = 16, 500
	keys := s.send(total)
	var mu sync.Mutex
	seen := map[string]int{}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	for range workers {
		wg.Go(func() {
			for {
				ds, err := s.Queue.Receive(ctx, 8)
				for _, e := range s.Queue.Settle(s.ctx, acks(ds)) {
					err = errors.Join(err, e)
				}
				mu.Lock()
				for _, d := range ds {
					seen[d.Message.Key]++
				}
				done := len(seen) == total
				mu.Unlock()
				if done {
					cancel()
				}
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					errs <- err
					cancel()
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		s.Fatal(err)
	default:
	}
	for k := range keys {
		if seen[k] != 1 {
			s.Errorf("%s was delivered %d times", k, seen[k])
		}
	}
}

func acks(ds []jobs.Delivery) []jobs.Settlement {
	all := make([]jobs.Settlement, len(ds))
	for i, d := range ds {
		all[i] = jobs.Settlement{Delivery: d}
	}
	return all
}

// A second consumer of the same queue gets what the first does not.
func (s *suite) secondConsumer() {
	s.needs(s.OtherConsumers, "second consumer")
	second := s.Second(s.T)
	keys := s.send(40)
	seen := map[string]bool{}
	for q := range alternate(s.Queue, second, 1000) {
		if len(seen) == len(keys) {
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, 200*time.Millisecond)
		ds, err := q.Receive(ctx, 3)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.Fatal(err)
		}
		for _, d := range ds {
			if seen[d.Message.Key] {
				s.Errorf("%s came twice", d.Message.Key)
			}
			seen[d.Message.Key] = true
		}
		s.acknowledge(q, ds)
	}
	s.Fatalf("only %d of %d messages came", len(seen), len(keys))
}

func alternate(a, b jobs.Queue, times int) func(yield func(jobs.Queue) bool) {
	return func(yield func(jobs.Queue) bool) {
		for i := range times {
			q := a
			if i%2 == 1 {
				q = b
			}
			if !yield(q) {
				return
			}
		}
	}
}

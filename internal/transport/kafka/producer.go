package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
)

// producer sends messages and tells of each what became of it. What many
// callers send at the same time shares the requests.
type producer struct {
	async   sarama.AsyncProducer
	stop    chan struct{} // closed by close: nobody waits any more
	results sync.WaitGroup

	mu     sync.RWMutex // held for reading while feeding the client
	closed bool
}

func newProducer(client sarama.Client) (*producer, error) {
	async, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return nil, unavailable(err)
	}
	p := &producer{async: async, stop: make(chan struct{})}
	p.results.Go(func() {
		for m := range async.Successes() {
			m.Metadata.(ticket).settle(nil)
		}
	})
	p.results.Go(func() {
		for e := range async.Errors() {
			e.Msg.Metadata.(ticket).settle(e.Err)
		}
	})
	return p, nil
}

// sending is the messages of one call.
type sending struct {
	mu   sync.Mutex
	errs []error
	left int
	done chan struct{} // closed when left is 0
}

// ticket is one message of a sending.
type ticket struct {
	sending *sending
	at      int
}

func (t ticket) settle(err error) {
	s := t.sending
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs[t.at] = err
	if s.left--; s.left == 0 {
		close(s.done)
	}
}

// errUnanswered is the result of a message as long as nothing is known of it.
var errUnanswered = errors.New("the brokers have not confirmed it in time")

// send returns when the brokers have answered for every message, or ctx is done;
// a message that is not confirmed then may still arrive. One error per message,
// nil or wrapping jobs.ErrUnavailable.
func (p *producer) send(ctx context.Context, messages []*sarama.ProducerMessage) []error {
	s := &sending{errs: make([]error, len(messages)), left: len(messages), done: make(chan struct{})}
	for i := range s.errs {
		s.errs[i] = errUnanswered
	}
	if len(messages) == 0 {
		return nil
	}
	p.feed(ctx, s, messages)
	select {
	case <-s.done:
	case <-ctx.Done():
	case <-p.stop:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, len(messages))
	for i, err := range s.errs {
		if err != nil {
			errs[i] = unavailable(errors.Join(err, ctx.Err()))
		}
	}
	return errs
}

func (p *producer) feed(ctx context.Context, s *sending, messages []*sarama.ProducerMessage) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		for i := range messages {
			ticket{s, i}.settle(errClosed)
		}
		return
	}
	for i, m := range messages {
		m.Metadata = ticket{s, i}
		select {
		case p.async.Input() <- m:
		case <-ctx.Done():
			return
		case <-p.stop:
			return
		}
	}
}

// close waits for what is on its way.
func (p *producer) close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	p.async.AsyncClose()
	p.results.Wait()
}

var errClosed = errors.New("the queue is closed")

// unavailable wraps jobs.ErrUnavailable around an error of the brokers.
func unavailable(err error) error {
	if err == nil || errors.Is(err, jobs.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: kafka: %w", jobs.ErrUnavailable, err)
}

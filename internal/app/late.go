package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// patiently opens what a process can not do without, and goes on trying for a
// while when the engine is not there yet: fleets and their engines often start at
// the same time.
func patiently[T any](ctx context.Context, log *slog.Logger, what string, patience time.Duration, open func(context.Context) (T, error)) (T, error) {
	begun := time.Now()
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		opened, err := open(ctx)
		if err == nil || !errors.Is(err, jobs.ErrUnavailable) || ctx.Err() != nil {
			return opened, err
		}
		if time.Since(begun)+wait > patience {
			return opened, fmt.Errorf("after %s: %w", time.Since(begun).Round(time.Second), err)
		}
		if wait == 250*time.Millisecond {
			log.Warn("can not reach the "+what+" yet; trying again", "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return opened, ctx.Err()
		}
	}
}

// late is an engine that may come later: what it is for can do without it for a
// while. Any error but that it can not be reached is final at the start, and tried
// again later on.
type late[T io.Closer] struct {
	stop context.CancelFunc
	done chan struct{}

	mu  sync.Mutex
	it  T
	err error
}

// openLate opens an engine now or, if it can not be reached, in the background;
// then it returns what is to stand in for it.
func openLate[T io.Closer](ctx context.Context, log *slog.Logger, what string, open func(context.Context) (T, error)) (now T, later *late[T], err error) {
	now, err = open(ctx)
	if err == nil || !errors.Is(err, jobs.ErrUnavailable) || ctx.Err() != nil {
		return now, nil, err
	}
	log.Warn("can not reach the "+what+"; going on without until it is there", "error", err)
	background, stop := context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // Close calls it
	l := &late[T]{stop: stop, done: make(chan struct{}), err: err}
	go func() {
		defer close(l.done)
		for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
			select {
			case <-time.After(wait):
			case <-background.Done():
				return
			}
			it, err := open(background)
			l.mu.Lock()
			l.it, l.err = it, err
			l.mu.Unlock()
			switch {
			case err == nil:
				log.Info("the " + what + " is there")
				return
			case !errors.Is(err, jobs.ErrUnavailable) && background.Err() == nil:
				log.Error("the "+what+" can not be used; trying again", "error", err)
			}
		}
	}()
	return now, l, nil
}

// there returns the engine, or why there is none.
func (l *late[T]) there() (it T, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		if errors.Is(l.err, jobs.ErrUnavailable) {
			return it, l.err
		}
		return it, fmt.Errorf("%w: %w", jobs.ErrUnavailable, l.err)
	}
	return l.it, nil
}

// Close ends the waiting or the engine.
func (l *late[T]) Close() error {
	l.stop()
	<-l.done
	if it, err := l.there(); err == nil {
		return it.Close()
	}
	return nil
}

// openLateQueue opens a queue now or later. Requests are accepted all the same, and
// the reconciler rings once it is there. held is what the queue will say of itself.
func openLateQueue(ctx context.Context, log *slog.Logger, held bool, open func(context.Context) (queueAdapter, error)) (queueAdapter, error) {
	now, later, err := openLate(ctx, log, "queue", open)
	if later == nil {
		return now, err
	}
	return &lateQueue{later, held}, nil
}

// openLateEvents opens the target of events now or later; they wait meanwhile.
func openLateEvents(ctx context.Context, log *slog.Logger, open func(context.Context) (eventsAdapter, error)) (eventsAdapter, error) {
	now, later, err := openLate(ctx, log, "target of completion events", open)
	if later == nil {
		return now, err
	}
	return lateEvents{later}, nil
}

// lateEvents is where events go once it is there.
type lateEvents struct{ *late[eventsAdapter] }

// Publish implements jobs.Events.
func (l lateEvents) Publish(ctx context.Context, events []jobs.Event) []error {
	to, err := l.there()
	if err != nil {
		return repeat(err, len(events))
	}
	return to.Publish(ctx, events)
}

// Ping asks whether the target is there.
func (l lateEvents) Ping(ctx context.Context) error {
	to, err := l.there()
	if err != nil {
		return err
	}
	return to.Ping(ctx)
}

// lateQueue is a queue that comes later.
type lateQueue struct {
	*late[queueAdapter]
	held bool
}

// Send implements jobs.Queue.
func (l *lateQueue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	q, err := l.there()
	if err != nil {
		return err
	}
	return q.Send(ctx, messages)
}

// Receive implements jobs.Queue.
func (l *lateQueue) Receive(ctx context.Context, limit int) ([]jobs.Delivery, error) {
	q, err := l.there()
	if err != nil {
		return nil, err
	}
	return q.Receive(ctx, limit)
}

// Extend implements jobs.Queue.
func (l *lateQueue) Extend(ctx context.Context, deliveries []jobs.Delivery, d time.Duration) []error {
	q, err := l.there()
	if err != nil {
		return repeat(err, len(deliveries))
	}
	return q.Extend(ctx, deliveries, d)
}

// Settle implements jobs.Queue.
func (l *lateQueue) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	q, err := l.there()
	if err != nil {
		return repeat(err, len(settlements))
	}
	return q.Settle(ctx, settlements)
}

// Depth implements jobs.Queue.
func (l *lateQueue) Depth(ctx context.Context) (jobs.Depth, error) {
	q, err := l.there()
	if err != nil {
		return jobs.Depth{Visible: -1, InFlight: -1, Delayed: -1}, err
	}
	return q.Depth(ctx)
}

// Held implements jobs.Queue.
func (l *lateQueue) Held() bool { return l.held }

// Ping asks the queue whether it is there.
func (l *lateQueue) Ping(ctx context.Context) error {
	q, err := l.there()
	if err != nil {
		return err
	}
	return q.Ping(ctx)
}

// DeadLetters implements jobs.DeadLetters.
func (l *lateQueue) DeadLetters(ctx context.Context, limit int) ([]jobs.DeadLetter, error) {
	q, err := l.there()
	if err != nil {
		return nil, err
	}
	if letters, ok := q.(jobs.DeadLetters); ok {
		return letters.DeadLetters(ctx, limit)
	}
	return nil, nil
}

// DropDeadLetters implements jobs.DeadLetters.
func (l *lateQueue) DropDeadLetters(ctx context.Context, all []jobs.DeadLetter) error {
	q, err := l.there()
	if err != nil {
		return err
	}
	if letters, ok := q.(jobs.DeadLetters); ok {
		return letters.DropDeadLetters(ctx, all)
	}
	return nil
}

func repeat(err error, n int) []error {
	all := make([]error, n)
	for i := range all {
		all[i] = err
	}
	return all
}

package app

import (
	"context"
	"errors"
	"fmt"
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

// lateQueue is a queue that may come later: while it can not be reached, requests
// are accepted all the same, and the reconciler rings once it is there.
type lateQueue struct {
	held bool
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex
	queue queueAdapter
	err   error
}

// openLate opens a queue now or, if it can not be reached, in the background. Any
// other error is final.
func openLate(ctx context.Context, log *slog.Logger, held bool, open func(context.Context) (queueAdapter, error)) (queueAdapter, error) {
	q, err := open(ctx)
	if err == nil || !errors.Is(err, jobs.ErrUnavailable) || ctx.Err() != nil {
		return q, err
	}
	log.Warn("can not reach the queue; going on without it until it is there", "error", err)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lateQueue{held: held, stop: stop, done: make(chan struct{}), err: err}
	go func() {
		defer close(l.done)
		for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
			select {
			case <-time.After(wait):
			case <-background.Done():
				return
			}
			q, err := open(background)
			l.mu.Lock()
			l.queue, l.err = q, err
			l.mu.Unlock()
			switch {
			case err == nil:
				log.Info("the queue is there")
				return
			case !errors.Is(err, jobs.ErrUnavailable) && background.Err() == nil:
				log.Error("the queue can not be used; trying again", "error", err)
			}
		}
	}()
	return l, nil
}

// there returns the queue, or why there is none.
func (l *lateQueue) there() (queueAdapter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		if errors.Is(l.err, jobs.ErrUnavailable) {
			return nil, l.err
		}
		return nil, fmt.Errorf("%w: %w", jobs.ErrUnavailable, l.err)
	}
	return l.queue, nil
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

// Close ends the waiting or the queue.
func (l *lateQueue) Close() error {
	l.stop()
	<-l.done
	if q, err := l.there(); err == nil && q != nil {
		return q.Close()
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

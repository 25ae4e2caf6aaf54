package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// gateEvery is how often a gate is asked.
const gateEvery = time.Second

var errGateClosed = errors.New("the gate is closed")

// gate keeps the messages from a worker that may not take any: the context
// under which it receives ends when the gate closes.
type gate struct {
	ask func(ctx context.Context) error
	log *slog.Logger

	mu     sync.Mutex
	reason error         // nil: open
	change chan struct{} // closed at the next change
	shut   context.CancelCauseFunc
	while  context.Context
}

func newGate(ctx context.Context, ask func(context.Context) error, log *slog.Logger) *gate {
	g := &gate{ask: ask, log: log, change: make(chan struct{})}
	g.while, g.shut = context.WithCancelCause(ctx)
	return g
}

// keep asks until ctx is done.
func (g *gate) keep(ctx context.Context) {
	for sleep(ctx, gateEvery) {
		g.look(ctx)
	}
}

func (g *gate) look(ctx context.Context) {
	err := g.ask(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() != nil || (err == nil) == (g.reason == nil) {
		return
	}
	g.reason = err
	if err != nil {
		g.log.Info("taking no jobs for now", "reason", err)
		g.shut(errGateClosed)
	} else {
		g.log.Info("taking jobs again")
		g.while, g.shut = context.WithCancelCause(ctx)
	}
	close(g.change)
	g.change = make(chan struct{})
}

// pass waits until the gate is open and returns a context that ends when it
// closes; false: ctx was done first.
func (g *gate) pass(ctx context.Context) (context.Context, bool) {
	for {
		g.mu.Lock()
		while, change, open := g.while, g.change, g.reason == nil
		g.mu.Unlock()
		if open {
			return while, ctx.Err() == nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// closed returns why.
func (g *gate) closed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason
}

// Gated returns why the gate keeps this worker from taking jobs, or nil.
func (r *Runner) Gated() error {
	if g := r.gate.Load(); g != nil {
		return g.closed()
	}
	return nil
}

package jobs

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Bell sends messages without making anybody wait (W4): the answer to a request
// depends on the store, never on the broker. What can not be sent is dropped,
// because the reconciler rings for every due job that nobody has claimed.
type Bell struct {
	queue   Queue
	log     *slog.Logger
	pending chan Outgoing
	dropped atomic.Int64
}

// bellBuffer is how many messages may wait while the broker is slow.
const (
	bellBuffer  = 8192
	bellBatch   = 256
	bellTimeout = 10 * time.Second
)

// NewBell returns a bell for the queue. Nothing is sent before Run.
func NewBell(queue Queue, log *slog.Logger) *Bell {
	return &Bell{queue: queue, log: log, pending: make(chan Outgoing, bellBuffer)}
}

// Ring tells a worker of a job, after a delay. It never blocks.
func (b *Bell) Ring(j Job, delay time.Duration) {
	m := Outgoing{Delay: delay, Message: Message{
		Version: MessageVersion, Key: j.Key.String(), Generation: j.Generation,
		Requester: j.Requester, Trace: j.Trace,
	}}
	select {
	case b.pending <- m:
	default:
		b.dropped.Add(1)
	}
}

// Dropped counts the messages that were not sent.
func (b *Bell) Dropped() int64 { return b.dropped.Load() }

// Run sends until ctx is done, and then what is left, for as long as the broker
// takes it, at most bellTimeout.
func (b *Bell) Run(ctx context.Context) {
	failing := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), bellTimeout)
			defer cancel()
			for batch := b.gather(nil); len(batch) > 0; batch = b.gather(nil) {
				if err := b.queue.Send(last, batch); err != nil {
					b.dropped.Add(int64(len(batch)))
					return
				}
			}
			return
		case first := <-b.pending:
			batch := b.gather([]Outgoing{first})
			send, cancel := context.WithTimeout(context.WithoutCancel(ctx), bellTimeout) // what was taken goes out
			err := b.queue.Send(send, batch)
			cancel()
			if err != nil {
				b.dropped.Add(int64(len(batch)))
				if !failing { // once per outage
					b.log.Warn("can not ring the workers; the reconciler will", "error", err, "messages", len(batch))
				}
			}
			failing = err != nil
		}
	}
}

// gather takes what is waiting, without waiting for more.
func (b *Bell) gather(batch []Outgoing) []Outgoing {
	for len(batch) < bellBatch {
		select {
		case m := <-b.pending:
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

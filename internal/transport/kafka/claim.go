package kafka

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// Bounds of what a partition keeps in memory. One that has maxWaiting messages
// that nobody has room for is not fetched from until few are left; what one fetch
// brings (64 KiB) comes on top. No message is delivered beyond maxAhead of the
// first that is not settled, nor while maxParked are released and wait.
const (
	maxWaiting = 256
	fewWaiting = 64
	maxAhead   = 16384
	maxParked  = 256
)

// revokeGrace is how long a revoked partition waits for deliveries that are
// being settled just now. A claim takes milliseconds; what is settled later comes
// to the next owner once more and is refused by the record.
const revokeGrace = 200 * time.Millisecond

// claim is a partition that we own, from its assignment to its revocation. All
// is guarded by the queue's mutex.
type claim struct {
	queue     *Queue
	session   sarama.ConsumerGroupSession
	group     sarama.ConsumerGroup
	partition int32
	number    int64
	window    window
	paused    bool
	revoked   bool // delivers no more
	touched   bool // settled something since the last mark
	settled   chan struct{}
}

// take delivers the next message, if there is one and it may be.
func (c *claim) take() (*sarama.ConsumerMessage, int64, bool) {
	w := &c.window
	if c.revoked || len(w.again) == 0 && (w.ahead() >= maxAhead || w.parked >= maxParked) {
		return nil, 0, false
	}
	return w.take()
}

// mark tells the session how far everything is settled.
func (c *claim) mark() {
	if !c.touched {
		return
	}
	c.touched = false
	if offset, ok := c.window.advance(); ok {
		c.session.MarkOffset(c.queue.options.JobsTopic, c.partition, offset, "")
		c.queue.counters.offsets.Add(1)
	}
	if c.revoked && c.window.out == 0 && c.settled != nil {
		close(c.settled)
		c.settled = nil
	}
}

func (c *claim) pause() {
	if !c.paused && c.window.waiting() >= maxWaiting {
		c.paused = true
		c.group.Pause(map[string][]int32{c.queue.options.JobsTopic: {c.partition}})
	}
}

func (c *claim) resume() {
	if c.paused && c.window.waiting() <= fewWaiting {
		c.paused = false
		c.group.Resume(map[string][]int32{c.queue.options.JobsTopic: {c.partition}})
	}
}

// handler is what sarama calls, on goroutines of its own.
type handler struct {
	queue *Queue
	group sarama.ConsumerGroup
}

// Setup implements sarama.ConsumerGroupHandler: we are in the group.
func (h handler) Setup(s sarama.ConsumerGroupSession) error {
	q := h.queue
	q.counters.joins.Add(1)
	q.mu.Lock()
	q.trouble = nil
	q.mu.Unlock()
	q.options.Log.Info("joined the group", "group", q.options.Group, "member", s.MemberID(), "partitions", s.Claims()[q.options.JobsTopic])
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (h handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim implements sarama.ConsumerGroupHandler. It reads until the
// channel is closed, which is the only sign that a partition is revoked, and never
// waits for anything else, so that it sees the sign at once.
func (h handler) ConsumeClaim(s sarama.ConsumerGroupSession, from sarama.ConsumerGroupClaim) error {
	q := h.queue
	c := &claim{queue: q, session: s, group: h.group, partition: from.Partition(), window: newWindow()}
	q.counters.assigned.Add(1)
	h.checkStart(c, from)
	q.mu.Lock()
	q.claimed++
	c.number = q.claimed
	q.claims = append(q.claims, c)
	q.mu.Unlock()

	for m := range from.Messages() {
		q.mu.Lock()
		if c.window.add(m) {
			c.pause()
			q.ring()
		}
		q.mu.Unlock()
	}
	h.end(c)
	return nil
}

// end lets the partition go.
func (h handler) end(c *claim) {
	q := h.queue
	q.counters.revoked.Add(1)
	q.mu.Lock()
	c.revoked = true
	if c.window.out > 0 {
		settled := make(chan struct{})
		c.settled = settled
		q.mu.Unlock()
		grace := time.NewTimer(revokeGrace)
		select {
		case <-settled:
		case <-grace.C:
		}
		grace.Stop()
		q.mu.Lock()
	}
	q.claims = slices.DeleteFunc(q.claims, func(other *claim) bool { return other == c })
	q.mu.Unlock()
}

// checkStart finds out whether the partition's committed offset was not in the
// topic any more, so that sarama went on from the oldest: messages were deleted
// before anybody read them, or the topic was made anew. Their jobs are not lost,
// as their records ring again, but somebody should know.
func (h handler) checkStart(c *claim, from sarama.ConsumerGroupClaim) {
	if from.InitialOffset() != sarama.OffsetOldest {
		return
	}
	q := h.queue
	committed, err := q.committed([]int32{c.partition})
	if err != nil || committed[c.partition] < 0 {
		return // nothing was committed yet
	}
	oldest, err := q.client.GetOffset(q.options.JobsTopic, c.partition, sarama.OffsetOldest)
	if err != nil {
		oldest = 0
	}
	q.counters.invalidOffsets.Add(1)
	q.options.Log.Error("the committed offset is not in the topic any more; going on from the oldest message, the rest is rung again by the records",
		"topic", q.options.JobsTopic, "partition", c.partition, "committed", committed[c.partition], "oldest", oldest)
	// Marks only grow, except through a reset.
	c.session.ResetOffset(q.options.JobsTopic, c.partition, oldest, "")
	c.session.MarkOffset(q.options.JobsTopic, c.partition, oldest, "")
}

// drain reads the group's errors until it is closed.
func (q *Queue) drain(errs <-chan error) {
	for err := range errs {
		q.counters.errors.Add(1)
		level := slog.LevelDebug // sarama tries again by itself
		var of *sarama.ConsumerError
		if errors.As(err, &of) && errors.Is(of.Err, sarama.ErrOffsetOutOfRange) {
			level = slog.LevelWarn // the alarm is raised when the partition is taken up again
		}
		q.options.Log.Log(q.ctx, level, "kafka reports an error", "error", err)
	}
}

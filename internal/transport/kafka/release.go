package kafka

import (
	"time"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
)

// A released message comes again to this process, and until it is settled the
// partition's offset stays before it. One that is released for longer than
// shortRelease, or that holds up more than maxBehind others, is produced again
// instead, so that the offset can go on; it may come to another worker then.
const (
	shortRelease = 5 * time.Second
	maxBehind    = 512
	releaseRetry = time.Second // when it could not be produced
)

// release takes a delivery back. The queue's mutex is held.
func (q *Queue) release(c *claim, r receipt, delay time.Duration) error {
	m := c.window.park(r.offset, r.delivery)
	if m == nil {
		return jobs.ErrFenced
	}
	q.counters.released.Add(1)
	c.touched = true
	if delay <= 0 {
		c.window.wake(r.offset)
		q.ring()
		return nil
	}
	q.after(delay, func() *sarama.ProducerMessage { return q.wake(c, m, delay > shortRelease) }, func(err error) { q.woken(c, m, err) })
	return nil
}

// wake makes a released message deliverable, or returns what is to be produced
// in its place. The queue's mutex is held.
func (q *Queue) wake(c *claim, m *sarama.ConsumerMessage, long bool) *sarama.ProducerMessage {
	if c.revoked {
		return nil // it is the next owner's: its offset was not committed
	}
	if !long && c.window.ahead() <= maxBehind {
		c.window.wake(m.Offset)
		q.ring()
		return nil
	}
	again := &sarama.ProducerMessage{Topic: m.Topic, Value: sarama.ByteEncoder(m.Value)}
	if m.Key != nil {
		again.Key = sarama.ByteEncoder(m.Key)
	}
	for _, h := range m.Headers {
		again.Headers = append(again.Headers, *h)
	}
	return again
}

// woken is told whether the message was produced again.
func (q *Queue) woken(c *claim, m *sarama.ConsumerMessage, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.revoked || q.closed {
		return
	}
	if err != nil {
		q.after(releaseRetry, func() *sarama.ProducerMessage { return q.wake(c, m, true) }, func(err error) { q.woken(c, m, err) })
		return
	}
	q.counters.reproduced.Add(1)
	c.window.drop(m.Offset)
	c.touched = true
	c.mark()
	q.ring()
}

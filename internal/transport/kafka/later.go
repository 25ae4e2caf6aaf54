package kafka

import (
	"container/heap"
	"context"
	"time"

	"github.com/IBM/sarama"
)

// later is what is to be done at some time, in the order of the times.
type later struct {
	items   timeline
	changed chan struct{} // one token: the first item is another one
	delayed int           // messages that were sent with a delay
}

type laterItem struct {
	at   time.Time
	do   func() *sarama.ProducerMessage // under the queue's mutex; what to send, or nil
	sent func(error)                    // what became of it
}

type timeline []laterItem

func (t timeline) Len() int           { return len(t) }
func (t timeline) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timeline) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timeline) Push(x any)        { *t = append(*t, x.(laterItem)) }
func (t *timeline) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = laterItem{}
	*t = old[:len(old)-1]
	return last
}

// Bounds of what is sent with a delay: more than that is left to the records,
// which ring when they are due.
const (
	maxDelayed = 8192
	maxDelay   = 15 * time.Minute
)

// delay keeps a message to be sent later; false: the queue is closed.
func (q *Queue) delay(m *sarama.ProducerMessage, d time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if d > maxDelay || q.later.delayed >= maxDelayed {
		q.counters.delayedLost.Add(1)
		return true
	}
	q.later.delayed++
	q.after(d, func() *sarama.ProducerMessage {
		q.later.delayed--
		return m
	}, func(err error) {
		if err != nil {
			q.counters.delayedLost.Add(1)
		}
	})
	return true
}

// after has something done after d. The queue's mutex is held.
func (q *Queue) after(d time.Duration, do func() *sarama.ProducerMessage, sent func(error)) {
	item := laterItem{at: time.Now().Add(d), do: do, sent: sent}
	heap.Push(&q.later.items, item)
	if q.later.items[0].at.Equal(item.at) {
		select {
		case q.later.changed <- struct{}{}:
		default:
		}
	}
}

// runLater does what is due until the queue is closed.
func (q *Queue) runLater() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var (
			batch []*sarama.ProducerMessage
			sent  []func(error)
			wait  = time.Hour
		)
		q.mu.Lock()
		for now := time.Now(); len(q.later.items) > 0; {
			if next := q.later.items[0].at; next.After(now) {
				wait = next.Sub(now)
				break
			}
			item := heap.Pop(&q.later.items).(laterItem)
			if m := item.do(); m != nil {
				batch = append(batch, m)
				sent = append(sent, item.sent)
			}
		}
		q.mu.Unlock()
		if len(batch) > 0 { // what is due meanwhile does not wait for the brokers
			q.running.Go(func() { q.sendLater(batch, sent) })
		}
		timer.Reset(wait)
		select {
		case <-q.ctx.Done():
			return
		case <-q.later.changed:
		case <-timer.C:
		}
	}
}

func (q *Queue) sendLater(batch []*sarama.ProducerMessage, sent []func(error)) {
	ctx, cancel := context.WithTimeout(q.ctx, sendTimeout)
	defer cancel()
	for i, err := range q.producer.send(ctx, batch) {
		sent[i](err)
	}
}

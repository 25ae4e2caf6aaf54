package kafka

import (
	"context"
	"time"

	"github.com/IBM/sarama"
)

// member is our membership of the group, from a join to the leave.
type member struct {
	stop context.CancelFunc
	left chan struct{} // closed when the group was left
}

// arrive counts a receiver; the first one joins the group.
func (q *Queue) arrive() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return unavailable(errClosed)
	}
	q.receivers++
	if q.leave != nil {
		q.leave.Stop()
		q.leave = nil
	}
	if q.member == nil {
		q.join()
	}
	return nil
}

// depart counts one that goes. When it was sent away and is the last, it may be
// for good: others should have the messages then.
func (q *Queue) depart(ctx context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.receivers--
	if q.receivers == 0 && ctx.Err() != nil && !q.closed && q.member != nil {
		if q.leave != nil {
			q.leave.Stop()
		}
		q.leave = time.AfterFunc(q.options.LeaveIdle, q.Leave)
	}
}

// Leave leaves the group, so that its other members get the messages at once; the
// next Receive joins it again. It is for a worker that takes no more jobs and still
// has some in hand. It does not wait.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.receivers > 0 || q.member == nil || q.closed {
		return
	}
	q.member.stop()
	q.gone, q.member = q.member.left, nil
}

// join starts a membership, which begins when the one before has ended. The
// queue's mutex is held.
func (q *Queue) join() {
	ctx, stop := context.WithCancel(q.ctx)
	m := &member{stop: stop, left: make(chan struct{})}
	before := q.gone
	q.member = m
	q.running.Go(func() {
		defer close(m.left)
		defer stop()
		if before != nil {
			<-before
		}
		q.stay(ctx)
	})
}

// stay keeps us in the group until ctx is done, whatever happens to the brokers.
func (q *Queue) stay(ctx context.Context) {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		begun := time.Now()
		err := q.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			q.mu.Lock()
			if q.trouble == nil {
				q.options.Log.Warn("not in the group; trying again", "group", q.options.Group, "error", err)
			}
			q.trouble = err
			q.mu.Unlock()
		}
		if time.Since(begun) > 10*time.Second {
			wait = 0
		}
		wait = min(max(2*wait, 100*time.Millisecond), 5*time.Second)
	}
}

// session is one stay with one client. It ends when something goes wrong; a new
// client forgets whatever confused the old one.
func (q *Queue) session(ctx context.Context) error {
	c, err := memberConfig(q.options)
	if err != nil {
		return err
	}
	group, err := sarama.NewConsumerGroup(q.options.Brokers, q.options.Group, c)
	if err != nil {
		return err
	}
	q.running.Go(func() { q.drain(group.Errors()) })
	err = group.Consume(ctx, []string{q.options.JobsTopic}, handler{queue: q, group: group})
	if e := group.Close(); err == nil && ctx.Err() == nil {
		err = e
	}
	return err
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

package sqlite

import (
	"context"
	"time"
)

// What is written behind: a message that nobody has received within freshFor, so
// that other processes see it, and a delivery that is held for longer than
// heldFor, so that it comes again even if this process is killed.
const (
	freshFor = 40 * time.Millisecond
	heldFor  = time.Second
)

// writeBehind sees to it that what is in memory is looked at; q.mu is held.
func (q *Queue) writeBehind() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// writesBehind runs until the queue is closed, and then writes all there is.
func (q *Queue) writesBehind() {
	defer close(q.written)
	for {
		select {
		case <-q.kick:
		case <-q.stop:
			q.flush(true)
			return
		}
		for again := true; again; {
			timer := time.NewTimer(freshFor)
			select {
			case <-timer.C:
				again = q.flush(false)
			case <-q.stop:
				again = false // the outer loop writes the rest
			}
			timer.Stop()
		}
	}
}

// flush writes what has been in memory for long, or everything. more: something
// is left that will have to be written if it stays.
func (q *Queue) flush(everything bool) (more bool) {
	now := time.Now()
	r := &request{behind: true}
	q.mu.Lock()
	q.expire(now)
	// Messages come in by age.
	n := 0
	for n < len(q.fresh) && (everything || now.Sub(q.fresh[n].sent) >= freshFor/2) {
		n++
	}
	r.ready, q.fresh = q.fresh[:n:n], q.fresh[n:]
	for number, h := range q.held {
		switch {
		case h.row != 0:
			if now.Sub(h.visible) > time.Hour { // whoever had it has forgotten it
				delete(q.held, number)
			}
		case everything || now.Sub(h.since) >= heldFor:
			h.leaving = true
			r.park = append(r.park, parking{message: h.message, visible: h.visible, number: number})
		default:
			more = true
		}
	}
	r.drop, q.garbage = q.garbage, nil
	r.change, q.late = q.late, nil
	more = more || len(q.fresh) > 0
	q.leaving += len(r.ready)
	q.mu.Unlock()

	if len(r.ready)+len(r.park)+len(r.drop)+len(r.change) == 0 {
		return more
	}
	err := q.hand(context.Background(), r)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writeFail = err
	if err == nil {
		return more
	}
	// It stays in memory, and is tried again.
	q.leaving -= len(r.ready)
	q.fresh = append(r.ready, q.fresh...)
	q.garbage = append(q.garbage, r.drop...)
	q.late = append(r.change, q.late...)
	for _, p := range r.park {
		if h := q.held[p.number]; h != nil {
			h.leaving = false
			q.expiresAt(h.visible)
		}
	}
	q.ring()
	return true
}

// settled takes note of where the deliveries of a request are now; q.mu is held.
func (q *Queue) settled(r *request) {
	if r.behind {
		q.leaving -= len(r.ready)
	}
	for i, p := range r.park {
		if p.number == 0 {
			continue
		}
		h := q.held[p.number]
		if h == nil { // settled meanwhile
			q.garbage = append(q.garbage, r.rows[i])
			q.writeBehind()
			continue
		}
		if !h.visible.Equal(p.visible) { // extended meanwhile
			q.late = append(q.late, rowChange{row: r.rows[i], held: true, visible: h.visible})
			q.writeBehind()
		}
		h.row, h.leaving, h.message = r.rows[i], false, nil
	}
}

package youtube

import (
	"context"
	"fmt"
	"time"
)

// pace is the shared record of when the next song may begin: a generic cell rate
// algorithm, which lets a burst through and then one song per interval.
type pace struct {
	Next time.Time `json:"next"` // theoretical arrival of the next song
}

// turn is a place in the queue of one song that was told to come back.
type turn struct {
	At time.Time `json:"at"`
}

// patience is how long a song waits here for its turn instead of coming back.
const patience = 2 * time.Second

// take waits for a song's turn, or says when to come back: then its place is
// kept, so that songs get their turns in the order in which they asked.
func (h *health) take(ctx context.Context, id string) error {
	if h.every <= 0 {
		return nil
	}
	var mine turn
	if !h.board.read(ctx, h.key("turn", id), &mine) || mine.At.IsZero() {
		var at time.Time
		_, err := change(ctx, h.board, "youtube/pace/"+h.egress, circuitKeep, func(p *pace) bool {
			now := h.now()
			next := p.Next
			if next.Before(now) {
				next = now
			}
			at = next.Add(-time.Duration(h.burst-1) * h.every)
			p.Next = next.Add(h.every)
			return true
		})
		if err != nil {
			return nil //nolint:nilerr // nobody knows the pace: rather a song too early than none
		}
		mine.At = at
		if left := at.Sub(h.now()); left > patience {
			_, err := change(ctx, h.board, h.key("turn", id), left+time.Hour, func(t *turn) bool { *t = mine; return true })
			if err != nil {
				return sleep(ctx, left)
			}
			return wait(CodePaced, left, fmt.Errorf("one song per %v", h.every))
		}
		return sleep(ctx, mine.At.Sub(h.now()))
	}
	if left := mine.At.Sub(h.now()); left > patience {
		return wait(CodePaced, left, fmt.Errorf("one song per %v", h.every))
	}
	_, _ = change(ctx, h.board, h.key("turn", id), time.Second, func(t *turn) bool { *t = turn{}; return true }) // else it is used twice, at worst
	return sleep(ctx, mine.At.Sub(h.now()))
}

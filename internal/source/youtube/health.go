package youtube

import (
	"context"
	"fmt"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// health decides whether this address may ask YouTube now. What it knows is
// shared by every process with the same egress name: the pace of songs, and a
// circuit for each extractor.
type health struct {
	board      *board
	egress     string
	extractors []string
	every      time.Duration
	burst      int
	pause      time.Duration // a circuit's first
	now        func() time.Time
	observer   Observer
	clean      *redactor
}

// States of a circuit.
const (
	CircuitClosed   = "closed"    // all is well
	CircuitOpen     = "open"      // nobody asks
	CircuitHalfOpen = "half-open" // one asks
)

// circuit is the shared record of one extractor.
type circuit struct {
	State   string    `json:"state"`
	Since   time.Time `json:"since"`             // of the present state
	Until   time.Time `json:"until"`             // open: nobody asks before
	Times   int       `json:"times"`             // opened in a row, for doubling
	Strikes int       `json:"strikes,omitempty"` // closed: failures in a row that may open it
	Probe   time.Time `json:"probe,omitzero"`    // half-open: the prober's lease ends
	Code    string    `json:"code,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

const (
	maxPause    = 6 * time.Hour
	probeLease  = 2 * time.Minute
	maxStrikes  = 3 // songs in a row whose media was refused
	circuitKeep = 24 * time.Hour
)

func (h *health) key(kind, name string) string {
	return "youtube/" + kind + "/" + h.egress + "/" + name
}

// blocked says why an extractor may not be used.
type blocked struct {
	code, reason string
	until        time.Time
}

func (b *blocked) err(now time.Time) *jobs.Error {
	return wait(b.code, max(b.until.Sub(now), time.Second),
		fmt.Errorf("paused: youtube until %s, because %s", b.until.UTC().Format(time.RFC3339), b.reason))
}

// look says whether an extractor is blocked, without taking a probe.
func (h *health) look(ctx context.Context, extractor string) *blocked {
	var c circuit
	if !h.board.read(ctx, h.key("circuit", extractor), &c) || c.State == CircuitClosed || c.State == "" {
		return nil
	}
	return c.blocked(h.now())
}

func (c *circuit) blocked(now time.Time) *blocked {
	until := c.Until
	if c.State == CircuitHalfOpen {
		until = c.Probe
	}
	if !now.Before(until) {
		return nil
	}
	return &blocked{c.Code, c.Reason, until}
}

// admit lets one use an extractor, nil, or says why not. When the pause of an
// open circuit is over, the first to come is its probe.
func (h *health) admit(ctx context.Context, extractor string) *blocked {
	var c circuit
	if !h.board.read(ctx, h.key("circuit", extractor), &c) || c.State == CircuitClosed || c.State == "" {
		return nil
	}
	if b := c.blocked(h.now()); b != nil {
		return b
	}
	won := false
	c, err := change(ctx, h.board, h.key("circuit", extractor), circuitKeep, func(c *circuit) bool {
		won = false
		if c.State == CircuitClosed || c.State == "" || c.blocked(h.now()) != nil {
			return false
		}
		won = true
		c.State, c.Since, c.Probe = CircuitHalfOpen, h.now(), h.now().Add(probeLease)
		return true
	})
	if err != nil || won {
		if won {
			h.observer.Circuit(extractor, CircuitHalfOpen)
		}
		return nil
	}
	return c.blocked(h.now())
}

// report tells how the use of an extractor ended: nil is a song.
func (h *health) report(ctx context.Context, extractor string, err error) {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
	}
	e := asError(err)
	switch {
	case err == nil:
		h.shut(ctx, extractor)
	case e == nil: // stopped from outside
		h.giveBack(ctx, extractor)
	case e.Code == CodeRateLimited:
		// The address is meant, not the way of asking: all extractors pause.
		for _, each := range h.extractors {
			h.trip(ctx, each, e, 1)
		}
	case e.Code == CodeBotCheck:
		h.trip(ctx, extractor, e, 1)
	case e.Code == CodeExpiredURL:
		h.trip(ctx, extractor, e, maxStrikes)
	case e.Code == CodeUpstream, e.Code == CodeNetwork, e.Code == CodeIncomplete, e.Code == CodeConfig:
		h.giveBack(ctx, extractor)
	default:
		h.shut(ctx, extractor) // a verdict on the video: YouTube talks to us
	}
}

// shut closes a circuit. A clean one costs a read and no write.
func (h *health) shut(ctx context.Context, extractor string) {
	closed := false
	_, err := change(ctx, h.board, h.key("circuit", extractor), circuitKeep, func(c *circuit) bool {
		closed = c.State == CircuitHalfOpen
		if closed || c.State == CircuitClosed && c.Strikes > 0 {
			*c = circuit{State: CircuitClosed, Since: h.now()}
			return true
		}
		return false // an open one is not closed by a song that began before it opened
	})
	if err == nil && closed {
		h.observer.Circuit(extractor, CircuitClosed)
	}
}

// giveBack ends a probe that proved nothing; the next may try soon.
func (h *health) giveBack(ctx context.Context, extractor string) {
	_, _ = change(ctx, h.board, h.key("circuit", extractor), circuitKeep, func(c *circuit) bool {
		if c.State != CircuitHalfOpen {
			return false
		}
		c.Probe = h.now().Add(min(h.pause, 30*time.Second))
		return true
	}) // else the probe's lease ends by itself
}

// trip opens a circuit at the strikes-th failure in a row.
func (h *health) trip(ctx context.Context, extractor string, e *jobs.Error, strikes int) {
	opened := false
	_, err := change(ctx, h.board, h.key("circuit", extractor), circuitKeep, func(c *circuit) bool {
		now := h.now()
		opened = false
		switch {
		case c.State == CircuitOpen && now.Before(c.Until):
			// Somebody was faster; only a longer wish of the other side counts.
			if until := now.Add(e.RetryAfter); until.After(c.Until) {
				c.Until = until
				return true
			}
			return false
		case c.State != CircuitHalfOpen && c.State != CircuitOpen:
			c.State = CircuitClosed
			if c.Strikes++; c.Strikes < strikes {
				return true
			}
		}
		opened = true
		c.Times++
		d := min(e.RetryAfter, maxPause)
		if d <= 0 {
			d = maxPause
			if c.Times < 16 {
				d = min(d, h.pause<<(c.Times-1))
			}
		}
		c.State, c.Since, c.Until, c.Strikes, c.Probe = CircuitOpen, now, now.Add(d), 0, time.Time{}
		c.Code, c.Reason = e.Code, h.reason(e)
		return true
	})
	if err == nil && opened {
		h.observer.Circuit(extractor, CircuitOpen)
	}
}

func (h *health) reason(e *jobs.Error) string {
	if e.Err == nil {
		return e.Code
	}
	return h.clean.text(e.Code + ": " + e.Err.Error())
}

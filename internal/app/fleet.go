package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// The workers of a fleet tell each other, and those who scale them, that they are
// there: each keeps one note, which runs out soon after its worker is gone.
const (
	presencePrefix = "worker/"
	presenceEvery  = 30 * time.Second
	presenceFor    = 90 * time.Second
)

// presence is what a worker says of itself.
type presence struct {
	Slots   int       `json:"slots"`
	Busy    int       `json:"busy"`
	Seconds float64   `json:"seconds,omitempty"` // what a job takes it, on average; 0: it has made none
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason,omitempty"` // why it takes no jobs
}

// fleet is the workers that are there.
type fleet struct {
	Workers int
	Slots   int
	Busy    int
	Seconds float64 // per job, over the fleet
}

// secondsUnknown stands for the mean time of a job while no worker has made one.
const secondsUnknown = 15.0

// readFleet adds up the presences.
func readFleet(ctx context.Context, notes jobs.Notes) (f fleet, err error) {
	seconds, weights := 0.0, 0.0
	for after := presencePrefix; ; {
		page, err := notes.ListNotes(ctx, presencePrefix, after, 500)
		if err != nil {
			return f, err
		}
		for _, n := range page {
			after = n.Key
			var p presence
			if json.Unmarshal(n.Value, &p) != nil {
				continue
			}
			f.Workers++
			f.Slots += p.Slots
			f.Busy += p.Busy
			if p.Seconds > 0 {
				seconds += p.Seconds * float64(p.Slots)
				weights += float64(p.Slots)
			}
		}
		if len(page) < 500 {
			break
		}
	}
	f.Seconds = secondsUnknown
	if weights > 0 {
		f.Seconds = seconds / weights
	}
	return f, nil
}

// backlogSeconds is how long the fleet would be busy with what there is to do, if
// all its slots were. With no worker it is counted as for one slot, so that a
// fleet scaled to zero still shows its backlog.
func backlogSeconds(s jobs.Stats, f fleet) float64 {
	work := float64(s.Jobs[jobs.JobPending]) + float64(s.Jobs[jobs.JobRunning])
	return work * f.Seconds / float64(max(1, f.Slots))
}

// timekeeper is a jobs.Observer that learns how long jobs take this worker: an
// exponential mean over about the last twenty.
type timekeeper struct {
	jobs.Observer
	now func() time.Time

	mu      sync.Mutex
	begun   map[jobs.Key]time.Time
	seconds float64
}

func newTimekeeper(next jobs.Observer) *timekeeper {
	return &timekeeper{Observer: next, now: time.Now, begun: map[jobs.Key]time.Time{}}
}

// Claimed implements jobs.Observer.
func (t *timekeeper) Claimed(j jobs.Job, d jobs.Delivery) {
	t.Observer.Claimed(j, d)
	t.mu.Lock()
	t.begun[j.Key] = t.now()
	t.mu.Unlock()
}

// Settled implements jobs.Observer.
func (t *timekeeper) Settled(j jobs.Job, c jobs.JobCommand, took time.Duration) {
	t.Observer.Settled(j, c, took)
	t.mu.Lock()
	defer t.mu.Unlock()
	begun, ok := t.begun[j.Key]
	delete(t.begun, j.Key)
	if !ok || c.Kind == jobs.JobFail && c.Failure != nil && c.Failure.Class == jobs.ClassInterrupted {
		return
	}
	seconds := math.Max(0.001, t.now().Sub(begun).Seconds())
	if t.seconds == 0 {
		t.seconds = seconds
		return
	}
	t.seconds += (seconds - t.seconds) / 20
}

// LeaseLost implements jobs.Observer.
func (t *timekeeper) LeaseLost(j jobs.Job) {
	t.Observer.LeaseLost(j)
	t.mu.Lock()
	delete(t.begun, j.Key)
	t.mu.Unlock()
}

func (t *timekeeper) mean() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seconds
}

// attend keeps a worker's presence until ctx is done, and then takes it away.
func attend(ctx context.Context, notes jobs.Notes, worker string, say func() presence, log *slog.Logger) {
	n := jobs.Note{Key: presencePrefix + worker}
	failing := false
	write := func(ctx context.Context, lasts time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		value, err := json.Marshal(say())
		if err == nil {
			n.Value, n.ExpiresAt = value, time.Now().Add(lasts)
			var kept jobs.Note
			if kept, err = notes.SwapNote(ctx, n); errors.Is(err, jobs.ErrConflict) {
				n.Version = kept.Version // it had run out, or an answer was lost
				kept, err = notes.SwapNote(ctx, n)
			}
			if err == nil {
				n.Version = kept.Version
			}
		}
		if err != nil && !failing {
			log.Warn("can not tell the fleet that this worker is there", "error", err)
		}
		failing = err != nil
	}
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	for {
		write(ctx, presenceFor)
		select {
		case <-ctx.Done():
			write(context.WithoutCancel(ctx), time.Millisecond)
			return
		case <-tick.C:
		}
	}
}

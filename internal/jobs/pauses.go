package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Pause is an operator's wish that nothing new be begun for a while. Work in hand
// goes on, songs that are there are served, requests are accepted and wait.
type Pause struct {
	Target string    `json:"target"` // PauseQueue, or "source:…" or "host:…"
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is lifted
}

// Targets of a pause.
const (
	PauseQueue  = "queue"   // workers take no job at all
	PauseSource = "source:" // and a platform: its jobs wait, uncharged
	PauseHost   = "host:"   // and a host: jobs of the sources that need it wait
)

// pausePrefix is where the notes of pauses are.
const pausePrefix = "pause/"

// ErrTarget refuses a pause of something that can not be paused.
var ErrTarget = errors.New("the target is none of queue, source:NAME, host:NAME")

// Pauses reads and writes the pauses, which the fleet shares through its notes.
type Pauses struct {
	notes Notes
	every time.Duration
	now   func() time.Time
	log   *slog.Logger

	mu   sync.Mutex
	read time.Time
	list []Pause
}

// NewPauses returns pauses that are read at most once in every (1 s if 0); so
// late may a worker heed one.
func NewPauses(notes Notes, every time.Duration, log *slog.Logger) *Pauses {
	setDefault(&every, time.Second)
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Pauses{notes: notes, every: every, now: time.Now, log: log}
}

// List reads the pauses that are in force, by target.
func (p *Pauses) List(ctx context.Context) ([]Pause, error) {
	var all []Pause
	err := eachNote(ctx, p.notes, pausePrefix, func(n Note) bool {
		var one Pause
		if json.Unmarshal(n.Value, &one) == nil {
			all = append(all, one)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("pauses: %w", err)
	}
	return all, nil
}

// Set puts a pause in force, in the place of one on the same target.
func (p *Pauses) Set(ctx context.Context, one Pause) (Pause, error) {
	if err := checkTarget(one.Target); err != nil {
		return one, err
	}
	one.Since = p.now().UTC()
	if !one.Until.IsZero() && !one.Until.After(one.Since) {
		return one, fmt.Errorf("%w: a pause until %s is over already", ErrState, one.Until.Format(time.RFC3339))
	}
	if err := putNote(ctx, p.notes, pausePrefix+one.Target, one, one.Until); err != nil {
		return one, fmt.Errorf("pause %s: %w", one.Target, err)
	}
	p.forget()
	return one, nil
}

// Lift ends a pause. ErrNotFound if there is none.
func (p *Pauses) Lift(ctx context.Context, target string) (Pause, error) {
	var one Pause
	if err := checkTarget(target); err != nil {
		return one, err
	}
	n, err := p.notes.Note(ctx, pausePrefix+target)
	if err != nil {
		return one, fmt.Errorf("resume %s: %w", target, err)
	}
	_ = json.Unmarshal(n.Value, &one) // what can not be read is lifted all the same
	if err := dropNote(ctx, p.notes, n.Key); err != nil {
		return one, fmt.Errorf("resume %s: %w", target, err)
	}
	p.forget()
	return one, nil
}

func checkTarget(target string) error {
	for _, prefix := range []string{PauseSource, PauseHost} {
		if name, ok := strings.CutPrefix(target, prefix); ok && name != "" && len(name) <= 128 && !strings.ContainsAny(name, "/ \t\n") {
			return nil
		}
	}
	if target == PauseQueue {
		return nil
	}
	return ErrTarget
}

// InForce returns the first of the targets that is paused. It asks the store at
// most once in a while and, when it does not answer, goes by what it knew.
func (p *Pauses) InForce(ctx context.Context, targets ...string) (Pause, bool) {
	now := p.now()
	p.mu.Lock()
	age := now.Sub(p.read)
	stale := p.read.IsZero() || age < 0 || age >= p.every
	if stale {
		p.read = now // the others go by what is known meanwhile
	}
	p.mu.Unlock()
	if stale {
		list, err := p.List(ctx)
		p.mu.Lock()
		if err == nil {
			p.list = list
		}
		p.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			p.log.Debug("going by the pauses that were known", "error", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.list {
		if !one.Until.IsZero() && !now.Before(one.Until) {
			continue
		}
		for _, t := range targets {
			if one.Target == t {
				return one, true
			}
		}
	}
	return Pause{}, false
}

func (p *Pauses) forget() {
	p.mu.Lock()
	p.read = time.Time{}
	p.mu.Unlock()
}

// Gate is for RunnerConfig: it is closed while the queue is paused.
func (p *Pauses) Gate(ctx context.Context) error {
	if one, ok := p.InForce(ctx, PauseQueue); ok {
		return errors.New("paused: " + one.String())
	}
	return nil
}

// String is one line for people: queue until …, by …, because ….
func (p Pause) String() string {
	text := p.Target
	if !p.Until.IsZero() {
		text += " until " + p.Until.UTC().Format(time.RFC3339)
	}
	if p.By != "" {
		text += ", by " + p.By
	}
	if p.Reason != "" {
		text += ", because " + p.Reason
	}
	return text
}

// pauseLook is how long a job waits before it asks again whether its source is
// still paused.
const pauseLook = 30 * time.Second

// Pausable is a Processor that begins nothing for a paused source or host; the job
// waits, uncharged. Hosts names what the processor needs for a job.
type Pausable struct {
	Processor
	Pauses *Pauses
	Hosts  func(Key) []string
}

// Process implements Processor.
func (p Pausable) Process(ctx context.Context, j Job, report func(Stage, Progress, SongInfo)) (Result, error) {
	targets := []string{PauseSource + j.Key.Platform}
	if p.Hosts != nil {
		for _, h := range p.Hosts(j.Key) {
			targets = append(targets, PauseHost+h)
		}
	}
	one, ok := p.Pauses.InForce(ctx, targets...)
	if !ok {
		return p.Processor.Process(ctx, j, report)
	}
	wait := pauseLook
	if !one.Until.IsZero() {
		wait = min(wait, max(time.Second, one.Until.Sub(p.Pauses.now())))
	}
	host, _ := strings.CutPrefix(one.Target, PauseHost)
	if host == one.Target {
		host = ""
	}
	e := RetryAfter(wait, CodePaused, "the source is paused by an operator", errors.New(one.String()))
	e.Host = host
	return Result{}, e
}

package app

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// worker is a runner and what goes with it: its presence in the fleet, and its
// protection from being scaled in.
type worker struct {
	*System
	name       string
	since      time.Time
	runner     *jobs.Runner
	times      *timekeeper
	protection *protection // nil outside ECS
}

func (s *System) worker(name string) *worker {
	w := &worker{System: s, name: name, since: time.Now(), times: newTimekeeper(s.Metrics)}
	busy := func() int { n, _ := w.runner.Running(); return n }
	w.protection = newProtection(os.Getenv("ECS_AGENT_URI"), busy, s.Log)
	w.runner = s.runner(name, w.times, w.gate)
	return w
}

// gate says why this worker may take no jobs.
func (w *worker) gate(ctx context.Context) error {
	if w.protection != nil {
		if err := w.protection.Gate(ctx); err != nil {
			return err
		}
	}
	return w.Pauses.Gate(ctx)
}

// run works until intake is done and what is in hand has come to its end.
func (w *worker) run(intake, work context.Context) {
	helpers, stop := context.WithCancel(context.WithoutCancel(work))
	var helping sync.WaitGroup
	helping.Go(func() { attend(helpers, w.Store, w.name, w.presence, w.Log) })
	helping.Go(func() { w.bulks(w.name).Run(intake) })
	if w.protection != nil {
		helping.Go(func() { w.protection.Run(helpers) })
	}
	w.runner.Run(intake, work)
	stop()
	helping.Wait()
}

func (w *worker) presence() presence {
	busy, slots := w.runner.Running()
	p := presence{Slots: slots, Busy: busy, Seconds: w.times.mean(), Since: w.since}
	for _, err := range []error{w.runner.Unfit(), w.runner.Gated()} {
		if err != nil {
			p.Reason = err.Error()
		}
	}
	return p
}

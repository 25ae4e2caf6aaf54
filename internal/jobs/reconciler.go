package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// ReconcilerConfig holds what a Reconciler needs. Store, Finisher and Bell must
// be set.
type ReconcilerConfig struct {
	Store    Store
	Finisher *Finisher
	Bell     *Bell
	Observer Observer
	Log      *slog.Logger

	Every     time.Duration // how often it looks, ± 20 %; 1 s
	RingEvery time.Duration // a job that nobody claims is rung again after; 30 s
	LookAgain time.Duration // an operation whose job lives is looked at again after; 5 min
	Batch     int           // records a look; 200

	Now    func() time.Time
	Random func() float64
}

// Reconciler repairs whatever a crash, a lost message or an outage has left. It
// is idempotent and any number may run; in an undisturbed fleet it finds
// nothing to do.
type Reconciler struct{ ReconcilerConfig }

// NewReconciler fills in the defaults.
func NewReconciler(c ReconcilerConfig) *Reconciler {
	setDefault(&c.Every, time.Second)
	setDefault(&c.RingEvery, 30*time.Second)
	setDefault(&c.LookAgain, 5*time.Minute)
	setDefault(&c.Batch, 200)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observer == nil {
		c.Observer = NoObserver{}
	}
	return &Reconciler{c}
}

// Run looks until ctx is done.
func (r *Reconciler) Run(ctx context.Context) {
	failing := false
	for {
		full, err := r.Look(ctx)
		if err != nil && ctx.Err() == nil && !failing { // once per outage
			r.Log.Warn("the reconciler could not repair everything and goes on trying", "error", err)
		}
		failing = err != nil
		if full && err == nil && ctx.Err() == nil {
			continue
		}
		jitter := time.Duration((r.Random() - 0.5) * 0.4 * float64(r.Every))
		if !sleep(ctx, r.Every+jitter) {
			return
		}
	}
}

// Look repairs what is due now. full: there may be more. The first error is
// returned; what could not be repaired stays due.
func (r *Reconciler) Look(ctx context.Context) (full bool, err error) {
	due, err := r.Store.Due(ctx, r.Now(), r.Batch)
	if err != nil {
		return false, fmt.Errorf("due records: %w", err)
	}
	err = r.jobs(ctx, due.Jobs)
	err = firstError(err, r.operations(ctx, due.Operations))
	return len(due.Jobs) >= r.Batch || len(due.Operations) >= r.Batch, err
}

func (r *Reconciler) jobs(ctx context.Context, due []Job) (first error) {
	var rings []JobCommand
	var ended []Job
	now := r.Now()
	for _, j := range due {
		if j.State.Ended() {
			// What Due returned may be stale, and a fan-out from a generation that is
			// over would end operations that wait for the next one.
			now, err := r.Store.Job(ctx, j.Key)
			if err == nil && now.State.Ended() && !now.DueAt.IsZero() {
				ended = append(ended, now)
			} else if err != nil && !errors.Is(err, ErrNotFound) {
				first = firstError(first, fmt.Errorf("ended job %s: %w", j.Key, err))
			}
			continue
		}
		if j.Reopen != 0 {
			first = firstError(first, r.Finisher.Reopen(ctx, j))
		}
		rings = append(rings, JobCommand{Kind: JobRing, Key: j.Key, Now: now, DueAt: now.Add(r.patience(j, now))})
	}
	if len(rings) > 0 {
		outs, err := r.Store.ApplyJobs(ctx, rings)
		if err != nil {
			return firstError(first, fmt.Errorf("ring: %w", err))
		}
		for _, o := range outs {
			// Only one reconciler of the fleet gets the ring through.
			if o.Err != nil || !o.Changed {
				continue
			}
			r.Bell.Ring(o.Job, max(0, o.Job.RunAt.Sub(now)))
			if o.Job.State == JobRunning {
				r.Observer.Repaired(RepairStolen)
			} else {
				r.Observer.Repaired(RepairRang)
			}
		}
	}
	if len(ended) == 0 {
		return first
	}
	for range ended {
		r.Observer.Repaired(RepairFannedOut)
	}
	return firstError(first, r.Finisher.FanOut(ctx, ended))
}

// patience is how long a ring is trusted. The longer a job has waited, the
// likelier it is that the workers are busy and not that a message was lost: a
// long backlog is not rung through every RingEvery.
func (r *Reconciler) patience(j Job, now time.Time) time.Duration {
	return min(max(r.RingEvery, now.Sub(j.generationStart())), max(r.RingEvery, 10*time.Minute))
}

func (r *Reconciler) operations(ctx context.Context, due []Operation) (first error) {
	var pending []Operation
	for _, o := range due {
		if !o.Ended() {
			first = firstError(first, r.waiting(ctx, o))
			continue
		}
		if o.Event == EventPending {
			pending = append(pending, o)
		}
	}
	for len(pending) > 0 {
		batch := pending[:min(len(pending), announceBatch)]
		pending = pending[len(batch):]
		if err := r.Finisher.publish(ctx, batch); err != nil {
			return firstError(first, err)
		}
		for range batch {
			r.Observer.Repaired(RepairPublished)
		}
	}
	return first
}

// waiting looks after an operation that has waited for long: it makes sure that
// there is a job for it, ends it if the job has ended, or looks again later.
func (r *Reconciler) waiting(ctx context.Context, o Operation) error {
	now := r.Now()
	j, err := r.Store.Job(ctx, o.Key)
	if errors.Is(err, ErrNotFound) || err == nil && j.State == JobCancelled {
		out, err := applyJob(ctx, r.Store, JobCommand{
			Kind: JobEnsure, Key: o.Key, Now: now, DueAt: now.Add(r.RingEvery), Requester: o.Requester,
		})
		if err != nil {
			return fmt.Errorf("make the job of operation %s: %w", o.ID, err)
		}
		if out.Changed {
			r.Bell.Ring(out.Job, 0)
			r.Observer.Repaired(RepairEnsured)
		}
		j = out.Job
	} else if err != nil {
		return fmt.Errorf("job of operation %s: %w", o.ID, err)
	}
	if j.State.Ended() && j.Generation > o.After {
		_, err := r.Finisher.Finish(ctx, j, o)
		if err != nil && !errors.Is(err, ErrStale) {
			return fmt.Errorf("end operation %s: %w", o.ID, err)
		}
		r.Observer.Repaired(RepairFannedOut)
		return nil
	}
	if j.State.Ended() {
		// A live record's generation is greater than what a replay left: this one was
		// deleted and made anew, and counts from 1 again. It is begun again until it
		// has got past that.
		out, err := applyJob(ctx, r.Store, JobCommand{
			Kind: JobEnsure, Key: o.Key, Now: now, Generation: j.Generation, DueAt: now.Add(r.RingEvery), Requester: o.Requester,
		})
		if err != nil {
			return fmt.Errorf("make the job of operation %s anew: %w", o.ID, err)
		}
		if out.Changed {
			r.Bell.Ring(out.Job, 0)
			r.Observer.Repaired(RepairEnsured)
		}
	}
	_, err = applyOperation(ctx, r.Store, OperationCommand{
		Kind: OperationDefer, ID: o.ID, Now: now, DueAt: now.Add(r.LookAgain),
	})
	if err != nil && !errors.Is(err, ErrEnded) && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("defer operation %s: %w", o.ID, err)
	}
	return nil
}

package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// OperatorConfig holds what an Operator needs; all but Now must be set.
type OperatorConfig struct {
	Store    Store
	Finisher *Finisher
	Bell     *Bell
	Now      func() time.Time
}

// Operator carries out what people wish: cancel, replay and discard.
type Operator struct {
	OperatorConfig
	replays atomic.Int64
}

// Replays counts the jobs that this process has begun again.
func (p *Operator) Replays() int64 { return p.replays.Load() }

// NewOperator fills in the defaults.
func NewOperator(c OperatorConfig) *Operator {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Operator{OperatorConfig: c}
}

// CancelOperation takes one request back. The job goes on as long as anybody
// else waits for it. ErrNotFound; ErrEnded with the operation as it is when it
// was over before.
func (p *Operator) CancelOperation(ctx context.Context, id string) (Operation, error) {
	o, err := p.Store.Operation(ctx, id)
	if err != nil {
		return o, err
	}
	cancelled, err := p.Finisher.Cancel(ctx, o, "cancelled on request")
	if err != nil {
		if errors.Is(err, ErrEnded) && cancelled.State == OperationCancelled {
			return cancelled, nil // asked twice
		}
		return cancelled, err
	}
	p.stopUnwanted(ctx, o.Key)
	return cancelled, nil
}

// stopUnwanted stops a job that nobody waits for. What can not be read or
// written leaves it running, which does no harm: the wish is recorded.
func (p *Operator) stopUnwanted(ctx context.Context, key Key) {
	others, err := p.Store.OperationsOf(ctx, key, OperationWaiting, "", 1)
	if err != nil || len(others) > 0 {
		return
	}
	// Whoever attaches between the look and the stop finds the job cancelled and
	// begins it again.
	if j, err := p.Store.Job(ctx, key); err == nil && !j.State.Ended() {
		_ = p.stop(ctx, j) // see above
	}
}

// CancelJob takes back every request that waits for a job, and stops it.
// ErrNotFound; ErrEnded when it was over before.
func (p *Operator) CancelJob(ctx context.Context, key Key) (Job, error) {
	j, err := p.Store.Job(ctx, key)
	if err != nil {
		return j, err
	}
	if j.State.Ended() {
		if j.State == JobCancelled {
			return j, nil
		}
		return j, ErrEnded
	}
	for {
		waiting, err := p.Store.OperationsOf(ctx, key, OperationWaiting, "", p.Finisher.Page)
		if err != nil {
			return j, fmt.Errorf("waiting operations: %w", err)
		}
		for _, o := range waiting {
			if _, err := p.Finisher.Cancel(ctx, o, "cancelled by an operator"); err != nil &&
				!errors.Is(err, ErrEnded) && !errors.Is(err, ErrNotFound) {
				return j, fmt.Errorf("cancel operation %s: %w", o.ID, err)
			}
		}
		if len(waiting) < p.Finisher.Page {
			break
		}
	}
	if err := p.stop(ctx, j); err != nil {
		return j, err
	}
	return p.Store.Job(ctx, key)
}

// stop ends the job. A worker that has it learns so at its next renewal.
func (p *Operator) stop(ctx context.Context, j Job) error {
	out, err := applyJob(ctx, p.Store, JobCommand{Kind: JobCancel, Key: j.Key, Now: p.Now(), Generation: j.Generation})
	if err != nil {
		return fmt.Errorf("cancel job: %w", err)
	}
	return p.Finisher.FanOut(ctx, []Job{out.Job})
}

// Replay begins a dead or cancelled job again, in a new generation with fresh
// attempts; the operations that it failed wait again and will end anew.
// ErrNotFound, ErrState, ErrStale (somebody else was faster), *RefusedError (what
// RefuseReplay refuses unless it is forced).
func (p *Operator) Replay(ctx context.Context, key Key, force bool) (Job, error) {
	j, err := p.Store.Job(ctx, key)
	if err != nil {
		return j, err
	}
	switch reason := RefuseReplay(j, force); reason {
	case "":
	case RefusedState:
		return j, ErrState
	default:
		return j, &RefusedError{reason}
	}
	now := p.Now()
	out, err := applyJob(ctx, p.Store, JobCommand{
		Kind: JobReplay, Key: key, Now: now, Generation: j.Generation, DueAt: now.Add(p.Finisher.Grace),
	})
	if err != nil {
		return out.Job, err
	}
	p.replays.Add(1)
	// Should this process stop here, the reconciler finds the mark and goes on.
	if err := p.Finisher.Reopen(ctx, out.Job); err != nil {
		return out.Job, fmt.Errorf("the job is replayed; its operations follow: %w", err)
	}
	p.Bell.Ring(out.Job, 0)
	return p.Store.Job(ctx, key)
}

// Discard forgets a dead or cancelled job, once its operations have been ended. A
// later request begins it anew. ErrNotFound, ErrState, ErrStale.
func (p *Operator) Discard(ctx context.Context, key Key) error {
	j, err := p.Store.Job(ctx, key)
	if err != nil {
		return err
	}
	if j.State != JobDead && j.State != JobCancelled {
		return ErrState
	}
	_, err = applyJob(ctx, p.Store, JobCommand{Kind: JobDiscard, Key: key, Now: p.Now(), Generation: j.Generation})
	return err
}

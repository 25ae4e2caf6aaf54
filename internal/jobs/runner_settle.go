package jobs

import (
	"context"
	"errors"
	"time"
)

// settleLoops is how many batches of finished attempts may be on their way to
// the store at a time; settleBatch bounds one. A batch is what has finished
// while the last one was written, so a single song never waits for company.
const (
	settleLoops = 4
	settleBatch = 128
)

func (r *Runner) settleLoop() {
	for first := range r.ended {
		batch := append(make([]finished, 0, 8), first)
	gather:
		for len(batch) < settleBatch {
			select {
			case f, ok := <-r.ended:
				if !ok {
					break gather
				}
				batch = append(batch, f)
			default:
				break gather
			}
		}
		r.settleBatch(batch)
	}
}

// settleBatch writes how attempts ended (W8), ends the operations that wait for
// them (W9, W10, W11) and acknowledges their messages (W12). It goes on after a
// shutdown, under its own time limit.
func (r *Runner) settleBatch(batch []finished) {
	ctx, cancel := context.WithTimeout(context.Background(), r.Lease)
	defer cancel()
	commands := make([]JobCommand, 0, len(batch))
	writers := make([]finished, 0, len(batch))
	settle := make([]Settlement, 0, len(batch))
	for _, f := range batch {
		if errors.Is(f.err, ErrLeaseLost) || errors.Is(f.err, ErrCancelled) {
			settle = append(settle, Settlement{Delivery: f.attempt.delivery})
			continue
		}
		commands = append(commands, r.verdict(f))
		writers = append(writers, f)
	}
	outcomes := r.write(ctx, commands)
	var ended []Job
	for i, o := range outcomes {
		f := writers[i]
		s := Settlement{Delivery: f.attempt.delivery}
		switch {
		case o.Err == nil && o.Job.State.Ended():
			if !o.Closed {
				ended = append(ended, o.Job)
			}
			for _, op := range o.Finished {
				r.Finisher.Announce(ctx, op)
			}
		case o.Err == nil && o.Job.State == JobPending: // given back
			if r.Queue.Held() {
				s.Release = true
			} else {
				r.Bell.Ring(o.Job, 0)
			}
		case o.Err == nil: // retry
			r.Bell.Ring(o.Job, max(0, o.Job.RunAt.Sub(r.Now())))
		case errors.Is(o.Err, ErrFenced), errors.Is(o.Err, ErrNotFound):
			if o.Job.State != JobCancelled {
				r.Observer.LeaseLost(f.attempt.job)
			}
		default: // the store is down: the lease runs out and the job is stolen
			s.Release, s.Delay = true, time.Second
		}
		if o.Err == nil {
			r.Observer.Settled(o.Job, commands[i], r.Now().Sub(commands[i].Now))
		}
		settle = append(settle, s)
	}
	r.mu.Lock()
	for _, f := range batch {
		delete(r.running, f.attempt.job.Key)
	}
	r.mu.Unlock()
	if len(ended) > 0 {
		if err := r.Finisher.FanOut(ctx, ended); err != nil {
			r.Log.Warn("operations wait for the reconciler", "error", err)
		}
	}
	if !r.Queue.Held() { // they were acknowledged at the claim
		return
	}
	r.settle(ctx, settle)
}

// verdict turns the end of an attempt into the command that records it.
func (r *Runner) verdict(f finished) JobCommand {
	now := r.Now()
	j := f.attempt.job
	f.attempt.mu.Lock()
	j.Stage = f.attempt.stage
	f.attempt.mu.Unlock()
	if f.err == nil {
		r.unfit.Store(nil)
		result := f.result
		return JobCommand{
			Kind: JobCommit, Key: j.Key, Now: now, Fence: j.Fence, Token: j.Token, Result: &result,
			FanOut: r.Finisher.Page, DueAt: now.Add(r.Finisher.Grace),
		}
	}
	e := AsError(f.err)
	if e.Class == ClassEnvironment {
		r.unfit.Store(e)
	}
	c := r.Policy.Decide(j, f.err, now, r.Random())
	switch c.To {
	case JobDead:
		c.FanOut, c.DueAt = r.Finisher.Page, now.Add(r.Finisher.Grace)
	case JobRetry:
		c.DueAt = c.RunAt.Add(r.RingAfter)
	case JobPending:
		c.DueAt = now.Add(r.RingAfter)
	}
	return c
}

// write applies the commands, trying again what the store could not answer: the
// tokens tell a repeated write from a lost race.
func (r *Runner) write(ctx context.Context, commands []JobCommand) []JobOutcome {
	if len(commands) == 0 {
		return nil
	}
	outcomes := make([]JobOutcome, len(commands))
	todo := make([]int, len(commands))
	for i := range todo {
		todo[i] = i
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		batch := make([]JobCommand, len(todo))
		for i, at := range todo {
			batch[i] = commands[at]
		}
		outs, err := r.Store.ApplyJobs(ctx, batch)
		again := todo[:0:0]
		for i, at := range todo {
			if err != nil {
				outcomes[at] = JobOutcome{Err: err}
			} else {
				outcomes[at] = outs[i]
			}
			if e := outcomes[at].Err; e != nil && errors.Is(e, ErrUnavailable) {
				again = append(again, at)
			}
		}
		if len(again) == 0 {
			return outcomes
		}
		todo = again
		if !sleep(ctx, wait) {
			r.Log.Error("the store did not take the results in time; the jobs will be made again", "jobs", len(todo))
			return outcomes
		}
	}
}

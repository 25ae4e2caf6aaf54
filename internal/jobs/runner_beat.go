package jobs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// beat renews the leases of all jobs in hand (W6), in one call a tick. A lease
// is renewed at a third of its time, or earlier when there is fresh progress to
// show. Work whose lease is lost is stopped at once and writes nothing.
func (r *Runner) beat(ctx context.Context) {
	tick := time.NewTicker(max(min(r.ProgressEvery, r.Lease/3)/2, 5*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.renew(ctx)
		}
	}
}

func (r *Runner) renew(ctx context.Context) {
	now := r.Now()
	var (
		due      []*attempt
		commands []JobCommand
		extend   []Delivery
		held     []*attempt
	)
	for _, a := range r.attempts() {
		if r.Queue.Held() && now.Sub(a.extended) >= r.Lease/3 {
			extend, held = append(extend, a.delivery), append(held, a)
		}
		a.mu.Lock()
		since := now.Sub(a.renewed)
		if since >= r.Lease/3 || a.fresh && since >= r.ProgressEvery {
			due = append(due, a)
			commands = append(commands, JobCommand{
				Kind: JobRenew, Key: a.job.Key, Now: now, Fence: a.job.Fence, Token: a.job.Token,
				Until: now.Add(r.Lease), Stage: a.stage, Progress: a.progress, Info: a.info,
			})
			a.fresh = false
		}
		a.mu.Unlock()
	}
	r.renewLeases(ctx, now, due, commands)
	r.holdMessages(ctx, now, held, extend)
}

// renewLeases writes the renewals, and stops work whose lease is lost.
func (r *Runner) renewLeases(ctx context.Context, now time.Time, due []*attempt, commands []JobCommand) {
	if len(commands) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.Lease/3)
	defer cancel()
	outcomes, err := r.Store.ApplyJobs(ctx, commands)
	for i, a := range due {
		switch {
		case err == nil && outcomes[i].Err == nil:
			a.renewed, a.leaseUntil = now, commands[i].Until
		case err == nil && (errors.Is(outcomes[i].Err, ErrFenced) || errors.Is(outcomes[i].Err, ErrNotFound)):
			if outcomes[i].Job.State == JobCancelled {
				a.stop(ErrCancelled)
				continue
			}
			r.Observer.LeaseLost(a.job)
			a.stop(ErrLeaseLost)
		case !r.Now().Before(a.leaseUntil.Add(-r.Lease / 6)):
			// The store can not be reached and the lease is about to end: stop
			// while nobody else can have it.
			r.Observer.LeaseLost(a.job)
			a.stop(ErrLeaseLost)
		}
	}
}

// holdMessages keeps the messages of jobs in hand from others. It comes after the
// leases and takes little time, so that a queue that hangs costs none of them.
func (r *Runner) holdMessages(ctx context.Context, now time.Time, held []*attempt, deliveries []Delivery) {
	if len(deliveries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.Lease/9)
	defer cancel()
	// A delivery that can not be held any longer is no reason to stop: the next holder
	// of the message finds the job busy. What could not be asked is tried again at the
	// next tick.
	for i, err := range r.Queue.Extend(ctx, deliveries, r.Lease) {
		if err == nil || errors.Is(err, ErrFenced) {
			held[i].extended = now
		}
	}
}

func (r *Runner) attempts() []*attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*attempt, 0, len(r.running))
	for _, a := range r.running {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *attempt) int { return strings.Compare(a.job.Key.ID, b.job.Key.ID) })
	return all
}

package dynamo

import (
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// operationUpdate is to operations what jobUpdate is to jobs: the mirror of
// jobs.TransitionOperation. now is read at every try: an end stands among the
// events at the time at which it was written, not at which it was wanted.
func operationUpdate(c jobs.OperationCommand, rev string, now func() time.Time) *update {
	u := newUpdate(rev)
	switch c.Kind {
	case jobs.OperationFinish:
		return u.finish(c, now)
	case jobs.OperationAnnounced:
		u.when("{generation} = ?", number(c.Generation))
		u.equal("event", text(jobs.EventPending))
		u.put("event", text(jobs.EventPublished))
		putDue(u, c.ID, time.Time{})
		putExpiry(u, c.ExpireAt)
		return u
	case jobs.OperationDefer:
		u.equal("state", text(jobs.OperationWaiting))
		putDue(u, c.ID, c.DueAt)
		return u
	case jobs.OperationReopen:
		return u.reopen(c)
	}
	return nil
}

func (u *update) finish(c jobs.OperationCommand, now func() time.Time) *update {
	if c.State != jobs.OperationSucceeded && c.State != jobs.OperationFailed && c.State != jobs.OperationCancelled {
		return nil
	}
	u.equal("state", text(jobs.OperationWaiting))
	if c.Generation != 0 {
		u.equal("generation", number(c.Generation))
	}
	if c.JobGeneration != 0 {
		u.when("{after} < ?", number(c.JobGeneration))
	}
	u.put("state", text(c.State))
	putOpen(u, c.ID, c.State)
	u.put("event", text(jobs.EventPending))
	u.put("job_generation", number(c.JobGeneration))
	u.put("attempts", count(c.Attempts))
	u.put("result", encodeResult(c.Result))
	u.put("failure", encodeFailure(c.Failure))
	u.put("ended_at", moment(c.Now))
	putDue(u, c.ID, c.DueAt)
	u.fresh = func(u *update) { putOrder(u, c.ID, endOrder(c.ID, now())) }
	return u
}

func (u *update) reopen(c jobs.OperationCommand) *update {
	u.when("{generation} = ? AND {job_generation} <= ?", number(c.Generation), number(c.JobGeneration))
	u.equal("state", text(jobs.OperationFailed))
	u.equal("event", text(jobs.EventPublished))
	u.put("state", text(jobs.OperationWaiting))
	putOpen(u, c.ID, jobs.OperationWaiting)
	u.put("event", text(jobs.EventNone))
	u.add("generation", 1)
	u.put("after", number(c.JobGeneration))
	u.put("job_generation", number(0))
	u.remove("attempts", "result", "failure", "ended_at")
	putExpiry(u, time.Time{})
	putOrder(u, c.ID, "")
	putDue(u, c.ID, c.DueAt)
	return u
}

package dynamo

import (
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

// jobUpdate is the write of a command's common case, on condition that it is
// that case: the mirror of jobs.Transition. nil: the record has to be looked at
// first. Making a job is a put, and in apply.go.
func jobUpdate(c jobs.JobCommand, rev string) *update {
	u := newUpdate(rev)
	switch c.Kind {
	case jobs.JobRing:
		return u.ring(c)
	case jobs.JobClaim:
		return u.claim(c)
	case jobs.JobRenew:
		return u.renew(c)
	case jobs.JobCommit:
		return u.commit(c)
	case jobs.JobFail:
		return u.fail(c)
	case jobs.JobCancel:
		u.when("{generation} = ?", number(c.Generation))
		u.alive()
		u.add("fence", 1)
		u.end(c.Key, jobs.JobCancelled, c.Now)
		return u
	case jobs.JobReplay:
		return u.replay(c)
	case jobs.JobReopened:
		u.when("{generation} = ? AND attribute_exists({reopen})", number(c.Generation))
		u.remove("reopen")
		return u
	case jobs.JobClose:
		u.when("{generation} = ? AND attribute_not_exists({reopen}) AND attribute_exists({due_at})", number(c.Generation))
		u.among(text(jobs.JobDone), text(jobs.JobDead), text(jobs.JobCancelled))
		putDue(u, "", time.Time{})
		return u
	}
	return nil
}

func (u *update) alive() {
	u.among(text(jobs.JobPending), text(jobs.JobRunning), text(jobs.JobRetry))
}

// fenced is the condition that the claim is the record's.
func (u *update) fenced(c jobs.JobCommand) {
	u.equal("state", text(jobs.JobRunning))
	u.equal("fence", number(c.Fence))
	u.equal("token", text(c.Token))
}

func (u *update) ring(c jobs.JobCommand) *update {
	if c.DueAt.IsZero() {
		return nil
	}
	u.alive()
	u.when("attribute_not_exists({due_at}) OR {due_at} <= ?", moment(c.Now))
	putDue(u, c.Key.String(), c.DueAt)
	// Of a job that does not run, nobody reads the margin.
	due := u.value(moment(c.DueAt))
	u.set(attrMargin, due+" - if_not_exists("+u.name("lease_until")+", "+due+")")
	return u
}

// claim is that of a job that waits. One whose lease is over is looked at.
func (u *update) claim(c jobs.JobCommand) *update {
	if c.Until.IsZero() {
		return nil
	}
	u.among(text(jobs.JobPending), text(jobs.JobRetry))
	u.when("attribute_not_exists({run_at}) OR {run_at} <= ?", moment(c.Now))
	putState(u, c.Key, jobs.JobRunning)
	u.add("fence", 1)
	u.add("attempt", 1)
	u.put("token", text(c.Token))
	u.put("owner", text(c.Owner))
	u.put("lease_until", moment(c.Until))
	u.put(attrMargin, number(c.Margin))
	putDue(u, c.Key.String(), c.Until.Add(c.Margin))
	u.remove("stage")
	putProgress(u, jobs.Progress{})
	putUpdated(u, c.Key, c.Now)
	return u
}

// renew is that of a job that is no further than it was. A new stage forgives
// crashes, and is looked at.
func (u *update) renew(c jobs.JobCommand) *update {
	if c.Until.IsZero() {
		return nil
	}
	u.fenced(c)
	u.when("{reached} >= ?", number(c.Stage.Rank()))
	// Go's durations end at 292 years, and DynamoDB's numbers do not.
	u.when("{margin} >= ? AND {margin} <= ?", number(int64(math.MinInt64)), number(int64(math.MaxInt64)))
	until := u.value(moment(c.Until))
	u.set("lease_until", until)
	u.set(attrDueAt, u.name(attrMargin)+" + "+until)
	u.put(attrDueShard, text(shard(c.Key.String())))
	u.put("stage", text(c.Stage))
	putProgress(u, c.Progress)
	u.merge(c.Info)
	putUpdated(u, c.Key, c.Now)
	return u
}

// merge sets what is known of the song and leaves the rest.
func (u *update) merge(i jobs.SongInfo) {
	given := whole{}
	putInfo(given, i)
	for _, name := range []string{"title", "artist", "url", "thumbnail", "duration"} {
		if v := given[name]; v != nil {
			u.put(name, v)
		}
	}
}

func (u *update) commit(c jobs.JobCommand) *update {
	u.fenced(c)
	u.put("result", encodeResult(c.Result))
	if c.Result != nil {
		u.merge(c.Result.Info)
	}
	putFailure(u, nil)
	u.remove("stage")
	u.end(c.Key, jobs.JobDone, c.Now)
	return u
}

func (u *update) fail(c jobs.JobCommand) *update {
	if c.To != jobs.JobRetry && c.To != jobs.JobPending && c.To != jobs.JobDead {
		return nil
	}
	u.fenced(c)
	if c.Refund {
		u.when("{attempt} > ?", number(0))
		u.add("attempt", -1)
	}
	if c.Crash {
		u.add("crashes", 1)
	}
	if c.Failure != nil {
		// A history that is full loses its first: that is looked at.
		u.when("attribute_not_exists({history}) OR size({history}) < ?", number(jobs.HistoryLimit))
		putFailure(u, c.Failure)
		none, one := u.value(list()), u.value(list(encodeFailure(c.Failure)))
		history := u.name("history")
		u.set("history", "list_append(if_not_exists("+history+", "+none+"), "+one+")")
	}
	if c.To == jobs.JobDead {
		u.put("forget_at", moment(c.ForgetAt))
		u.end(c.Key, jobs.JobDead, c.Now)
		return u
	}
	putState(u, c.Key, c.To)
	u.remove("owner", "lease_until", attrMargin, "stage")
	u.put("run_at", moment(c.RunAt))
	due := c.DueAt
	if due.IsZero() {
		due = c.RunAt
	}
	putDue(u, c.Key.String(), due)
	putProgress(u, jobs.Progress{})
	putUpdated(u, c.Key, c.Now)
	return u
}

func list(of ...value) value {
	if of == nil {
		of = []value{}
	}
	return &types.AttributeValueMemberL{Value: of}
}

func (u *update) replay(c jobs.JobCommand) *update {
	u.when("{generation} = ?", number(c.Generation))
	u.among(text(jobs.JobDead), text(jobs.JobCancelled))
	u.put("generation", number(c.Generation+1))
	u.put("reopen", count(c.Generation))
	u.add("replays", 1)
	putState(u, c.Key, jobs.JobPending)
	u.remove("owner", "lease_until", attrMargin, "forget_at", "stage", "result", "ended_at")
	for _, name := range []string{"attempt", "crashes", "reached"} {
		u.put(name, number(0))
	}
	run := c.RunAt
	if run.IsZero() {
		run = c.Now
	}
	u.put("run_at", moment(run))
	putDue(u, c.Key.String(), c.DueAt)
	putProgress(u, jobs.Progress{})
	putFailure(u, nil)
	u.put("generation_at", moment(c.Now))
	putUpdated(u, c.Key, c.Now)
	return u
}

// end is what every end has in common.
func (u *update) end(k jobs.Key, s jobs.JobState, now time.Time) {
	putState(u, k, s)
	u.remove("owner", "lease_until", attrMargin, "run_at")
	putDue(u, k.String(), now)
	putUpdated(u, k, now)
	u.put("ended_at", moment(now))
}

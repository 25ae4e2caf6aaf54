package jobs

import "time"

// JobCommandKind names a step of the protocol on a job's record.
type JobCommandKind string

// The commands on a job. W-numbers are those of the package documentation.
const (
	JobEnsure   JobCommandKind = "ensure"   // W2: create, or revive an ended record
	JobRing     JobCommandKind = "ring"     // W4 by the reconciler: one ring per period over the fleet
	JobClaim    JobCommandKind = "claim"    // W5
	JobRenew    JobCommandKind = "renew"    // W6, carries progress
	JobCommit   JobCommandKind = "commit"   // W8
	JobFail     JobCommandKind = "fail"     // W8's other branch: retry, give back, dead
	JobCancel   JobCommandKind = "cancel"   // nobody waits any more
	JobReplay   JobCommandKind = "replay"   // an operator revives an ended job
	JobReopened JobCommandKind = "reopened" // the replay's operations are waiting again
	JobClose    JobCommandKind = "close"    // every operation has been ended: nothing is due
	JobDiscard  JobCommandKind = "discard"  // forget an ended job
)

// JobCommand is one conditional write on one job's record. Which fields count
// depends on Kind; see [Transition].
type JobCommand struct {
	Kind JobCommandKind
	Key  Key
	Now  time.Time // the writer's clock: adapters never use their own

	Generation int64 // cancel, replay, reopened, close, discard: the generation that was seen; ensure: a done generation whose file is gone, or 0

	Fence int64  // renew, commit, fail
	Token string // claim, renew, commit, fail
	Owner string // claim

	Until      time.Time     // claim, renew: end of the lease
	Margin     time.Duration // claim: a lease is over only so long after its end (clock skew); also added to due_at
	MaxCrashes int           // claim: a stolen job with so many crashes is dead

	DueAt time.Time // ensure, ring, replay, fail to retry or pending: when the reconciler rings (fail: zero means at RunAt)

	Stage    Stage    // renew
	Progress Progress // renew
	Info     SongInfo // ensure, renew: what is known; empty fields keep what was there

	Result *Result // commit

	To       JobState  // fail: retry, pending (given back) or dead
	Failure  *Failure  // fail
	RunAt    time.Time // ensure, replay, fail to retry or pending
	ForgetAt time.Time // fail to dead
	Refund   bool      // fail: the attempt is not charged
	Crash    bool      // fail: counts as a crash

	// FanOut lets an adapter that can do it in the same transaction end up to so
	// many operations that wait for the job (commit, fail to dead), each as
	// FinishCommand and TransitionOperation say with due DueAt, and close the job
	// if none is left. Adapters that can not ignore it.
	FanOut int

	Requester string // ensure
	Trace     string // ensure
}

// Transition is the one table of the protocol: what a command makes of a job's
// record. j is the zero Job when there is none. It returns the new record and
// whether it differs from the old one, or the typed refusal (ErrNotFound,
// ErrFenced, ErrBusy, ErrNotDue, ErrEnded, ErrState, ErrStale) with the record
// as it was. A command whose first try was applied and whose answer was lost is
// recognised by its token: it succeeds and changes nothing.
//
// A discarded record comes back as the zero Job with changed = true.
//
// Every adapter's conditional write mirrors this function; the suite in
// storetest holds the two against each other.
func Transition(j Job, c JobCommand) (next Job, changed bool, err error) {
	exists := j.Generation > 0
	if !exists && c.Kind != JobEnsure {
		return j, false, ErrNotFound
	}
	switch c.Kind {
	case JobEnsure:
		return ensure(j, c)
	case JobRing:
		return ring(j, c)
	case JobClaim:
		return claim(j, c)
	case JobRenew:
		return renew(j, c)
	case JobCommit:
		return commit(j, c)
	case JobFail:
		return fail(j, c)
	case JobCancel:
		return cancel(j, c)
	case JobReplay:
		return replay(j, c)
	case JobReopened:
		return reopened(j, c)
	case JobClose:
		return closeJob(j, c)
	case JobDiscard:
		return discard(j, c)
	}
	return j, false, ErrState
}

func ensure(j Job, c JobCommand) (Job, bool, error) {
	switch {
	case j.Generation == 0:
		n := Job{Key: c.Key, Generation: 1, CreatedAt: c.Now}
		return begin(n, c), true, nil
	case j.State == JobDead && !c.Now.Before(j.ForgetAt),
		j.State == JobCancelled,
		j.State == JobDone && c.Generation == j.Generation:
		n := j
		n.Generation++
		return begin(n, c), true, nil
	}
	return j, false, nil // attached: the job lives, is done, or its failure is remembered
}

// begin puts a record at the start of a generation. Fence and claim token stay:
// the fence must never shrink.
func begin(j Job, c JobCommand) Job {
	j.State = JobPending
	j.Owner, j.LeaseUntil = "", time.Time{}
	j.Attempt, j.Crashes, j.Reached = 0, 0, 0
	j.RunAt, j.DueAt, j.ForgetAt = c.RunAt, c.DueAt, time.Time{}
	if j.RunAt.IsZero() {
		j.RunAt = c.Now
	}
	j.Stage, j.Progress = "", Progress{}
	j.Info = mergeInfo(j.Info, c.Info)
	j.Requester, j.Trace = c.Requester, c.Trace
	j.LastError, j.Result = nil, nil
	j.GenerationAt, j.UpdatedAt, j.EndedAt = c.Now, c.Now, time.Time{}
	return j
}

func ring(j Job, c JobCommand) (Job, bool, error) {
	if j.State.Ended() {
		return j, false, ErrEnded
	}
	if j.DueAt.After(c.Now) {
		return j, false, ErrNotDue
	}
	j.DueAt = c.DueAt
	return j, true, nil
}

func claim(j Job, c JobCommand) (Job, bool, error) {
	if j.State.Ended() {
		return j, false, ErrEnded
	}
	if j.State == JobRunning {
		if j.Token == c.Token {
			return j, false, nil
		}
		if c.Now.Before(j.LeaseUntil.Add(c.Margin)) {
			return j, false, ErrBusy
		}
		j.Crashes++
		if j.Crashes >= c.MaxCrashes {
			return crashLoop(j, c), true, nil
		}
	} else if j.RunAt.After(c.Now) {
		return j, false, ErrNotDue
	}
	j.State = JobRunning
	j.Fence++
	j.Attempt++
	j.Token, j.Owner = c.Token, c.Owner
	j.LeaseUntil, j.DueAt = c.Until, c.Until.Add(c.Margin)
	j.Stage, j.Progress = "", Progress{}
	j.UpdatedAt = c.Now
	return j, true, nil
}

// crashLoop ends a job that keeps killing its workers. The claimant finds the
// job dead and fans out.
func crashLoop(j Job, c JobCommand) Job {
	j.Fence++
	f := Failure{
		Class: ClassPanic, Code: CodeCrashLoop, Message: "every worker that tried this song stopped in mid-work",
		Stage: j.Stage, Worker: j.Owner, Attempt: j.Attempt, Generation: j.Generation, At: c.Now,
	}
	j.Token = c.Token
	return end(remember(j, &f), JobDead, c.Now)
}

func renew(j Job, c JobCommand) (Job, bool, error) {
	if err := fenced(j, c); err != nil {
		return j, false, err
	}
	j.DueAt = c.Until.Add(j.DueAt.Sub(j.LeaseUntil)) // the margin of the claim
	j.LeaseUntil = c.Until
	j.Stage, j.Progress = c.Stage, c.Progress
	j.Info = mergeInfo(j.Info, c.Info)
	if r := c.Stage.Rank(); r > j.Reached {
		j.Reached, j.Crashes = r, 0
	}
	j.UpdatedAt = c.Now
	return j, true, nil
}

func commit(j Job, c JobCommand) (Job, bool, error) {
	if j.State == JobDone && j.Fence == c.Fence && j.Token == c.Token {
		return j, false, nil
	}
	if err := fenced(j, c); err != nil {
		return j, false, err
	}
	j.Result = c.Result
	if c.Result != nil {
		j.Info = mergeInfo(j.Info, c.Result.Info)
	}
	j.LastError = nil
	j.Stage = ""
	return end(j, JobDone, c.Now), true, nil
}

func fail(j Job, c JobCommand) (Job, bool, error) {
	if c.To != JobRetry && c.To != JobPending && c.To != JobDead {
		return j, false, ErrState
	}
	if j.State == c.To && j.Fence == c.Fence && j.Token == c.Token && j.Owner == "" {
		return j, false, nil
	}
	if err := fenced(j, c); err != nil {
		return j, false, err
	}
	if c.Refund && j.Attempt > 0 {
		j.Attempt--
	}
	if c.Crash {
		j.Crashes++
	}
	if c.Failure != nil {
		j = remember(j, c.Failure)
	}
	if c.To == JobDead {
		j.ForgetAt = c.ForgetAt
		return end(j, JobDead, c.Now), true, nil
	}
	j.State = c.To
	j.Owner, j.LeaseUntil = "", time.Time{}
	j.RunAt, j.DueAt = c.RunAt, c.DueAt
	if j.DueAt.IsZero() {
		j.DueAt = c.RunAt
	}
	j.Stage, j.Progress = "", Progress{}
	j.UpdatedAt = c.Now
	return j, true, nil
}

func cancel(j Job, c JobCommand) (Job, bool, error) {
	if j.Generation != c.Generation {
		return j, false, ErrStale
	}
	if j.State.Ended() {
		return j, false, ErrEnded
	}
	j.Fence++
	return end(j, JobCancelled, c.Now), true, nil
}

func replay(j Job, c JobCommand) (Job, bool, error) {
	if j.Generation != c.Generation {
		return j, false, ErrStale
	}
	if j.State != JobDead && j.State != JobCancelled {
		return j, false, ErrState
	}
	old := j.Generation
	info, requester, trace := j.Info, j.Requester, j.Trace
	j.Generation++
	j = begin(j, c)
	j.Info, j.Requester, j.Trace = info, requester, trace
	j.Reopen = old
	j.Replays++
	return j, true, nil
}

func reopened(j Job, c JobCommand) (Job, bool, error) {
	if j.Generation != c.Generation {
		return j, false, ErrStale
	}
	if j.Reopen == 0 {
		return j, false, nil
	}
	j.Reopen = 0
	return j, true, nil
}

func closeJob(j Job, c JobCommand) (Job, bool, error) {
	if j.Generation != c.Generation {
		return j, false, ErrStale
	}
	if !j.State.Ended() || j.Reopen != 0 {
		return j, false, ErrState
	}
	if j.DueAt.IsZero() {
		return j, false, nil
	}
	j.DueAt = time.Time{}
	return j, true, nil
}

func discard(j Job, c JobCommand) (Job, bool, error) {
	if j.Generation != c.Generation {
		return j, false, ErrStale
	}
	if !j.State.Ended() || !j.DueAt.IsZero() {
		return j, false, ErrState
	}
	return Job{}, true, nil
}

// fenced refuses a holder whose claim is not the record's.
func fenced(j Job, c JobCommand) error {
	if j.State != JobRunning || j.Fence != c.Fence || j.Token != c.Token {
		return ErrFenced
	}
	return nil
}

// end puts a record into an end state; it is due at once, for the fan-out.
func end(j Job, s JobState, now time.Time) Job {
	j.State = s
	j.Owner, j.LeaseUntil = "", time.Time{}
	j.RunAt, j.DueAt = time.Time{}, now
	j.UpdatedAt, j.EndedAt = now, now
	return j
}

func remember(j Job, f *Failure) Job {
	j.LastError = f
	history := make([]Failure, 0, len(j.History)+1)
	history = append(append(history, j.History...), *f)
	if extra := len(history) - HistoryLimit; extra > 0 {
		history = history[extra:]
	}
	j.History = history
	return j
}

func mergeInfo(old, fresh SongInfo) SongInfo {
	if fresh.Title != "" {
		old.Title = fresh.Title
	}
	if fresh.Artist != "" {
		old.Artist = fresh.Artist
	}
	if fresh.URL != "" {
		old.URL = fresh.URL
	}
	if fresh.Thumbnail != "" {
		old.Thumbnail = fresh.Thumbnail
	}
	if fresh.Duration != 0 {
		old.Duration = fresh.Duration
	}
	return old
}

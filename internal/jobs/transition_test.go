package jobs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// randomCommand draws a command that is near enough to the record to be taken
// about half of the time.
func randomCommand(r *rand.Rand, j jobs.Job, now time.Time) jobs.JobCommand {
	kinds := []jobs.JobCommandKind{
		jobs.JobEnsure, jobs.JobRing, jobs.JobClaim, jobs.JobClaim, jobs.JobRenew, jobs.JobCommit, jobs.JobFail,
		jobs.JobCancel, jobs.JobReplay, jobs.JobReopened, jobs.JobClose, jobs.JobDiscard,
	}
	c := jobs.JobCommand{
		Kind: kinds[r.IntN(len(kinds))], Key: keyOf("random"), Now: now,
		Generation: j.Generation - int64(r.IntN(3)/2), Fence: j.Fence - int64(r.IntN(4)/3), Token: j.Token,
		Owner: "w", Until: now.Add(time.Duration(r.IntN(60)) * time.Second), Margin: time.Second, MaxCrashes: 3,
		DueAt: now.Add(30 * time.Second), Stage: []jobs.Stage{"", jobs.StageFetching, jobs.StageStoring}[r.IntN(3)],
		To:    []jobs.JobState{jobs.JobRetry, jobs.JobPending, jobs.JobDead, jobs.JobDone}[r.IntN(4)],
		RunAt: now.Add(time.Duration(r.IntN(20)-10) * time.Second), ForgetAt: now.Add(time.Duration(r.IntN(60)) * time.Second),
		Refund: r.IntN(2) == 0, Crash: r.IntN(3) == 0, Result: &jobs.Result{Bytes: r.Int64()},
		Failure: &jobs.Failure{Code: fmt.Sprint("code", r.IntN(5)), At: now},
	}
	if c.Kind == jobs.JobClaim || r.IntN(5) == 0 {
		c.Token = fmt.Sprint("token", r.Int64())
	}
	return c
}

// What must hold of every step, whatever the record and the command: the
// promises of the protocol stand on these.
func TestTransitionInvariants(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	var j jobs.Job
	now := epoch
	commits, committed := map[int64]int{}, 0
	for i := range 200_000 {
		now = now.Add(time.Duration(r.IntN(20)) * time.Second)
		c := randomCommand(r, j, now)
		before := j
		next, changed, err := jobs.Transition(j, c)
		bad := func(what string) {
			t.Fatalf("step %d: %s\nbefore %+v\ncommand %+v\nafter %+v (%v, %v)", i, what, before, c, next, changed, err)
		}
		if !reflect.DeepEqual(before, j) {
			bad("the old record was written to")
		}
		if (err != nil || !changed) && !reflect.DeepEqual(next, before) {
			bad("refused or unchanged, and yet different")
		}
		if err != nil && changed {
			bad("refused and changed")
		}
		if err != nil || !changed {
			continue
		}
		if c.Kind == jobs.JobDiscard {
			j, commits = jobs.Job{}, map[int64]int{}
			continue
		}
		switch {
		case next.Fence < before.Fence || next.Generation < before.Generation:
			bad("fence or generation shrank")
		case before.State.Ended() && next.State != before.State && next.Generation != before.Generation+1:
			bad("an end was left without a new generation")
		case c.Kind == jobs.JobClaim && next.Fence != before.Fence+1:
			bad("a claim without a new fence")
		case next.State == jobs.JobRunning && (next.Token == "" || next.LeaseUntil.IsZero() || next.DueAt.Before(next.LeaseUntil)):
			bad("running without a lease that is looked after")
		case !next.State.Ended() && next.DueAt.IsZero():
			bad("a live job that nobody will look at")
		case next.State == jobs.JobDead && next.LastError == nil:
			bad("dead without a reason")
		case next.Reopen != 0 && next.DueAt.IsZero():
			bad("a replay that nobody will finish")
		case len(next.History) > jobs.HistoryLimit:
			bad("history without bound")
		}
		if c.Kind == jobs.JobCommit {
			committed++
			if commits[next.Generation]++; commits[next.Generation] > 1 {
				bad("two commits in one generation")
			}
		}
		// The same command again is recognised where a lost answer would repeat it.
		if c.Kind == jobs.JobClaim || c.Kind == jobs.JobCommit || c.Kind == jobs.JobFail {
			if again, changed, err := jobs.Transition(next, c); next.State != jobs.JobDead && (err != nil || changed || !reflect.DeepEqual(again, next)) {
				bad(fmt.Sprintf("the repeated command gave %v, %v", changed, err))
			}
		}
		j = next
	}
	if committed < 100 {
		t.Error("the walk went nowhere")
	}
}

func TestOperationTransitions(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	step := func(o jobs.Operation, c jobs.OperationCommand, want error, changed bool) jobs.Operation {
		t.Helper()
		c.ID = "op"
		next, did, err := jobs.TransitionOperation(o, c)
		if !errors.Is(err, want) || did != changed {
			t.Fatalf("%s on %+v: %v, %v; want %v, %v", c.Kind, o, did, err, changed, want)
		}
		return next
	}
	var o jobs.Operation
	step(o, jobs.OperationCommand{Kind: jobs.OperationFinish, State: jobs.OperationFailed}, jobs.ErrNotFound, false)
	put := jobs.OperationCommand{Kind: jobs.OperationPut, Operation: jobs.Operation{ID: "op", Key: keyOf("x"), DueAt: at(100)}}
	o = step(o, put, nil, true)
	step(o, put, nil, false)
	o = step(o, jobs.OperationCommand{Kind: jobs.OperationDefer, DueAt: at(200)}, nil, true)
	step(o, jobs.OperationCommand{Kind: jobs.OperationAnnounced, Generation: 1}, jobs.ErrState, false)
	step(o, jobs.OperationCommand{Kind: jobs.OperationFinish, State: jobs.OperationWaiting}, jobs.ErrState, false)
	fail := jobs.OperationCommand{Kind: jobs.OperationFinish, State: jobs.OperationFailed, JobGeneration: 1, Now: at(1), DueAt: at(31), Failure: &jobs.Failure{Code: "c"}}
	o = step(o, fail, nil, true)
	if o.Event != jobs.EventPending || !o.EndedAt.Equal(at(1)) || !o.DueAt.Equal(at(31)) {
		t.Fatalf("%+v", o)
	}
	step(o, fail, jobs.ErrEnded, false)
	step(o, jobs.OperationCommand{Kind: jobs.OperationDefer}, jobs.ErrEnded, false)
	reopen := jobs.OperationCommand{Kind: jobs.OperationReopen, Generation: 1, JobGeneration: 1, DueAt: at(50)}
	step(o, reopen, jobs.ErrUnsent, false) // no end goes unannounced
	o = step(o, jobs.OperationCommand{Kind: jobs.OperationAnnounced, Generation: 1, ExpireAt: at(900)}, nil, true)
	step(o, jobs.OperationCommand{Kind: jobs.OperationAnnounced, Generation: 1}, nil, false)
	if !o.DueAt.IsZero() || !o.ExpireAt.Equal(at(900)) {
		t.Fatalf("%+v", o)
	}
	o = step(o, reopen, nil, true)
	if o.State != jobs.OperationWaiting || o.Generation != 2 || !o.ExpireAt.IsZero() || o.Failure != nil {
		t.Fatalf("%+v", o)
	}
	step(o, fail, jobs.ErrStale, false) // a fan-out from the generation before the replay
	step(o, jobs.OperationCommand{Kind: jobs.OperationAnnounced, Generation: 1}, jobs.ErrStale, false)
	fail.JobGeneration = 2
	step(o, fail, nil, true)
}

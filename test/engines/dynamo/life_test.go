package dynamo_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/memory"
)

// TestCallsOfALife counts what the store is asked for one song from the request
// to the published event, through the use cases themselves.
func TestCallsOfALife(t *testing.T) {
	t.Parallel()
	const songs, most = 20, 8
	wire := newTap()
	store := open(t, settings(t, wire))
	queue := memory.New(memory.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	bell := jobs.NewBell(queue, nil)
	finisher := jobs.NewFinisher(jobs.FinisherConfig{Store: store, Bell: bell})
	intake := jobs.NewIntake(jobs.IntakeConfig{Store: store, Notes: store, Bell: bell, Finisher: finisher})
	runner := jobs.NewRunner(jobs.RunnerConfig{Store: store, Queue: queue, Processor: quick{}, Finisher: finisher, Bell: bell})
	helpers.Go(func() { bell.Run(ctx) })
	helpers.Go(func() { finisher.Run(ctx) })
	helpers.Go(func() { runner.Run(ctx, t.Context()) })
	wire.reset(nil)
	var accepted []jobs.Accepted
	for range songs {
		key := randomKey()
		a, err := intake.Accept(ctx, jobs.Request{Song: &key.Song})
		if err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, a)
	}
	watcher := open(t, withTables(settings(t, nil), store)) // another client: not counted
	for _, a := range accepted {
		wait(t, func() bool {
			o, err := watcher.Operation(ctx, a.Operation.ID)
			j, errJob := watcher.Job(ctx, a.Operation.Key)
			return err == nil && errJob == nil && o.State == jobs.OperationSucceeded && o.Event == jobs.EventPublished && j.DueAt.IsZero()
		})
	}
	if n := wire.count(); n > songs*most {
		t.Errorf("%d calls for %d songs: %v; at most %d each", n, songs, wire.counts, most)
	}
	t.Logf("%d calls for %d songs: %v", wire.count(), songs, wire.counts)
}

// quick makes a song at once.
type quick struct{}

func (quick) Process(_ context.Context, j jobs.Job, _ func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	return jobs.Result{Path: "audio/" + j.Key.ID + ".dca", Bytes: 10, SHA256: "00", Frames: 1, Duration: 20 * time.Millisecond}, nil
}

// wait asks until the answer is yes.
func wait(tb testing.TB, ask func() bool) {
	tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ask() {
		if time.Now().After(deadline) {
			tb.Fatal("that did not come")
		}
		<-time.After(10 * time.Millisecond)
	}
}

var errNever = errors.New("never")

// Each step of an undisturbed life is one request, whatever it carries.
func TestOneCallAStep(t *testing.T) {
	t.Parallel()
	wire := newTap()
	s := open(t, settings(t, wire))
	now := time.Now()
	key := randomKey()
	failure := &jobs.Failure{Class: jobs.ClassTransient, Code: "reset", Message: "no", Detail: errNever.Error(), At: now}
	claim := func(token string) jobs.JobCommand {
		return jobs.JobCommand{Kind: jobs.JobClaim, Key: key, Now: now, Token: token, Owner: "w", Until: now.Add(time.Minute), Margin: time.Second, MaxCrashes: 3}
	}
	var j jobs.Job
	for _, c := range []jobs.JobCommand{
		{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now, Requester: "r"},
		{Kind: jobs.JobRing, Key: key, Now: now, DueAt: now.Add(time.Second)},
		claim("a"),
		{Kind: jobs.JobRenew, Key: key, Now: now, Until: now.Add(time.Hour), Progress: jobs.Progress{Done: 1}, Info: jobs.SongInfo{Title: "t"}},
		{Kind: jobs.JobFail, Key: key, Now: now, To: jobs.JobRetry, RunAt: now, Failure: failure, Crash: true},
		claim("b"),
		{Kind: jobs.JobFail, Key: key, Now: now, To: jobs.JobPending, RunAt: now, Refund: true},
		claim("c"),
		{Kind: jobs.JobFail, Key: key, Now: now, To: jobs.JobDead, Failure: failure, ForgetAt: now.Add(time.Hour)},
		{Kind: jobs.JobClose, Key: key, Now: now, Generation: 1},
		{Kind: jobs.JobReplay, Key: key, Now: now, Generation: 1, DueAt: now},
		{Kind: jobs.JobReopened, Key: key, Now: now, Generation: 2},
		claim("d"),
		{Kind: jobs.JobCommit, Key: key, Now: now, Result: &jobs.Result{Path: "p"}},
		{Kind: jobs.JobClose, Key: key, Now: now, Generation: 2},
	} {
		if c.Kind != jobs.JobClaim {
			c.Fence, c.Token = j.Fence, j.Token
		}
		wire.reset(nil)
		j = apply(t.Context(), t, s, c)
		if n := wire.count(); n != 1 {
			t.Errorf("%s took %d requests: %v", c.Kind, n, wire.counts)
		}
	}
}

// A refusal is one request where the server returns the item, and a stolen or
// revived job is two.
func TestCallsWithOldItems(t *testing.T) {
	t.Parallel()
	wire := newTap()
	wire.olds = true
	s := open(t, settings(t, wire))
	now := time.Now()
	key := randomKey()
	ensure := jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now}
	claim := jobs.JobCommand{Kind: jobs.JobClaim, Key: key, Now: now, Token: "a", Until: now.Add(time.Minute), MaxCrashes: 3}
	other, thief, stale := claim, claim, claim
	other.Token = "b"
	thief.Token, thief.Now, thief.Until = "c", now.Add(time.Hour), now.Add(2*time.Hour)
	stale.Kind, stale.Fence = jobs.JobCommit, 1
	for _, step := range []struct {
		command jobs.JobCommand
		refusal error
		calls   int
	}{
		{ensure, nil, 1}, {ensure, nil, 1}, {claim, nil, 1}, {claim, nil, 1}, {other, jobs.ErrBusy, 1}, {thief, nil, 2}, {stale, jobs.ErrFenced, 1},
	} {
		wire.reset(nil)
		outs, err := s.ApplyJobs(t.Context(), []jobs.JobCommand{step.command})
		if err != nil || !errors.Is(outs[0].Err, step.refusal) {
			t.Fatalf("%s: %+v, %v", step.command.Kind, outs, err)
		}
		if n := wire.count(); n != step.calls {
			t.Errorf("%s by %s took %d requests, want %d: %v", step.command.Kind, step.command.Token, n, step.calls, wire.counts)
		}
	}
}

// An idle worker's reconciler looks once a second; where nothing is due the
// server is asked every third time.
func TestIdle(t *testing.T) {
	t.Parallel()
	wire := newTap()
	o := settings(t, wire)
	now := time.Now()
	o.Now, o.DueEvery = func() time.Time { return now }, 0
	s := open(t, o)
	wire.reset(nil)
	const looks = 600
	for range looks {
		now = now.Add(time.Second)
		if due, err := s.Due(t.Context(), now, 200); err != nil || len(due.Jobs)+len(due.Operations) > 0 {
			t.Fatal(due, err)
		}
	}
	hour := wire.count() * 3600 / looks
	if hour > 10_000 {
		t.Errorf("%d requests an hour", hour)
	}
	t.Logf("%d requests an hour: %v in %d looks", hour, wire.counts, looks)
}

package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/dynamo"
	"github.com/butakero/butakero/internal/store/storetest"
)

// withTables makes o use the tables of another store of the test.
func withTables(o dynamo.Options, of *dynamo.Store) dynamo.Options {
	o.SongsTable, o.OperationsTable = of.Tables()
	return o
}

// The answer to a write gets lost, the client sends it again, and the condition
// fails: the store knows its own write.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	wire := newTap()
	s := open(t, settings(t, wire))
	g := storetest.Generator{Rand: rand.New(rand.NewPCG(rand.Uint64(), 1)), Start: time.Now().Truncate(time.Millisecond)}
	loseFirst := func(operation string, n int) fault {
		if n == 1 && (operation == "UpdateItem" || operation == "PutItem") {
			return lost
		}
		return none
	}
	changes := 0
	model := map[jobs.Key]jobs.Job{}
	keys := []jobs.Key{randomKey(), randomKey(), randomKey(), randomKey()}
	for i := range 400 {
		key := keys[i%len(keys)]
		c := g.Job(key, model[key])
		if c.Kind == jobs.JobDiscard { // a delete leaves nothing by which it could be known again
			continue
		}
		wire.reset(loseFirst)
		outs, err := s.ApplyJobs(t.Context(), []jobs.JobCommand{c})
		if err != nil {
			t.Fatal(err)
		}
		want, changed, refusal := jobs.Transition(model[key], c)
		if out := outs[0]; out.Changed != changed || !errors.Is(out.Err, refusal) || out.Job.Fence != want.Fence || out.Job.State != want.State ||
			out.Job.Attempt != want.Attempt || out.Job.Crashes != want.Crashes || len(out.Job.History) != len(want.History) {
			t.Fatalf("%s: changed %t, %v, want %t, %v\ngot  %+v\nwant %+v", c.Kind, out.Changed, out.Err, changed, refusal, out.Job, want)
		}
		if changed {
			changes++
		}
		model[key] = want
	}
	if changes < 40 {
		t.Errorf("only %d of the commands changed anything", changes)
	}
	// Notes and operations.
	wire.reset(loseFirst)
	if n, err := s.SwapNote(t.Context(), jobs.Note{Key: "a/b", Value: []byte("x")}); err != nil || string(n.Value) != "x" {
		t.Errorf("%+v, %v", n, err)
	}
	id := jobs.NewOperationID(keys[0].Song, entropy())
	put := jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: time.Now(), Operation: jobs.Operation{ID: id, Key: keys[0]}}
	finish := jobs.OperationCommand{Kind: jobs.OperationFinish, ID: id, Now: time.Now(), State: jobs.OperationSucceeded}
	for _, c := range []jobs.OperationCommand{put, finish} {
		wire.reset(loseFirst)
		outs, err := s.ApplyOperations(t.Context(), []jobs.OperationCommand{c})
		if err != nil || outs[0].Err != nil || !outs[0].Changed {
			t.Errorf("%s: %+v, %v", c.Kind, outs, err)
		}
	}
}

// Throttling and errors of the server are waited out.
func TestThrottled(t *testing.T) {
	t.Parallel()
	for name, what := range map[string]fault{"throttled": throttled, "broken": broken} {
		wire := newTap()
		s := open(t, settings(t, wire))
		wire.reset(func(_ string, n int) fault {
			if n <= 4 {
				return what
			}
			return none
		})
		key := randomKey()
		apply(t.Context(), t, s, jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: time.Now(), DueAt: time.Now()})
		if j, err := s.Job(t.Context(), key); err != nil || j.Generation != 1 {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
		if due, err := s.Due(t.Context(), time.Now(), 10); err != nil || len(due.Jobs) != 1 {
			t.Errorf("%s: %+v, %v", name, due, err)
		}
	}
}

// When it does not end, the error says so, and soon enough for the caller.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	wire := newTap()
	o := settings(t, wire)
	o.Attempts, o.AttemptTimeout = 3, 100*time.Millisecond
	s := open(t, o)
	key := randomKey()
	for _, what := range []fault{throttled, silent, broken} {
		wire.reset(func(string, int) fault { return what })
		_, err := s.ApplyJobs(t.Context(), []jobs.JobCommand{{Kind: jobs.JobEnsure, Key: key, Now: time.Now()}})
		if !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("fault %d: %v", what, err)
		}
		if n := wire.count(); n != 3 {
			t.Errorf("fault %d: %d tries", what, n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err = s.Job(ctx, key); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("fault %d under a deadline: %v", what, err)
		}
		cancel()
	}
	if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
	wire.reset(nil)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// 64 workers race for each of 500 jobs: one wins, whatever the network does.
func TestClaimRaces(t *testing.T) {
	t.Parallel()
	rounds := scale("BUTAKERO_TEST_DYNAMODB_CLAIM_ROUNDS", 500)
	const racers = 64
	wire := newTap()
	s := open(t, settings(t, wire))
	wire.reset(func(operation string, _ int) fault {
		if operation != "UpdateItem" {
			return none
		}
		switch rand.IntN(50) {
		case 0:
			return lost
		case 1:
			return throttled
		}
		return none
	})
	now := time.Now()
	for range rounds {
		key := randomKey()
		apply(t.Context(), t, s, jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now})
		claims := make([]jobs.JobCommand, racers)
		for i := range claims {
			skew := time.Duration(i) * time.Second // the racers' clocks differ by a minute
			claims[i] = jobs.JobCommand{
				Kind: jobs.JobClaim, Key: key, Now: now.Add(skew), Token: fmt.Sprint("racer ", i), Owner: fmt.Sprint(i),
				Until: now.Add(skew + 10*time.Minute), Margin: 5 * time.Second, MaxCrashes: 3,
			}
		}
		outs := make([]jobs.JobOutcome, racers)
		var wait sync.WaitGroup
		for i := range claims {
			wait.Go(func() {
				got, err := s.ApplyJobs(t.Context(), claims[i:i+1])
				if err != nil {
					outs[i].Err = err
					return
				}
				outs[i] = got[0]
			})
		}
		wait.Wait()
		winner := -1
		for i, out := range outs {
			switch {
			case out.Err == nil && winner >= 0:
				t.Fatalf("%d and %d hold the job", winner, i)
			case out.Err == nil:
				winner = i
			case !errors.Is(out.Err, jobs.ErrBusy):
				t.Fatal(out.Err)
			}
		}
		j, err := s.Job(t.Context(), key)
		if err != nil || winner < 0 || j.Token != claims[winner].Token || j.Fence != 1 || j.Attempt != 1 {
			t.Fatalf("%d won; the record: %+v, %v", winner, j, err)
		}
	}
}

// Processes whose clocks are wrong by minutes end operations; a reader of the
// events misses none.
func TestEventsOfSkewedClocks(t *testing.T) {
	t.Parallel()
	s := open(t, settings(t, nil))
	cursor := ""
	seen := map[string]bool{}
	read := func() {
		for {
			page, next, err := s.Events(t.Context(), cursor, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page {
				seen[o.ID] = true
			}
			cursor = next
			if len(page) == 0 {
				return
			}
		}
	}
	want := 0
	for _, skew := range []time.Duration{0, -10 * time.Minute, 10 * time.Minute, -time.Hour, 0} {
		o := withTables(settings(t, nil), s)
		o.Now = func() time.Time { return time.Now().Add(skew) }
		other := open(t, o)
		for range 5 {
			key := randomKey()
			id := jobs.NewOperationID(key.Song, entropy())
			for _, c := range []jobs.OperationCommand{
				{Kind: jobs.OperationPut, ID: id, Now: o.Now(), Operation: jobs.Operation{ID: id, Key: key}},
				{Kind: jobs.OperationFinish, ID: id, Now: o.Now(), State: jobs.OperationSucceeded, DueAt: o.Now()},
			} {
				if outs, err := other.ApplyOperations(t.Context(), []jobs.OperationCommand{c}); err != nil || outs[0].Err != nil {
					t.Fatal(outs, err)
				}
			}
			want++
			read()
		}
	}
	wait(t, func() bool { read(); return len(seen) == want })
}

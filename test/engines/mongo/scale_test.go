package mongo_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/mongo"
)

func apply(tb testing.TB, s jobs.Store, c jobs.JobCommand) jobs.JobOutcome {
	tb.Helper()
	outs, err := s.ApplyJobs(tb.Context(), []jobs.JobCommand{c})
	if err != nil {
		tb.Fatalf("%s: %v", c.Kind, err)
	}
	return outs[0]
}

// put puts n operations that wait for a key, due in an hour.
func put(tb testing.TB, s jobs.Store, key jobs.Key, n int) (ids []string) {
	tb.Helper()
	now := time.Now()
	for len(ids) < n {
		var commands []jobs.OperationCommand
		for range min(1000, n-len(ids)) {
			id := jobs.NewOperationID(key.Song, entropy())
			ids = append(ids, id)
			commands = append(commands, jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: now, Operation: jobs.Operation{
				ID: id, Key: key, CreatedAt: now, DueAt: now.Add(time.Hour),
			}})
		}
		outs, err := s.ApplyOperations(tb.Context(), commands)
		if err != nil {
			tb.Fatal(err)
		}
		for _, o := range outs {
			if o.Err != nil || !o.Changed {
				tb.Fatalf("%+v", o)
			}
		}
	}
	return ids
}

// Sixty-four workers race for each of 500 jobs, through stores of their own that
// know nothing of each other; half of them claim in batches.
func TestClaimRaces(t *testing.T) {
	t.Parallel()
	const racers, races, stores, batch = 64, 500, 4, 10
	db := database(t, address(t))
	var all []*mongo.Store
	for range stores {
		all = append(all, open(t, mongo.Options{Database: db}))
	}
	keys := ensure(t, all[0], races)
	var mu sync.Mutex
	winners := map[jobs.Key][]string{}
	for chunk := range slices.Chunk(keys, batch) {
		var wg sync.WaitGroup
		for r := range racers {
			wg.Go(func() {
				var commands []jobs.JobCommand
				for _, key := range chunk {
					commands = append(commands, claimCommand(key, time.Now()))
				}
				n := batch
				if r%2 == 1 {
					n = 1
				}
				for some := range slices.Chunk(commands, n) {
					outs, err := all[r%stores].ApplyJobs(t.Context(), some)
					if err != nil {
						t.Error(err)
						return
					}
					for i, o := range outs {
						switch {
						case o.Err == nil:
							mu.Lock()
							winners[some[i].Key] = append(winners[some[i].Key], some[i].Token)
							mu.Unlock()
						case !errors.Is(o.Err, jobs.ErrBusy):
							t.Error(o.Err)
						}
					}
				}
			})
		}
		wg.Wait()
	}
	for _, key := range keys {
		j, err := all[0].Job(t.Context(), key)
		if err != nil || len(winners[key]) != 1 || j.Token != winners[key][0] || j.Fence != 1 || j.Attempt != 1 {
			t.Fatalf("%s: winners %v, record %+v, %v", key, winners[key], j, err)
		}
	}
}

func TestTenThousandWaiters(t *testing.T) {
	t.Parallel()
	const waiters = 10_000
	db := database(t, address(t))
	s := open(t, mongo.Options{Database: db})
	key := ensure(t, s, 1)[0]
	ids := put(t, s, key, waiters)
	slices.Sort(ids)
	var got []string
	for after := ""; ; {
		page, err := s.OperationsOf(t.Context(), key, jobs.OperationWaiting, after, 300)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			after = o.ID
			got = append(got, o.ID)
		}
		if len(page) < 300 {
			break
		}
	}
	if !slices.Equal(ids, got) {
		t.Fatalf("%d of %d came, or in another order", len(got), len(ids))
	}
	// A whole fan-out, page by page, with the real finisher.
	claimed := apply(t, s, claimCommand(key, time.Now())).Job
	done := apply(t, s, jobs.JobCommand{Kind: jobs.JobCommit, Key: key, Now: time.Now(), Fence: claimed.Fence, Token: claimed.Token, Result: &jobs.Result{Path: "p"}}).Job
	f := newFleet(t, s, 1, 0)
	stop := f.background(t.Context())
	if err := f.finish.FanOut(t.Context(), []jobs.Job{done}); err != nil {
		t.Fatal(err)
	}
	f.events.wait(t, waiters, 2*time.Minute)
	stop()
	stats, err := s.Stats(t.Context(), time.Now())
	if err != nil || stats.Waiting != 0 || stats.PendingEvents != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	if j, err := s.Job(t.Context(), key); err != nil || !j.DueAt.IsZero() {
		t.Errorf("the job is not closed: %+v, %v", j, err)
	}
}

// What is due is found among many, and asking costs the same however many there
// are.
func TestManyDueRecords(t *testing.T) {
	t.Parallel()
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	s := open(t, mongo.Options{})
	start := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for made := 0; made < n; {
		var commands []jobs.JobCommand
		for range min(2000, n-made) {
			commands = append(commands, jobs.JobCommand{Kind: jobs.JobEnsure, Key: randomKey(), Now: start, DueAt: start.Add(time.Duration((made*7919)%n) * time.Millisecond)})
			made++
		}
		if _, err := s.ApplyJobs(t.Context(), commands); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[jobs.Key]bool{}
	for round := range 20 {
		due, err := s.Due(t.Context(), time.Now(), 200)
		if err != nil {
			t.Fatal(err)
		}
		var rings []jobs.JobCommand
		for i, j := range due.Jobs {
			if at := start.Add(time.Duration(round*200+i) * time.Millisecond); !j.DueAt.Equal(at) || seen[j.Key] {
				t.Fatalf("round %d, place %d: due at %s, want %s; seen %t", round, i, j.DueAt, at, seen[j.Key])
			}
			seen[j.Key] = true
			rings = append(rings, jobs.JobCommand{Kind: jobs.JobRing, Key: j.Key, Now: time.Now(), DueAt: time.Now().Add(time.Hour)})
		}
		outs, err := s.ApplyJobs(t.Context(), rings)
		if err != nil || len(outs) != 200 {
			t.Fatalf("%d rings, %v", len(outs), err)
		}
	}
	if due, err := s.Due(t.Context(), start, 10); err != nil || len(due.Jobs) != 0 {
		t.Errorf("%d are due before their time, %v", len(due.Jobs), err)
	}
}

// Clocks decide when a job is stolen, and nothing else: fences keep a holder with a
// slow clock out, and the order of events is the server's.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	s := open(t, mongo.Options{})
	now := time.Now()
	key := ensure(t, s, 1)[0]
	if out := apply(t, s, claimCommand(key, now.Add(-10*time.Minute))); !errors.Is(out.Err, jobs.ErrNotDue) {
		t.Errorf("a claim ten minutes early: %v", out.Err)
	}
	first := apply(t, s, claimCommand(key, now)).Job
	second := apply(t, s, claimCommand(key, now.Add(10*time.Minute)))
	if second.Err != nil || second.Job.Fence != first.Fence+1 || second.Job.Crashes != 1 {
		t.Fatalf("%+v", second)
	}
	commit := func(j jobs.Job, at time.Time) error {
		return apply(t, s, jobs.JobCommand{Kind: jobs.JobCommit, Key: key, Now: at, Fence: j.Fence, Token: j.Token, Result: &jobs.Result{Path: "p"}}).Err
	}
	if err := commit(first, now); !errors.Is(err, jobs.ErrFenced) {
		t.Errorf("the first holder's commit: %v", err)
	}
	if err := commit(second.Job, now.Add(-10*time.Minute)); err != nil {
		t.Errorf("the second holder's commit: %v", err)
	}
	done, err := s.Job(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	// Ends of writers whose clocks go backwards come in the order of the writes.
	var ids []string
	for i := range 10 {
		id := put(t, s, key, 1)[0]
		ids = append(ids, id)
		o, err := s.Operation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		outs, err := s.ApplyOperations(t.Context(), []jobs.OperationCommand{jobs.FinishCommand(done, o, now.Add(-time.Duration(i)*time.Minute), now.Add(time.Hour))})
		if err != nil || outs[0].Err != nil {
			t.Fatal(outs, err)
		}
	}
	var got []string
	cursor, deadline := "", time.Now().Add(20*time.Second)
	for len(got) < len(ids) && time.Now().Before(deadline) {
		page, next, err := s.Events(t.Context(), cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		cursor = next
		for _, o := range page {
			got = append(got, o.ID)
		}
		if len(page) == 0 {
			<-time.After(20 * time.Millisecond)
		}
	}
	if !slices.Equal(ids, got) {
		t.Errorf("ends %v, want %v", got, ids)
	}
}

// A search among many looks at so many records a page and goes on from there.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("CAN NOT RUN: short")
	}
	s := open(t, mongo.Options{})
	start := time.Now().Add(-time.Hour)
	for i := range 25 {
		var commands []jobs.JobCommand
		for k := range 1000 {
			c := jobs.JobCommand{Kind: jobs.JobEnsure, Key: randomKey(), Now: start.Add(time.Duration(i*1000+k) * time.Millisecond), Info: jobs.SongInfo{Title: fmt.Sprint("title ", i, " ", k)}}
			if i == 0 && k == 0 {
				c.Info.Title = "The Needle"
			}
			commands = append(commands, c)
		}
		if _, err := s.ApplyJobs(t.Context(), commands); err != nil {
			t.Fatal(err)
		}
	}
	found, pages := 0, 0
	for cursor := ""; ; pages++ {
		page, next, err := s.Jobs(t.Context(), jobs.JobFilter{Text: "needle"}, cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		found += len(page)
		if cursor = next; next == "" {
			break
		}
	}
	if found != 1 || pages != 1 {
		t.Errorf("%d found, %d pages with a next one", found, pages)
	}
}

package storetest

import (
	"sort"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var pageTests = []test{
	{name: "ManyWaiters", run: testManyWaiters},
	{name: "PutIsSeen", run: testPutIsSeen},
	{name: "EndedAreGone", run: testEndedAreGone},
	{name: "NoneThere", run: testNoneWait},
}

var fanOutTests = []test{
	{name: "Commit", run: testFanOut},
	{name: "Dead", run: testFanOutOfDead},
	{name: "NotForRetries", run: testNoFanOutOfRetries},
	{name: "RaceWithPut", run: raceFanOutAndPut},
}

func testManyWaiters(s *suite) {
	key := newKey()
	other := key
	other.Profile = "low"
	var want []string
	for _, o := range s.put(key, s.f.Waiters) {
		want = append(want, o.ID)
	}
	s.put(other, 50) // of the same song
	sort.Strings(want)
	for _, limit := range []int{100, 7 * len(want)} {
		var got []string
		for after := ""; ; {
			page, err := s.b.OperationsOf(s.ctx, key, jobs.OperationWaiting, after, limit)
			if err != nil {
				s.Fatal(err)
			}
			if len(page) > limit {
				s.Fatalf("a page of %d, asked for %d", len(page), limit)
			}
			for _, o := range page {
				got = append(got, o.ID)
				after = o.ID
			}
			if len(page) < limit { // a short page is the last one: the fan-out closes the job on it
				break
			}
		}
		if len(got) != len(want) {
			s.Fatalf("pages of %d brought %d of %d", limit, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				s.Fatalf("place %d holds %s, want %s", i, got[i], want[i])
			}
		}
	}
}

func testPutIsSeen(s *suite) {
	key := newKey()
	together(8, func(int) {
		for range 25 {
			c := s.putCommand(key)
			if _, err := s.b.ApplyOperations(s.ctx, []jobs.OperationCommand{c}); err != nil {
				s.Error(err)
				return
			}
			all, err := s.b.OperationsOf(s.ctx, key, jobs.OperationWaiting, "", 1000)
			if err != nil {
				s.Error(err)
				return
			}
			there := false
			for _, o := range all {
				there = there || o.ID == c.ID
			}
			one, err := s.b.Operation(s.ctx, c.ID)
			if !there || err != nil || one.ID != c.ID {
				s.Errorf("an operation whose put was answered: in the list %t, by its id %v", there, err)
				return
			}
		}
	})
}

// Paging goes on while others end what is on the pages.
func testEndedAreGone(s *suite) {
	j := s.done()
	all := s.put(j.Key, 300)
	var ends []jobs.OperationCommand
	for _, o := range all[:200] {
		ends = append(ends, jobs.FinishCommand(j, o, s.now, s.now))
	}
	for _, out := range s.applyOperations(ends) {
		s.succeeded(out.Changed, out.Err)
	}
	for state, want := range map[jobs.OperationState]int{jobs.OperationWaiting: 100, jobs.OperationSucceeded: 200, jobs.OperationFailed: 0} {
		got := 0
		for after := ""; ; {
			page, err := s.b.OperationsOf(s.ctx, j.Key, state, after, 30)
			if err != nil {
				s.Fatal(err)
			}
			for _, o := range page {
				if o.State != state || o.Key != j.Key || o.ID <= after {
					s.Fatalf("in the list of %s after %q: %+v", state, after, o)
				}
				after = o.ID
			}
			got += len(page)
			if len(page) < 30 {
				break
			}
		}
		if got != want {
			s.Errorf("%d %s, want %d", got, state, want)
		}
	}
	s.same("an operation of the list", normalOperation(s.readOperation(all[0].ID)), normalOperation(s.first(j.Key, jobs.OperationSucceeded, all[0].ID)))
}

func (s *suite) first(key jobs.Key, state jobs.OperationState, id string) jobs.Operation {
	s.Helper()
	page, err := s.b.OperationsOf(s.ctx, key, state, "", 1000)
	if err != nil {
		s.Fatal(err)
	}
	for _, o := range page {
		if o.ID == id {
			return o
		}
	}
	s.Fatalf("%s is not in the list", id)
	return jobs.Operation{}
}

func testNoneWait(s *suite) {
	s.listed(newKey(), jobs.OperationWaiting)
	j := s.pending()
	s.listed(j.Key, jobs.OperationWaiting)
	o := s.waiting(j.Key)
	if page, err := s.b.OperationsOf(s.ctx, j.Key, jobs.OperationWaiting, o.ID, 10); err != nil || len(page) != 0 {
		s.Fatalf("after the last: %v, %v", page, err)
	}
}

func testFanOut(s *suite) {
	for _, n := range []int{0, 1, 9, 10, 11, 25} {
		j := s.running()
		all := s.put(j.Key, n)
		c := s.commitCommand(j)
		c.FanOut, c.DueAt = 10, s.at(time.Minute)
		s.fansOut(c, j, all)
	}
}

func testFanOutOfDead(s *suite) {
	for _, n := range []int{0, 3, 12} {
		j := s.running()
		all := s.put(j.Key, n)
		c := s.failCommand(j, jobs.JobDead)
		c.FanOut, c.DueAt = 10, s.at(time.Minute)
		s.fansOut(c, j, all)
	}
}

// fansOut applies a command that ends a job and holds what the adapter says to
// have done on the side against the records and against the model. An adapter
// without the feature says nothing and has done nothing.
func (s *suite) fansOut(c jobs.JobCommand, before jobs.Job, all []jobs.Operation) {
	s.Helper()
	out := s.applyJob(c)
	s.succeeded(out.Changed, out.Err)
	ended, _, _ := jobs.Transition(before, c)
	want := ended
	if out.Closed {
		want.DueAt = time.Time{}
	}
	s.same("the job's outcome", normalJob(want), normalJob(out.Job))
	s.same("the job", normalJob(want), normalJob(s.readJob(c.Key)))
	byID := map[string]jobs.Operation{}
	for _, o := range all {
		byID[o.ID] = o
	}
	for _, o := range out.Finished {
		model, _, err := jobs.TransitionOperation(byID[o.ID], jobs.FinishCommand(ended, byID[o.ID], c.Now, c.DueAt))
		if err != nil {
			s.Fatal(err)
		}
		s.same("an operation of the fan-out", normalOperation(model), normalOperation(o))
		s.same("its record", normalOperation(model), normalOperation(s.readOperation(o.ID)))
		delete(byID, o.ID)
	}
	for id := range byID {
		if o := s.readOperation(id); o.State != jobs.OperationWaiting {
			s.Fatalf("ended and not reported: %+v", o)
		}
	}
	if out.Closed && len(byID) > 0 {
		s.Fatalf("closed while %d wait", len(byID))
	}
	if len(out.Finished) > c.FanOut {
		s.Fatalf("%d ended, asked for %d", len(out.Finished), c.FanOut)
	}
	if s.f.FanOut && (len(out.Finished) != min(len(all), c.FanOut) || out.Closed != (len(all) <= c.FanOut)) {
		s.Fatalf("%d of %d ended, closed %t", len(out.Finished), len(all), out.Closed)
	}
	if !s.f.FanOut && (len(out.Finished) > 0 || out.Closed) {
		s.Fatal("the adapter fans out and does not say so in its Features")
	}
	// The repeated command changes nothing and does not fan out again.
	if again := s.applyJob(c); again.Err != nil || again.Changed || len(again.Finished) > 0 {
		s.Fatalf("repeated: %+v", again)
	}
}

func testNoFanOutOfRetries(s *suite) {
	j := s.running()
	all := s.put(j.Key, 3)
	c := s.failCommand(j, jobs.JobRetry)
	c.FanOut = 10
	if out := s.applyJob(c); out.Err != nil || len(out.Finished) > 0 || out.Closed {
		s.Fatalf("%+v", out)
	}
	for _, o := range all {
		if got := s.readOperation(o.ID); got.State != jobs.OperationWaiting {
			s.Fatalf("%+v", got)
		}
	}
	// While a replay has operations to reopen, an end is not closed on the side.
	d := s.dead()
	s.job(jobs.JobCommand{Kind: jobs.JobReplay, Key: d.Key, Now: s.now, Generation: 1, DueAt: s.now})
	held := s.job(s.claimCommand(d.Key, "again", s.now)).Job
	commit := s.commitCommand(held)
	commit.FanOut = 10
	if out := s.applyJob(commit); out.Err != nil || out.Closed || out.Job.Reopen != 1 || out.Job.DueAt.IsZero() {
		s.Fatalf("%+v", out)
	}
}

// Whoever puts an operation while the job ends with a fan-out is either ended by
// it, or left waiting by an outcome that was reported before.
func raceFanOutAndPut(s *suite) {
	for range s.f.Rounds {
		j := s.running()
		puts := make([]jobs.OperationCommand, 16)
		states := make([]jobs.JobState, len(puts))
		for i := range puts {
			puts[i] = s.putCommand(j.Key)
		}
		finished := map[string]bool{}
		var failure error
		var mu sync.Mutex
		together(len(puts)+1, func(i int) {
			var err error
			if i == len(puts) {
				c := s.commitCommand(j)
				c.FanOut, c.DueAt = 100, s.at(time.Minute)
				var outs []jobs.JobOutcome
				if outs, err = s.b.ApplyJobs(s.ctx, []jobs.JobCommand{c}); err == nil {
					for _, o := range outs[0].Finished {
						finished[o.ID] = true
					}
				}
			} else if _, err = s.b.ApplyOperations(s.ctx, puts[i:i+1]); err == nil {
				var seen jobs.Job
				seen, err = s.b.Job(s.ctx, j.Key)
				states[i] = seen.State
			}
			if err != nil {
				mu.Lock()
				failure = err
				mu.Unlock()
			}
		})
		if failure != nil {
			s.Fatal(failure)
		}
		for i, c := range puts {
			ended := s.readOperation(c.ID).State == jobs.OperationSucceeded
			if ended != finished[c.ID] {
				s.Fatalf("ended %t, reported %t", ended, finished[c.ID])
			}
			if s.f.FanOut && !ended && states[i] != jobs.JobDone {
				s.Fatal("an operation saw a job that lives and was left out by its fan-out")
			}
		}
	}
}

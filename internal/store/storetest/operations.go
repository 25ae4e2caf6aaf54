package storetest

import (
	"errors"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var operationTests = []test{
	{name: "NothingThere", run: testNoOperation},
	{name: "Put", run: testPut},
	{name: "Finish", run: testFinish},
	{name: "FinishOnce", run: testFinishOnce},
	{name: "Announced", run: testAnnounced},
	{name: "Defer", run: testDefer},
}

var replayTests = []test{
	{name: "Replay", run: testReplay},
	{name: "Reopen", run: testReopen},
	{name: "ReopenRefused", run: testReopenRefused},
	{name: "AfterGuard", run: testAfterGuard},
}

func testNoOperation(s *suite) {
	for _, id := range []string{newOperationID(newKey().Song), "", "nonsense", "00000000-0000-0000-0000-000000000000", "Ñandú\u0000"} {
		if _, err := s.b.Operation(s.ctx, id); !errors.Is(err, jobs.ErrNotFound) {
			s.Errorf("read of operation %q: %v", id, err)
		}
	}
	id := newOperationID(newKey().Song)
	for _, kind := range operationKinds {
		if kind == jobs.OperationPut {
			continue
		}
		out := s.operation(jobs.OperationCommand{Kind: kind, ID: id, Now: s.now, State: jobs.OperationFailed, Generation: 1})
		s.refused(out.Err, jobs.ErrNotFound)
	}
}

func testPut(s *suite) {
	c := s.putCommand(newKey())
	c.Operation.State, c.Operation.Event, c.Operation.Generation = jobs.OperationFailed, jobs.EventPublished, 7 // not the caller's to say
	out := s.operation(c)
	s.succeeded(out.Changed, out.Err)
	if o := out.Operation; o.State != jobs.OperationWaiting || o.Event != jobs.EventNone || o.Generation != 1 {
		s.Fatalf("put: %+v", o)
	}
	again := c
	again.Operation.Text = "something else"
	out = s.operation(again)
	s.unchanged(out.Changed, out.Err)
	if out.Operation.Text != "a title" {
		s.Fatalf("a second put changed the first: %+v", out.Operation)
	}
	// Also when the first one has ended since.
	s.operation(s.failOperation(out.Operation, 1))
	out = s.operation(again)
	s.unchanged(out.Changed, out.Err)
	if out.Operation.State != jobs.OperationFailed {
		s.Fatalf("a put on an ended operation brings %+v", out.Operation)
	}
}

func testFinish(s *suite) {
	done, dead := s.done(), s.dead()
	for _, j := range []jobs.Job{done, dead} {
		o := s.waiting(j.Key)
		out := s.operation(jobs.FinishCommand(j, o, s.at(time.Second), s.at(time.Minute)))
		s.succeeded(out.Changed, out.Err)
		e := out.Operation
		if e.Event != jobs.EventPending || e.JobGeneration != 1 || e.Attempts != 1 || !e.EndedAt.Equal(s.at(time.Second)) || !e.DueAt.Equal(s.at(time.Minute)) {
			s.Fatalf("ended: %+v", e)
		}
		if j.State == jobs.JobDone && (e.State != jobs.OperationSucceeded || e.Result == nil || *e.Result != *someResult(j.Key)) {
			s.Fatalf("succeeded: %+v", e)
		}
		if j.State == jobs.JobDead && (e.State != jobs.OperationFailed || e.Failure == nil || e.Failure.Code != "reset") {
			s.Fatalf("failed: %+v", e)
		}
	}
}

func testFinishOnce(s *suite) {
	o := s.waiting(newKey())
	bad := s.failOperation(o, 1)
	bad.State = jobs.OperationWaiting
	s.refused(s.operation(bad).Err, jobs.ErrState)
	stale := s.failOperation(o, 1)
	stale.Generation = 2
	s.refused(s.operation(stale).Err, jobs.ErrStale)
	out := s.operation(s.failOperation(o, 1))
	s.succeeded(out.Changed, out.Err)
	s.refused(s.operation(s.failOperation(o, 1)).Err, jobs.ErrEnded)
	person := jobs.OperationCommand{Kind: jobs.OperationFinish, ID: o.ID, Now: s.at(time.Minute), State: jobs.OperationCancelled}
	out = s.operation(person)
	s.refused(out.Err, jobs.ErrEnded)
	if out.Operation.State != jobs.OperationFailed {
		s.Fatalf("the refusal brings %+v", out.Operation)
	}
	person.ID = s.waiting(newKey()).ID // generation 0: any
	out = s.operation(person)
	s.succeeded(out.Changed, out.Err)
}

func testAnnounced(s *suite) {
	o := s.waiting(newKey())
	s.refused(s.operation(s.announceCommand(o)).Err, jobs.ErrState)
	o = s.operation(s.failOperation(o, 1)).Operation
	stale := s.announceCommand(o)
	stale.Generation++
	s.refused(s.operation(stale).Err, jobs.ErrStale)
	out := s.operation(s.announceCommand(o))
	s.succeeded(out.Changed, out.Err)
	if a := out.Operation; a.Event != jobs.EventPublished || !a.DueAt.IsZero() || !a.ExpireAt.Equal(s.at(30*24*time.Hour)) {
		s.Fatalf("announced: %+v", a)
	}
	out = s.operation(s.announceCommand(o))
	s.unchanged(out.Changed, out.Err)
}

func testDefer(s *suite) {
	o := s.waiting(newKey())
	c := jobs.OperationCommand{Kind: jobs.OperationDefer, ID: o.ID, Now: s.now, DueAt: s.at(time.Hour)}
	out := s.operation(c)
	s.succeeded(out.Changed, out.Err)
	if !out.Operation.DueAt.Equal(s.at(time.Hour)) {
		s.Fatalf("deferred to %s", out.Operation.DueAt)
	}
	s.operation(s.failOperation(o, 1))
	s.refused(s.operation(c).Err, jobs.ErrEnded)
}

func testReplay(s *suite) {
	replay := func(j jobs.Job) jobs.JobCommand {
		return jobs.JobCommand{Kind: jobs.JobReplay, Key: j.Key, Now: s.at(time.Hour), Generation: j.Generation, DueAt: s.at(time.Hour)}
	}
	for _, j := range []jobs.Job{s.pending(), s.running(), s.done()} {
		s.refused(s.job(replay(j)).Err, jobs.ErrState)
	}
	for _, j := range []jobs.Job{s.dead(), s.cancelled()} {
		s.job(s.closeCommand(j))
		out := s.job(replay(j))
		s.succeeded(out.Changed, out.Err)
		r := out.Job
		if r.State != jobs.JobPending || r.Generation != 2 || r.Reopen != 1 || r.Replays != 1 || r.Attempt != 0 ||
			r.LastError != nil || r.Info.Title != "A title" || r.Fence != j.Fence {
			s.Fatalf("replayed: %+v", r)
		}
		s.refused(s.job(replay(j)).Err, jobs.ErrStale) // the second operator
		// An end may not be closed while operations are still to be reopened.
		held := s.job(s.claimCommand(j.Key, "again", s.at(2*time.Hour))).Job
		ended := s.job(s.commitCommand(held)).Job
		s.refused(s.job(s.closeCommand(ended)).Err, jobs.ErrState)
		reopened := jobs.JobCommand{Kind: jobs.JobReopened, Key: j.Key, Now: s.at(2 * time.Hour), Generation: 1}
		s.refused(s.job(reopened).Err, jobs.ErrStale)
		reopened.Generation = 2
		out = s.job(reopened)
		s.succeeded(out.Changed, out.Err)
		out = s.job(reopened)
		s.unchanged(out.Changed, out.Err)
		out = s.job(s.closeCommand(ended))
		s.succeeded(out.Changed, out.Err)
	}
}

func testReopen(s *suite) {
	key := newKey()
	o := s.waiting(key)
	o = s.operation(s.failOperation(o, 1)).Operation
	s.refused(s.operation(s.reopenCommand(o, 1)).Err, jobs.ErrUnsent)
	o = s.operation(s.announceCommand(o)).Operation
	out := s.operation(s.reopenCommand(o, 1))
	s.succeeded(out.Changed, out.Err)
	if r := out.Operation; r.State != jobs.OperationWaiting || r.Generation != 2 || r.After != 1 || r.Event != jobs.EventNone ||
		r.Failure != nil || !r.EndedAt.IsZero() || !r.ExpireAt.IsZero() || !r.DueAt.Equal(s.at(time.Minute)) {
		s.Fatalf("reopened: %+v", r)
	}
	s.refused(s.operation(s.reopenCommand(o, 1)).Err, jobs.ErrStale) // sent twice
	// It waits for its key again, and is no failed one any more.
	s.listed(key, jobs.OperationWaiting, o.ID)
	s.listed(key, jobs.OperationFailed)
}

func testReopenRefused(s *suite) {
	o := s.waiting(newKey())
	s.refused(s.operation(s.reopenCommand(o, 1)).Err, jobs.ErrState)
	o = s.operation(s.failOperation(o, 2)).Operation
	o = s.operation(s.announceCommand(o)).Operation
	s.refused(s.operation(s.reopenCommand(o, 1)).Err, jobs.ErrState) // ended by a later generation
	j := s.done()
	w := s.waiting(j.Key)
	w = s.operation(jobs.FinishCommand(j, w, s.now, s.now)).Operation
	w = s.operation(s.announceCommand(w)).Operation
	s.refused(s.operation(s.reopenCommand(w, 1)).Err, jobs.ErrState) // succeeded
}

// What a replay has reopened can not be ended by the generation that failed it:
// a fan-out that was under way would undo the replay.
func testAfterGuard(s *suite) {
	o := s.waiting(newKey())
	o = s.operation(s.failOperation(o, 1)).Operation
	o = s.operation(s.announceCommand(o)).Operation
	o = s.operation(s.reopenCommand(o, 1)).Operation
	late := s.failOperation(o, 1)
	s.refused(s.operation(late).Err, jobs.ErrStale)
	late.Generation = 0
	s.refused(s.operation(late).Err, jobs.ErrStale)
	out := s.operation(s.failOperation(o, 2))
	s.succeeded(out.Changed, out.Err)
	// A person's cancel names no job.
	p := s.waiting(newKey())
	p = s.operation(s.failOperation(p, 1)).Operation
	p = s.operation(s.announceCommand(p)).Operation
	p = s.operation(s.reopenCommand(p, 1)).Operation
	c := s.failOperation(p, 0)
	c.State = jobs.OperationCancelled
	out = s.operation(c)
	s.succeeded(out.Changed, out.Err)
}

// listed checks which operations of a key are in a state.
func (s *suite) listed(key jobs.Key, state jobs.OperationState, ids ...string) {
	s.Helper()
	found, err := s.b.OperationsOf(s.ctx, key, state, "", 1000)
	if err != nil {
		s.Fatal(err)
	}
	if len(found) != len(ids) {
		s.Fatalf("%d %s operations, want %d", len(found), state, len(ids))
	}
	for i, o := range found {
		if o.ID != ids[i] || o.State != state {
			s.Fatalf("%s operation %d is %+v, want %s", state, i, o, ids[i])
		}
	}
}

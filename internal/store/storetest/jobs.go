package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var jobTests = []test{
	{name: "NothingThere", run: testNothingThere},
	{name: "Ensure", run: testEnsure},
	{name: "EnsureAfterTheEnd", run: testEnsureAfterTheEnd},
	{name: "Ring", run: testRing},
	{name: "Claim", run: testClaim},
	{name: "ClaimTooEarly", run: testClaimTooEarly},
	{name: "LostAnswers", run: testLostAnswers},
	{name: "StaleFenceAndToken", run: testStaleFenceAndToken},
	{name: "StealAndMargin", run: testStealAndMargin},
	{name: "Renew", run: testRenew},
	{name: "CrashLoop", run: testCrashLoop},
	{name: "Fail", run: testFail},
	{name: "History", run: testHistory},
	{name: "Cancel", run: testCancel},
	{name: "CloseAndDiscard", run: testCloseAndDiscard},
	{name: "MadeAnew", run: testMadeAnew},
}

func testNothingThere(s *suite) {
	key := newKey()
	if _, err := s.b.Job(s.ctx, key); !errors.Is(err, jobs.ErrNotFound) {
		s.Fatalf("read of no job: %v", err)
	}
	for _, kind := range jobKinds {
		if kind == jobs.JobEnsure {
			continue
		}
		out := s.job(jobs.JobCommand{Kind: kind, Key: key, Now: s.now, Token: "t", Until: s.at(lease), To: jobs.JobDead, Generation: 1})
		s.refused(out.Err, jobs.ErrNotFound)
	}
}

func testEnsure(s *suite) {
	c := s.ensureCommand(newKey())
	out := s.job(c)
	s.succeeded(out.Changed, out.Err)
	j := out.Job
	if j.Key != c.Key || j.State != jobs.JobPending || j.Generation != 1 || j.Fence != 0 || j.Info.Title != "A title" || j.Requester != "somebody" {
		s.Fatalf("made %+v", j)
	}
	if !j.RunAt.Equal(s.now) || !j.DueAt.Equal(c.DueAt) || !j.CreatedAt.Equal(s.now) {
		s.Fatalf("times: %+v", j)
	}
	again := c
	again.Requester, again.Info.Title, again.DueAt = "somebody else", "Another", s.at(time.Hour)
	out = s.job(again)
	s.unchanged(out.Changed, out.Err)
	if out.Job.Requester != "somebody" {
		s.Fatalf("the first request's record was changed: %+v", out.Job)
	}
	// One song in two profiles is two jobs.
	low := c
	low.Key.Profile = "low"
	out = s.job(low)
	s.succeeded(out.Changed, out.Err)
	later := s.ensureCommand(newKey())
	later.RunAt = s.at(time.Minute)
	if out = s.job(later); !out.Job.RunAt.Equal(later.RunAt) {
		s.Fatalf("run_at %s", out.Job.RunAt)
	}
}

func testEnsureAfterTheEnd(s *suite) {
	j := s.done()
	out := s.job(s.ensureCommand(j.Key))
	s.unchanged(out.Changed, out.Err)
	c := s.ensureCommand(j.Key) // the file is gone
	c.Generation = j.Generation
	out = s.job(c)
	s.succeeded(out.Changed, out.Err)
	if out.Job.Generation != 2 || out.Job.Fence != j.Fence || out.Job.Result != nil || out.Job.State != jobs.JobPending {
		s.Fatalf("made again: %+v", out.Job)
	}
	out = s.job(c) // a second finder of the missing file
	s.unchanged(out.Changed, out.Err)

	d := s.dead()
	c = s.ensureCommand(d.Key)
	c.Now = d.ForgetAt.Add(-time.Millisecond)
	out = s.job(c)
	s.unchanged(out.Changed, out.Err) // the failure is remembered
	c.Now = d.ForgetAt
	out = s.job(c)
	s.succeeded(out.Changed, out.Err)
	if out.Job.Generation != 2 || out.Job.LastError != nil || len(out.Job.History) != 1 {
		s.Fatalf("revived: %+v", out.Job)
	}

	out = s.job(s.ensureCommand(s.cancelled().Key))
	s.succeeded(out.Changed, out.Err)
}

func testRing(s *suite) {
	j := s.pending()
	ring := jobs.JobCommand{Kind: jobs.JobRing, Key: j.Key, Now: j.DueAt.Add(-time.Millisecond), DueAt: s.at(time.Minute)}
	s.refused(s.job(ring).Err, jobs.ErrNotDue)
	ring.Now = j.DueAt
	out := s.job(ring)
	s.succeeded(out.Changed, out.Err)
	s.refused(s.job(ring).Err, jobs.ErrNotDue) // the second reconciler of the fleet
	ring.Key, ring.Now = s.done().Key, s.at(time.Hour)
	s.refused(s.job(ring).Err, jobs.ErrEnded)
}

func testClaim(s *suite) {
	j := s.pending()
	out := s.job(s.claimCommand(j.Key, "a", s.now))
	s.succeeded(out.Changed, out.Err)
	if c := out.Job; c.State != jobs.JobRunning || c.Fence != 1 || c.Attempt != 1 || c.Token != "a" || c.Owner != "worker of a" ||
		!c.LeaseUntil.Equal(s.at(lease)) || !c.DueAt.Equal(s.at(lease+margin)) {
		s.Fatalf("claimed: %+v", c)
	}
	out = s.job(s.claimCommand(j.Key, "b", s.at(time.Second)))
	s.refused(out.Err, jobs.ErrBusy)
	for _, ended := range []jobs.Job{s.done(), s.dead(), s.cancelled()} {
		out = s.job(s.claimCommand(ended.Key, "b", s.at(time.Hour)))
		s.refused(out.Err, jobs.ErrEnded)
		if out.Job.State != ended.State {
			s.Fatalf("a refused claim brings the record %+v", out.Job)
		}
	}
}

func testClaimTooEarly(s *suite) {
	out := s.job(s.failCommand(s.running(), jobs.JobRetry))
	s.succeeded(out.Changed, out.Err)
	j := out.Job
	s.refused(s.job(s.claimCommand(j.Key, "b", j.RunAt.Add(-time.Millisecond))).Err, jobs.ErrNotDue)
	out = s.job(s.claimCommand(j.Key, "b", j.RunAt))
	s.succeeded(out.Changed, out.Err)
	if out.Job.Fence != 2 || out.Job.Attempt != 2 || out.Job.LastError == nil {
		s.Fatalf("second attempt: %+v", out.Job)
	}
}

// A write whose answer was lost is sent again and recognised by its token.
func testLostAnswers(s *suite) {
	j := s.pending()
	claim := s.claimCommand(j.Key, "mine", s.now)
	first := s.job(claim)
	claim.Now, claim.Until = s.at(time.Second), s.at(2*lease)
	again := s.job(claim)
	s.unchanged(again.Changed, again.Err)
	s.same("the repeated claim", normalJob(first.Job), normalJob(again.Job))

	commit := s.commitCommand(first.Job)
	out := s.job(commit)
	s.succeeded(out.Changed, out.Err)
	commit.Now = s.at(time.Minute)
	out = s.job(commit)
	s.unchanged(out.Changed, out.Err)

	for _, to := range []jobs.JobState{jobs.JobRetry, jobs.JobPending, jobs.JobDead} {
		fail := s.failCommand(s.running(), to)
		out = s.job(fail)
		s.succeeded(out.Changed, out.Err)
		out = s.job(fail)
		s.unchanged(out.Changed, out.Err)
		if len(out.Job.History) != 1 {
			s.Fatalf("a repeated failure is remembered twice: %+v", out.Job.History)
		}
	}
	// Somebody claimed in between: the repeated failure is too late.
	held := s.running()
	fail := s.failCommand(held, jobs.JobRetry)
	s.job(fail)
	s.job(s.claimCommand(held.Key, "next", s.at(time.Minute)))
	s.refused(s.job(fail).Err, jobs.ErrFenced)
}

func testStaleFenceAndToken(s *suite) {
	for _, kind := range []jobs.JobCommandKind{jobs.JobRenew, jobs.JobCommit, jobs.JobFail} {
		j := s.running()
		c := jobs.JobCommand{
			Kind: kind, Key: j.Key, Now: s.at(time.Second), Fence: j.Fence, Token: j.Token,
			Until: s.at(2 * lease), Result: someResult(j.Key), To: jobs.JobDead, Failure: someFailure(s.now),
		}
		stale := c
		stale.Fence--
		s.refused(s.job(stale).Err, jobs.ErrFenced)
		stale.Fence = c.Fence + 1
		s.refused(s.job(stale).Err, jobs.ErrFenced)
		stale = c
		stale.Token = "token-of-another"
		s.refused(s.job(stale).Err, jobs.ErrFenced)
		stale.Token = ""
		s.refused(s.job(stale).Err, jobs.ErrFenced)
		out := s.job(c)
		s.succeeded(out.Changed, out.Err)
	}
	// The holder of a claim that was cancelled under it.
	j := s.running()
	s.job(jobs.JobCommand{Kind: jobs.JobCancel, Key: j.Key, Now: s.now, Generation: 1})
	s.refused(s.job(s.commitCommand(j)).Err, jobs.ErrFenced)
	// A job that was never claimed has fence 0 and no token: that opens nothing.
	p := s.pending()
	s.refused(s.job(s.commitCommand(p)).Err, jobs.ErrFenced)
}

func testStealAndMargin(s *suite) {
	j := s.running()
	over := j.LeaseUntil.Add(margin)
	s.refused(s.job(s.claimCommand(j.Key, "thief", over.Add(-time.Millisecond))).Err, jobs.ErrBusy)
	out := s.job(s.claimCommand(j.Key, "thief", over))
	s.succeeded(out.Changed, out.Err)
	if out.Job.Fence != j.Fence+1 || out.Job.Crashes != 1 || out.Job.Attempt != 2 || out.Job.Token != "thief" {
		s.Fatalf("stolen: %+v", out.Job)
	}
	s.refused(s.job(s.commitCommand(j)).Err, jobs.ErrFenced)
	// A lease that was renewed can not be stolen at its old end.
	r := s.running()
	s.job(jobs.JobCommand{Kind: jobs.JobRenew, Key: r.Key, Now: s.at(time.Second), Fence: r.Fence, Token: r.Token, Until: s.at(10 * lease)})
	s.refused(s.job(s.claimCommand(r.Key, "thief", s.at(2*lease))).Err, jobs.ErrBusy)
}

func testRenew(s *suite) {
	j := s.running()
	out := s.job(jobs.JobCommand{
		Kind: jobs.JobRenew, Key: j.Key, Now: s.at(20 * time.Second), Fence: j.Fence, Token: j.Token, Until: s.at(80 * time.Second),
		Stage: jobs.StageFetching, Progress: jobs.Progress{Done: 1 << 40, Total: 1 << 41}, Info: jobs.SongInfo{Artist: "An artist"},
	})
	s.succeeded(out.Changed, out.Err)
	r := out.Job
	if !r.LeaseUntil.Equal(s.at(80*time.Second)) || !r.DueAt.Equal(s.at(80*time.Second+margin)) || r.Stage != jobs.StageFetching ||
		r.Progress.Done != 1<<40 || r.Reached != 1 || r.Info.Title != "A title" || r.Info.Artist != "An artist" {
		s.Fatalf("renewed: %+v", r)
	}
}

func testCrashLoop(s *suite) {
	j := s.running()
	for crash := 1; crash < 3; crash++ {
		out := s.job(s.claimCommand(j.Key, fmt.Sprintf("thief-%d", crash), s.at(time.Duration(crash)*time.Hour)))
		s.succeeded(out.Changed, out.Err)
		if out.Job.Crashes != crash || out.Job.State != jobs.JobRunning {
			s.Fatalf("crash %d: %+v", crash, out.Job)
		}
	}
	out := s.job(s.claimCommand(j.Key, "thief-3", s.at(3*time.Hour)))
	s.succeeded(out.Changed, out.Err)
	if out.Job.State != jobs.JobDead || out.Job.LastError == nil || out.Job.LastError.Code != jobs.CodeCrashLoop || out.Job.DueAt.IsZero() {
		s.Fatalf("after the third crash: %+v", out.Job)
	}
	// Reaching a new stage forgives.
	k := s.running()
	k = s.job(s.claimCommand(k.Key, "x", s.at(time.Hour))).Job
	out = s.job(jobs.JobCommand{Kind: jobs.JobRenew, Key: k.Key, Now: s.at(time.Hour), Fence: k.Fence, Token: k.Token, Until: s.at(2 * time.Hour), Stage: jobs.StageStoring})
	if out.Job.Crashes != 0 || out.Job.Reached != 2 {
		s.Fatalf("after a new stage: %+v", out.Job)
	}
}

func testFail(s *suite) {
	j := s.running()
	c := s.failCommand(j, jobs.JobPending)
	c.Refund, c.Failure = true, nil
	out := s.job(c)
	s.succeeded(out.Changed, out.Err)
	if out.Job.State != jobs.JobPending || out.Job.Attempt != 0 || out.Job.Owner != "" || !out.Job.LeaseUntil.IsZero() || out.Job.Token != j.Token {
		s.Fatalf("given back: %+v", out.Job)
	}
	c = s.failCommand(s.running(), jobs.JobRetry)
	c.DueAt, c.Crash = s.at(time.Hour), true
	out = s.job(c)
	if !out.Job.DueAt.Equal(c.DueAt) || !out.Job.RunAt.Equal(c.RunAt) || out.Job.Crashes != 1 {
		s.Fatalf("retry: %+v", out.Job)
	}
	if d := s.dead(); !d.ForgetAt.Equal(s.at(time.Hour)) || !d.EndedAt.Equal(d.DueAt) || d.LastError == nil {
		s.Fatalf("dead: %+v", d)
	}
	for _, to := range []jobs.JobState{"", jobs.JobDone, jobs.JobRunning, jobs.JobCancelled} {
		s.refused(s.job(s.failCommand(s.running(), to)).Err, jobs.ErrState)
	}
}

func testHistory(s *suite) {
	j := s.running()
	for i := 1; i <= jobs.HistoryLimit+5; i++ {
		c := s.failCommand(j, jobs.JobRetry)
		c.Failure.Code = fmt.Sprintf("code_%d", i)
		out := s.job(c)
		s.succeeded(out.Changed, out.Err)
		j = s.job(s.claimCommand(j.Key, fmt.Sprintf("t%d", i), s.at(time.Hour))).Job
	}
	if len(j.History) != jobs.HistoryLimit || j.History[0].Code != "code_6" || j.LastError.Code != "code_25" {
		s.Fatalf("%d failures from %q to %q", len(j.History), j.History[0].Code, j.LastError.Code)
	}
}

func testCancel(s *suite) {
	for _, j := range []jobs.Job{s.pending(), s.running()} {
		c := jobs.JobCommand{Kind: jobs.JobCancel, Key: j.Key, Now: s.at(time.Second), Generation: j.Generation + 1}
		s.refused(s.job(c).Err, jobs.ErrStale)
		c.Generation = j.Generation
		out := s.job(c)
		s.succeeded(out.Changed, out.Err)
		if out.Job.State != jobs.JobCancelled || out.Job.Fence != j.Fence+1 || !out.Job.DueAt.Equal(c.Now) {
			s.Fatalf("cancelled: %+v", out.Job)
		}
		s.refused(s.job(c).Err, jobs.ErrEnded)
	}
}

func testCloseAndDiscard(s *suite) {
	p := s.pending()
	s.refused(s.job(s.closeCommand(p)).Err, jobs.ErrState)
	for _, j := range []jobs.Job{s.done(), s.dead(), s.cancelled()} {
		discard := jobs.JobCommand{Kind: jobs.JobDiscard, Key: j.Key, Now: s.now, Generation: j.Generation}
		s.refused(s.job(discard).Err, jobs.ErrState) // not closed yet
		stale := s.closeCommand(j)
		stale.Generation++
		s.refused(s.job(stale).Err, jobs.ErrStale)
		out := s.job(s.closeCommand(j))
		s.succeeded(out.Changed, out.Err)
		if !out.Job.DueAt.IsZero() {
			s.Fatalf("closed and yet due at %s", out.Job.DueAt)
		}
		out = s.job(s.closeCommand(j))
		s.unchanged(out.Changed, out.Err)
		discard.Generation++
		s.refused(s.job(discard).Err, jobs.ErrStale)
		discard.Generation--
		out = s.job(discard)
		s.succeeded(out.Changed, out.Err)
		if _, err := s.b.Job(s.ctx, j.Key); !errors.Is(err, jobs.ErrNotFound) {
			s.Fatalf("read of a discarded job: %v", err)
		}
		s.refused(s.job(discard).Err, jobs.ErrNotFound)
	}
}

// A record that was forgotten and made again begins with the old fence: only the
// token tells its claims from those of the one before.
func testMadeAnew(s *suite) {
	old := s.running()
	s.job(s.failCommand(old, jobs.JobDead))
	s.job(s.closeCommand(old))
	s.job(jobs.JobCommand{Kind: jobs.JobDiscard, Key: old.Key, Now: s.now, Generation: 1})
	out := s.job(s.ensureCommand(old.Key))
	s.succeeded(out.Changed, out.Err)
	claim := s.claimCommand(old.Key, "token-2", s.at(time.Second))
	if out = s.job(claim); out.Job.Fence != old.Fence {
		s.Fatalf("fence %d, the test wants %d", out.Job.Fence, old.Fence)
	}
	s.refused(s.job(s.commitCommand(old)).Err, jobs.ErrFenced)
}

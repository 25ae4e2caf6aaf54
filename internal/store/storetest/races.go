package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var raceTests = []test{
	{name: "Claim", run: raceClaim},
	{name: "Ensure", run: raceEnsure},
	{name: "Steal", run: raceSteal},
	{name: "CommitAndSteal", run: raceCommitAndSteal},
	{name: "ClaimAndCancel", run: raceClaimAndCancel},
	{name: "Ring", run: raceRing},
	{name: "Replay", run: raceReplay},
	{name: "Put", run: racePut},
	{name: "Finish", run: raceFinish},
	{name: "AttachAndEnd", run: raceAttachAndEnd},
	{name: "SameClaimTwice", run: raceSameClaim},
}

// together runs n functions that start at the same moment.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// raceJobs sends one command per racer at once, each in a call of its own, and
// returns the outcomes.
func (s *suite) raceJobs(command func(i int) jobs.JobCommand) []jobs.JobOutcome {
	s.Helper()
	outs := make([]jobs.JobOutcome, s.f.Racers)
	together(s.f.Racers, func(i int) {
		got, err := s.b.ApplyJobs(s.ctx, []jobs.JobCommand{command(i)})
		if err != nil {
			outs[i].Err = err
			return
		}
		outs[i] = got[0]
	})
	return outs
}

// oneWinner checks that exactly one outcome changed the record and that all
// others were refused with one of the errors.
func (s *suite) oneWinner(outs []jobs.JobOutcome, refusals ...error) jobs.Job {
	s.Helper()
	var winner []jobs.Job
	for i, out := range outs {
		switch {
		case out.Err == nil && out.Changed:
			winner = append(winner, out.Job)
		case out.Err == nil && len(refusals) == 0: // success without a change
		default:
			refused := false
			for _, r := range refusals {
				refused = refused || errors.Is(out.Err, r)
			}
			if !refused {
				s.Fatalf("racer %d: changed %t, %v", i, out.Changed, out.Err)
			}
		}
	}
	if len(winner) != 1 {
		s.Fatalf("%d of %d racers won", len(winner), len(outs))
	}
	return winner[0]
}

func raceClaim(s *suite) {
	for range s.f.Rounds {
		j := s.pending()
		won := s.oneWinner(s.raceJobs(func(i int) jobs.JobCommand {
			return s.claimCommand(j.Key, fmt.Sprintf("racer-%d", i), s.now)
		}), jobs.ErrBusy)
		if kept := s.readJob(j.Key); kept.Token != won.Token || kept.Fence != 1 || kept.Attempt != 1 {
			s.Fatalf("%s won with fence %d; kept are %s, fence %d, attempt %d", won.Token, won.Fence, kept.Token, kept.Fence, kept.Attempt)
		}
	}
}

func raceEnsure(s *suite) {
	for range s.f.Rounds {
		c := s.ensureCommand(newKey())
		s.oneWinner(s.raceJobs(func(i int) jobs.JobCommand {
			mine := c
			mine.Requester = fmt.Sprintf("racer-%d", i)
			return mine
		}))
	}
}

func raceSteal(s *suite) {
	for range s.f.Rounds {
		j := s.running()
		won := s.oneWinner(s.raceJobs(func(i int) jobs.JobCommand {
			return s.claimCommand(j.Key, fmt.Sprintf("thief-%d", i), j.LeaseUntil.Add(margin))
		}), jobs.ErrBusy)
		if kept := s.readJob(j.Key); kept.Fence != j.Fence+1 || kept.Token != won.Token || kept.Crashes != 1 {
			s.Fatalf("kept: %+v", kept)
		}
	}
}

// The old holder commits while thieves come: either it was in time and they find
// an end, or one of them has it and the commit is refused.
func raceCommitAndSteal(s *suite) {
	for range s.f.Rounds {
		j := s.running()
		outs := s.raceJobs(func(i int) jobs.JobCommand {
			if i%8 == 0 {
				return s.commitCommand(j)
			}
			return s.claimCommand(j.Key, fmt.Sprintf("thief-%d", i), j.LeaseUntil.Add(margin))
		})
		commits, claims := 0, 0
		for i, out := range outs {
			switch {
			case out.Err == nil && i%8 == 0:
				commits++
			case out.Err == nil:
				claims++
			case errors.Is(out.Err, jobs.ErrFenced), errors.Is(out.Err, jobs.ErrBusy), errors.Is(out.Err, jobs.ErrEnded):
			default:
				s.Fatal(out.Err)
			}
		}
		kept := s.readJob(j.Key)
		inTime := commits == (s.f.Racers+7)/8 && claims == 0 && kept.State == jobs.JobDone // each holder's commit is recognised by the token
		stolen := commits == 0 && claims == 1 && kept.State == jobs.JobRunning
		if !inTime && !stolen {
			s.Fatalf("%d commits and %d claims went through; kept: %+v", commits, claims, kept)
		}
	}
}

func raceClaimAndCancel(s *suite) {
	for range s.f.Rounds {
		j := s.pending()
		outs := s.raceJobs(func(i int) jobs.JobCommand {
			if i == 0 {
				return jobs.JobCommand{Kind: jobs.JobCancel, Key: j.Key, Now: s.now, Generation: 1}
			}
			return s.claimCommand(j.Key, fmt.Sprintf("racer-%d", i), s.now)
		})
		if outs[0].Err != nil {
			s.Fatal(outs[0].Err)
		}
		won := 0
		for _, out := range outs[1:] {
			if out.Err == nil {
				won++
			}
		}
		if kept := s.readJob(j.Key); won > 1 || kept.State != jobs.JobCancelled || kept.Fence != int64(won)+1 {
			s.Fatalf("%d claims won; kept: %+v", won, kept)
		}
	}
}

func raceRing(s *suite) {
	for range s.f.Rounds {
		j := s.pending()
		s.oneWinner(s.raceJobs(func(int) jobs.JobCommand {
			return jobs.JobCommand{Kind: jobs.JobRing, Key: j.Key, Now: j.DueAt, DueAt: j.DueAt.Add(time.Minute)}
		}), jobs.ErrNotDue)
	}
}

func raceReplay(s *suite) {
	for range s.f.Rounds {
		j := s.dead()
		s.oneWinner(s.raceJobs(func(int) jobs.JobCommand {
			return jobs.JobCommand{Kind: jobs.JobReplay, Key: j.Key, Now: s.now, Generation: 1, DueAt: s.now}
		}), jobs.ErrStale)
		if kept := s.readJob(j.Key); kept.Generation != 2 || kept.Replays != 1 {
			s.Fatalf("kept: %+v", kept)
		}
	}
}

// raceOperations returns which racers changed the record.
func (s *suite) raceOperations(command func(i int) jobs.OperationCommand, refusal error) (changed []int) {
	s.Helper()
	outs := make([]jobs.OperationOutcome, s.f.Racers)
	together(s.f.Racers, func(i int) {
		got, err := s.b.ApplyOperations(s.ctx, []jobs.OperationCommand{command(i)})
		if err != nil {
			outs[i].Err = err
			return
		}
		outs[i] = got[0]
	})
	for i, out := range outs {
		switch {
		case out.Err == nil && out.Changed:
			changed = append(changed, i)
		case !errors.Is(out.Err, refusal):
			s.Fatalf("racer %d: %v", i, out.Err)
		}
	}
	return changed
}

func racePut(s *suite) {
	for range s.f.Rounds {
		c := s.putCommand(newKey())
		won := s.raceOperations(func(i int) jobs.OperationCommand {
			mine := c
			mine.Operation.Text = fmt.Sprintf("racer-%d", i)
			return mine
		}, nil)
		if kept := s.readOperation(c.ID); len(won) != 1 || kept.Text != fmt.Sprintf("racer-%d", won[0]) {
			s.Fatalf("%v were told that they made it; kept is that of %s", won, kept.Text)
		}
	}
}

// A fan-out and a person's cancel end an operation once.
func raceFinish(s *suite) {
	for range s.f.Rounds {
		o := s.waiting(newKey())
		states := []jobs.OperationState{jobs.OperationSucceeded, jobs.OperationFailed, jobs.OperationCancelled}
		won := s.raceOperations(func(i int) jobs.OperationCommand {
			c := s.failOperation(o, 1)
			c.State, c.Attempts = states[i%3], i
			return c
		}, jobs.ErrEnded)
		kept := s.readOperation(o.ID)
		if len(won) != 1 || kept.State != states[won[0]%3] || kept.Attempts != won[0] || kept.Event != jobs.EventPending {
			s.Fatalf("%v ended it; kept: %+v", won, kept)
		}
	}
}

// Accept writes the operation and then reads the job; the fan-out ends the job
// and then reads the operations. One of the two must see the other.
func raceAttachAndEnd(s *suite) {
	for range s.f.Rounds {
		j := s.running()
		puts := make([]jobs.OperationCommand, 8)
		sawEnd := make([]bool, len(puts))
		for i := range puts {
			puts[i] = s.putCommand(j.Key)
		}
		var mu sync.Mutex
		found := map[string]bool{}
		var failures []error
		together(len(puts)+1, func(i int) {
			var err error
			defer func() {
				if err != nil {
					mu.Lock()
					failures = append(failures, err)
					mu.Unlock()
				}
			}()
			if i < len(puts) {
				if _, err = s.b.ApplyOperations(s.ctx, puts[i:i+1]); err != nil {
					return
				}
				var seen []jobs.JobOutcome
				if seen, err = s.b.ApplyJobs(s.ctx, []jobs.JobCommand{s.ensureCommand(j.Key)}); err == nil {
					sawEnd[i] = seen[0].Job.State == jobs.JobDone
				}
				return
			}
			if _, err = s.b.ApplyJobs(s.ctx, []jobs.JobCommand{s.commitCommand(j)}); err != nil {
				return
			}
			var waiting []jobs.Operation
			if waiting, err = s.b.OperationsOf(s.ctx, j.Key, jobs.OperationWaiting, "", 100); err == nil {
				for _, o := range waiting {
					found[o.ID] = true
				}
			}
		})
		if len(failures) > 0 {
			s.Fatal(failures)
		}
		for i, c := range puts {
			if !sawEnd[i] && !found[c.ID] {
				s.Fatal("an operation was put, saw a job that lives, and was not seen by the fan-out of its end")
			}
		}
	}
}

// A claim that is sent twice at the same time (a client that did not wait for
// its answer) is one claim.
func raceSameClaim(s *suite) {
	for range s.f.Rounds {
		j := s.pending()
		for _, out := range s.raceJobs(func(int) jobs.JobCommand { return s.claimCommand(j.Key, "the same", s.now) }) {
			if out.Err != nil || out.Job.Fence != 1 || out.Job.Token != "the same" {
				s.Fatalf("%+v", out)
			}
		}
		if kept := s.readJob(j.Key); kept.Attempt != 1 {
			s.Fatalf("attempt %d", kept.Attempt)
		}
	}
}

package storetest

import (
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// The steps of the protocol, as the use cases take them.

func (s *suite) ensureCommand(key jobs.Key) jobs.JobCommand {
	return jobs.JobCommand{
		Kind: jobs.JobEnsure, Key: key, Now: s.now, DueAt: s.at(30 * time.Second),
		Info: jobs.SongInfo{Title: "A title"}, Requester: "somebody", Trace: "00-aa-bb-01",
	}
}

func (s *suite) claimCommand(key jobs.Key, token string, now time.Time) jobs.JobCommand {
	return jobs.JobCommand{
		Kind: jobs.JobClaim, Key: key, Now: now, Token: token, Owner: "worker of " + token,
		Until: now.Add(lease), Margin: margin, MaxCrashes: 3,
	}
}

func (s *suite) commitCommand(j jobs.Job) jobs.JobCommand {
	return jobs.JobCommand{
		Kind: jobs.JobCommit, Key: j.Key, Now: s.at(time.Second), Fence: j.Fence, Token: j.Token, Result: someResult(j.Key),
	}
}

func (s *suite) failCommand(j jobs.Job, to jobs.JobState) jobs.JobCommand {
	c := jobs.JobCommand{
		Kind: jobs.JobFail, Key: j.Key, Now: s.at(time.Second), Fence: j.Fence, Token: j.Token, To: to,
		Failure: someFailure(s.at(time.Second)),
	}
	if to == jobs.JobDead {
		c.ForgetAt = s.at(time.Hour)
	} else {
		c.RunAt = s.at(2 * time.Second)
	}
	return c
}

func someResult(key jobs.Key) *jobs.Result {
	return &jobs.Result{
		Path: "audio/A title [" + key.ID + "].dca", Bytes: 3_512_001, SHA256: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
		Frames: 10_551, Duration: 211_020 * time.Millisecond, Transcoded: true,
		Info: jobs.SongInfo{Title: "A title", Artist: "An artist", URL: "https://example.com/a", Thumbnail: "https://example.com/a.jpg", Duration: 211 * time.Second},
	}
}

func someFailure(at time.Time) *jobs.Failure {
	return &jobs.Failure{
		Class: jobs.ClassTransient, Code: "reset", Message: "the connection was reset", Detail: "read tcp: reset", Stage: jobs.StageFetching,
		Host: "media.example.com", Worker: "w1", Attempt: 1, Extractor: "native", Generation: 1, At: at, RetryAt: at.Add(time.Second),
	}
}

// pending makes a job that waits for a worker.
func (s *suite) pending() jobs.Job {
	s.Helper()
	out := s.job(s.ensureCommand(newKey()))
	s.succeeded(out.Changed, out.Err)
	return out.Job
}

// running makes a job that is held.
func (s *suite) running() jobs.Job {
	s.Helper()
	j := s.pending()
	out := s.job(s.claimCommand(j.Key, "token-1", s.now))
	s.succeeded(out.Changed, out.Err)
	return out.Job
}

func (s *suite) done() jobs.Job {
	s.Helper()
	out := s.job(s.commitCommand(s.running()))
	s.succeeded(out.Changed, out.Err)
	return out.Job
}

func (s *suite) dead() jobs.Job {
	s.Helper()
	out := s.job(s.failCommand(s.running(), jobs.JobDead))
	s.succeeded(out.Changed, out.Err)
	return out.Job
}

func (s *suite) cancelled() jobs.Job {
	s.Helper()
	j := s.pending()
	out := s.job(jobs.JobCommand{Kind: jobs.JobCancel, Key: j.Key, Now: s.at(time.Second), Generation: j.Generation})
	s.succeeded(out.Changed, out.Err)
	return out.Job
}

func (s *suite) closeCommand(j jobs.Job) jobs.JobCommand {
	return jobs.JobCommand{Kind: jobs.JobClose, Key: j.Key, Now: s.at(2 * time.Second), Generation: j.Generation}
}

func (s *suite) putCommand(key jobs.Key) jobs.OperationCommand {
	id := newOperationID(key.Song)
	return jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: s.now, Operation: jobs.Operation{
		ID: id, Key: key, Requester: "somebody", Text: "a title", CreatedAt: s.now, DueAt: s.at(2 * time.Minute),
	}}
}

// waiting puts an operation that waits for a job.
func (s *suite) waiting(key jobs.Key) jobs.Operation {
	s.Helper()
	out := s.operation(s.putCommand(key))
	s.succeeded(out.Changed, out.Err)
	return out.Operation
}

func (s *suite) failOperation(o jobs.Operation, generation int64) jobs.OperationCommand {
	return jobs.OperationCommand{
		Kind: jobs.OperationFinish, ID: o.ID, Now: s.at(3 * time.Second), Generation: o.Generation, State: jobs.OperationFailed,
		JobGeneration: generation, Attempts: 2, Failure: someFailure(s.at(time.Second)), DueAt: s.at(30 * time.Second),
	}
}

func (s *suite) announceCommand(o jobs.Operation) jobs.OperationCommand {
	return jobs.OperationCommand{
		Kind: jobs.OperationAnnounced, ID: o.ID, Now: s.at(4 * time.Second), Generation: o.Generation, ExpireAt: s.at(30 * 24 * time.Hour),
	}
}

func (s *suite) reopenCommand(o jobs.Operation, left int64) jobs.OperationCommand { //nolint:unparam // which generation was left is what these tests are about
	return jobs.OperationCommand{
		Kind: jobs.OperationReopen, ID: o.ID, Now: s.at(5 * time.Second), Generation: o.Generation, JobGeneration: left, DueAt: s.at(time.Minute),
	}
}

// put writes operations in batches, unchecked, for tests of many.
func (s *suite) put(key jobs.Key, n int) []jobs.Operation {
	s.Helper()
	var all []jobs.Operation
	for len(all) < n {
		var commands []jobs.OperationCommand
		for range min(250, n-len(all)) {
			commands = append(commands, s.putCommand(key))
		}
		for _, out := range s.applyOperations(commands) {
			s.succeeded(out.Changed, out.Err)
			all = append(all, out.Operation)
		}
	}
	return all
}

func (s *suite) applyOperations(commands []jobs.OperationCommand) []jobs.OperationOutcome {
	s.Helper()
	outs, err := s.b.ApplyOperations(s.ctx, commands)
	if err != nil || len(outs) != len(commands) {
		s.Fatalf("%d outcomes of %d commands, %v", len(outs), len(commands), err)
	}
	return outs
}

func (s *suite) applyJobs(commands []jobs.JobCommand) []jobs.JobOutcome {
	s.Helper()
	outs, err := s.b.ApplyJobs(s.ctx, commands)
	if err != nil || len(outs) != len(commands) {
		s.Fatalf("%d outcomes of %d commands, %v", len(outs), len(commands), err)
	}
	return outs
}

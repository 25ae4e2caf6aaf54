package storetest

import (
	"fmt"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var dueTests = []test{
	{name: "Order", alone: true, run: testDueOrder},
	{name: "JobsAfterEveryStep", alone: true, run: testDueJobs},
	{name: "OperationsAfterEveryStep", alone: true, run: testDueOperations},
}

// due asks for everything that is due at a time.
func (s *suite) due(now time.Time) (jobsDue map[jobs.Key]jobs.Job, operations map[string]jobs.Operation) {
	s.Helper()
	d, err := s.b.Due(s.ctx, now, 1000)
	if err != nil {
		s.Fatal(err)
	}
	jobsDue, operations = map[jobs.Key]jobs.Job{}, map[string]jobs.Operation{}
	for _, j := range d.Jobs {
		jobsDue[j.Key] = j
	}
	for _, o := range d.Operations {
		operations[o.ID] = o
	}
	return jobsDue, operations
}

func testDueOrder(s *suite) {
	var ensures []jobs.JobCommand
	var puts []jobs.OperationCommand
	for i := range 60 {
		at := s.at(time.Duration((i*37)%60) * time.Second)
		c := s.ensureCommand(newKey())
		c.DueAt = at
		ensures = append(ensures, c)
		p := s.putCommand(newKey())
		p.Operation.DueAt = at
		puts = append(puts, p)
	}
	s.applyJobs(ensures)
	s.applyOperations(puts)
	s.eventually(func() string {
		d, err := s.b.Due(s.ctx, s.at(39*time.Second), 1000)
		if err != nil {
			s.Fatal(err)
		}
		if len(d.Jobs) != 40 || len(d.Operations) != 40 {
			return fmt.Sprintf("%d jobs and %d operations are due, want 40 and 40", len(d.Jobs), len(d.Operations))
		}
		if s.f.Unordered {
			return ""
		}
		for i := range d.Jobs {
			if at := s.at(time.Duration(i) * time.Second); !d.Jobs[i].DueAt.Equal(at) || !d.Operations[i].DueAt.Equal(at) {
				return fmt.Sprintf("place %d: due at %s and %s, want %s", i, d.Jobs[i].DueAt, d.Operations[i].DueAt, at)
			}
		}
		return ""
	})
	d, err := s.b.Due(s.ctx, s.at(time.Hour), 7)
	if err != nil || len(d.Jobs) > 7 || len(d.Operations) > 7 || len(d.Jobs) == 0 || len(d.Operations) == 0 {
		s.Fatalf("limit 7: %d jobs, %d operations, %v", len(d.Jobs), len(d.Operations), err)
	}
}

// isDue checks that a job is in the due index from its due_at on and not before,
// or never if it has none, and that what the index returns is the record.
func (s *suite) isDue(what string, key jobs.Key) {
	s.Helper()
	j := s.readJob(key)
	s.eventually(func() string {
		if j.DueAt.IsZero() {
			if found, _ := s.due(s.at(1000 * time.Hour)); found[key].Generation != 0 {
				return fmt.Sprintf("after %s: nothing is due, and yet it is found", what)
			}
			return ""
		}
		if found, _ := s.due(j.DueAt.Add(-time.Millisecond)); found[key].Generation != 0 {
			return fmt.Sprintf("after %s: found before %s", what, j.DueAt)
		}
		found, _ := s.due(j.DueAt)
		if wrong := difference(normalJob(j), normalJob(found[key])); wrong != "" {
			return fmt.Sprintf("after %s, at its due time: %s", what, wrong)
		}
		return ""
	})
}

func testDueJobs(s *suite) {
	j := s.pending()
	s.isDue("ensure", j.Key)
	s.job(jobs.JobCommand{Kind: jobs.JobRing, Key: j.Key, Now: j.DueAt, DueAt: s.at(time.Minute)})
	s.isDue("ring", j.Key)
	j = s.job(s.claimCommand(j.Key, "a", s.now)).Job
	s.isDue("claim", j.Key)
	j = s.job(jobs.JobCommand{Kind: jobs.JobRenew, Key: j.Key, Now: s.now, Fence: j.Fence, Token: j.Token, Until: s.at(time.Hour)}).Job
	s.isDue("renew", j.Key)
	s.job(s.failCommand(j, jobs.JobRetry))
	s.isDue("fail to retry", j.Key)
	j = s.job(s.claimCommand(j.Key, "b", s.at(time.Minute))).Job
	s.job(s.failCommand(j, jobs.JobPending))
	s.isDue("fail to pending", j.Key)
	j = s.job(s.claimCommand(j.Key, "c", s.at(time.Minute))).Job
	j = s.job(s.commitCommand(j)).Job
	s.isDue("commit", j.Key)
	s.job(s.closeCommand(j))
	s.isDue("close", j.Key)

	d := s.dead()
	s.isDue("fail to dead", d.Key)
	s.job(s.closeCommand(d))
	s.isDue("close of a dead job", d.Key)
	s.job(jobs.JobCommand{Kind: jobs.JobReplay, Key: d.Key, Now: s.now, Generation: 1, DueAt: s.at(3 * time.Minute)})
	s.isDue("replay", d.Key)
	c := s.cancelled()
	s.isDue("cancel", c.Key)
	s.job(s.closeCommand(c))
	s.job(jobs.JobCommand{Kind: jobs.JobDiscard, Key: c.Key, Now: s.now, Generation: 1})
	s.eventually(func() string {
		if found, _ := s.due(s.at(1000 * time.Hour)); found[c.Key].Generation != 0 {
			return "a discarded job is due"
		}
		return ""
	})
	s.job(s.ensureCommand(c.Key))
	s.isDue("ensure of a discarded job", c.Key)
	f := s.running()
	s.put(f.Key, 1)
	commit := s.commitCommand(f)
	commit.FanOut, commit.DueAt = 10, s.at(time.Minute)
	s.applyJob(commit)
	s.isDue("commit with fan-out", f.Key)
}

func (s *suite) isOperationDue(what, id string) {
	s.Helper()
	o := s.readOperation(id)
	s.eventually(func() string {
		if o.DueAt.IsZero() {
			if _, found := s.due(s.at(1000 * time.Hour)); found[id].ID != "" {
				return fmt.Sprintf("after %s: nothing is due, and yet it is found", what)
			}
			return ""
		}
		if _, found := s.due(o.DueAt.Add(-time.Millisecond)); found[id].ID != "" {
			return fmt.Sprintf("after %s: found before %s", what, o.DueAt)
		}
		_, found := s.due(o.DueAt)
		if wrong := difference(normalOperation(o), normalOperation(found[id])); wrong != "" {
			return fmt.Sprintf("after %s, at its due time: %s", what, wrong)
		}
		return ""
	})
}

func testDueOperations(s *suite) {
	key := newKey()
	o := s.waiting(key)
	s.isOperationDue("put", o.ID)
	s.operation(jobs.OperationCommand{Kind: jobs.OperationDefer, ID: o.ID, Now: s.now, DueAt: s.at(time.Hour)})
	s.isOperationDue("defer", o.ID)
	o = s.operation(s.failOperation(o, 1)).Operation
	s.isOperationDue("finish", o.ID)
	o = s.operation(s.announceCommand(o)).Operation
	s.isOperationDue("announced", o.ID)
	s.operation(s.reopenCommand(o, 1))
	s.isOperationDue("reopen", o.ID)
	never := s.putCommand(key)
	never.Operation.DueAt = time.Time{}
	s.operation(never)
	s.isOperationDue("put without due_at", never.ID)
}

package model

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// The states of records, as small numbers; 0 is "there is none".
const (
	none      = 0
	pending   = 1
	running   = 2
	retry     = 3
	done      = 4
	dead      = 5
	cancelled = 6

	waiting     = 1
	succeeded   = 2
	failed      = 3
	opCancelled = 4
	deleted     = 5 // there was one

	eventPending   = 1
	eventPublished = 2
)

var (
	jobStates   = []jobs.JobState{"", jobs.JobPending, jobs.JobRunning, jobs.JobRetry, jobs.JobDone, jobs.JobDead, jobs.JobCancelled}
	opStates    = []jobs.OperationState{"", jobs.OperationWaiting, jobs.OperationSucceeded, jobs.OperationFailed, jobs.OperationCancelled}
	eventStates = []jobs.EventState{jobs.EventNone, jobs.EventPending, jobs.EventPublished}
)

// record is a job's record without what no guard reads.
type record struct {
	state, gen, reopen, crashes uint8
	due, early, lapsed          bool
}

// operation is an operation's record, and whether the target has taken the event
// of its present generation.
type operation struct {
	state, gen, event, jobGen, after uint8
	sent                             bool
}

func (r record) ended() bool { return r.state >= done }

func (o operation) ended() bool { return o.state > waiting && o.state < deleted }

// The abstract clock and the names that occur in records.
var (
	now    = time.Unix(1_000_000, 0)
	later  = now.Add(time.Second)
	before = now.Add(-time.Second)
	key    = jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: "modelmodel0"}, Profile: jobs.DefaultProfile}
	file   = &jobs.Result{Path: "file"}
	cause  = &jobs.Failure{Class: jobs.ClassPermanent, Code: "broken"}
)

const (
	fence = 7 // of the record as it is; every other one is older
	token = "the record's"
	other = "another one"
)

// job expands the record. remembered: a dead job still answers new requests.
func (r record) job(remembered bool) jobs.Job {
	if r.gen == 0 {
		return jobs.Job{}
	}
	j := jobs.Job{
		Key: key, State: jobStates[r.state], Generation: int64(r.gen), Fence: fence, Token: token,
		Attempt: 1, Crashes: int(r.crashes), Reopen: int64(r.reopen),
		RunAt: now, CreatedAt: now, GenerationAt: now, UpdatedAt: now,
	}
	if r.early {
		j.RunAt = later
	}
	if r.due {
		j.DueAt = now
	}
	switch r.state {
	case running:
		j.Owner, j.LeaseUntil = "worker", later
		if r.lapsed {
			j.LeaseUntil = before
		}
	case done:
		j.Result = file
	case dead:
		j.LastError = cause
		if remembered {
			j.ForgetAt = later
		}
	}
	return j
}

func index[T comparable](list []T, v T) uint8 { return uint8(slices.Index(list, v)) }

func small(n int64) uint8 {
	if n < 0 || n > 7 {
		panic(fmt.Sprintf("the model counts to 7, not to %d", n))
	}
	return uint8(n)
}

// packJob keeps of a job what guards read.
func packJob(j jobs.Job) record {
	if j.Generation == 0 {
		return record{}
	}
	r := record{
		state: index(jobStates, j.State), gen: small(j.Generation), reopen: small(j.Reopen), crashes: small(int64(j.Crashes)),
		due: !j.DueAt.IsZero(), early: j.RunAt.After(now),
	}
	r.lapsed = r.state == running && !j.LeaseUntil.After(now)
	if r.ended() {
		r.crashes = 0 // nobody asks any more; a new generation begins at 0
	}
	return r
}

func (o operation) operation() jobs.Operation {
	if o.state == none || o.state == deleted {
		return jobs.Operation{}
	}
	return jobs.Operation{
		ID: "operation", Key: key, State: opStates[o.state], Generation: int64(o.gen), Event: eventStates[o.event],
		JobGeneration: int64(o.jobGen), After: int64(o.after), DueAt: now,
	}
}

func packOperation(o jobs.Operation) operation {
	return operation{
		state: index(opStates, o.State), gen: small(o.Generation), event: index(eventStates, o.Event),
		jobGen: small(o.JobGeneration), after: small(o.After),
	}
}

// What a writer knows of the claim.
const (
	noClaim    = 0
	current    = 1 // its fence and token are the record's
	stale      = 2 // an older fence, another token
	staleAlike = 3 // another token, but the fence has come back with a record made anew
)

// order is a command on the job's record, as small numbers.
type order struct {
	kind       uint8 // index in orders
	claim      uint8
	gen        uint8
	verdict    uint8 // fail
	remembered bool
}

// Kinds of orders.
const (
	ensure = iota
	ring
	claim
	renew
	commit
	fail
	cancel
	replay
	reopened
	closing
	discard
)

var orders = []jobs.JobCommandKind{
	jobs.JobEnsure, jobs.JobRing, jobs.JobClaim, jobs.JobRenew, jobs.JobCommit, jobs.JobFail,
	jobs.JobCancel, jobs.JobReplay, jobs.JobReopened, jobs.JobClose, jobs.JobDiscard,
}

// verdicts are how an attempt can fail; the policy decides what that leads to.
var verdicts = []error{
	jobs.Permanent("broken", "", nil),
	jobs.Transient("network", "", nil),
	&jobs.Error{Class: jobs.ClassInterrupted, Code: jobs.CodeInterrupted},
}

var verdictNames = []string{"that the song is broken for good", "a passing failure", "that it was shut down"}

// outcome is the answer to an order.
type outcome struct {
	next    record
	changed bool
	claimed bool // fence or token are others now
	err     error
}

func (c order) code(r record) uint32 {
	n := uint64(c.kind) | uint64(c.claim)<<4 | uint64(c.gen)<<6 | uint64(c.verdict)<<9 | bit(c.remembered)<<11
	return uint32(n<<14 | r.code())
}

func (c order) command(j jobs.Job, p jobs.Policy) jobs.JobCommand {
	held := j
	switch c.claim {
	case stale:
		held.Fence, held.Token = fence-1, other
	case staleAlike:
		held.Token = other
	}
	if c.kind == fail {
		out := p.Decide(held, verdicts[c.verdict], now, 0.5)
		out.DueAt = later
		return out
	}
	out := jobs.JobCommand{Kind: orders[c.kind], Key: key, Now: now, Generation: int64(c.gen), Fence: held.Fence, Token: held.Token, DueAt: later}
	switch c.kind {
	case claim:
		out.Token, out.Owner, out.Until, out.MaxCrashes = "fresh", "worker", later, p.MaxCrashes
	case renew:
		out.Until = later
	case commit:
		out.Result = file
	}
	return out
}

// answer runs an order through the application's table. The few answers that there
// are get remembered.
func (e *explorer) answer(r record, c order) outcome {
	code := c.code(r)
	if o, ok := e.answers[code]; ok {
		return o
	}
	j := r.job(c.remembered)
	next, changed, err := e.transition(j, c.command(j, e.policy))
	o := outcome{next: r, changed: changed, err: err}
	if changed {
		o.next = packJob(next)
		o.claimed = next.Fence != fence || next.Token != token
	}
	e.answers[code] = o
	return o
}

// Kinds of orders on an operation.
const (
	put = iota
	finish
	withdraw // a person's cancel
	announced
	reopen
)

// opOrder is a command on an operation's record, as small numbers.
type opOrder struct{ kind, gen, jobState, jobGen uint8 }

type opOutcome struct {
	next    operation
	changed bool
	err     error
}

func (c opOrder) command() jobs.OperationCommand {
	gen, jobGen := int64(c.gen), int64(c.jobGen)
	switch c.kind {
	case put:
		return jobs.OperationCommand{Kind: jobs.OperationPut, ID: "operation", Now: now, Operation: jobs.Operation{ID: "operation", Key: key, DueAt: later}}
	case finish:
		j := record{state: c.jobState, gen: c.jobGen}.job(false)
		return jobs.FinishCommand(j, jobs.Operation{ID: "operation", Generation: gen}, now, later)
	case withdraw:
		return jobs.OperationCommand{Kind: jobs.OperationFinish, ID: "operation", Now: now, State: jobs.OperationCancelled, Failure: cause, DueAt: later}
	case announced:
		return jobs.OperationCommand{Kind: jobs.OperationAnnounced, ID: "operation", Now: now, Generation: gen, ExpireAt: later}
	}
	return jobs.OperationCommand{Kind: jobs.OperationReopen, ID: "operation", Now: now, Generation: gen, JobGeneration: jobGen, DueAt: later}
}

func (e *explorer) answerOp(o operation, c opOrder) opOutcome {
	o.sent = false // no part of the record
	n := uint64(c.kind) | uint64(c.gen)<<3 | uint64(c.jobState)<<5 | uint64(c.jobGen)<<8
	code := uint32(n<<14 | o.code())
	if out, ok := e.opAnswers[code]; ok {
		return out
	}
	next, changed, err := jobs.TransitionOperation(o.operation(), c.command())
	out := opOutcome{next: o, changed: changed, err: err}
	if changed {
		out.next = packOperation(next)
	}
	e.opAnswers[code] = out
	return out
}

// apply writes to the job's record and checks what no write may do. It says what
// the writer is told.
func (e *explorer) apply(s *state, c order) outcome {
	if c.claim == stale && s.remade {
		c.claim = staleAlike
	}
	o := e.answer(s.job, c)
	if !o.changed {
		return o
	}
	old := s.job
	s.job = o.next
	if o.claimed {
		for i := range s.workers {
			if s.workers[i].claim == current {
				s.workers[i].claim = stale
			}
		}
	}
	switch {
	case o.next.gen == 0:
		s.committed, s.remade = false, true
	case old.gen != 0 && old.ended() && o.next.state != old.state && o.next.gen != old.gen+1:
		s.bad = "an ended job has moved without a new generation"
	case o.next.gen != old.gen:
		s.committed = false
	}
	if c.kind == commit {
		if s.committed {
			s.bad = "two commits in one generation of the job"
		}
		s.committed = true
		if !s.file {
			s.bad = "a job is done and has no file"
		}
	}
	return o
}

// applyOp writes to an operation's record, in the same manner.
func (e *explorer) applyOp(s *state, i int, c opOrder) opOutcome {
	old := s.ops[i]
	o := e.answerOp(old, c)
	if !o.changed {
		return o
	}
	o.next.sent = old.sent
	switch {
	case old.ended() && (o.next.state != old.state || o.next.jobGen != old.jobGen):
		if c.kind != reopen || o.next.gen != old.gen+1 {
			s.bad = "an ended operation has moved without a replay"
		} else if !old.sent {
			s.bad = "an operation was reopened before the event of its end was out"
		}
		o.next.sent = false
	case o.next.state == succeeded && !s.file:
		s.bad = "an operation has succeeded and there is no file"
	}
	s.ops[i] = o.next
	return o
}

// send is W10: the target takes an event that says how generation gen ended.
func (s *state) send(i int, gen, told, jobGen uint8) {
	o := &s.ops[i]
	if o.gen != gen || o.state == deleted {
		return // a copy of an earlier end: that record was alike
	}
	if !o.ended() {
		s.bad = "an event tells of an operation that has not ended"
	} else if o.state != told || o.jobGen != jobGen {
		s.bad = "two events of one end are not alike"
	}
	o.sent = true
}

// refused reports whether a store has answered with a refusal of that kind.
func refused(err error, kinds ...error) bool {
	return slices.ContainsFunc(kinds, func(k error) bool { return errors.Is(err, k) })
}

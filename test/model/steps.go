package model

import "github.com/butakero/butakero/internal/jobs"

// Style is when a message is acknowledged, and what the store can do in one
// transaction.
type Style string

// The styles of acknowledgement.
const (
	SQLite Style = "sqlite" // held to the end; an end and its fan-out are one transaction
	SQS    Style = "sqs"    // held to the end
	Kafka  Style = "kafka"  // acknowledged when the job is claimed
)

// step names what has happened. op is the operation, -1 if there is none.
type step struct {
	who, what string
	op        int
}

func (s step) String() string {
	text := s.who + " " + s.what
	if s.op >= 0 {
		text += " " + opNames[s.op]
	}
	return text
}

var (
	opNames        = [2]string{"A", "B"}
	requestNames   = [2]string{"request A", "request B"}
	workerNames    = [2]string{"worker 1", "worker 2"}
	publisherNames = [2]string{"publisher 1", "publisher 2"}
)

// explorer knows the rules of one scenario.
type explorer struct {
	Scenario
	policy     jobs.Policy
	transition func(jobs.Job, jobs.JobCommand) (jobs.Job, bool, error)
	answers    map[uint32]outcome
	opAnswers  map[uint32]opOutcome

	// emit takes every state that can follow. helps: the step needs no fault and
	// nobody's wish, so that a promise may count on it.
	emit func(s step, helps bool, t state)
}

func newExplorer(sc Scenario) *explorer {
	e := &explorer{
		Scenario: sc, policy: jobs.Policy{MaxCrashes: 2}.WithDefaults(), transition: jobs.Transition,
		answers: make(map[uint32]outcome), opAnswers: make(map[uint32]opOutcome),
	}
	if w := wrappers[sc.Mutation]; w != nil {
		e.transition = w
	}
	return e
}

// next emits every state that can follow s.
func (e *explorer) next(s *state) {
	for i := range s.requests {
		e.request(*s, i)
	}
	for i := range s.workers {
		e.worker(*s, i)
	}
	if e.Mutation != NoReconciler {
		e.reconcile(*s)
	}
	e.operators(s)
	for i := range e.Publishers {
		e.publish(*s, i)
	}
	if e.Publishers == 0 {
		e.publishAny(s)
	}
	e.time(*s)
	e.faults(s)
}

// ring is W4, the sending of a message; it may be lost afterwards, and be received
// at any time.
func (s *state) ring() { s.messages = min(2, s.messages+1) }

// request is jobs.Intake.enter. A client whose request has died may repeat it with
// the same idempotency key.
func (e *explorer) request(s state, i int) {
	r, o := &s.requests[i], s.ops[i]
	who := requestNames[i]
	early := e.Mutation == JobReadFirst
	switch {
	case r.at == atStart && early || r.at == atEnsure && !early:
		e.ensureFor(s, i, early)
	case r.at == atStart && o.state != deleted, r.at == atEnsure:
		started := r.at != atStart
		e.applyOp(&s, i, opOrder{kind: put})
		o = s.ops[i]
		if !o.ended() {
			r.opGen = o.gen
		}
		r.at = atEnsure
		if early {
			r.after()
		}
		e.emit(step{who, "writes its operation", -1}, started, s)
	case r.at == atFinish:
		e.applyOp(&s, i, opOrder{finish, r.opGen, r.jobState, r.jobGen})
		*r = request{at: atEnd}
		e.emit(step{who, "ends its operation from the ended job", -1}, true, s)
	}
}

// ensureFor is W2 for request i.
func (e *explorer) ensureFor(s state, i int, early bool) {
	for _, remembered := range []bool{false, true} {
		if remembered && s.job.state != dead {
			continue
		}
		t := s
		r := &t.requests[i]
		what := "makes sure that there is a job"
		if remembered {
			what = "finds the job dead, which is remembered"
		}
		if e.apply(&t, order{kind: ensure, remembered: remembered}).changed {
			what += ", and rings"
			t.ring()
		}
		r.jobState, r.jobGen = t.job.state, t.job.gen
		if early {
			r.at = atEnsure
		} else {
			r.after()
		}
		e.emit(step{requestNames[i], what, -1}, !early, t)
	}
}

// after is where a request goes when its operation is written and its job read.
func (r *request) after() {
	if r.opGen != 0 && r.jobState >= done && r.jobState != cancelled {
		r.at = atFinish
	} else {
		*r = request{at: atEnd}
	}
}

// publish is W10 and W11, by a finisher's loop with the operation that it was
// given or by a reconciler with the one that it has read.
func (e *explorer) publish(s state, n int) {
	p := &s.publishers[n]
	who := publisherNames[n]
	mark := func(t *state, p publisher) {
		e.applyOp(t, int(p.op), opOrder{kind: announced, gen: p.gen})
	}
	first := e.Mutation == FlagFirst
	switch p.at {
	case atRest:
		for i := range s.ops {
			o := s.ops[i]
			if !o.ended() || o.event != eventPending {
				continue
			}
			t := s
			t.publishers[n] = publisher{at: atSend, op: uint8(i), gen: o.gen, told: o.state, jobGen: o.jobGen}
			e.emit(step{who, "takes the event of operation", i}, true, t)
		}
	case atSend:
		if first {
			mark(&s, *p)
			p.at = atMark
			e.emit(step{who, "marks as published the event of operation", int(p.op)}, true, s)
			return
		}
		s.send(int(p.op), p.gen, p.told, p.jobGen)
		p.at = atMark
		e.emit(step{who, "sends the event of operation", int(p.op)}, true, s)
	case atMark:
		was := *p
		*p = publisher{}
		if first {
			s.send(int(was.op), was.gen, was.told, was.jobGen)
			e.emit(step{who, "sends the event of operation", int(was.op)}, true, s)
			return
		}
		mark(&s, was)
		e.emit(step{who, "marks as published the event of operation", int(was.op)}, true, s)
	}
}

// publishAny is publish without a memory. As long as nothing is replayed an
// operation ends once and its record stays as it is; whoever has read it and
// sends or marks later does what somebody else could do who reads it then, and
// who dies in between leaves what an unmarked event is anyway.
func (e *explorer) publishAny(s *state) {
	for i, o := range s.ops {
		if !o.ended() || o.event != eventPending {
			continue
		}
		t := *s
		if !o.sent {
			t.send(i, o.gen, o.state, o.jobGen)
			e.emit(step{publisherNames[0], "sends the event of operation", i}, true, t)
			continue
		}
		e.applyOp(&t, i, opOrder{kind: announced, gen: o.gen})
		e.emit(step{publisherNames[0], "marks as published the event of operation", i}, true, t)
	}
}

// time is what passes without anybody's doing.
func (e *explorer) time(s state) {
	if s.job.early {
		t := s
		t.job.early = false
		e.emit(step{"time", "makes the retry due", -1}, true, t)
	}
	if s.job.state == running && !s.job.lapsed && !s.alive() {
		t := s
		t.job.lapsed = true
		e.emit(step{"time", "ends the lease of a worker that is gone", -1}, true, t)
	}
}

// alive: somebody works under the present claim.
func (s *state) alive() bool {
	for i := range s.workers {
		if a := &s.workers[i]; a.claim == current && (a.at == working || a.at == stored || a.at >= resend && a.at < sweepRead) {
			return true
		}
	}
	return false
}

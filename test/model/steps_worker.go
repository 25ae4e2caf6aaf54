package model

import "github.com/butakero/butakero/internal/jobs"

// worker is jobs.Runner with one slot: W5 to W8, and W12.
func (e *explorer) worker(s state, n int) {
	a, who := &s.workers[n], workerNames[n]
	if a.at != idle && a.at != received && s.messages > 0 {
		// Another slot of the same process finds the job in hand.
		t := s
		t.messages--
		e.emit(step{who, "acknowledges another message for the job that it has", -1}, true, t)
	}
	switch a.at {
	case idle:
		if s.messages > 0 && !s.paused {
			s.messages--
			a.at, a.hold = received, e.Mutation != DeletedFirst
			e.emit(step{who, "receives a message", -1}, true, s)
		}
	case received:
		e.claim(s, n)
	case working:
		e.work(s, n)
	case stored:
		e.commit(s, n)
	case resend, resend + 1, resend + 2:
		e.fail(s, n, a.at-resend, true)
	default:
		e.common(s, who)
	}
}

func (e *explorer) claim(s state, n int) {
	a, who := &s.workers[n], workerNames[n]
	o := e.apply(&s, order{kind: claim})
	if o.err != nil {
		*a = actor{}
		e.emit(step{who, "is refused the claim: " + o.err.Error(), -1}, true, s)
		return
	}
	if s.faults > 0 && !e.OnlyBeforeClaim {
		t := s
		t.faults--
		t.workers[n] = actor{}
		t.ring()
		e.emit(step{"FAULT:", who + " claims, the answer is lost; the message goes back", -1}, false, t)
	}
	if s.job.state == dead {
		a.read(s.job)
		a.at = fanRead
		e.emit(step{who, "claims for the last time: crash loop, the job is dead", -1}, true, s)
		return
	}
	a.at, a.claim = working, current
	a.hold = a.hold && e.Style != Kafka
	e.emit(step{who, "claims the job", -1}, true, s)
}

func (e *explorer) work(s state, n int) {
	a, who := &s.workers[n], workerNames[n]
	if s.job.lapsed || a.claim != current {
		t := s
		if o := e.apply(&t, order{kind: renew, claim: a.claim}); o.err != nil {
			t.workers[n] = actor{}
			e.emit(step{who, "is refused the renewal: " + o.err.Error(), -1}, true, t)
		} else {
			e.emit(step{who, "renews its lease", -1}, true, t)
		}
	}
	if s.faults > 0 && !e.OnlyBeforeClaim && a.claim == current {
		for v := range verdicts {
			t := s
			t.faults--
			e.fail(t, n, uint8(v), false)
		}
	}
	t := s
	t.workers[n].at = stored
	t.file = true
	if e.Mutation == EventFirst {
		for i := range t.ops {
			if t.ops[i].state == waiting {
				t.send(i, t.ops[i].gen, succeeded, t.job.gen)
			}
		}
	}
	e.emit(step{who, "stores the file", -1}, true, t)
}

// fail records a failure, as Policy decides on it. The bad verdict itself is what
// the budget is charged with.
func (e *explorer) fail(s state, n int, verdict uint8, again bool) {
	a, who := &s.workers[n], workerNames[n]
	o := e.apply(&s, order{kind: fail, claim: a.claim, verdict: verdict})
	what := "records " + verdictNames[verdict]
	mine := *a
	switch {
	case o.err != nil:
		*a = actor{}
		what += " and is refused: " + o.err.Error()
	case s.job.ended():
		e.ended(&s, n, o.changed)
	default:
		s.ring()
		*a = actor{}
		what += "; the job is " + string(jobStates[s.job.state])
	}
	if s.faults > 0 && o.changed {
		t := s
		t.faults--
		t.workers[n] = actor{at: resend + verdict, claim: mine.claim, hold: mine.hold}
		e.emit(step{"FAULT:", who + " " + what + ", the answer is lost", -1}, false, t)
	}
	e.emit(step{who, what, -1}, again, s)
}

func (e *explorer) commit(s state, n int) {
	a, who := &s.workers[n], workerNames[n]
	o := e.apply(&s, order{kind: commit, claim: a.claim})
	if o.err != nil {
		*a = actor{}
		e.emit(step{who, "is refused the commit: " + o.err.Error(), -1}, true, s)
		return
	}
	transaction := s
	e.ended(&transaction, n, o.changed)
	if s.faults > 0 && o.changed && !e.OnlyBeforeClaim {
		t := transaction
		t.faults--
		t.workers[n] = *a
		e.emit(step{"FAULT:", who + " commits, the answer is lost", -1}, false, t)
	}
	e.emit(step{who, "commits", -1}, true, transaction)
}

// ended is what comes with and after the write that has ended the job: on SQLite
// the same transaction ends the operations and closes the job.
func (e *explorer) ended(s *state, n int, changed bool) {
	a := &s.workers[n]
	a.read(s.job)
	a.at, a.claim = fanRead, noClaim
	if e.Style != SQLite || !changed || s.job.reopen != 0 {
		return
	}
	for i := range s.ops {
		if o := s.ops[i]; o.state == waiting {
			e.applyOp(s, i, opOrder{finish, o.gen, a.state, a.gen})
		}
	}
	if e.apply(s, order{kind: closing, gen: a.gen}).err == nil {
		*a = actor{}
	}
}

// read keeps what was read of the job.
func (a *actor) read(r record) { a.state, a.gen, a.reopen = r.state, r.gen, r.reopen }

// isEnd reports whether an error says that somebody else was faster.
func isEnd(err error) bool {
	return err == nil || refused(err, jobs.ErrEnded, jobs.ErrNotFound, jobs.ErrStale)
}

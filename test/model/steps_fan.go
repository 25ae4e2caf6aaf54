package model

import "github.com/butakero/butakero/internal/jobs"

// common is what several actors do: jobs.Finisher.Reopen and FanOut.
func (e *explorer) common(s state, who string) {
	a := s.at(who)
	switch a.at {
	case openRead:
		a.ops, a.unsent = [2]uint8{}, [2]bool{}
		for i, o := range s.ops {
			if o.state == failed && o.jobGen <= a.reopen {
				a.ops[i], a.unsent[i] = o.gen, o.event == eventPending
			}
		}
		a.at = openEach
		if a.ops == [2]uint8{} {
			a.at = openMark
		}
		e.emit(step{who, "reads the failed operations", -1}, true, s)
	case openEach:
		for i := range s.ops {
			if a.ops[i] != 0 {
				e.reopen(s, who, i)
			}
		}
	case openMark:
		o := e.apply(&s, order{kind: reopened, gen: a.gen})
		switch {
		case o.err != nil:
			*a = actor{}
		case a.state >= done:
			a.at, a.reopen = fanRead, 0
		default:
			if who == replayerName {
				s.ring()
			}
			*a = actor{}
		}
		e.emit(step{who, "clears the mark of the replay", -1}, true, s)
	case fanRead:
		e.readWaiting(s, who)
	case fanEach:
		for i := range s.ops {
			if a.ops[i] != 0 {
				e.finish(s, who, i)
			}
		}
	case fanRevive:
		if e.apply(&s, order{kind: ensure}).changed {
			s.ring()
		}
		*a = actor{}
		e.emit(step{who, "begins the cancelled job again", -1}, true, s)
	case fanClose:
		e.apply(&s, order{kind: closing, gen: a.gen})
		*a = actor{}
		e.emit(step{who, "closes the job", -1}, true, s)
	}
}

// reopen treats one operation of a replayed job. An event that is not out goes
// out first.
func (e *explorer) reopen(s state, who string, i int) {
	a := s.at(who)
	gen := a.ops[i]
	if a.unsent[i] {
		if o := s.ops[i]; o.gen == gen {
			s.send(i, gen, o.state, o.jobGen)
		}
		e.applyOp(&s, i, opOrder{kind: announced, gen: gen})
		a.unsent[i] = false
		e.emit(step{who, "sends and marks the event of operation", i}, true, s)
		return
	}
	o := e.applyOp(&s, i, opOrder{kind: reopen, gen: gen, jobGen: a.reopen})
	a.ops[i] = 0
	if a.ops == [2]uint8{} {
		a.at = openMark
	}
	if o.err != nil && !refused(o.err, jobs.ErrState, jobs.ErrStale, jobs.ErrNotFound) {
		*a = actor{}
	}
	e.emit(step{who, "reopens operation", i}, true, s)
}

func (e *explorer) readWaiting(s state, who string) {
	a := s.at(who)
	if a.reopen != 0 {
		a.at = openRead
		e.common(s, who)
		return
	}
	a.ops, a.partial = [2]uint8{}, false
	some := false
	for i, o := range s.ops {
		if o.state == waiting {
			a.ops[i], some = o.gen, true
		}
	}
	switch {
	case a.state == cancelled && some:
		a.ops = [2]uint8{}
		a.at = fanRevive
	case some:
		a.at = fanEach
	default:
		a.at = fanClose
	}
	e.emit(step{who, "reads who waits", -1}, true, s)
}

// finish is W9 for one operation. If one could not be ended the job stays due.
func (e *explorer) finish(s state, who string, i int) {
	a := s.at(who)
	gen := a.ops[i]
	a.ops[i] = 0
	last := a.ops == [2]uint8{}
	end := func(t *state, failed bool) {
		b := t.at(who)
		b.partial = b.partial || failed
		if last {
			if b.at = fanClose; b.partial {
				*b = actor{}
			}
		}
	}
	if s.faults > 0 && !e.OnlyBeforeClaim {
		t := s
		t.faults--
		end(&t, true)
		e.emit(step{"FAULT:", who + " can not reach the store to end operation", i}, false, t)
	}
	o := e.applyOp(&s, i, opOrder{finish, gen, a.state, a.gen})
	if s.faults > 0 && o.changed && !e.OnlyBeforeClaim {
		t := s
		t.faults--
		end(&t, true)
		e.emit(step{"FAULT:", who + " gets no answer when it ends operation", i}, false, t)
	}
	end(&s, !isEnd(o.err))
	e.emit(step{who, "ends operation", i}, true, s)
}

// at finds an actor by its name.
func (s *state) at(who string) *actor {
	switch who {
	case workerNames[0]:
		return &s.workers[0]
	case workerNames[1]:
		return &s.workers[1]
	case replayerName:
		return &s.replayer
	case cancellerName:
		return &s.canceller
	}
	return &s.reconciler
}

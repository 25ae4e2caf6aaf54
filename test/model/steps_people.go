package model

const (
	replayerName  = "the operator who replays"
	cancellerName = "the operator who cancels"
)

// operators is jobs.Operator, the pause of a queue, and the retention that deletes
// what has ended. Nobody has to wish for any of it.
func (e *explorer) operators(s *state) {
	e.replay(*s)
	e.cancel(*s)
	if s.paused {
		t := *s
		t.paused = false
		e.emit(step{"an operator", "resumes the queue", -1}, true, t) // a pause is not meant to last
	} else if s.pauses > 0 {
		t := *s
		t.pauses--
		t.paused = true
		e.emit(step{"an operator", "pauses the queue", -1}, false, t)
	}
	if s.deletions > 0 {
		e.retention(s)
	}
}

func (e *explorer) retention(s *state) {
	if s.job.gen != 0 {
		t := *s
		t.deletions--
		if o := e.apply(&t, order{kind: discard, gen: s.job.gen}); o.err == nil {
			e.emit(step{"retention", "deletes the job", -1}, false, t)
		}
	}
	for i, o := range s.ops {
		if !o.ended() || o.event != eventPublished {
			continue
		}
		t := *s
		t.deletions--
		t.ops[i] = operation{state: deleted}
		if !o.sent {
			t.bad = "an operation was deleted and its event never went out"
		}
		e.emit(step{"retention", "deletes operation", i}, false, t)
	}
}

func (e *explorer) replay(s state) {
	if s.replayer.at != idle {
		e.common(s, replayerName)
		return
	}
	if s.replays == 0 || s.job.gen == 0 {
		return
	}
	s.replays--
	if o := e.apply(&s, order{kind: replay, gen: s.job.gen}); o.err != nil {
		return
	}
	s.replayer.read(s.job)
	s.replayer.at = openRead
	e.emit(step{replayerName, "replays the job", -1}, false, s)
}

func (e *explorer) cancel(s state) {
	a := &s.canceller
	switch a.at {
	case idle:
		e.beginCancel(s)
	case lookOthers:
		if a.at = readJob; s.ops[0].state == waiting || s.ops[1].state == waiting {
			*a = actor{}
		}
		e.emit(step{cancellerName, "looks who else waits", -1}, true, s)
	case readJob:
		if *a = (actor{}); s.job.gen != 0 && !s.job.ended() {
			a.read(s.job)
			a.at = stop
		}
		e.emit(step{cancellerName, "reads the job", -1}, true, s)
	case stop:
		o := e.apply(&s, order{kind: cancel, gen: a.gen})
		if *a = (actor{}); o.err == nil {
			a.read(s.job)
			a.at = fanRead
		}
		e.emit(step{cancellerName, "stops the job", -1}, true, s)
	case cancelAll:
		for i := range s.ops {
			if a.ops[i] == 0 {
				continue
			}
			t := s
			e.applyOp(&t, i, opOrder{kind: withdraw})
			if t.canceller.ops[i] = 0; t.canceller.ops == [2]uint8{} {
				t.canceller.at = stop
			}
			e.emit(step{cancellerName, "cancels operation", i}, true, t)
		}
	default:
		e.common(s, cancellerName)
	}
}

// beginCancel is CancelOperation, or CancelJob with everybody who waits for it.
func (e *explorer) beginCancel(s state) {
	if s.cancels == 0 {
		return
	}
	s.cancels--
	for i, o := range s.ops {
		if o.state != waiting {
			continue
		}
		t := s
		e.applyOp(&t, i, opOrder{kind: withdraw})
		t.canceller.at = lookOthers
		e.emit(step{cancellerName, "cancels operation", i}, false, t)
	}
	if s.job.gen == 0 || s.job.ended() {
		return
	}
	a := &s.canceller
	a.read(s.job)
	a.at = stop
	for i, o := range s.ops {
		if o.state == waiting {
			a.ops[i] = o.gen
			a.at = cancelAll
		}
	}
	e.emit(step{cancellerName, "wants the job stopped for everybody", -1}, false, s)
}

package model

const reconcilerName = "reconciler"

// reconcile is jobs.Reconciler. What it finds due may be acted upon at any later
// time.
func (e *explorer) reconcile(s state) {
	a := &s.reconciler
	switch a.at {
	case idle:
		e.lookAtJob(s)
		e.lookAtOperations(s)
	case sweepRead:
		e.sweep(s)
	case sweepNew:
		i := a.only()
		o := e.apply(&s, order{kind: ensure, gen: a.gen})
		if o.changed {
			s.ring()
		}
		what := "begins anew the record that is older than operation"
		if a.gen == 0 {
			what = "makes sure that there is a job for operation"
			e.sweepFound(&s)
		} else {
			*a = actor{}
		}
		e.emit(step{reconcilerName, what, i}, true, s)
	case sweepEnd:
		i := a.only()
		e.applyOp(&s, i, opOrder{finish, a.ops[i], a.state, a.gen})
		*a = actor{}
		e.emit(step{reconcilerName, "ends from the ended job operation", i}, true, s)
	case rescue: // what was read a while ago is believed
		if s.job.gen != 0 {
			old := s.job
			s.job.state, s.job.lapsed, s.job.due = pending, false, true
			if old.ended() {
				s.bad = "an ended job has moved without a new generation"
			}
			s.ring()
		}
		*a = actor{}
		e.emit(step{reconcilerName, "rescues the job without looking again", -1}, true, s)
	default:
		e.common(s, reconcilerName)
	}
}

func (e *explorer) lookAtJob(s state) {
	j := s.job
	if j.gen == 0 || !j.due {
		return
	}
	t := s
	a := &t.reconciler
	switch {
	case j.ended():
		a.read(j)
		a.at = fanRead
		e.emit(step{reconcilerName, "finds the ended job due", -1}, true, t)
		return
	case j.reopen != 0:
		a.read(j)
		a.at = openRead
		e.emit(step{reconcilerName, "finds the mark of a replay", -1}, true, t)
	}
	if j.state == running && !j.lapsed || j.early {
		return // due when the lease or the wait is over
	}
	if e.Mutation == UnguardedRescue && j.state == running {
		t = s
		t.reconciler = actor{at: rescue}
		e.emit(step{reconcilerName, "sees that the lease has ended", -1}, true, t)
		return
	}
	if e.NoRing || s.messages == 2 {
		return
	}
	t = s
	if o := e.apply(&t, order{kind: ring}); o.err == nil {
		t.ring()
		e.emit(step{reconcilerName, "rings", -1}, true, t)
	}
}

func (e *explorer) lookAtOperations(s state) {
	if e.NoSweep {
		return
	}
	for i, o := range s.ops {
		if o.state != waiting {
			continue
		}
		t := s
		t.reconciler = actor{at: sweepRead}
		t.reconciler.ops[i], t.reconciler.reopen = o.gen, o.after
		if e.Cancels > 0 || e.Deletions > 0 || e.Replays > 0 {
			e.emit(step{reconcilerName, "finds waiting operation", i}, true, t)
			continue
		}
		// Nothing is reopened and no job goes away: should the operation end before
		// its job is read, what is done then is refused. The two are one step.
		e.sweep(t)
	}
}

// only is the operation that the reconciler has in hand.
func (a *actor) only() int {
	if a.ops[0] != 0 {
		return 0
	}
	return 1
}

// sweep reads the job of a waiting operation.
func (e *explorer) sweep(s state) {
	i := s.reconciler.only()
	if s.job.gen == 0 || s.job.state == cancelled {
		s.reconciler.at = sweepNew
		e.emit(step{reconcilerName, "finds no job for operation", i}, true, s)
		return
	}
	e.sweepFound(&s)
	if s.reconciler.at == idle && e.Cancels+e.Deletions+e.Replays == 0 {
		return // nothing has happened
	}
	e.emit(step{reconcilerName, "reads the job of operation", i}, true, s)
}

// sweepFound goes on with the job as it is now: an ended one ends the operation,
// or has to be begun anew when it is older than what the operation has outlived; a
// live one is looked at again later.
func (e *explorer) sweepFound(s *state) {
	a := &s.reconciler
	if !s.job.ended() {
		*a = actor{}
		return
	}
	a.state, a.gen = s.job.state, s.job.gen
	if a.at = sweepEnd; s.job.gen <= a.reopen {
		if a.at, a.state = sweepNew, none; e.Mutation == NoNewRecord {
			*a = actor{}
		}
	}
	a.reopen = 0
}

package model

// faults is what can go wrong at any time, on account of the budget.
func (e *explorer) faults(s *state) {
	if s.faults == 0 {
		return
	}
	base := *s
	base.faults--
	e.workerFaults(&base)
	if e.OnlyBeforeClaim {
		return
	}
	for i := range base.requests {
		if at := base.requests[i].at; at != atStart && at != atEnd {
			t := base
			t.requests[i] = request{}
			e.emit(step{"FAULT:", "the API dies with " + requestNames[i] + ", or the store refuses it", -1}, false, t)
		}
	}
	for _, who := range []string{reconcilerName, replayerName, cancellerName} {
		if base.at(who).at == idle {
			continue
		}
		t := base
		*t.at(who) = actor{}
		e.emit(step{"FAULT:", who + " dies, or the store refuses service", -1}, false, t)
		e.dieBetween(base, who)
	}
	for i := range e.Publishers {
		if base.publishers[i].at != atRest {
			t := base
			t.publishers[i] = publisher{}
			e.emit(step{"FAULT:", publisherNames[i] + " dies, or its target refuses", -1}, false, t)
		}
	}
	e.broker(&base)
	if base.job.state == running && !base.job.lapsed && base.alive() {
		t := base
		t.job.lapsed = true
		e.emit(step{"FAULT:", "the lease ends while the worker is at it", -1}, false, t)
	}
}

func (e *explorer) workerFaults(base *state) {
	for i := range base.workers {
		a := base.workers[i]
		if a.at == idle || e.OnlyBeforeClaim && a.at != received {
			continue
		}
		t := *base
		t.workers[i] = actor{}
		if a.hold {
			t.ring()
		}
		e.emit(step{"FAULT:", workerNames[i] + " dies, or the store refuses it for too long", -1}, false, t)
		if a.at >= openRead {
			t := *base
			t.workers[i] = actor{}
			e.emit(step{"FAULT:", "the store refuses service to " + workerNames[i] + ", who leaves the rest to others", -1}, false, t)
			e.dieBetween(*base, workerNames[i])
		}
	}
}

// dieBetween: whoever reopens has sent an event and could not mark it.
func (e *explorer) dieBetween(base state, who string) {
	a := base.at(who)
	if a.at != openEach {
		return
	}
	for i := range base.ops {
		if a.ops[i] == 0 || !a.unsent[i] || base.ops[i].gen != a.ops[i] {
			continue
		}
		t := base
		t.send(i, t.ops[i].gen, t.ops[i].state, t.ops[i].jobGen)
		*t.at(who) = actor{}
		e.emit(step{"FAULT:", who + " dies when it has sent the event of operation", i}, false, t)
	}
}

// broker loses and doubles messages; it delays and reorders them anyway, as a
// receiver is never made to take one.
func (e *explorer) broker(base *state) {
	if base.messages > 0 {
		t := *base
		t.messages--
		e.emit(step{"FAULT:", "the broker loses a message", -1}, false, t)
	}
	if base.messages < 2 && (base.messages > 0 || base.workers[0].hold || base.workers[1].hold) {
		t := *base
		t.messages++
		e.emit(step{"FAULT:", "the broker doubles a message", -1}, false, t)
	}
}

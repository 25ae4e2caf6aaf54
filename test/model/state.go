package model

// state is everything that is the case, unpacked.
type state struct {
	job        record
	ops        [2]operation
	requests   [2]request
	workers    [2]actor
	reconciler actor
	replayer   actor
	canceller  actor
	publishers [2]publisher

	messages  uint8 // that can be received, at most 2: they are all alike
	faults    uint8 // that may still happen
	replays   uint8 // that operators may still wish for, as the next three
	cancels   uint8
	pauses    uint8
	deletions uint8 // that retention may still do
	paused    bool
	file      bool // some worker has stored it
	committed bool // in the present generation of the job
	remade    bool // a record of the job was deleted

	bad string // not packed: ends the search
}

// request is one API request: W1, W2, W4 and, if the job had ended, W9.
type request struct{ at, opGen, jobState, jobGen uint8 }

// publisher is a finisher's or a reconciler's W10 and W11, with what it has read.
type publisher struct{ at, op, gen, told, jobGen uint8 }

// actor is a worker, the reconciler or an operator. state, gen and reopen are of
// the job as it was read; ops are the operations still to be treated, by their
// generations (0: not this one).
type actor struct {
	at                 uint8
	hold               bool // a message that comes back if the worker dies
	claim              uint8
	partial            bool // not every operation could be ended
	state, gen, reopen uint8
	ops                [2]uint8
	unsent             [2]bool // of ops, those whose event was pending
}

// Where a request is.
const (
	atStart = iota
	atEnsure
	atFinish
	atEnd
)

// Where a publisher is.
const (
	atRest = iota
	atSend
	atMark
)

// Where an actor is. From fanRead on all do the same.
const (
	idle       = iota
	received   // worker: has a message
	working    // worker: has claimed
	stored     // worker: has stored the file
	resend     // worker: has sent a failure (resend + verdict) and got no answer
	_          //
	_          //
	sweepRead  // reconciler: has a waiting operation, is about to read the job
	sweepNew   // reconciler: there is no job
	sweepEnd   // reconciler: the job has ended
	rescue     // reconciler, mutated
	lookOthers // canceller: has cancelled an operation
	readJob    // canceller: nobody else waits
	stop       // canceller
	cancelAll  // canceller: every operation, and then the job
	openRead   // reads the failed operations of a replayed job
	openEach   // reopens them
	openMark   // clears the mark of the replay
	fanRead    // reads who waits
	fanEach    // ends them
	fanRevive  // begins a cancelled job again
	fanClose   // closes the job
)

// packed is a state in 256 bits: the records and requests; the workers and what is
// left of the budgets; the reconciler and who replays; who cancels and publishes.
type packed [4]uint64

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (r record) code() uint64 { // 14 bits
	return uint64(r.state) | uint64(r.gen)<<3 | uint64(r.reopen)<<6 | uint64(r.crashes)<<9 |
		bit(r.due)<<11 | bit(r.early)<<12 | bit(r.lapsed)<<13
}

func (o operation) code() uint64 { // 14 bits
	return uint64(o.state) | uint64(o.gen)<<3 | uint64(o.event)<<5 | uint64(o.jobGen)<<7 | uint64(o.after)<<10 | bit(o.sent)<<13
}

func (r request) code() uint64 { // 10 bits
	return uint64(r.at) | uint64(r.opGen)<<2 | uint64(r.jobState)<<4 | uint64(r.jobGen)<<7
}

func (a *actor) code() uint64 { // 24 bits
	return uint64(a.at) | bit(a.hold)<<5 | uint64(a.claim)<<6 | bit(a.partial)<<8 | uint64(a.state)<<9 | uint64(a.gen)<<12 |
		uint64(a.reopen)<<15 | uint64(a.ops[0])<<18 | uint64(a.ops[1])<<20 | bit(a.unsent[0])<<22 | bit(a.unsent[1])<<23
}

// exchangedActor is the code with the two operations in each other's place.
func exchangedActor(c uint64) uint64 {
	return c&(1<<18-1) | c>>18&3<<20 | c>>20&3<<18 | c>>22&1<<23 | c>>23&1<<22
}

func (p publisher) code() uint64 { // 11 bits
	return uint64(p.at) | uint64(p.op)<<2 | uint64(p.gen)<<3 | uint64(p.told)<<5 | uint64(p.jobGen)<<8
}

func exchangedPublisher(c uint64) uint64 {
	if c&3 == atRest {
		return c
	}
	return c ^ 1<<2
}

// budgets are 15 bits.
func (s *state) budgets() uint64 {
	return uint64(s.messages) | uint64(s.faults)<<2 | uint64(s.replays)<<4 | uint64(s.cancels)<<6 | uint64(s.pauses)<<8 |
		uint64(s.deletions)<<9 | bit(s.paused)<<11 | bit(s.file)<<12 | bit(s.committed)<<13 | bit(s.remade)<<14
}

// canonical packs the one state that stands for all permutations of workers,
// requests and publishers. Who does nothing comes last.
func (s *state) canonical() packed {
	job, opA, opB := s.job.code(), s.ops[0].code(), s.ops[1].code()
	reqA, reqB := s.requests[0].code(), s.requests[1].code()
	w1, w2 := s.workers[0].code(), s.workers[1].code()
	rec, rep, can := s.reconciler.code(), s.replayer.code(), s.canceller.code()
	p1, p2 := s.publishers[0].code(), s.publishers[1].code()
	rest := s.budgets()
	a := packed{
		job | opA<<14 | opB<<28 | reqA<<42 | reqB<<52, max(w1, w2) | min(w1, w2)<<24 | rest<<48,
		rec | rep<<24, can | max(p1, p2)<<24 | min(p1, p2)<<35,
	}
	w1, w2 = exchangedActor(w1), exchangedActor(w2)
	rec, rep, can = exchangedActor(rec), exchangedActor(rep), exchangedActor(can)
	p1, p2 = exchangedPublisher(p1), exchangedPublisher(p2)
	b := packed{
		job | opB<<14 | opA<<28 | reqB<<42 | reqA<<52, max(w1, w2) | min(w1, w2)<<24 | rest<<48,
		rec | rep<<24, can | max(p1, p2)<<24 | min(p1, p2)<<35,
	}
	for i := range a {
		if a[i] != b[i] {
			if b[i] < a[i] {
				return b
			}
			break
		}
	}
	return a
}

// take gives the lowest bits of a word and drops them.
func take(w *uint64, width uint) uint8 {
	v := *w & (1<<width - 1)
	*w >>= width
	return uint8(v)
}

func is(w *uint64) bool { return take(w, 1) != 0 }

func takeActor(w *uint64) (a actor) {
	a.at, a.hold, a.claim, a.partial = take(w, 5), is(w), take(w, 2), is(w)
	a.state, a.gen, a.reopen = take(w, 3), take(w, 3), take(w, 3)
	a.ops[0], a.ops[1] = take(w, 2), take(w, 2)
	a.unsent[0], a.unsent[1] = is(w), is(w)
	return a
}

func (p packed) unpack() (s state) {
	w := &p[0]
	s.job = record{state: take(w, 3), gen: take(w, 3), reopen: take(w, 3), crashes: take(w, 2), due: is(w), early: is(w), lapsed: is(w)}
	for i := range s.ops {
		s.ops[i] = operation{state: take(w, 3), gen: take(w, 2), event: take(w, 2), jobGen: take(w, 3), after: take(w, 3), sent: is(w)}
	}
	for i := range s.requests {
		s.requests[i] = request{take(w, 2), take(w, 2), take(w, 3), take(w, 3)}
	}
	w = &p[1]
	s.workers = [2]actor{takeActor(w), takeActor(w)}
	s.messages, s.faults = take(w, 2), take(w, 2)
	s.replays, s.cancels, s.pauses, s.deletions = take(w, 2), take(w, 2), take(w, 1), take(w, 2)
	s.paused, s.file, s.committed, s.remade = is(w), is(w), is(w), is(w)
	s.reconciler, s.replayer = takeActor(&p[2]), takeActor(&p[2])
	w = &p[3]
	s.canceller = takeActor(w)
	for i := range s.publishers {
		s.publishers[i] = publisher{take(w, 2), take(w, 1), take(w, 2), take(w, 3), take(w, 3)}
	}
	return s
}

// settled: every accepted operation has ended and its event is out.
func (s *state) settled() bool {
	for _, o := range s.ops {
		if o.state == waiting || o.ended() && !o.sent {
			return false
		}
	}
	return true
}

// resting: settled, and nothing is due any more.
func (s *state) resting() bool {
	if s.job.gen != 0 && (!s.job.ended() || s.job.due || s.job.reopen != 0) {
		return false
	}
	for _, o := range s.ops {
		if o.ended() && o.event != eventPublished {
			return false
		}
	}
	return s.settled()
}

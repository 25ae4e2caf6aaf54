package model

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestModel explores everything, which takes about a minute on two cores; -short
// and the race detector make it a few seconds. BUTAKERO_TEST_MODEL_SIZE says
// otherwise: quick, usual or deep.
func TestModel(t *testing.T) {
	size := Usual
	if testing.Short() || raced {
		size = Quick
	}
	if name := os.Getenv("BUTAKERO_TEST_MODEL_SIZE"); name != "" {
		var ok bool
		if size, ok = map[string]Size{"quick": Quick, "usual": Usual, "deep": Deep}[name]; !ok {
			t.Fatalf("BUTAKERO_TEST_MODEL_SIZE is %q, want quick, usual or deep", name)
		}
	}
	var out strings.Builder
	sum, err := Run(t.Context(), &out, size, 2)
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !sum.Good() {
		t.Error(sum)
	}
}

// TestMutationsAreConvictedOfWhatTheyAre holds each conviction to its reason.
func TestMutationsAreConvictedOfWhatTheyAre(t *testing.T) {
	t.Parallel()
	const stuck = "an accepted operation can not end with its event any more"
	want := map[Mutation]string{
		NoReconciler:    stuck,
		NoFence:         "two commits in one generation of the job",
		UnguardedRescue: "an ended job has moved without a new generation",
		JobReadFirst:    stuck,
		EventFirst:      "an event tells of an operation that has not ended",
		FlagFirst:       stuck,
		DeletedFirst:    stuck,
		SameGeneration:  "an ended job has moved without a new generation",
	}
	for _, sc := range Mutations() {
		t.Run(string(sc.Mutation), func(t *testing.T) {
			t.Parallel()
			v := Explore(t.Context(), sc)
			if v.Bad != want[sc.Mutation] {
				t.Errorf("found %q, want %q", v.Bad, want[sc.Mutation])
			}
			if len(v.Trace) == 0 || v.Trace[len(v.Trace)-1] == "" {
				t.Errorf("the trace ends nowhere: %q", v.Trace)
			}
		})
	}
	if len(want) != len(Mutations()) {
		t.Errorf("%d mutations, want %d", len(Mutations()), len(want))
	}
}

// walks takes random steps from the start of scenarios that use all parts of a
// state.
func walks(t *testing.T, see func(e *explorer, s state)) {
	t.Helper()
	random := rand.New(rand.NewPCG(6, 1))
	for _, style := range styles {
		sc := Scenario{Style: style, Faults: 3, Replays: 2, Cancels: 2, Pauses: 1, Deletions: 2, Publishers: 2}
		e := newExplorer(sc)
		for range 300 {
			s := sc.start()
			for range 80 {
				var all []state
				e.emit = func(_ step, _ bool, t state) {
					if t.bad == "" && t.job.gen < 6 && t.ops[0].gen < 3 && t.ops[1].gen < 3 {
						all = append(all, t)
					}
				}
				e.next(&s)
				if len(all) == 0 {
					break
				}
				s = all[random.IntN(len(all))]
				see(e, s)
			}
		}
	}
}

func TestPackedStatesLoseNothing(t *testing.T) {
	t.Parallel()
	seen := 0
	walks(t, func(_ *explorer, s state) {
		seen++
		p := s.canonical()
		back := p.unpack()
		if q := back.canonical(); q != p {
			t.Fatalf("%+v\ncomes back as\n%+v", s, back)
		}
		// As it was, or with some of the two of a kind in each other's place.
		for _, turned := range permutations(back) {
			if turned == s {
				return
			}
		}
		t.Fatalf("%+v\nis none of the permutations of\n%+v", s, back)
	})
	if seen < 10_000 {
		t.Errorf("only %d states seen", seen)
	}
}

// permutations gives the eight states that differ in names alone.
func permutations(s state) (all []state) {
	for n := range 8 {
		p := s
		if n&1 != 0 {
			p.workers[0], p.workers[1] = p.workers[1], p.workers[0]
		}
		if n&2 != 0 {
			p.publishers[0], p.publishers[1] = p.publishers[1], p.publishers[0]
		}
		if n&4 != 0 {
			p.ops[0], p.ops[1] = p.ops[1], p.ops[0]
			p.requests[0], p.requests[1] = p.requests[1], p.requests[0]
			for _, a := range []*actor{&p.workers[0], &p.workers[1], &p.reconciler, &p.replayer, &p.canceller} {
				a.ops[0], a.ops[1] = a.ops[1], a.ops[0]
				a.unsent[0], a.unsent[1] = a.unsent[1], a.unsent[0]
			}
			for i := range p.publishers {
				if p.publishers[i].at != atRest {
					p.publishers[i].op ^= 1
				}
			}
		}
		all = append(all, p)
	}
	return all
}

// TestPermutationsBehaveAlike is what makes it right that one state stands for
// eight: what follows from one is what follows from all.
func TestPermutationsBehaveAlike(t *testing.T) {
	t.Parallel()
	n := 0
	walks(t, func(e *explorer, s state) {
		if n++; n%50 != 0 {
			return
		}
		follows := func(s state) map[packed]bool {
			all := make(map[packed]bool)
			e.emit = func(_ step, _ bool, t state) { all[t.canonical()] = true }
			e.next(&s)
			return all
		}
		want := follows(s)
		for _, p := range permutations(s) {
			got := follows(p)
			if len(got) != len(want) {
				t.Fatalf("%d states follow from\n%+v\nand %d from\n%+v", len(want), s, len(got), p)
			}
			for k := range got {
				if !want[k] {
					t.Fatalf("what follows from\n%+v\ndoes not from\n%+v", p, s)
				}
			}
		}
	})
}

func TestBackwards(t *testing.T) {
	t.Parallel()
	waits, rests := state{}, state{}
	waits.ops[0] = operation{state: waiting, gen: 1}
	a, b := waits.canonical(), rests.canonical()
	for name, c := range map[string]struct {
		states      []packed
		first, to   []uint32
		stuck, rest int
	}{
		"a way to rest":         {[]packed{a, a, b}, []uint32{0, 1, 2}, []uint32{1, 2}, -1, 1},
		"a trap":                {[]packed{a, a, b}, []uint32{0, 2, 3}, []uint32{1, 2, 1}, 1, 1},
		"a ring without an end": {[]packed{a, a}, []uint32{0, 1}, []uint32{1, 0}, 0, 0},
		"rest at once":          {[]packed{b}, []uint32{0}, nil, -1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := graph{states: c.states, first: c.first, to: c.to}
			if stuck, rest := g.backwards(); stuck != c.stuck || rest != c.rest {
				t.Errorf("stuck %d, rest %d; want %d, %d", stuck, rest, c.stuck, c.rest)
			}
		})
	}
}

func TestCutRunShowsNothing(t *testing.T) {
	t.Parallel()
	v := Explore(t.Context(), Scenario{Style: SQS, Faults: 3, MaxStates: 1000})
	if !v.Cut || v.Bad != "" {
		t.Errorf("%+v", v)
	}
	sum := Summary{States: 1, Convicted: 7, Mutations: 8}
	if sum.Good() || (Summary{}).Good() || (Summary{States: 1, Bad: 1}).Good() {
		t.Error("a bad summary is called good")
	}
	if got := sum.String(); got != "model: 1 states, 0 bad, 7 of 8 mutations convicted" {
		t.Error(got)
	}
}

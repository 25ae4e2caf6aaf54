package model

import (
	"context"
	"math/bits"
	"slices"
)

// Verdict is what an exploration has found.
type Verdict struct {
	States int      // reachable, up to permutation
	Steps  int      // between them
	Rest   int      // states of rest
	Bad    string   // what does not hold; "" if everything does
	Trace  []string // the shortest way to it, in words
	Cut    bool     // the context or the memory ended first: nothing is shown
}

// graph holds the states in the order of their distance from the start.
type graph struct {
	states []packed
	parent []uint32
	table  []uint64 // open addressing: index of a state + 1 in the low half, the high half of its hash in the high
	first  []uint32 // of each state's helping steps in to
	to     []uint32
}

func (p *packed) hash() uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, w := range p {
		hi, lo := bits.Mul64(h^w, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	return h
}

// add returns the number of a state.
func (g *graph) add(p packed, parent uint32) uint32 {
	if 4*len(g.states) >= 3*len(g.table) {
		g.grow()
	}
	h := p.hash()
	mask := uint64(len(g.table) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		n := g.table[at]
		if n == 0 {
			g.states, g.parent = append(g.states, p), append(g.parent, parent)
			id := uint32(len(g.states))
			g.table[at] = h&^low | uint64(id)
			return id - 1
		}
		if n&^low == h&^low && g.states[n&low-1] == p {
			return uint32(n&low) - 1
		}
	}
}

const low = 1<<32 - 1

func (g *graph) grow() {
	old := g.table
	g.table = make([]uint64, max(1<<12, 2*len(old)))
	mask := uint64(len(g.table) - 1)
	for _, n := range old {
		if n == 0 {
			continue
		}
		at := g.states[n&low-1].hash() & mask
		for g.table[at] != 0 {
			at = (at + 1) & mask
		}
		g.table[at] = n
	}
}

// Explore visits every state of a scenario, breadth first, so that the trace to a
// bad one is a shortest one, and then goes backwards from the states of rest.
func Explore(ctx context.Context, sc Scenario) Verdict {
	start := sc.start()
	g := &graph{}
	g.add(start.canonical(), 0)
	e := newExplorer(sc)
	v := Verdict{}
	var (
		at    uint32
		wrong uint32 // the step from here is bad
		own   []uint32
	)
	e.emit = func(_ step, helps bool, t state) {
		v.Steps++
		if t.bad != "" {
			if v.Bad == "" {
				v.Bad, wrong = t.bad, at
			}
			return
		}
		id := g.add(t.canonical(), at)
		if helps && id != at && !slices.Contains(own, id) {
			own = append(own, id)
		}
	}
	for ; int(at) < len(g.states) && v.Bad == ""; at++ {
		if at%(1<<14) == 0 && ctx.Err() != nil || len(g.states) > sc.limit() {
			v.Cut, v.States = true, len(g.states)
			return v
		}
		own = own[:0]
		s := g.states[at].unpack()
		e.next(&s)
		g.first = append(g.first, uint32(len(g.to)))
		g.to = append(g.to, own...)
	}
	v.States = len(g.states)
	if v.Bad != "" {
		v.Trace = e.walkTo(g, wrong, v.Bad)
		return v
	}
	g.table = nil
	stuck, rest := g.backwards()
	v.Rest = rest
	if stuck >= 0 {
		v.Bad = "an accepted operation can not end with its event any more"
		if s := g.states[stuck].unpack(); s.settled() {
			v.Bad = "what is due can not come to rest any more"
		}
		v.Trace, _ = e.walk(g, uint32(stuck))
	}
	return v
}

// backwards returns the first state from which no state of rest can be reached by
// helping steps alone, or -1, and counts the states of rest.
func (g *graph) backwards() (stuck, rest int) {
	n := len(g.states)
	g.first = append(g.first, uint32(len(g.to)))
	begin := make([]uint32, n+1)
	for _, t := range g.to {
		begin[t+1]++
	}
	for i := range n {
		begin[i+1] += begin[i]
	}
	from := make([]uint32, len(g.to))
	for i := n - 1; i >= 0; i-- { // begin[t+1] goes down to where t begins
		for _, t := range g.to[g.first[i]:g.first[i+1]] {
			begin[t+1]--
			from[begin[t+1]] = uint32(i)
		}
	}
	// Now t's predecessors are from[begin[t+1]:begin[t+2]], the last up to the end.
	begin = append(begin[1:], uint32(len(from)))
	good := make([]bool, n)
	var todo []uint32
	for i := range g.states {
		if s := g.states[i].unpack(); s.resting() {
			good[i] = true
			todo = append(todo, uint32(i))
		}
	}
	rest = len(todo)
	for len(todo) > 0 {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, f := range from[begin[t]:begin[t+1]] {
			if !good[f] {
				good[f] = true
				todo = append(todo, f)
			}
		}
	}
	return slices.Index(good, false), rest
}

// walk says in words how a state is reached. A state stands for its permutations;
// the trace keeps to one of them, so that names stay the same.
func (e *explorer) walk(g *graph, end uint32) (words []string, s state) {
	path := []uint32{end}
	for at := end; at != 0; at = g.parent[at] {
		path = append(path, g.parent[at])
	}
	slices.Reverse(path)
	s = e.start()
	for _, id := range path[1:] {
		found := false
		var next state
		e.emit = func(what step, _ bool, t state) {
			if !found && t.bad == "" && t.canonical() == g.states[id] {
				found, next = true, t
				words = append(words, what.String())
			}
		}
		e.next(&s)
		s = next
	}
	return words, s
}

// walkTo is walk and one step more, the one that is bad.
func (e *explorer) walkTo(g *graph, parent uint32, bad string) []string {
	words, s := e.walk(g, parent)
	last := ""
	e.emit = func(what step, _ bool, t state) {
		if last == "" && t.bad == bad {
			last = what.String()
		}
	}
	e.next(&s)
	return append(words, last)
}

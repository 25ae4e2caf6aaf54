package autoscale

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	root  = "../.."
	seeds = 12
	lasts = 3 * 3600
)

// figures are what became of all seeds of a load.
type figures struct {
	killed             int
	p50, p95, longest  float64 // s
	turnsAnHour, hours float64 // of the worst seed; of a run
	left               int
}

func simulate(fresh func() policy, l load) (out figures) {
	var waits []float64
	for seed := range uint64(seeds) {
		f := &fleet{chance: rand.New(rand.NewPCG(seed, 42))}
		p := fresh()
		p.prepare(f)
		f.scale(p.wanted(f))
		for s := range lasts {
			n := 0
			if s < lasts-1800 { // then it runs empty
				n = l.ask(f.chance, s)
			}
			f.step(songs(f.chance, f.now+1, n))
			f.scale(p.wanted(f))
		}
		waiting, running, _ := f.counts()
		out.left += waiting + running
		out.killed += f.killed
		out.hours += float64(f.seconds) / 3600 / seeds
		out.turnsAnHour = max(out.turnsAnHour, perHour(f.turns))
		waits = append(waits, f.waits...)
	}
	slices.Sort(waits)
	at := func(q float64) float64 { return waits[int(q*float64(len(waits)-1))] }
	out.p50, out.p95, out.longest = at(0.5), at(0.95), at(1)
	return out
}

// perHour is the most turns within any hour.
func perHour(turns []int) float64 {
	most := 0
	for i, from := range turns {
		n := 0
		for _, t := range turns[i:] {
			if t < from+3600 {
				n++
			}
		}
		most = max(most, n)
	}
	return float64(most)
}

func shipped(t *testing.T) (onECS *ecs, onKEDA *keda) {
	t.Helper()
	onECS, err := shippedECS(root)
	if err != nil {
		t.Fatal(err)
	}
	onKEDA, err = shippedKEDA(root)
	if err != nil {
		t.Fatal(err)
	}
	return onECS, onKEDA
}

// broken says which promises figures break; short waits are promised of the documented
// load alone.
func broken(f figures, documented bool) (all []string) {
	if f.killed > 0 {
		all = append(all, fmt.Sprintf("%d jobs killed", f.killed))
	}
	if f.turnsAnHour > 6 {
		all = append(all, fmt.Sprintf("%.0f turns in an hour", f.turnsAnHour))
	}
	if documented && f.p95 >= 60 {
		all = append(all, fmt.Sprintf("p95 of the wait %.0f s", f.p95))
	}
	if f.left > 0 {
		all = append(all, fmt.Sprintf("%d jobs left", f.left))
	}
	return all
}

// The shipped policies kill no job, keep waits short and do not flap. The table is the
// one in docs/autoscaling.md.
func TestTable(t *testing.T) {
	t.Parallel()
	onECS, onKEDA := shipped(t)
	policies := []struct {
		name string
		make func() policy
	}{
		{"ECS, `terraform/`", func() policy { p := *onECS; return &p }},
		{"KEDA, `helm/`", func() policy { p := *onKEDA; return &p }},
		{"the original, on CPU", func() policy { return &cpu{} }},
	}
	var b strings.Builder
	b.WriteString("| load | policy | jobs killed | wait p50 | p95 | longest | turns in an hour | task-hours |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for i, l := range loads {
		for _, p := range policies {
			f := simulate(p.make, l)
			fmt.Fprintf(&b, "| %s | %s | %d | %.0f s | %.0f s | %.0f s | %.0f | %.1f |\n", l.name, p.name, f.killed, f.p50, f.p95, f.longest, f.turnsAnHour, f.hours)
			if _, original := p.make().(*cpu); original {
				continue
			}
			for _, words := range broken(f, i == 0) {
				t.Errorf("%s, %s: %s", p.name, l.name, words)
			}
		}
	}
	t.Logf("\n%s", b.String())
	for _, name := range []string{"docs/autoscaling.md", "docs/autoscaling.es.md"} {
		text, err := os.ReadFile(root + "/" + name)
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(text), b.String()) {
			t.Errorf("%s does not have the table as it is now", name)
		}
	}
}

// A policy that looks at waiting messages alone, protects nothing or gives no time fails.
func TestMutations(t *testing.T) {
	t.Parallel()
	onECS, onKEDA := shipped(t)
	for name, fresh := range map[string]func() policy{
		"ECS without protection":          func() policy { p := *onECS; p.Unguarded, p.Drain = true, 30; return &p },
		"ECS on what waits, unprotected":  func() policy { p := *onECS; p.VisibleOnly, p.Unguarded = true, true; return &p },
		"KEDA with a grace of 30 s":       func() policy { p := *onKEDA; p.Grace = 30; return &p },
		"KEDA on what waits, grace 120 s": func() policy { p := *onKEDA; p.VisibleOnly, p.Grace = true, 120; return &p },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []string
			for i, l := range loads {
				all = append(all, broken(simulate(fresh, l), i == 0)...)
			}
			if len(all) == 0 {
				t.Error("not convicted")
			}
			t.Log(strings.Join(all, "; "))
		})
	}
}

package model

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Summary is what a run has found.
type Summary struct {
	States    int // of all scenarios that have to hold, up to permutation
	Bad       int // scenarios, and controls of mutations, that do not
	Convicted int
	Mutations int
}

// Good reports whether everything holds and every mutation was found.
func (s Summary) Good() bool { return s.Bad == 0 && s.Convicted == s.Mutations && s.States > 0 }

// String is the one line for people and scripts.
func (s Summary) String() string {
	return fmt.Sprintf("model: %d states, %d bad, %d of %d mutations convicted", s.States, s.Bad, s.Convicted, s.Mutations)
}

// Run explores the scenarios of a size, at most jobs at a time, and then the
// mutations with their controls. It writes a table and, for what does not hold,
// the shortest trace in words. An error says that the run was cut short.
func Run(ctx context.Context, w io.Writer, size Size, jobs int) (Summary, error) {
	r := &run{w: w}
	scenarios, mutations := Scenarios(size), Mutations()
	controls := make(map[Scenario]Verdict) // several mutations have the same
	r.sum.Mutations = len(mutations)
	r.printf("%-36s %-7s %10s %12s %8s  %s\n", "scenario", "style", "states", "steps", "seconds", "bounds")
	each(ctx, scenarios, jobs, func(sc Scenario, v Verdict, took time.Duration) {
		r.row(sc.Name, sc, v, took)
		r.sum.States += v.States
		sc.Name = ""
		controls[sc] = v
		if v.Bad != "" || v.Cut {
			r.sum.Bad++
			r.trace(v)
		}
	})
	r.printf("\n%-36s %-7s %10s %12s %8s  %s\n", "mutation", "style", "states", "steps", "seconds", "bounds")
	each(ctx, mutations, 1, func(sc Scenario, v Verdict, took time.Duration) {
		r.row(string(sc.Mutation), sc, v, took)
		switch {
		case v.Cut:
		case v.Bad == "":
			r.printf("  NOT FOUND\n")
		default:
			r.sum.Convicted++
			r.printf("  convicted after %d steps: %s\n", len(v.Trace), v.Bad)
		}
		sc.Mutation = ""
		begun := time.Now()
		control, known := controls[sc]
		if !known {
			control = Explore(ctx, sc)
			controls[sc] = control
		}
		r.row("  control: the same without it", sc, control, time.Since(begun))
		if control.Bad != "" || control.Cut {
			r.sum.Bad++
			r.trace(control)
		}
	})
	r.printf("\n%s\n", r.sum)
	if err := ctx.Err(); err != nil {
		return r.sum, fmt.Errorf("the run was cut short: %w", err)
	}
	return r.sum, r.err
}

type run struct {
	w   io.Writer
	sum Summary
	err error
}

func (r *run) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(r.w, format, args...); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *run) row(name string, sc Scenario, v Verdict, took time.Duration) {
	r.printf("%-36s %-7s %10d %12d %8.1f  %s\n", name, sc.Style, v.States, v.Steps, took.Seconds(), sc.Bounds())
	if v.Cut {
		r.printf("  CUT SHORT: nothing is shown\n")
	}
}

func (r *run) trace(v Verdict) {
	if v.Bad == "" {
		return
	}
	r.printf("  BAD: %s; the shortest way:\n", v.Bad)
	for i, words := range v.Trace {
		r.printf("  %3d %s\n", i+1, words)
	}
}

// each explores at most jobs scenarios at a time and reports them in their order.
func each(ctx context.Context, all []Scenario, jobs int, report func(Scenario, Verdict, time.Duration)) {
	type result struct {
		verdict Verdict
		took    time.Duration
		done    chan struct{}
	}
	results := make([]result, len(all))
	next := make(chan int, len(all))
	for i := range all {
		results[i].done = make(chan struct{})
		next <- i
	}
	close(next)
	var workers sync.WaitGroup
	defer workers.Wait()
	for range max(1, jobs) {
		workers.Go(func() {
			for i := range next {
				begun := time.Now()
				results[i].verdict = Explore(ctx, all[i])
				results[i].took = time.Since(begun)
				close(results[i].done)
			}
		})
	}
	for i := range all {
		<-results[i].done
		report(all[i], results[i].verdict, results[i].took)
	}
}

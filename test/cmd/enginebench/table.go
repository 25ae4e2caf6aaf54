package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/butakero/butakero/test/bench"
)

// goal is a rate at 5 ms a job that is a multiple of another's.
type goal struct {
	ours   string
	times  float64  // 0: only told
	others []string // the quickest of them counts
}

var goals = []goal{
	{kafkaSQLite, 10, []string{kafkaChannel}},
	{kafkaMongo, 3, []string{kafkaChannel}},
	{sqsSQLite, 3, []string{sqsOne, sqsTen}},
	{sqsMongo, 3, []string{sqsOne, sqsTen}},
	{kafkaSQLite, 0, []string{kafkaRouter}},
	{kafkaMongo, 0, []string{kafkaRouter}},
	{sqsDynamo, 0, []string{sqsOne, sqsTen}}, // what the emulator can do: it answers one request at a time
}

// verdict is what became of a goal.
type verdict struct {
	goal
	than  string
	ratio float64
}

func (v verdict) met() bool { return v.ratio >= v.times }

// judge compares the medians of the same run.
func judge(took results) (all []verdict) {
	const each = 5 * time.Millisecond
	for _, g := range goals {
		v := verdict{goal: g}
		best := 0.0
		for _, other := range g.others {
			if rate := median(rates(took[other][each])); rate > best {
				best, v.than = rate, other
			}
		}
		if best > 0 {
			v.ratio = median(rates(took[g.ours][each])) / best
		}
		all = append(all, v)
	}
	return all
}

// reached counts the goals that are met, and all that are goals.
func reached(all []verdict) (met, of int) {
	for _, v := range all {
		if v.times == 0 {
			continue
		}
		of++
		if v.met() {
			met++
		}
	}
	return met, of
}

func printVerdicts(w io.Writer, all []verdict) {
	fmt.Fprintln(w, "| jobs of 5 ms | beside | measured | goal | met |\n|---|---|---|---|---|")
	for _, v := range all {
		goal, met := fmt.Sprintf("≥ %g ×", v.times), "yes"
		switch {
		case v.times == 0:
			goal, met = "", ""
		case !v.met():
			met = "**no**"
		}
		fmt.Fprintf(w, "| %s | %s | %.1f × | %s | %s |\n", v.ours, v.than, v.ratio, goal, met)
	}
}

func printTable(w io.Writer, all []contender, took results, each time.Duration) {
	fmt.Fprintln(w, "| | jobs/s | least–most | CPU a job | allocations a job | store calls a job | requests a job, store | SQS |\n|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, c := range all {
		runs := took[c.name][each]
		if len(runs) == 0 {
			continue
		}
		r := rates(runs)
		of := func(f func(bench.Drained) float64) float64 { return median(values(runs, f)) }
		fmt.Fprintf(w, "| %s | %s | %s–%s | %.0f µs | %.0f | %s | %s | %s |\n", c.name,
			thousands(median(r)), thousands(slices.Min(r)), thousands(slices.Max(r)),
			of(func(d bench.Drained) float64 { return float64(d.CPUEach()) / 1e3 }),
			of(bench.Drained.AllocationsEach),
			counted(of(func(d bench.Drained) float64 { return some(d.Each(d.Calls)) })),
			counted(of(func(d bench.Drained) float64 { return d.Each(d.Requests.Store) })),
			counted(of(func(d bench.Drained) float64 { return d.Each(d.Requests.Queue) })))
	}
}

// some makes nothing a thing that was not counted.
func some(f float64) float64 {
	if f == 0 {
		return -1
	}
	return f
}

func counted(f float64) string {
	if f < 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", f)
}

func rates(runs []bench.Drained) []float64 {
	return values(runs, func(d bench.Drained) float64 { return d.PerSecond() })
}

func values(runs []bench.Drained, f func(bench.Drained) float64) []float64 {
	all := make([]float64, len(runs))
	for i, d := range runs {
		all[i] = f(d)
	}
	return all
}

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// thousands writes a number with commas, as people read it.
func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

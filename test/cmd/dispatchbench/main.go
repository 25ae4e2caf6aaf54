// Command dispatchbench measures the embedded engines (SQLite store and queue)
// and prints a Markdown table of goals, measured values and whether they are met.
//
//	dispatchbench [-strict] [-runs 3] [-jobs 50000] [-waiting 1000000] [-dir DIR]
//
// Each value is the best of the runs, as other work on the machine can only make
// it worse. The folder should be on the kind of disk that the product will have:
// every commit waits for it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/butakero/butakero/test/bench"
)

type options struct {
	runs, jobs, waiting int
	dir                 string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == serveCommand {
		exit(serve(os.Args[2]))
	}
	var o options
	flag.IntVar(&o.runs, "runs", 3, "runs of each measurement; the best counts")
	flag.IntVar(&o.jobs, "jobs", 50_000, "jobs, or requests, of one run")
	flag.IntVar(&o.waiting, "waiting", 1_000_000, "jobs that wait in the large backlog; 0: leave it out")
	flag.StringVar(&o.dir, "dir", "", "folder for the databases; the system's temporary one")
	strict := flag.Bool("strict", false, "exit 1 if a goal is missed")
	flag.Parse()
	if flag.NArg() > 0 || o.runs < 1 || o.jobs < 1000 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	met, err := run(ctx, o)
	if err != nil {
		exit(err)
	}
	if !met && *strict {
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "dispatchbench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// table collects the rows.
type table struct {
	rows []string
	met  int
	of   int
}

func (t *table) add(what, measured, goal string, met bool) {
	verdict := "yes"
	if !met {
		verdict = "**no**"
	} else {
		t.met++
	}
	t.of++
	t.rows = append(t.rows, fmt.Sprintf("| %s | %s | %s | %s |", what, measured, goal, verdict))
	fmt.Fprintln(os.Stderr, what+":", measured)
}

func run(ctx context.Context, o options) (met bool, err error) {
	dir, err := os.MkdirTemp(o.dir, "dispatchbench-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var t table
	for _, measure := range []func(context.Context, options, string, *table) error{dispatch, latency, accept, memory} {
		if err := measure(ctx, o, dir, &t); err != nil {
			return false, err
		}
	}
	fmt.Printf("%s, %d CPUs, SQLite store (synchronous=FULL) and queue, no-op work; the best of %d runs of %d.\n\n",
		runtime.Version(), runtime.NumCPU(), o.runs, o.jobs)
	fmt.Println("| goal | measured | limit | met |\n|---|---|---|---|")
	for _, row := range t.rows {
		fmt.Println(row)
	}
	fmt.Printf("\ndispatch: %d of %d goals met\n", t.met, t.of)
	return t.met == t.of, nil
}

// fresh makes a folder and deletes it after use, so that a run begins with
// nothing and the disk does not fill.
func fresh(dir string, use func(dir string) error) (err error) {
	dir, err = os.MkdirTemp(dir, "run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return use(dir)
}

func dispatch(ctx context.Context, o options, dir string, t *table) error {
	best := func(runs, waiting int) (fastest bench.Rate, err error) {
		for range runs {
			err := fresh(dir, func(dir string) error {
				r, err := bench.Dispatch(ctx, dir, waiting, o.jobs)
				if r.PerSecond() > fastest.PerSecond() {
					fastest = r
				}
				return err
			})
			if err != nil {
				return fastest, err
			}
		}
		return fastest, nil
	}
	few, err := best(o.runs, o.jobs)
	if err != nil {
		return err
	}
	t.add("whole lives of jobs (claim, commit, operation ended, event published and marked)",
		fmt.Sprintf("%.0f/s (%s of CPU each)", few.PerSecond(), few.CPUEach().Round(100*time.Nanosecond)), "≥ 20,000/s", few.PerSecond() >= 20_000)
	if o.waiting == 0 {
		return nil
	}
	many, err := best(1, o.waiting+o.jobs)
	if err != nil {
		return err
	}
	ratio := few.PerSecond() / many.PerSecond()
	t.add(fmt.Sprintf("the same while %d jobs wait", o.waiting),
		fmt.Sprintf("%.0f/s (%s of CPU each), %.2f × slower", many.PerSecond(), many.CPUEach().Round(100*time.Nanosecond), ratio), "≤ 1.5 ×", ratio <= 1.5)
	return nil
}

func latency(ctx context.Context, o options, dir string, t *table) error {
	var p50, p99 time.Duration
	for range o.runs {
		err := fresh(dir, func(dir string) error {
			took, err := bench.Latency(ctx, dir, 300)
			if p := bench.Percentile(took, 50); p50 == 0 || p < p50 {
				p50, p99 = p, bench.Percentile(took, 99)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	t.add("a single song, from the request until it is claimed",
		fmt.Sprintf("p50 %s, p99 %s", round(p50), round(p99)), "p50 < 5 ms", p50 < 5*time.Millisecond)
	return nil
}

// halfLoad is half of what the API has to take.
const halfLoad = 5000

func accept(ctx context.Context, o options, dir string, t *table) error {
	var fastest bench.Rate
	var calm []time.Duration
	for range o.runs {
		err := fresh(dir, func(dir string) error {
			return serving(ctx, dir, func(address string) error {
				full, err := bench.Load{Address: address, Connections: 64, Count: o.jobs}.Run(ctx)
				if err != nil {
					return err
				}
				if full.PerSecond() > fastest.PerSecond() {
					fastest = full.Rate
				}
				half, err := bench.Load{Address: address, Connections: 128, Count: min(o.jobs, 5*halfLoad), Rate: halfLoad}.Run(ctx)
				if err != nil {
					return err
				}
				if calm == nil || bench.Percentile(half.Took, 99) < bench.Percentile(calm, 99) {
					calm = half.Took
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	t.add("accepted over HTTP, durable, all new songs, clients on the same cores",
		fmt.Sprintf("%.0f/s", fastest.PerSecond()), "≥ 10,000/s", fastest.PerSecond() >= 10_000)
	p50, p99 := bench.Percentile(calm, 50), bench.Percentile(calm, 99)
	t.add(fmt.Sprintf("the same at %d requests a second", halfLoad),
		fmt.Sprintf("p50 %s, p99 %s", round(p50), round(p99)), "p99 < 20 ms", p99 < 20*time.Millisecond)
	return nil
}

func memory(ctx context.Context, o options, dir string, t *table) error {
	program := filepath.Join(dir, "butakero")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/butakero/butakero/cmd/butakero") // #nosec G204 -- our own
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	var residents []int
	var resident, own int
	for range o.runs {
		err := fresh(dir, func(dir string) (err error) {
			resident, own, err = idle(ctx, program, dir)
			residents = append(residents, resident)
			return err
		})
		if err != nil {
			return err
		}
	}
	resident = slices.Min(residents)
	t.add("memory of an idle `butakero up`", fmt.Sprintf("%.1f MiB (%.1f without the program's own pages)", mebi(resident), mebi(own)), "< 40 MiB", mebi(resident) < 40)
	return nil
}

func mebi(kib int) float64 { return float64(kib) / 1024 }

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

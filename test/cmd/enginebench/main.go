// Command enginebench measures the distributed engines: how many jobs a second a
// worker ends on each mix of queue and store, beside other consumers on the same
// brokers in the same run, and what an idle worker asks of each engine. It prints
// Markdown.
//
//	enginebench [-strict] [-runs 3] [-jobs 12000] [-only REGEXP] [-idle] [-dir DIR] [-cpuprofile FILE]
//
// The servers are those that the environment names (package servers); what it does not
// name is started for the run. Files:
//
//   - runs.go: who competes, and in which order
//   - places.go: queues, topics, tables and databases for a run, and their end
//   - table.go: medians, ratios and goals
//   - idle.go, tap.go: what an idle worker asks for
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

type options struct {
	runs, jobs int
	only       string
	dir        string
	idleFor    time.Duration
}

func main() {
	testing.Init() // before the flags: the idle workers' broker is a benchmark's
	var o options
	flags := flag.NewFlagSet("enginebench", flag.ExitOnError)
	flags.IntVar(&o.runs, "runs", 3, "repeats; medians count")
	flags.IntVar(&o.jobs, "jobs", 12_000, "size of a run: how many jobs the quicker mixes end; others end a share of it")
	flags.StringVar(&o.only, "only", "", "only contenders whose names this regular expression finds; no goals then")
	flags.StringVar(&o.dir, "dir", "", "folder for the SQLite files; the system's temporary one")
	flags.DurationVar(&o.idleFor, "idle-for", 40*time.Second, "how long idle workers are listened to; 0: leave them out")
	idle := flags.Bool("idle", false, "only what idle workers ask for")
	strict := flags.Bool("strict", false, "exit 1 if a goal is missed")
	profile := flags.String("cpuprofile", "", "file for a CPU profile of all runs")
	_ = flags.Parse(os.Args[1:]) // it exits
	if flags.NArg() > 0 || o.runs < 1 || o.jobs < 1000 {
		flags.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	met, err := profiled(*profile, func() (bool, error) { return run(ctx, o, *idle) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "enginebench:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
	if !met && *strict {
		os.Exit(1)
	}
}

func profiled(name string, do func() (bool, error)) (met bool, err error) {
	if name == "" {
		return do()
	}
	f, err := os.Create(name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return false, err
	}
	defer pprof.StopCPUProfile()
	return do()
}

func run(ctx context.Context, o options, idleOnly bool) (met bool, err error) {
	names := []string{"kafka", "sqs", "dynamodb", "mongo"}
	if idleOnly || o.idleFor > 0 {
		names = append(names, "s3")
	}
	environment, end, err := servers.Run(ctx, names)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, end()) }()
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return false, err
		}
	}
	if idleOnly {
		return true, printIdle(ctx, o)
	}
	p, err := openPlaces(ctx, o.dir)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	all, err := chosen(contenders(p), o.only)
	if err != nil {
		return false, err
	}
	took, err := compete(ctx, all, o)
	if err != nil {
		return false, err
	}
	fmt.Printf("%s, %d CPUs, which the servers and this process share; 4 partitions, %d slots, messages of 256 bytes, prefilled and drained; "+
		"median of %d runs in rotated order, with least and most.\n", runtime.Version(), runtime.NumCPU(), slots, o.runs)
	fmt.Print(explanation)
	for _, w := range works {
		fmt.Printf("\n### %s\n\n", w.title)
		printTable(os.Stdout, all, took, w.each)
	}
	verdicts := judge(took)
	if o.only == "" {
		fmt.Print("\n### Goals\n\n")
		printVerdicts(os.Stdout, verdicts)
	}
	if o.idleFor > 0 && o.only == "" {
		fmt.Println()
		if err := printIdle(ctx, o); err != nil {
			return false, err
		}
	}
	n, of := reached(verdicts)
	fmt.Printf("\nengines bench: %d of %d goals met\n", n, of)
	return n == of, nil
}

const explanation = `
Ours is the whole life of a job with its record: claim, commit, operation ended, event
published to a topic or queue of the same broker and marked as published, job closed,
message acknowledged. Operations and jobs are in the store before the clock starts; the
clock runs from the first message to the last of these steps. SQLite writes with
synchronous=FULL; MongoDB at majority with journal, one member; DynamoDB is dynalite and
SQS is ElasticMQ, emulators, so those figures say nothing about AWS but how much is asked
of it. The others keep no record and publish nothing; they acknowledge after the work, and
Kafka's offsets are committed once a second by all. CPU and allocations are those of the
client process; calls are the worker's of its store's interface, requests those that went
over the network to the store and to SQS. dynalite answers about 1,000 requests a second,
one at a time, and a job takes six: that is its limit, so no goal is set there. Watermill's
Router works on a message of each partition at a time, its channel on one.
`

// Command modelcheck runs the model checker of the protocol of jobs and operations and
// prints what it has explored, ending with one summary line. It exits 1 if a
// promise does not hold or a mutation was not found.
//
//	go run ./cmd/modelcheck [-size quick|usual|deep] [-jobs 2]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"

	"github.com/butakero/butakero/test/model"
)

func main() { os.Exit(run()) }

func run() int {
	name := flag.String("size", "usual", "how much is explored: quick, usual or deep")
	jobs := flag.Int("jobs", min(2, runtime.NumCPU()), "scenarios that are explored at a time; each takes up to 1 GiB")
	flag.Parse()
	size, ok := map[string]model.Size{"quick": model.Quick, "usual": model.Usual, "deep": model.Deep}[*name]
	if !ok || flag.NArg() > 0 {
		flag.Usage()
		return 2
	}
	if *name != "deep" {
		debug.SetMemoryLimit(1500 << 20)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sum, err := model.Run(ctx, os.Stdout, size, *jobs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "model:", err)
		return 1
	}
	if !sum.Good() {
		return 1
	}
	return 0
}

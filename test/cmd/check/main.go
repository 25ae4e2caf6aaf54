// Command check runs every check of the project, goes on after a failure, and ends
// with a table of what ran, what failed, and by name what could not run here and
// why. make test calls it after the set-up. It exits 1 if anything failed, 2 if it
// was called wrongly and 130 if it was interrupted.
//
//	go -C test run ./cmd/check -cache ~/.cache/butakero [-only lint]
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
	"strings"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	cache := flags.String("cache", "", "folder of the installed `tools`")
	only := flags.String("only", "", "run only the steps whose name contains this `text`")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	root, err := findRoot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		return 2
	}
	r := runner{root: root, logs: filepath.Join(root, "build", "logs"), out: os.Stdout}
	if err := os.MkdirAll(r.logs, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var all []outcome
	end := func() error { return nil }
	for _, s := range steps(*cache) {
		if !strings.Contains(s.name, *only) {
			continue
		}
		if s.servers && r.environment == nil {
			var o outcome
			if o, end = r.startServers(ctx, *cache); o.failed {
				all = append(all, o)
			}
		}
		all = append(all, r.run(ctx, s))
	}
	if err := end(); err != nil {
		fmt.Fprintln(os.Stderr, "check: ending the servers:", err)
	}
	if len(all) == 0 {
		fmt.Fprintf(os.Stderr, "check: no step has %q in its name\n", *only)
		return 2
	}
	good := report(os.Stdout, all)
	switch {
	case ctx.Err() != nil:
		return 130
	case !good:
		return 1
	}
	return 0
}

func findRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOWORK: %w", err)
	}
	work := strings.TrimSpace(string(out))
	if work == "" || work == "off" {
		return "", errors.New("run it inside the checkout, with its go.work")
	}
	return filepath.Dir(work), nil
}

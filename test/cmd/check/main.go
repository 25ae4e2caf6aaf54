// Command check runs every check of the project and ends with a table of what
// ran, what failed, and by name what could not run here and why. make test calls
// it after the set-up.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// step is one check. A command that exits 0 passed; notRun turns an output into
// the reason why the check could not run here.
type step struct {
	name   string
	dir    string // below the root
	args   []string
	notRun func(output string) string
	needs  string // a file without which the check can not run
	env    []string
}

type outcome struct {
	step   step
	failed bool
	reason string   // not run, because
	named  []string // single tests that could not run, because
	took   time.Duration
}

func main() {
	cache := flag.String("cache", "", "folder of the installed tools")
	only := flag.String("only", "", "run only the checks whose name contains this")
	flag.Parse()
	root, err := findRoot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logs := filepath.Join(root, "build", "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(2)
	}
	var all []outcome
	for _, s := range steps(*cache) {
		if *only != "" && !strings.Contains(s.name, *only) {
			continue
		}
		all = append(all, run(ctx, root, logs, s))
		if ctx.Err() != nil {
			break
		}
	}
	if !report(all) {
		os.Exit(1)
	}
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

// run runs one step, its output going to a log and, filtered, to stdout.
func run(ctx context.Context, root, logs string, s step) outcome {
	o := outcome{step: s}
	if s.needs != "" {
		if _, err := os.Stat(filepath.Join(root, s.needs)); err != nil && !filepath.IsAbs(s.needs) {
			o.reason = s.needs + " is not there"
			return o
		} else if _, err := os.Stat(s.needs); filepath.IsAbs(s.needs) && err != nil {
			o.reason = filepath.Base(s.needs) + " could not be installed"
			return o
		}
	}
	fmt.Printf("== %s: %s\n", s.name, strings.Join(s.args, " "))
	name := filepath.Join(logs, strings.ReplaceAll(s.name, " ", "-")+".log")
	file, err := os.Create(name) //nolint:gosec // our own folder
	if err != nil {
		o.failed, o.reason = true, err.Error()
		return o
	}
	defer file.Close() //nolint:errcheck // a log
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, s.args[0], s.args[1:]...) //nolint:gosec // our own steps
	cmd.Dir = filepath.Join(root, s.dir)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	pipe, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	begun := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(io.TeeReader(pipe, io.MultiWriter(file, &output)))
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			show(lines.Text(), &o)
		}
		_, _ = io.Copy(io.MultiWriter(file, &output), pipe) // what has too long lines for the scanner
	}()
	err = cmd.Run()
	_ = in.Close()
	<-done
	o.took = time.Since(begun)
	if err == nil {
		if s.notRun != nil {
			o.reason = s.notRun(output.String())
		}
		return o
	}
	if s.notRun != nil {
		if reason := s.notRun(output.String()); reason != "" {
			o.reason = reason
			return o
		}
	}
	o.failed = true
	fmt.Printf("FAILED %s (%v); the end of %s:\n", s.name, err, name)
	text := strings.TrimRight(output.String(), "\n")
	lines := strings.Split(text, "\n")
	fmt.Println(strings.Join(lines[max(0, len(lines)-80):], "\n"))
	return o
}

var (
	goTestLine = regexp.MustCompile(`^(ok|FAIL|---\s+FAIL|panic:|WARNING: DATA RACE)`)
	canNotRun  = regexp.MustCompile(`CAN NOT RUN: (.*)`)
)

// show passes on what a reader of the whole run wants to see.
func show(line string, o *outcome) {
	if goTestLine.MatchString(line) {
		fmt.Println(line)
	}
	if m := canNotRun.FindStringSubmatch(line); m != nil {
		o.named = append(o.named, m[1])
	}
}

func report(all []outcome) bool {
	fmt.Println("\nwhat ran:")
	passed, failed, notRun := 0, 0, 0
	for _, o := range all {
		word := "ok"
		switch {
		case o.failed:
			word = "FAILED"
			failed++
		case o.reason != "":
			word = "NOT RUN"
			notRun++
		default:
			passed++
		}
		fmt.Printf("  %-8s %-34s %8s", word, o.step.name, o.took.Round(100*time.Millisecond))
		if o.reason != "" {
			fmt.Printf("  %s", o.reason)
		}
		fmt.Println()
		for _, n := range o.named {
			fmt.Printf("           not run in it: %s\n", n)
		}
	}
	fmt.Printf("\nchecks: %d passed, %d failed, %d not run\n", passed, failed, notRun)
	return failed == 0
}

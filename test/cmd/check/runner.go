package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// outcome is what came of a step.
type outcome struct {
	name   string
	failed bool
	reason string // not run, because; or failed, because
	tests  tally
	warned []string
	took   time.Duration
}

// runner runs steps below root and keeps their whole output below logs.
type runner struct {
	root, logs  string
	out         io.Writer
	environment []string // of the real engines; nil: they were not started
}

// sink takes the output of a step, line by line.
type sink interface {
	line(text string)
}

func (r runner) run(ctx context.Context, s step) (o outcome) {
	o.name = s.name
	if ctx.Err() != nil {
		o.reason = "interrupted"
		return o
	}
	if s.needs != "" {
		if _, err := os.Stat(s.needs); err != nil {
			o.reason = filepath.Base(s.needs) + " is not installed, see the set-up above"
			return o
		}
	}
	fmt.Fprintf(r.out, "== %s\n", s.name)
	begun := time.Now()
	err := r.command(ctx, s, &o)
	o.took = time.Since(begun)
	switch {
	case ctx.Err() != nil:
		o.failed, o.reason = true, "interrupted"
	case err != nil:
		o.failed = true
		fmt.Fprintf(r.out, "FAILED %s: %v\n", s.name, err)
	case o.reason == "":
		fmt.Fprintf(r.out, "   passed in %s\n", o.took.Round(100*time.Millisecond))
	}
	return o
}

// command runs a step's command. It returns nil if it passed or, with a reason in
// the outcome, if it could not run.
func (r runner) command(ctx context.Context, s step, o *outcome) error {
	name := filepath.Join(r.logs, strings.NewReplacer(", ", "-", " ", "-").Replace(s.name)+".log")
	log, err := os.Create(name)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // a log; the step decides

	t := &tail{limit: 100}
	var into sink = t
	var tests *gotest
	if s.gotest {
		tests = newGotest(r.out, log)
		into = tests
	}
	cmd := exec.CommandContext(ctx, s.args[0], s.args[1:]...)
	cmd.Dir = filepath.Join(r.root, s.dir)
	cmd.Env = append(os.Environ(), s.env...)
	if s.servers {
		cmd.Env = append(cmd.Env, r.environment...)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it has started goes with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second

	pipe, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	done := make(chan struct{})
	go func() {
		lines := bufio.NewReader(pipe)
		for {
			text, err := lines.ReadString('\n')
			if text != "" {
				if !s.gotest {
					_, _ = io.WriteString(log, text)
				}
				into.line(strings.TrimSuffix(text, "\n"))
			}
			if err != nil {
				close(done)
				return
			}
		}
	}()
	err = cmd.Run()
	_ = in.Close()
	<-done

	if tests != nil {
		tests.close()
		o.tests, o.warned = tests.tally, tests.warned
		if err == nil && tests.tally.passed == 0 {
			return errors.New("no test ran")
		}
		return err
	}
	if err == nil {
		return nil
	}
	if o.reason = t.refusal(err, s.notRun); o.reason != "" {
		return nil
	}
	fmt.Fprintf(r.out, "%s\n   (the end of %s)\n", strings.Join(t.lines, "\n"), name)
	return err
}

// tail keeps the last lines of an output, and all of it as long as it is short
// enough to be looked at.
type tail struct {
	limit int
	lines []string
	text  strings.Builder
}

func (t *tail) line(text string) {
	if t.lines = append(t.lines, text); len(t.lines) > t.limit {
		t.lines = t.lines[1:]
	}
	if t.text.Len() < 1<<20 {
		t.text.WriteString(text + "\n")
	}
}

var canNotRun = regexp.MustCompile(`(?m)^CAN NOT RUN:? *(.*)$`)

// refusal is why a command that failed could not run; "" if it did.
func (t *tail) refusal(err error, notRun func(string) string) string {
	var exit *exec.ExitError
	if m := canNotRun.FindStringSubmatch(t.text.String()); m != nil && errors.As(err, &exit) && exit.ExitCode() == couldNotRun {
		return m[1]
	}
	if notRun != nil {
		return notRun(t.text.String())
	}
	return ""
}

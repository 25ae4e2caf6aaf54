package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// report prints the table. It returns false if anything failed.
func report(out io.Writer, all []outcome) bool {
	passed, failed, notRun, skipped := 0, 0, 0, 0
	fmt.Fprintf(out, "\n%-8s %9s  %s\n", "", "time", "step")
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
		text := o.name
		if t := o.tests; t.passed+t.failed+len(t.skipped) > 0 {
			text += fmt.Sprintf(": %d tests passed, %d failed, %d not run", t.passed, t.failed, len(t.skipped))
		}
		if o.reason != "" {
			text += ": " + o.reason
		}
		fmt.Fprintf(out, "%-8s %9s  %s\n", word, o.took.Round(100*time.Millisecond), text)
		skipped += len(o.tests.skipped)
	}
	warnings(out, all)
	if notRun+skipped > 0 {
		fmt.Fprintln(out, "\nnot run here:")
	}
	for _, o := range all {
		if o.reason != "" && !o.failed {
			fmt.Fprintf(out, "  %s: %s\n", o.name, o.reason)
		}
		for _, s := range grouped(o.tests.skipped) {
			fmt.Fprintf(out, "  %s\n", s)
		}
	}
	// The form is one that continuous integration reads.
	fmt.Fprintf(out, "\nchecks: %d passed, %d failed, %d skipped\n", passed, failed, notRun)
	return failed == 0
}

func warnings(out io.Writer, all []outcome) {
	said := false
	for _, o := range all {
		for _, w := range o.warned {
			if !said {
				fmt.Fprintln(out, "\nwarnings:")
				said = true
			}
			fmt.Fprintf(out, "  %s\n", w)
		}
	}
}

// grouped puts together the tests that were skipped for one reason.
func grouped(skips []skip) (lines []string) {
	var reasons []string
	tests := map[string][]string{}
	for _, s := range skips {
		if tests[s.reason] == nil {
			reasons = append(reasons, s.reason)
		}
		tests[s.reason] = append(tests[s.reason], s.test)
	}
	for _, r := range reasons {
		lines = append(lines, strings.Join(tests[r], ", ")+": "+r)
	}
	return lines
}

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sh(script string) []string { return []string{"sh", "-c", script} }

// try runs one step and gives its outcome and what was printed.
func try(t *testing.T, s step) (outcome, string) {
	t.Helper()
	var out strings.Builder
	o := runner{root: t.TempDir(), logs: t.TempDir(), out: &out}.run(t.Context(), s)
	return o, out.String()
}

func TestSteps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step   step
		failed bool
		reason string
		prints string
	}{
		"passes":                   {step{args: sh("echo fine")}, false, "", "passed in"},
		"fails":                    {step{args: sh("echo wrong; exit 1")}, true, "", "wrong\n"},
		"can not be started":       {step{args: []string{"no-such-program"}}, true, "", "no-such-program"},
		"refuses":                  {step{args: sh("echo CAN NOT RUN: no server; exit 75")}, false, "no server", ""},
		"fails, and speaks":        {step{args: sh("echo CAN NOT RUN: no server; exit 1")}, true, "", "no server"},
		"75 without a word":        {step{args: sh("exit 75")}, true, "", "exit status 75"},
		"passes, and speaks":       {step{args: sh("echo CAN NOT RUN: no server")}, false, "", "passed in"},
		"needs what is not there":  {step{args: sh("true"), needs: "/no/such/tool"}, false, "tool is not installed, see the set-up above", ""},
		"no database":              {step{args: sh("echo govulncheck: fetching vulnerabilities: no route; exit 1"), notRun: noDatabase}, false, "the vulnerability database can not be reached", ""},
		"findings":                 {step{args: sh("echo 'Vulnerability #1: GO-1'; exit 3"), notRun: noDatabase}, true, "", "GO-1"},
		"findings without details": {step{args: sh("echo 'Vulnerability #1: GO-1'; echo fetching vulnerabilities; exit 1"), notRun: noDatabase}, true, "", "GO-1"},
		"tests without a test":     {step{args: sh(`echo '{"Action":"output","Package":"p","Output":"ok  \tp\n"}'`), gotest: true}, true, "", "no test ran"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.step.name = name
			o, out := try(t, c.step)
			if o.failed != c.failed || o.reason != c.reason {
				t.Errorf("failed %v, reason %q; want %v, %q", o.failed, o.reason, c.failed, c.reason)
			}
			if !strings.Contains(out, c.prints) {
				t.Errorf("printed %q, want something with %q", out, c.prints)
			}
		})
	}
}

func TestLogKeepsAllAndTheScreenTheEnd(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	r := runner{root: t.TempDir(), logs: t.TempDir(), out: &out}
	r.run(t.Context(), step{name: "many, lines", args: sh("seq 1000; exit 1")})
	log, err := os.ReadFile(filepath.Join(r.logs, "many-lines.log"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "\n"); n != 1000 {
		t.Errorf("%d lines in the log, want 1000", n)
	}
	if strings.Contains(out.String(), "\n900\n") || !strings.Contains(out.String(), "\n901\n") || !strings.Contains(out.String(), "\n1000\n") {
		t.Errorf("not the last hundred lines: %s", out.String())
	}
}

func TestInterruptEndsWhatTheStepStarted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out strings.Builder
	r := runner{root: t.TempDir(), logs: t.TempDir(), out: &out}
	begun := time.Now()
	o := r.run(ctx, step{name: "long", args: sh("sleep 60 & wait")})
	if !o.failed || o.reason != "interrupted" {
		t.Errorf("%+v", o)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	if o := r.run(ctx, step{name: "next", args: sh("true")}); o.failed || o.reason != "interrupted" {
		t.Errorf("the step after: %+v", o)
	}
}

const stream = `go: downloading example.org/x v1.0.0
{"Action":"start","Package":"github.com/butakero/butakero/internal/a"}
{"Action":"run","Package":"github.com/butakero/butakero/internal/a","Test":"TestGood"}
{"Action":"output","Package":"github.com/butakero/butakero/internal/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"github.com/butakero/butakero/internal/a","Test":"TestGood","Output":"    a_test.go:9: unimportant\n"}
{"Action":"output","Package":"github.com/butakero/butakero/internal/a","Test":"TestGood","Output":"    a_test.go:10: WARNING: x.go: 401 lines\n"}
{"Action":"pass","Package":"github.com/butakero/butakero/internal/a","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"github.com/butakero/butakero/internal/a","Test":"TestDisk","Output":"    a_test.go:12: CAN NOT RUN: needs root\n"}
{"Action":"output","Package":"github.com/butakero/butakero/internal/a","Test":"TestDisk","Output":"--- SKIP: TestDisk (0.00s)\n"}
{"Action":"skip","Package":"github.com/butakero/butakero/internal/a","Test":"TestDisk","Elapsed":0}
{"Action":"output","Package":"github.com/butakero/butakero/internal/a","Output":"PASS\n"}
{"Action":"output","Package":"github.com/butakero/butakero/internal/a","Output":"ok  \tgithub.com/butakero/butakero/internal/a\t0.1s\n"}
{"Action":"pass","Package":"github.com/butakero/butakero/internal/a","Elapsed":0.1}
{"Action":"output","Package":"b","Test":"TestBad","Output":"    b_test.go:3: it is wrong\n"}
{"Action":"output","Package":"b","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"b","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"b","Output":"FAIL\n"}
{"Action":"output","Package":"b","Output":"FAIL\tb\t0.1s\n"}
{"Action":"fail","Package":"b","Elapsed":0.1}
{"ImportPath":"c [c.test]","Action":"build-output","Output":"# c\nc.go:1:1: undefined: x\n"}
{"ImportPath":"c [c.test]","Action":"build-fail"}
{"Action":"output","Package":"c","Output":"FAIL\tc [build failed]\n"}
{"Action":"fail","Package":"c","Elapsed":0,"FailedBuild":"c [c.test]"}
{"Action":"run","Package":"d","Test":"TestPanics"}
{"Action":"output","Package":"d","Test":"TestPanics","Output":"panic: oh\n"}
{"Action":"output","Package":"d","Output":"FAIL\td\t0.1s\n"}
{"Action":"fail","Package":"d","Elapsed":0.1}
{"Action":"skip","Package":"e","Elapsed":0}
`

func TestGotest(t *testing.T) {
	t.Parallel()
	var out, log strings.Builder
	g := newGotest(&out, &log)
	for l := range strings.Lines(stream) {
		g.line(strings.TrimSuffix(l, "\n"))
	}
	g.close()
	if g.passed != 1 || g.tally.failed != 1 || len(g.skipped) != 1 {
		t.Errorf("%+v", g.tally)
	}
	if want := (skip{"internal/a TestDisk", "needs root"}); g.skipped[0] != want {
		t.Errorf("skipped %+v, want %+v", g.skipped[0], want)
	}
	if len(g.warned) != 1 || g.warned[0] != "x.go: 401 lines" {
		t.Errorf("warned %q", g.warned)
	}
	for _, want := range []string{
		"go: downloading", "ok  \tgithub.com/butakero/butakero/internal/a\t0.1s\n", "b_test.go:3: it is wrong\n--- FAIL: TestBad",
		"FAIL\tb\t0.1s\n", "c.go:1:1: undefined: x", "FAIL\tc [build failed]", "panic: oh",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not printed: %q", want)
		}
	}
	if strings.Contains(out.String(), "unimportant") {
		t.Error("printed what a good test says")
	}
	if !strings.Contains(log.String(), "unimportant") {
		t.Error("the log lacks what a good test says")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	all := []outcome{
		{name: "vet", took: time.Second},
		{name: "vulnerabilities", reason: "no database"},
		{name: "tests", tests: tally{passed: 7, skipped: []skip{{"a TestX", "needs root"}, {"b TestY", "needs root"}}}, warned: []string{"x.go: long"}},
	}
	var out strings.Builder
	if !report(&out, all) {
		t.Error("failed, want passed")
	}
	for _, want := range []string{
		"7 tests passed, 0 failed, 2 not run", "NOT RUN", "  vulnerabilities: no database\n", "  a TestX, b TestY: needs root\n",
		"  x.go: long\n", "\nchecks: 2 passed, 0 failed, 1 skipped\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if report(&out, append(all, outcome{name: "lint", failed: true})) {
		t.Error("passed, want failed")
	}
	if !strings.Contains(out.String(), "FAILED") || !strings.Contains(out.String(), "1 failed") {
		t.Error(out.String())
	}
}

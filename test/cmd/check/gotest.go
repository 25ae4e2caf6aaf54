package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// tally counts tests, subtests included, and names those that were skipped.
type tally struct {
	passed, failed int
	skipped        []skip
}

type skip struct{ test, reason string }

// event is a line of go test -json, see go doc test2json.
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // of build-output and build-fail
}

// gotest reads what go test -json writes. It prints a line for each package as go
// test does, and the output of what failed; log gets the plain text of everything.
type gotest struct {
	out, log io.Writer
	tally
	warned []string

	outputs map[string][]string // by package and test
	failed  map[string][]string // by package: its tests that failed
	builds  map[string][]string // by import path: what the compiler says
}

func newGotest(out, log io.Writer) *gotest {
	return &gotest{out: out, log: log, outputs: map[string][]string{}, failed: map[string][]string{}, builds: map[string][]string{}}
}

// most is how many lines of a failed test are printed; the log has all.
const most = 60

var (
	frame   = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME)\b`)
	message = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)$`)
	warning = regexp.MustCompile(`\bWARNING: (.*)$`)
)

func (g *gotest) line(text string) {
	var e event
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &e) != nil || e.Action == "" {
		fmt.Fprintln(g.out, text) // of the go command itself
		fmt.Fprintln(g.log, text)
		return
	}
	if e.Output != "" {
		_, _ = io.WriteString(g.log, e.Output)
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		g.builds[e.ImportPath] = append(g.builds[e.ImportPath], e.Output)
	case "build-fail":
		fmt.Fprint(g.out, strings.Join(g.builds[e.ImportPath], ""))
	case "output":
		g.output(e, key)
	case "pass":
		if e.Test != "" {
			g.passed++
		}
		delete(g.outputs, key)
	case "skip":
		if e.Test != "" {
			g.skipped = append(g.skipped, skip{short(e.Package) + " " + e.Test, reason(g.outputs[key])})
		}
		delete(g.outputs, key)
	case "fail":
		if e.Test != "" {
			g.tally.failed++
			g.failed[e.Package] = append(g.failed[e.Package], key)
			return
		}
		g.explain(e.Package)
	}
}

func (g *gotest) output(e event, key string) {
	text := strings.TrimSuffix(e.Output, "\n")
	if e.Test == "" && (strings.HasPrefix(text, "ok  \t") || strings.HasPrefix(text, "FAIL\t")) {
		fmt.Fprintln(g.out, text)
	}
	if m := message.FindStringSubmatch(text); m != nil {
		if w := warning.FindStringSubmatch(m[1]); w != nil {
			g.warned = append(g.warned, w[1])
		}
	}
	if !frame.MatchString(text) {
		g.outputs[key] = append(g.outputs[key], text)
	}
}

// explain prints what the failed tests of a package have said, and the package
// itself.
func (g *gotest) explain(name string) {
	keys := g.failed[name]
	delete(g.failed, name)
	for key := range g.outputs { // tests that a panic or a time-out has cut short
		if strings.HasPrefix(key, name+" ") && key != name+" " && !slices.Contains(keys, key) && len(keys) == 0 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range append(keys, name+" ") {
		lines := g.outputs[key]
		delete(g.outputs, key)
		if key == name+" " {
			lines = slices.DeleteFunc(lines, func(l string) bool { return l == "FAIL" || l == "PASS" || strings.HasPrefix(l, "FAIL\t") })
		}
		if len(lines) > most {
			fmt.Fprintf(g.out, "    … %d lines more in the log\n", len(lines)-most)
			lines = lines[len(lines)-most:]
		}
		if len(lines) > 0 {
			fmt.Fprintln(g.out, strings.Join(lines, "\n"))
		}
	}
}

// close prints what is left of packages that never ended.
func (g *gotest) close() {
	for name := range g.failed {
		g.explain(name)
	}
}

// reason is the last thing that a skipped test said.
func reason(lines []string) string {
	for _, l := range slices.Backward(lines) {
		if m := message.FindStringSubmatch(l); m != nil {
			return strings.TrimSpace(strings.TrimPrefix(m[1], "CAN NOT RUN:"))
		}
	}
	return "no reason given"
}

func short(pkg string) string {
	return strings.TrimPrefix(pkg, "github.com/butakero/butakero/")
}

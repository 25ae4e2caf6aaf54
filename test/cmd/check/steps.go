package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

// A step is one check: a command that exits 0 if what it checks holds.
type step struct {
	name string
	dir  string // where it runs, below the root
	args []string
	env  []string

	// needs is a file of the set-up without which the step can not run.
	needs string
	// notRun tells from the output of a command that failed why it could not run
	// here; "" if it did run, and what it checks does not hold.
	notRun func(output string) string
	// servers says that it wants the real engines.
	servers bool
	// gotest says that the command writes what go test -json writes.
	gotest bool
}

// couldNotRun is the exit status of a step that says itself that it can not run
// here, in a line that begins with CAN NOT RUN. It is EX_TEMPFAIL of sysexits.
const couldNotRun = 75

const unformatted = `files=$(gofmt -l .) || exit 1
test -z "$files" || { echo "not gofmt-ed:"; echo "$files"; exit 1; }`

// steps is the whole of make test, cheap checks first. cache is where the set-up
// has put the tools.
func steps(cache string) []step {
	tool := func(name string) string { return filepath.Join(cache, "bin", name) }
	linter := tool("golangci-lint")
	tests := func(name, dir, timeout string) step {
		return step{
			name: name, dir: dir, gotest: true, servers: dir == "test",
			args: []string{"go", "test", "-json", "-race", "-count=1", "-timeout", timeout, "./..."},
			env:  []string{"BUTAKERO_TEST_CACHE=" + cache},
		}
	}
	return []step{
		{name: "format", args: []string{"bash", "-c", unformatted}},
		{name: "vet", args: []string{"go", "vet", "./..."}},
		{name: "vet, test module", dir: "test", args: []string{"go", "vet", "./..."}},
		{name: "lint", needs: linter, args: []string{linter, "run", "--allow-serial-runners", "./..."}},
		{name: "lint, test module", dir: "test", needs: linter, args: []string{linter, "run", "--allow-serial-runners", "--config", "../.golangci.yaml", "./..."}},
		{name: "vulnerabilities", needs: tool("govulncheck"), args: []string{tool("govulncheck"), "./..."}, notRun: noDatabase},
		{name: "licences", dir: "test", args: []string{"go", "run", "./cmd/licences"}},
		{name: "build", args: []string{"make", "-s", "build"}},
		tests("tests", "", "15m"),
		tests("tests, test module", "test", "25m"),
		{name: "simulator", dir: "test", args: []string{"go", "test", "-count=1", "-timeout", "10m", "-run", "TestSimulate", "./simulate", "-seeds", "300", "-v"}},
		{name: "model checker", dir: "test", args: []string{"go", "run", "./cmd/modelcheck"}},
		{name: "benchmarks, once", args: []string{"go", "test", "-short", "-run", "^$", "-bench", ".", "-benchtime", "1x", "./..."}},
		{name: "api by schemathesis", needs: filepath.Join(cache, "schemathesis", "bin", "schemathesis"), args: []string{"bash", "scripts/schemathesis.sh", cache}},
		{name: "demo", args: []string{"make", "-s", "demo"}},
	}
}

var finding = regexp.MustCompile(`(?m)^Vulnerability #\d`)

// noDatabase tells a vulnerability database that can not be reached from findings.
func noDatabase(output string) string {
	if strings.Contains(output, "fetching vulnerabilities") && !finding.MatchString(output) {
		return "the vulnerability database can not be reached"
	}
	return ""
}

package main

import (
	"path/filepath"
	"strings"
)

// steps is the whole of make test, cheap checks first.
func steps(cache string) []step {
	bin := func(name string) string { return filepath.Join(cache, "bin", name) }
	return []step{
		{name: "format", args: []string{"bash", "-c", `files=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); test -z "$files" || { echo "not gofmt-ed: $files"; exit 1; }`}},
		{name: "vet", args: []string{"go", "vet", "./..."}},
		{name: "vet test", dir: "test", args: []string{"go", "vet", "./..."}},
		{name: "build", args: []string{"make", "-s", "build"}},
		{name: "lint", args: []string{bin("golangci-lint"), "run", "./..."}, needs: bin("golangci-lint")},
		{name: "lint test", dir: "test", args: []string{bin("golangci-lint"), "run", "--config", "../.golangci.yaml", "./..."}, needs: bin("golangci-lint")},
		{name: "licences", dir: "test", args: []string{"go", "run", "./cmd/licences"}},
		{name: "vulnerabilities", args: []string{bin("govulncheck"), "./..."}, needs: bin("govulncheck"), notRun: noDatabase},
		{name: "tests", args: []string{"go", "test", "-race", "-timeout", "15m", "./..."}},
		{name: "tests test", dir: "test", args: []string{"go", "test", "-race", "-timeout", "25m", "./..."}},
		{name: "benchmarks once", args: []string{"go", "test", "-short", "-run", "^$", "-bench", ".", "-benchtime", "1x", "./..."}},
		{name: "api by schemathesis", args: []string{"bash", "scripts/schemathesis.sh", cache}, needs: filepath.Join(cache, "schemathesis", "bin", "schemathesis")},
		{name: "demo", args: []string{"make", "-s", "demo"}},
	}
}

// noDatabase tells a vulnerability database that can not be reached from
// findings.
func noDatabase(output string) string {
	if strings.Contains(output, "fetching vulnerabilities") {
		return "the vulnerability database can not be reached"
	}
	return ""
}

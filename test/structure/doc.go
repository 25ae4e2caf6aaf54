// Package structure holds the project to its own layout: who may import whom,
// what is registered, what runs its family's suite, and how files look.
//
// Each rule is a function from what it looks at (a graph of packages, the source
// of a file) to its findings, so that it can be shown to convict:
//
//   - layers.go: the parts of the project and the arrows between them
//   - graph.go: rules on the graph that go list gives
//   - adapters.go: the registry and the conformance suites
//   - files.go: rules on single files
//
// structure_test.go holds the project to them, rules_test.go holds them to
// violations made up for the purpose.
package structure

package structure

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the path of the root module; the test module's lies below it.
const Module = "github.com/butakero/butakero"

// Layer is a part of the project with arrows of its own.
type Layer string

// The layers. Outside is every package that is not the project's.
const (
	Outside   Layer = ""
	Commands  Layer = "cmd"
	App       Layer = "app"
	HTTP      Layer = "httpapi"
	Pipeline  Layer = "pipeline"
	Format    Layer = "format"    // below internal/pipeline
	Adapter   Layer = "adapter"   // internal/store/sqlite and the like
	Suite     Layer = "suite"     // internal/store/storetest and the like
	Link      Layer = "link"      // internal/source/link: what a user's text asks for
	Generator Layer = "generator" // programs called gen that make a package's data
	Events    Layer = "events"    // how completion events look on the wire
	Jobs      Layer = "jobs"
	Tests     Layer = "test"
	Unknown   Layer = "unknown"
)

// Suites are the families of adapters, folders below internal, each with the
// package that holds its conformance suite.
var Suites = map[string]string{"store": "storetest", "transport": "transporttest", "blob": "blobtest", "source": "sourcetest"}

// arrows says which layers a layer may import.
var arrows = map[Layer][]Layer{
	Commands:  {App},
	App:       {HTTP, Pipeline, Format, Adapter, Link, Events, Jobs},
	HTTP:      {Jobs, Pipeline, Events},
	Pipeline:  {Jobs, Format},
	Adapter:   {Jobs, Pipeline, Link},
	Suite:     {Jobs, Pipeline},
	Link:      {Jobs},
	Events:    {Jobs},
	Format:    {},
	Generator: {},
	Jobs:      {},
	Tests:     {App, HTTP, Pipeline, Format, Adapter, Suite, Link, Events, Jobs, Tests},
}

// LayerOf tells the layer of an import path.
func LayerOf(path string) Layer {
	rest, ok := strings.CutPrefix(path, Module+"/")
	if !ok {
		return Outside
	}
	parts := strings.Split(rest, "/")
	if parts[0] == "cmd" || parts[0] == "test" {
		return Layer(parts[0])
	}
	if parts[0] != "internal" || len(parts) < 2 {
		return Unknown
	}
	if parts[len(parts)-1] == "gen" {
		return Generator
	}
	if suite, ok := Suites[parts[1]]; ok {
		switch {
		case len(parts) == 2:
			return Unknown
		case parts[2] == suite:
			return Suite
		case parts[1] == "source" && parts[2] == "link":
			return Link
		}
		return Adapter
	}
	switch parts[1] {
	case "pipeline":
		if len(parts) > 2 {
			return Format
		}
		return Pipeline
	case "app", "httpapi", "events", "jobs":
		return Layer(parts[1])
	}
	return Unknown
}

// adapterOf is the folder of the adapter that a package is a part of, such as
// internal/store/sqlite for internal/store/sqlite/schema.
func adapterOf(path string) string {
	parts := strings.SplitN(strings.TrimPrefix(path, Module+"/"), "/", 4)
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// badArrow says what is wrong with an import, "" if nothing.
func badArrow(from, to string) string {
	a, b := LayerOf(from), LayerOf(to)
	switch {
	case b == Outside:
		return ""
	case a == Unknown:
		return fmt.Sprintf("%s has no layer: say in test/structure/layers.go what it may import", from)
	case a == Adapter && b == Adapter:
		if adapterOf(from) != adapterOf(to) {
			return fmt.Sprintf("%s imports %s: adapters must not know each other", from, to)
		}
		return ""
	case a == b && a != Commands && a != Format:
		return "" // within one part
	case !slices.Contains(arrows[a], b):
		return fmt.Sprintf("%s imports %s: %s must not import %s", from, to, a, b)
	}
	return ""
}

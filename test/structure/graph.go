package structure

import (
	"fmt"
	"path"
	"strings"
)

// Package is what go list tells of a package.
type Package struct {
	ImportPath, Dir, Name, Doc         string
	Standard                           bool
	Imports, TestImports, XTestImports []string
}

// Arrows finds imports against the direction of the layers. Tests of the root
// module may import more than what they test, but neither cmd nor test.
func Arrows(all []Package) (found []string) {
	for _, p := range all {
		for _, to := range p.Imports {
			if what := badArrow(p.ImportPath, to); what != "" {
				found = append(found, what)
			}
		}
		if LayerOf(p.ImportPath) == Tests || LayerOf(p.ImportPath) == Outside {
			continue
		}
		for _, to := range append(append([]string{}, p.TestImports...), p.XTestImports...) {
			if l := LayerOf(to); l == Tests || l == Commands && to != p.ImportPath {
				found = append(found, fmt.Sprintf("the tests of %s import %s: nothing may import cmd or test", p.ImportPath, to))
			}
		}
	}
	return found
}

// Purity finds packages of the domain and of the formats that need, however
// indirectly, more than the standard library. all must be closed under Imports.
func Purity(all []Package) (found []string) {
	known := make(map[string]Package, len(all))
	for _, p := range all {
		known[p.ImportPath] = p
	}
	for _, p := range all {
		if l := LayerOf(p.ImportPath); l != Jobs && l != Format {
			continue
		}
		for _, to := range p.Imports {
			if !known[to].Standard && LayerOf(to) != LayerOf(p.ImportPath) {
				found = append(found, fmt.Sprintf("%s imports %s: the standard library alone", p.ImportPath, to))
			}
		}
	}
	return found
}

// TestCode finds what belongs to tests among the packages that the binaries link.
func TestCode(linked []Package) (found []string) {
	for _, p := range linked {
		switch i := p.ImportPath; {
		case i == "testing", strings.HasPrefix(i, "testing/"), strings.HasPrefix(i, "net/http/httptest"),
			strings.Contains(i, "/testify"), strings.Contains(i, "/testcontainers"), LayerOf(i) == Suite, LayerOf(i) == Tests:
			found = append(found, "a binary links "+i)
		}
	}
	return found
}

// emptyNames say nothing of what is in a package.
var emptyNames = map[string]bool{
	"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "model": true, "models": true,
	"mock": true, "mocks": true, "misc": true, "shared": true, "base": true, "lib": true, "types": true,
}

// Names finds packages without documentation, and such whose name says nothing.
// A folder test/model, the model checker, says enough.
func Names(all []Package) (found []string) {
	for _, p := range all {
		if LayerOf(p.ImportPath) == Outside {
			continue
		}
		if strings.TrimSpace(p.Doc) == "" {
			found = append(found, p.ImportPath+" has no package documentation")
		}
		for _, name := range []string{p.Name, path.Base(p.ImportPath)} {
			if emptyNames[name] && p.ImportPath != Module+"/test/model" {
				found = append(found, fmt.Sprintf("%s: the name %q says nothing", p.ImportPath, name))
				break
			}
		}
	}
	return found
}

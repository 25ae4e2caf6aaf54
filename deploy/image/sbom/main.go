// Command sbom writes the bill of materials of an image, as CycloneDX 1.5 JSON: the
// Go modules that are linked into the programs named, and, where they are given, the
// packages of the distribution and of Python. The same input gives the same output.
//
//	sbom -name butakero/worker -version v1.2.3 -dpkg /var/lib/dpkg/status -pip packages.txt worker
package main

import (
	"bufio"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// A component is a line of the bill.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
}

type bill struct {
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

func main() {
	name := flag.String("name", "", "name of the image")
	version := flag.String("version", "", "version of the image")
	dpkg := flag.String("dpkg", "", "status file of dpkg")
	pip := flag.String("pip", "", "what pip list --format=freeze printed")
	flag.Parse()
	if err := run(os.Stdout, *name, *version, *dpkg, *pip, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, name, version, dpkg, pip string, programs []string) error {
	if name == "" || len(programs) == 0 {
		return errors.New("a name and at least one program are needed")
	}
	var all []component
	for _, path := range programs {
		linked, err := modules(path)
		if err != nil {
			return err
		}
		all = append(all, linked...)
	}
	for _, list := range []struct {
		path string
		read func(io.Reader) ([]component, error)
	}{{dpkg, debianPackages}, {pip, pythonPackages}} {
		if list.path == "" {
			continue
		}
		found, err := readFile(list.path, list.read)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b component) int { return cmp.Compare(a.PURL, b.PURL) })
	all = slices.Compact(all)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(bill{
		Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata:   metadata{component{Type: "container", Name: name, Version: version}},
		Components: all,
	})
}

// modules reads from a program what was linked into it, the standard library too.
func modules(path string) ([]component, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	all := []component{{"library", "stdlib", goVersion, "pkg:golang/stdlib@" + goVersion}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, component{"library", m.Path, m.Version, "pkg:golang/" + m.Path + "@" + purlEscape(m.Version)})
	}
	return all, nil
}

// debianPackages reads dpkg's list of what is installed.
func debianPackages(r io.Reader) (all []component, err error) {
	fields := map[string]string{}
	flush := func() {
		if strings.HasSuffix(fields["Status"], " installed") {
			name, version := fields["Package"], fields["Version"]
			all = append(all, component{
				"library", name, version,
				"pkg:deb/debian/" + name + "@" + purlEscape(version) + "?arch=" + fields["Architecture"],
			})
		}
		clear(fields)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "" {
			flush()
		} else if name, text, ok := strings.Cut(lines.Text(), ": "); ok && name[0] != ' ' {
			fields[name] = text
		}
	}
	flush()
	if len(all) == 0 && lines.Err() == nil {
		return nil, errors.New("no package is installed")
	}
	return all, lines.Err()
}

// pythonPackages reads lines of name==version.
func pythonPackages(r io.Reader) (all []component, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, version, ok := strings.Cut(strings.TrimSpace(lines.Text()), "==")
		if !ok {
			return nil, fmt.Errorf("%q is not name==version", lines.Text())
		}
		all = append(all, component{"library", name, version, "pkg:pypi/" + strings.ToLower(name) + "@" + purlEscape(version)})
	}
	return all, lines.Err()
}

func readFile(path string, read func(io.Reader) ([]component, error)) ([]component, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	all, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// purlEscape escapes what a version may hold and a package URL may not.
func purlEscape(version string) string {
	return strings.NewReplacer("%", "%25", "+", "%2B", " ", "%20", ":", "%3A").Replace(version)
}

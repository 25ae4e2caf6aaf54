// Command licences lists the modules that are linked into the binaries with their
// licences, and exits 1 if one is unknown or asks for more than to be named: the
// binaries are given away under MIT, without their source.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// known licences, each by a sentence that no other has; the first that fits
// counts, as the texts of some name others.
var known = []struct{ name, sentence string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"AGPL", "gnu affero general public license"},
	{"LGPL", "gnu lesser general public license"},
	{"LGPL", "gnu library general public license"},
	{"GPL", "gnu general public license"},
	{"SSPL", "server side public license"},
	{"BUSL", "business source license"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD", "redistribution and use in source and binary forms"},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
	{"CC0-1.0", "cc0 1.0 universal"},
	{"public domain", "has been dedicated to the public domain by the authors"},
}

// allowed may be linked: they ask to be named, or for changes to their own files.
var allowed = map[string]bool{
	"Apache-2.0": true, "MIT": true, "BSD": true, "ISC": true, "MPL-2.0": true, "Unlicense": true, "CC0-1.0": true,
	"public domain": true,
}

type module struct {
	Path, Version, Dir string
	Main               bool
}

func main() {
	modules, err := linked()
	if err == nil {
		err = list(os.Stdout, modules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// list prints a line for each module and one for all.
func list(out io.Writer, modules []module) error {
	if len(modules) == 0 {
		return errors.New("no module found")
	}
	bad := 0
	for _, m := range modules {
		names, notes := licencesOf(m.Dir)
		text := strings.Join(append(slices.Clone(names), notes...), ", ")
		if len(names) == 0 {
			text = strings.Join(append([]string{"unknown"}, notes...), ", ")
		}
		if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return !allowed[n] }) {
			bad++
			text += "  <-- may not be linked"
		}
		fmt.Fprintf(out, "%-50s %-40s %s\n", m.Path, m.Version, text)
	}
	fmt.Fprintf(out, "licences: %d modules, %d bad\n", len(modules), bad)
	if bad > 0 {
		return errors.New("see above")
	}
	return nil
}

// linked returns the modules of the packages that the binaries need.
func linked() ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Module", "github.com/butakero/butakero/cmd/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	seen := map[string]module{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Module != nil && !p.Module.Main {
			seen[p.Module.Path] = *p.Module
		}
	}
	return slices.SortedFunc(maps.Values(seen), func(a, b module) int { return strings.Compare(a.Path, b.Path) }), nil
}

// licencesOf names the licences of the files of a module's folder that look as if
// they held one; "unknown" for a text that none of the known sentences is in. A
// file such as LICENSE-LOGO, which is about a part of the module and not known,
// stands for itself in brackets: it is for people to judge.
func licencesOf(dir string) (names, notes []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() || !holdsLicence(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			names = append(names, "unknown")
			continue
		}
		name := identify(string(text))
		if name == "unknown" && strings.ContainsAny(e.Name(), "-_") {
			notes = append(notes, "("+e.Name()+")")
		} else if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, notes
}

func holdsLicence(file string) bool {
	upper := strings.ToUpper(file)
	for _, prefix := range []string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE"} {
		if strings.HasPrefix(upper, prefix) {
			return !strings.HasSuffix(upper, ".GO")
		}
	}
	return false
}

func identify(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	text = strings.ReplaceAll(text, "license, version", "license version")
	for _, l := range known {
		if strings.Contains(text, l.sentence) {
			return l.name
		}
	}
	return "unknown"
}

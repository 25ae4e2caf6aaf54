// Command licences lists the modules that are linked into the binaries with
// their licences, and fails on one that is unknown or may not be linked in.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// licences are known by a sentence that no other has.
var licences = []struct{ name, sentence string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"AGPL", "gnu affero general public license"},
	{"LGPL", "gnu lesser general public license"},
	{"GPL", "gnu general public license"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD", "redistribution and use in source and binary forms"},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
}

var allowed = map[string]bool{"Apache-2.0": true, "MIT": true, "BSD": true, "ISC": true, "MPL-2.0": true, "Unlicense": true}

type module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *module
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run() error {
	modules, err := linked()
	if err != nil {
		return err
	}
	bad := 0
	for _, m := range modules {
		name := licenceOf(m.Dir)
		if !allowed[name] {
			bad++
			name += "  <-- not allowed"
		}
		fmt.Printf("%-50s %-40s %s\n", m.Path, m.Version, name)
	}
	fmt.Printf("licences: %d modules, %d bad\n", len(modules), bad)
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
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ Module *module }
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if p.Module != nil && !p.Module.Main {
			seen[p.Module.Path] = *p.Module
		}
	}
	all := make([]module, 0, len(seen))
	for _, m := range seen {
		all = append(all, m)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all, nil
}

func licenceOf(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "unknown"
	}
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		if !strings.HasPrefix(upper, "LICEN") && !strings.HasPrefix(upper, "COPYING") && !strings.HasPrefix(upper, "UNLICENSE") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // a module's folder
		if err != nil {
			continue
		}
		text := strings.ToLower(strings.Join(strings.Fields(string(raw)), " "))
		text = strings.ReplaceAll(text, "license, version", "license version")
		for _, l := range licences {
			if strings.Contains(text, l.sentence) {
				return l.name
			}
		}
	}
	return "unknown"
}

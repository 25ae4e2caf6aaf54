package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	mit  = "Permission is hereby granted, free of charge, to any person\nobtaining a copy of this software"
	gpl  = "GNU GENERAL PUBLIC LICENSE\n Version 3"
	agpl = "GNU AFFERO GENERAL PUBLIC LICENSE; see also the GNU General Public License"
)

func TestList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string
		bad   bool
	}{
		"one":                   {map[string]string{"LICENSE": mit, "README.md": gpl}, "MIT", false},
		"lines broken anywhere": {map[string]string{"LICENSE.txt": "Apache License\n   Version 2.0, January"}, "Apache-2.0", false},
		"two that may":          {map[string]string{"LICENSE": mit, "LICENSE-GO": "Redistribution and use in source\nand binary forms"}, "MIT, BSD", false},
		"one of two may not":    {map[string]string{"LICENSE": mit, "COPYING": gpl}, "may not be linked", true},
		"a logo of its own":     {map[string]string{"LICENSE": mit, "LICENSE-LOGO": "you may show it"}, "MIT, (LICENSE-LOGO)", false},
		"a logo alone":          {map[string]string{"LICENSE-LOGO": "you may show it"}, "unknown, (LICENSE-LOGO)  <--", true},
		"a part that may not":   {map[string]string{"LICENSE": mit, "LICENSE-PART": gpl}, "may not be linked", true},
		"names another":         {map[string]string{"LICENSE": agpl}, "AGPL  <--", true},
		"nobody knows":          {map[string]string{"LICENSE": "all rights reserved"}, "unknown  <--", true},
		"none":                  {map[string]string{"README.md": mit, "license.go": mit}, "unknown  <--", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			err := list(&out, []module{{Path: "example.org/m", Version: "v1.0.0", Dir: dir}})
			if (err != nil) != c.bad {
				t.Errorf("error %v, want one: %v", err, c.bad)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("%q, want something with %q", out.String(), c.want)
			}
		})
	}
	if list(&strings.Builder{}, nil) == nil {
		t.Error("no module at all is no error")
	}
	if list(&strings.Builder{}, []module{{Path: "example.org/m", Dir: filepath.Join(t.TempDir(), "gone")}}) == nil {
		t.Error("a module without a folder is no error")
	}
}

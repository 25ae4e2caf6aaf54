package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const status = `Package: ffmpeg
Status: install ok installed
Architecture: arm64
Version: 7:5.1.6-0+deb12u1
Description: tools
 Version: not a field

Package: gone
Status: deinstall ok config-files
Version: 1
`

func TestRun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	dpkg, pip := filepath.Join(folder, "status"), filepath.Join(folder, "packages")
	for path, text := range map[string]string{dpkg: status, pip: "yt-dlp==2026.10.26\nBrotli==1.2.1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var once, twice bytes.Buffer
	if err := run(&once, "butakero/worker", "v1", dpkg, pip, []string{self, self}); err != nil {
		t.Fatal(err)
	}
	if err := run(&twice, "butakero/worker", "v1", dpkg, pip, []string{self}); err != nil {
		t.Fatal(err)
	}
	if once.String() != twice.String() {
		t.Error("a program that is named twice changes the bill")
	}
	var b bill
	if err := json.Unmarshal(once.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Metadata.Component.Name != "butakero/worker" || b.Metadata.Component.Version != "v1" {
		t.Errorf("%+v", b)
	}
	for _, want := range []string{
		`"pkg:deb/debian/ffmpeg@7%3A5.1.6-0%2Bdeb12u1?arch=arm64"`, `"pkg:pypi/yt-dlp@2026.10.26"`, `"pkg:pypi/brotli@1.2.1"`, `"pkg:golang/stdlib@1.`,
	} {
		if !strings.Contains(once.String(), want) {
			t.Errorf("%s is not in the bill", want)
		}
	}
	if strings.Contains(once.String(), "gone") {
		t.Error("what is not installed is in the bill")
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"no program":     run(new(bytes.Buffer), "x", "v1", "", "", nil),
		"no name":        run(new(bytes.Buffer), "", "v1", "", "", []string{self}),
		"no Go program":  run(new(bytes.Buffer), "x", "v1", "", "", []string{text}),
		"no dpkg status": run(new(bytes.Buffer), "x", "v1", text, "", []string{self}),
		"no pip list":    run(new(bytes.Buffer), "x", "v1", "", text, []string{self}),
		"no such file":   run(new(bytes.Buffer), "x", "v1", text+"-none", "", []string{self}),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

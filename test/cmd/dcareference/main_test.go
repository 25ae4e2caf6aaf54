package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/pipeline/dca"
)

func write(t *testing.T, path string, frames int) {
	t.Helper()
	m := dca.NewMetadata(dca.Tool{Name: "test", Version: "1"})
	m.Info.Title = "Silence"
	var file bytes.Buffer
	w, err := dca.NewWriter(&file, m)
	if err != nil {
		t.Fatal(err)
	}
	for range frames {
		if err := w.WriteFrame([]byte{0xF8, 0xFF, 0xFE}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "good", "a.dca"), 50)
	write(t, filepath.Join(folder, "good", "deep", "b.dca"), 1)
	write(t, filepath.Join(folder, "bad", "c.dca"), 50)
	write(t, filepath.Join(folder, "bad", "empty.dca"), 0)
	write(t, filepath.Join(folder, "none", "a.txt"), 1)
	bad := filepath.Join(folder, "bad", "c.dca")
	if err := os.Truncate(bad, 400); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"a folder", []string{filepath.Join(folder, "good")}, 0, "a.dca: 50 frames, 1s, \"Silence\"\n", ""},
		{"below it", []string{filepath.Join(folder, "good")}, 0, "b.dca: 1 frames, 20ms, \"Silence\"\n", ""},
		{"a file of any name", []string{filepath.Join(folder, "none", "a.txt")}, 0, "a.txt: 1 frames", ""},
		{"no frames", []string{filepath.Join(folder, "bad", "empty.dca")}, 1, "", "no frames"},
		{"cut", []string{bad}, 1, "", "c.dca: "},
		{"good and bad", []string{filepath.Join(folder, "good"), bad}, 1, "50 frames", "c.dca: "},
		{"no such file", []string{filepath.Join(folder, "nowhere")}, 1, "", "nowhere"},
		{"nothing to read", []string{filepath.Join(folder, "none")}, 1, "", "no .dca file"},
		{"no arguments", nil, 2, "", "usage"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out, errOut bytes.Buffer
			code := run(test.args, &out, &errOut)
			if code != test.code || !strings.Contains(out.String(), test.out) || !strings.Contains(errOut.String(), test.err) || (test.err == "") != (errOut.Len() == 0) {
				t.Errorf("exit %d, want %d\nout: %s\nerr: %s", code, test.code, &out, &errOut)
			}
		})
	}
}

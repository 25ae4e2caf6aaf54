package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/butakero/butakero/test/kube/plane"
)

// call is one call of a stand-in: what it was called with, and what it was given to read.
type call struct {
	Program   string
	Arguments []string
	Input     string
}

func (c call) String() string { return c.Program + " " + strings.Join(c.Arguments, " ") }

func (c call) has(words ...string) bool {
	for _, word := range words {
		if !slices.Contains(c.Arguments, word) {
			return false
		}
	}
	return true
}

// changes tells whether the call would change a cluster.
func (c call) changes() bool {
	if slices.ContainsFunc(c.Arguments, func(a string) bool { return strings.HasPrefix(a, "--dry-run") }) {
		return false
	}
	for _, verb := range []string{"apply", "create", "patch", "delete", "upgrade", "install", "uninstall", "annotate", "label", "scale"} {
		if slices.Contains(c.Arguments, verb) && !slices.Contains(c.Arguments, "can-i") {
			return true
		}
	}
	return false
}

// standIn builds the program that takes the place of kubectl and helm, once. It is not
// this test itself, which the race detector would make slow to start.
var standIn = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "standin") // go test removes that folder
	out, err := exec.Command("go", "build", "-o", path, "./standin").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// stage is a copy of what deploy.sh needs, with stand-ins for kubectl and helm.
type stage struct {
	folder, bin, log string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	root := plane.Root(t)
	s := &stage{folder: t.TempDir(), bin: t.TempDir()}
	s.log = filepath.Join(s.bin, "log")
	for _, name := range []string{"deploy.sh", "deploy"} {
		if err := copyAll(filepath.Join(root, name), filepath.Join(s.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.folder, "deploy/kubernetes/secret.yaml")); err != nil { // somebody's own
		t.Fatal(err)
	}
	program, err := standIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kubectl", "helm"} {
		s.link(t, program, name)
	}
	for _, name := range []string{"bash", "sed", "awk", "grep", "cut", "tr", "head", "tail", "base64", "cat", "mktemp", "seq", "sleep", "dirname", "wc", "rm", "curl", "sort"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%s is missing, and deploy.sh needs it: %v", name, err)
		}
		s.link(t, path, name)
	}
	return s
}

func (s *stage) link(t *testing.T, path, name string) {
	t.Helper()
	if err := os.Symlink(path, filepath.Join(s.bin, name)); err != nil {
		t.Fatal(err)
	}
}

func copyAll(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, info.Mode())
}

// deploy runs deploy.sh and returns its exit code, all that it said, and its calls.
func (s *stage) deploy(t *testing.T, environment []string, arguments ...string) (code int, said string, calls []call) {
	t.Helper()
	if err := os.RemoveAll(s.log); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "bash"), append([]string{filepath.Join(s.folder, "deploy.sh")}, arguments...)...)
	cmd.Env = append([]string{"PATH=" + s.bin, "STANDIN_LOG=" + s.log}, environment...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var ended *exec.ExitError
	if err := cmd.Run(); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(s.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		var c call
		if line == "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	return code, out.String(), calls
}

// answers are rules "part of the call => answer", with | for the end of a line; an
// answer "! words" fails.
func answers(rules ...string) string { return "STANDIN_ANSWERS=" + strings.Join(rules, "\n") }

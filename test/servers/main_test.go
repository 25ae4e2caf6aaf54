package main

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/butakero/butakero/test/servers/servers"
)

// The test binary is also the command, so that it can be run as a process.
func TestMain(m *testing.M) {
	if os.Getenv("SERVERS_TEST_AS_COMMAND") != "" {
		main()
	}
	servers.Main(m)
}

// process is the command in a process of its own that is given no servers.
func process(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, arguments...)
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); !strings.HasPrefix(name, "BUTAKERO_TEST_") || name == "BUTAKERO_TEST_CACHE" {
			cmd.Env = append(cmd.Env, line)
		}
	}
	cmd.Env = append(cmd.Env, "SERVERS_TEST_AS_COMMAND=1")
	cmd.Stderr = os.Stderr
	return cmd
}

func TestRunPassesTheEnvironmentAndTheExitCode(t *testing.T) {
	t.Parallel()
	cmd := process(t, "run", "dynamodb", "--", "sh", "-c", `echo "$BUTAKERO_TEST_DYNAMODB_ENDPOINT"; exit 7`)
	out, _ := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d, not the command's 7", code)
	}
	address := strings.TrimSpace(string(out))
	if !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Fatalf("the command was given %q", address)
	}
	if answers(address) {
		t.Errorf("%s is still there", address)
	}
}

func TestRunEndsAllWhenItIsAskedTo(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			cmd := process(t, "run", "dynamodb", "--", "sh", "-c", `echo "$BUTAKERO_TEST_DYNAMODB_ENDPOINT"; exec sleep 600`)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			address, err := lines.ReadString('\n')
			if err != nil || !answers(strings.TrimSpace(address)) {
				t.Fatalf("given %q, %v", address, err)
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			// The end of the output is the end of sleep, which holds the other side.
			if _, err := lines.ReadString('\n'); err == nil {
				t.Error("it says more")
			}
			if err := cmd.Wait(); err == nil {
				t.Error("exit code 0")
			}
			if s != syscall.SIGKILL && answers(strings.TrimSpace(address)) {
				t.Errorf("%s is still there", address)
			}
		})
	}
}

func TestUpStatusSharedDown(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	here := func(arguments ...string) (int, string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := command(t.Context(), arguments, &out, &errs)
		return code, out.String() + errs.String()
	}
	t.Cleanup(func() {
		if _, err := servers.Down(context.WithoutCancel(t.Context()), state, servers.Names()); err != nil {
			t.Error(err)
		}
	})
	code, said := here("up", "--state", state, "dynamodb")
	line, _, _ := strings.Cut(said, "\n")
	address := strings.Trim(strings.TrimPrefix(line, "export BUTAKERO_TEST_DYNAMODB_ENDPOINT="), "'")
	if code != 0 || !answers(address) {
		t.Fatalf("up: exit code %d, %s", code, said)
	}
	if code, again := here("up", "--state", state, "dynamodb"); code != 0 || again != said {
		t.Errorf("a second up: exit code %d, %s", code, again)
	}
	if code, said := here("env", "--state", state); code != 0 || said != "BUTAKERO_TEST_DYNAMODB_ENDPOINT="+address+"\n" {
		t.Errorf("env: exit code %d, %s", code, said)
	}
	if code, said := here("status", "--state", state); code != 0 || !strings.Contains(said, "ready") {
		t.Errorf("status: exit code %d, %s", code, said)
	}
	// A process that is given the address starts none of its own.
	cmd := process(t, "run", "dynamodb", "--", "sh", "-c", `echo "$BUTAKERO_TEST_DYNAMODB_ENDPOINT"`)
	cmd.Env = append(cmd.Env, "BUTAKERO_TEST_DYNAMODB_ENDPOINT="+address)
	if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != address {
		t.Errorf("the other process used %q, %v", out, err)
	}
	if !answers(address) {
		t.Error("the other process has ended what it did not start")
	}
	if code, said := here("down", "--state", state); code != 0 || said != "dynamodb has ended\n" {
		t.Errorf("down: exit code %d, %s", code, said)
	}
	if answers(address) {
		t.Error("it answers after down")
	}
	if code, said := here("status", "--state", state); code != 0 || said != "nothing runs\n" {
		t.Errorf("status: exit code %d, %s", code, said)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"", usage, "Usage:"},
		{"--help", 0, "Usage:"},
		{"up --help", 0, "Usage:"},
		{"fly", usage, "unknown command fly"},
		{"up oracle", usage, `unknown server "oracle": kafka, sqs`},
		{"up --speed", usage, "speed"},
		{"run kafka", usage, "behind --"},
		{"up -- true", usage, "behind --"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if code := command(t.Context(), strings.Fields(c.line), &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit code %d, not %d; it says %s", code, c.code, &out)
			}
		})
	}
}

// answers tells whether anybody listens at a URL.
func answers(url string) bool {
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	return c.Close() == nil
}

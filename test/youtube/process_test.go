package youtube_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	buildOnce sync.Once
	programIn string
	errBuild  error
)

// program builds butakero and worker once, outside the checkout.
func program(t *testing.T, name string) string {
	t.Helper()
	buildOnce.Do(func() {
		if programIn, errBuild = os.MkdirTemp("", "butakero-youtube-"); errBuild != nil {
			return
		}
		for _, p := range []string{"butakero", "worker"} {
			out, err := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(programIn, p), "github.com/butakero/butakero/cmd/"+p).CombinedOutput()
			if err != nil {
				errBuild = fmt.Errorf("build %s: %w\n%s", p, err, out)
				return
			}
		}
	})
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return filepath.Join(programIn, name)
}

func removeProgram() {
	if programIn != "" {
		_ = os.RemoveAll(programIn)
	}
}

// process is a running binary.
type process struct {
	cmd    *exec.Cmd
	base   string
	output *output
}

// start runs a binary with settings and waits until it listens.
func start(t *testing.T, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{output: &output{}, cmd: exec.Command(program(t, name), args...)}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout = p.output
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			_, _ = fmt.Fprintln(p.output, lines.Text())
			if _, rest, ok := strings.Cut(lines.Text(), "msg=listening address="); ok {
				address, _, _ := strings.Cut(rest, " ")
				select {
				case listening <- "http://" + address:
				default:
				}
			}
		}
		_ = p.cmd.Wait() // how it ended is nobody's question here
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-ended
	})
	select {
	case p.base = <-listening:
	case <-ended:
		t.Fatalf("%s ended at once:\n%s", name, p.output)
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not listen:\n%s", name, p.output)
	}
	return p
}

// Package proc runs the real program for tests: built once, started with port 0,
// ready when it says where it listens, gone when its test is over.
package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var program struct {
	sync.Once
	path string
	err  error
}

// Program returns the path of bin/butakero, built from the present sources into a
// temporary folder. [Main] removes that folder.
func Program(tb testing.TB) string {
	tb.Helper()
	program.Do(func() {
		dir, err := os.MkdirTemp("", "butakero-proc-")
		if err != nil {
			program.err = err
			return
		}
		program.path = filepath.Join(dir, "butakero")
		out, err := exec.Command("go", "build", "-o", program.path, "github.com/butakero/butakero/cmd/butakero").CombinedOutput()
		if err != nil {
			program.err = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if program.err != nil {
		tb.Fatal(program.err)
	}
	return program.path
}

// Main is the body of a TestMain: it runs the tests, removes what Program has built
// and exits.
func Main(m *testing.M) {
	code := m.Run()
	if program.path != "" {
		_ = os.RemoveAll(filepath.Dir(program.path))
	}
	os.Exit(code)
}

// Process is a running butakero up.
type Process struct {
	Cmd  *exec.Cmd
	Base string // its address: http://127.0.0.1:PORT

	output output
	ended  chan struct{}
	err    error // of Wait, valid after ended
}

// Up starts butakero up on a data folder and waits until it is ready. More
// arguments and settings can be given. It is killed at the end of the test, if it
// is there then.
func Up(tb testing.TB, folder string, args, env []string) (*Process, error) {
	tb.Helper()
	p := &Process{ended: make(chan struct{})}
	p.Cmd = exec.CommandContext(tb.Context(), Program(tb), append([]string{"up", "--listen", "127.0.0.1:0", "--data-dir", folder}, args...)...)
	p.Cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + tb.TempDir(), "BUTAKERO_RATE_PER_SECOND=0"}, env...)
	p.Cmd.Stderr = &p.output
	bind(p.Cmd)
	stdout, err := p.Cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	base := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			_, _ = fmt.Fprintln(&p.output, lines.Text()) // it takes everything
			if address, ok := strings.CutPrefix(lines.Text(), "Butakero is up on "); ok {
				select {
				case base <- address:
				default: // said again
				}
			}
		}
		p.err = p.Cmd.Wait()
		close(p.ended)
	}()
	tb.Cleanup(p.Kill)
	select {
	case p.Base = <-base:
		return p, nil
	case <-p.ended:
		return p, fmt.Errorf("ended at once: %w\n%s", p.err, p)
	case <-time.After(30 * time.Second):
		p.Kill()
		return p, fmt.Errorf("not up after 30 s\n%s", p)
	}
}

// Kill is kill -9, and waits for the end.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // it may be over
	<-p.ended
}

// End sends a signal and waits for the process, which must go by itself within a
// time. It returns what Wait says: nil for exit code 0.
func (p *Process) End(tb testing.TB, s os.Signal, within time.Duration) error {
	tb.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		tb.Fatal(err)
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(within):
		tb.Fatalf("still there %s after %s:\n%s", within, s, p)
		return nil
	}
}

// String is what the process has said so far, on both its outputs.
func (p *Process) String() string { return p.output.String() }

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// output collects what a process says.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

package chaos_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	binary    string
	errBuild  error
)

// program builds bin/butakero once, outside the checkout.
func program(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		dir, err := os.MkdirTemp("", "butakero-chaos-")
		if err != nil {
			errBuild = err
			return
		}
		binary = filepath.Join(dir, "butakero")
		out, err := exec.Command("go", "build", "-o", binary, "github.com/butakero/butakero/cmd/butakero").CombinedOutput()
		if err != nil {
			errBuild = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return binary
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary != "" {
		_ = os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// process is a running butakero up.
type process struct {
	cmd    *exec.Cmd
	base   string
	output *output
	ended  chan struct{}
	err    error // of Wait, valid after ended
}

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

// start runs butakero up on a data folder; env adds settings.
func start(t *testing.T, folder string, env ...string) (*process, error) {
	t.Helper()
	p := &process{output: &output{}, ended: make(chan struct{})}
	p.cmd = exec.Command(program(t), "up", "--listen", "127.0.0.1:0", "--data-dir", folder)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "BUTAKERO_RATE_PER_SECOND=0", "BUTAKERO_SOURCE=demo"}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = p.output
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	base := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			fmt.Fprintln(p.output, lines.Text())
			if address, ok := strings.CutPrefix(lines.Text(), "Butakero is up on "); ok {
				base <- address
			}
		}
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill() })
	select {
	case p.base = <-base:
		return p, nil
	case <-p.ended:
		return p, fmt.Errorf("ended at once: %w\n%s", p.err, p.output)
	case <-time.After(30 * time.Second):
		p.kill()
		return p, fmt.Errorf("not up after 30 s\n%s", p.output)
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// end sends a signal and waits for the process, which must go by itself.
func (p *process) end(t *testing.T, s os.Signal, within time.Duration) error {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(within):
		t.Fatalf("still there %s after %s:\n%s", within, s, p.output)
		return nil
	}
}

var client = &http.Client{Timeout: 10 * time.Second}

// call makes a request and decodes the answer.
func call(ctx context.Context, method, address string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return res.StatusCode, fmt.Errorf("%s %s: %d %s", method, address, res.StatusCode, raw)
	}
	return res.StatusCode, json.Unmarshal(raw, into)
}

type accepted struct {
	Operation string `json:"operation_id"`
	Song      string `json:"song_id"`
}

func (p *process) submit(ctx context.Context, song string) (a accepted, err error) {
	_, err = call(ctx, http.MethodPost, p.base+"/api/v1/audio/start?song="+url.QueryEscape(song), &a)
	if err == nil && a.Operation == "" {
		err = errors.New("no operation id")
	}
	return a, err
}

type operation struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Job   struct {
		State   string `json:"state"`
		Attempt int    `json:"attempt"`
		Stage   string `json:"stage"`
		Error   *struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"last_error"`
	} `json:"job"`
	File *struct {
		Path   string `json:"path"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
		Frames int64  `json:"frames"`
	} `json:"file"`
}

func (p *process) operation(ctx context.Context, id string) (o operation, err error) {
	_, err = call(ctx, http.MethodGet, p.base+"/api/v1/operations/"+id, &o)
	return o, err
}

// until calls f again and again until it says yes.
func until(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(within)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("after %s: %s", within, what)
		}
	}
}

// lines yields the lines of an answer.
func lines(t *testing.T, res *http.Response) func(yield func(string) bool) {
	t.Helper()
	return func(yield func(string) bool) {
		scanner := bufio.NewScanner(res.Body)
		for scanner.Scan() {
			if !yield(scanner.Text()) {
				return
			}
		}
	}
}

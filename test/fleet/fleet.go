package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// built are binaries from the present sources, made once.
type built struct {
	tags string

	sync.Once
	folder string
	err    error
}

var (
	programs = &built{}
	failing  = &built{tags: "failpoints"} // they die where they are told to, and witness what they do
)

// program returns the path of a binary: of a test build for those that are to fail.
func program(tb testing.TB, name string, env []string) string {
	tb.Helper()
	b := programs
	if slices.ContainsFunc(env, func(pair string) bool { return strings.HasPrefix(pair, "FAILPOINT") }) {
		b = failing
	}
	b.Do(b.build)
	if b.err != nil {
		tb.Fatal(b.err)
	}
	return filepath.Join(b.folder, name)
}

func (b *built) build() {
	if b.folder, b.err = os.MkdirTemp("", "butakero-fleet-"); b.err != nil {
		return
	}
	out, err := exec.Command("go", "build", "-tags", b.tags, "-o", b.folder+"/",
		"github.com/butakero/butakero/cmd/api", "github.com/butakero/butakero/cmd/worker", "github.com/butakero/butakero/cmd/butakero").CombinedOutput()
	if err != nil {
		b.err = fmt.Errorf("build: %w\n%s", err, out)
	}
}

func (b *built) remove() {
	if b.folder != "" {
		_ = os.RemoveAll(b.folder)
	}
}

// process is a running api or worker.
type process struct {
	kind  string
	cmd   *exec.Cmd
	base  string // of its HTTP
	out   *output
	ended chan struct{}
	err   error

	doomed bool // it may die at its failpoint
}

// output keeps what a process has said, and waits for where it listens.
type output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	listen chan string
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if m := listening.FindSubmatch(p); m != nil {
		select {
		case o.listen <- string(m[1]):
		default:
		}
	}
	return len(p), nil
}

// String is the end of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.text.Bytes()
	return string(b[max(0, len(b)-6000):])
}

// start starts an api or a worker and waits until it listens.
func start(tb testing.TB, kind string, env []string) *process {
	tb.Helper()
	p, err := launch(tb, kind, env)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func launch(tb testing.TB, kind string, env []string) (*process, error) {
	p := &process{kind: kind, out: &output{listen: make(chan string, 1)}, ended: make(chan struct{})}
	p.doomed = slices.ContainsFunc(env, func(pair string) bool { return strings.HasPrefix(pair, "FAILPOINT=") })
	p.cmd = exec.Command(program(tb, kind, env))
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + tb.TempDir()}, env...)
	p.cmd.Stderr, p.cmd.Stdout = p.out, p.out
	if err := servers.Spawn(p.cmd); err != nil {
		return nil, err
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	tb.Cleanup(p.kill)
	select {
	case address := <-p.out.listen:
		p.base = "http://" + address
	case <-p.ended:
		return nil, fmt.Errorf("%s ended at once: %w\n%s", kind, p.err, p.out)
	case <-time.After(60 * time.Second):
		return nil, fmt.Errorf("%s does not listen\n%s", kind, p.out)
	}
	return p, nil
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be over
	<-p.ended
}

// stop asks a process to end, which it must within 40 s.
func (p *process) stop(tb testing.TB) {
	tb.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if p.err != nil && !p.doomed {
			tb.Errorf("%s: %v\n%s", p.kind, p.err, p.out)
		}
	case <-time.After(40 * time.Second):
		tb.Errorf("%s does not end\n%s", p.kind, p.out)
		p.kill()
	}
}

// operation is what a client sees of one.
type operation struct {
	ID     string `json:"id"`
	SongID string `json:"song_id"`
	State  string `json:"state"`
	Job    struct {
		State     string `json:"state"`
		Attempt   int    `json:"attempt"`
		LastError *struct {
			Code string `json:"code"`
		} `json:"last_error"`
	} `json:"job"`
	File *struct {
		Path   string `json:"path"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
		Frames int64  `json:"frames"`
	} `json:"file"`
}

// answer is a status and a body.
type answer struct {
	status int
	body   []byte
}

// call asks an api.
func call(ctx context.Context, method, address string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return answer{}, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, b}, err
}

// submit asks for a song as the original's clients do, and returns the operation
// that was accepted.
func (p *process) submit(ctx context.Context, song string) (id string, status int, err error) {
	a, err := call(ctx, http.MethodPost, p.base+"/api/v1/audio/start?song="+url.QueryEscape(song))
	if err != nil || a.status != http.StatusOK {
		return "", a.status, err
	}
	var started struct {
		Operation string `json:"operation_id"`
	}
	if err := json.Unmarshal(a.body, &started); err != nil || started.Operation == "" {
		return "", a.status, fmt.Errorf("%s: %w", a.body, err)
	}
	return started.Operation, a.status, nil
}

func (p *process) operation(ctx context.Context, id string) (o operation, err error) {
	a, err := call(ctx, http.MethodGet, p.base+"/api/v1/operations/"+id)
	if err != nil {
		return o, err
	}
	if a.status != http.StatusOK {
		return o, fmt.Errorf("status %d: %s", a.status, a.body)
	}
	return o, json.Unmarshal(a.body, &o)
}

// until waits for a condition.
func until(tb testing.TB, within time.Duration, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("after %s: %s", within, what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// ask has clients ask for songs, in turn at the apis, each until it is answered.
func ask(tb testing.TB, l *ledger, apis []*process, from, to int) {
	tb.Helper()
	var clients sync.WaitGroup
	next := make(chan int)
	for c := range 4 {
		clients.Go(func() {
			for i := range next {
				for try := range 200 {
					id, _, err := apis[(c+try)%len(apis)].submit(tb.Context(), songName(i))
					if err == nil && id != "" {
						l.accept(tb, id, songName(i))
						break
					}
					<-time.After(100 * time.Millisecond)
				}
			}
		})
	}
	for i := from; i < to; i++ {
		next <- i
	}
	close(next)
	clients.Wait()
}

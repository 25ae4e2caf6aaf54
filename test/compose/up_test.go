//go:build deploycheck

package compose

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// stack is a folder with compose.yaml and the original's settings, in which the
// documented commands are given, word by word.
type stack struct {
	folder, url string
	env         []string
}

// source takes the place of YouTube, which can not be asked; docker compose reads this
// file by itself.
const source = `services:
  backend-application: {environment: {BUTAKERO_SOURCE: demo}}
  worker: {environment: {BUTAKERO_SOURCE: demo, BUTAKERO_LOG_LEVEL: info}}
  backend-application-aws: {environment: {BUTAKERO_SOURCE: demo}}
  worker-aws: {environment: {BUTAKERO_SOURCE: demo}}
`

func newStack(t *testing.T, portName string) *stack {
	t.Helper()
	port := freePort(t)
	s := &stack{
		folder: folder(t, "testdata/test_local.env"), url: "http://127.0.0.1:" + port,
		env: []string{"BUTAKERO_VERSION=check", portName + "=" + port, "COMPOSE_PROJECT_NAME=check-" + strings.ToLower(t.Name())},
	}
	if err := os.WriteFile(filepath.Join(s.folder, "compose.override.yaml"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := docker.Compose(context.WithoutCancel(t.Context()), s.folder, s.env, "--profile", "*", "logs", "--tail", "40")
			t.Log(out)
		}
		if _, err := docker.Compose(context.WithoutCancel(t.Context()), s.folder, s.env, "--profile", "*", "down", "-v", "-t", "30"); err != nil {
			t.Error(err)
		}
	})
	return s
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// compose gives one command, as it is written.
func (s *stack) compose(t *testing.T, command string) string {
	t.Helper()
	began := time.Now()
	out, err := docker.Compose(t.Context(), s.folder, s.env, strings.Fields(command)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("docker compose %s: %s", command, time.Since(began).Round(time.Second))
	return out
}

// follow gives a command that goes on, until a line of it has the word.
func (s *stack) follow(t *testing.T, command, word string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(docker.Cache, "bin", "docker-compose"), strings.Fields(command)...)
	cmd.Dir, cmd.Env = s.folder, append(docker.Env(), s.env...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(out); !found && lines.Scan(); {
		found = strings.Contains(lines.Text(), word)
	}
	cancel()
	_ = cmd.Wait()
	if !found {
		t.Errorf("docker compose %s: no line with %q", command, word)
	}
}

func (s *stack) call(t *testing.T, method, path string, into any) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return &url.Error{Op: resp.Status, URL: path, Err: io.EOF}
	}
	return json.Unmarshal(body, into)
}

type started struct {
	Operation string `json:"operation_id"`
	Song      string `json:"song_id"`
}

func (s *stack) start(t *testing.T, song string) (o started) {
	t.Helper()
	if err := s.call(t, http.MethodPost, "/api/v1/audio/start?song="+url.QueryEscape(song), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// done waits for the original's answer that the song is made.
func (s *stack) done(t *testing.T, o started) (path string) {
	t.Helper()
	var answer struct {
		Status struct {
			Status string
			File   *struct {
				Path string `json:"file_path"`
			} `json:"file_data"`
		}
	}
	wait(t, "song "+o.Song, 2*time.Minute, func() bool {
		err := s.call(t, http.MethodGet, "/api/v1/audio/status?operation_id="+o.Operation+"&song_id="+o.Song, &answer)
		return err == nil && answer.Status.Status != "iniciando"
	})
	if answer.Status.Status != "success" || answer.Status.File == nil {
		t.Fatalf("%+v", answer)
	}
	return answer.Status.File.Path
}

func wait(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(within)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

func (s *stack) healthy(t *testing.T) {
	t.Helper()
	wait(t, "the API", 2*time.Minute, func() bool {
		var health map[string]any
		return s.call(t, http.MethodGet, "/api/v1/health", &health) == nil
	})
}

// The original's commands, with its file of settings: songs are made, and neither down nor
// another version loses what waits.
func TestUp(t *testing.T) {
	s := newStack(t, "API_PORT")
	cookies := filepath.Join(s.folder, "yt-cookies.txt")
	if err := os.WriteFile(cookies, []byte("# Netscape HTTP Cookie File\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.compose(t, "up -d")
	s.healthy(t)
	first := s.start(t, "luna de octubre")
	path := s.done(t, first)
	t.Log(path)
	s.follow(t, "logs -f", "listening")
	s.follow(t, "logs -f backend-application", "listening")

	if got := s.compose(t, "exec -T worker stat -c %u:%a /run/cookies/yt-cookies.txt"); strings.TrimSpace(got) != "65532:400" {
		t.Errorf("cookies: %q", got)
	}
	if err := os.Remove(cookies); err != nil {
		t.Fatal(err)
	}
	s.compose(t, "run --rm -T cookies")
	if got := s.compose(t, "exec -T worker ls /run/cookies"); strings.TrimSpace(got) != "" {
		t.Errorf("cookies that were taken away: %q", got)
	}
	s.publishedOnlyAPI(t)

	if said := s.compose(t, "up -d"); strings.Contains(said, "Recreate") {
		t.Errorf("a second up changes something: %s", said)
	}
	// What is accepted while no worker is there outlives down.
	s.compose(t, "stop worker")
	second := s.start(t, "cafe del puerto")
	s.compose(t, "down")
	s.compose(t, "up -d")
	s.healthy(t)
	s.done(t, second)
	if again := s.done(t, first); again != path {
		t.Errorf("the first song was at %s, now at %s", path, again)
	}

	// Another version, and back.
	for _, image := range []string{"api", "worker"} {
		if _, err := docker.Docker(t.Context(), "tag", "butakero/"+image+":check", "butakero/"+image+":check-next"); err != nil {
			t.Fatal(err)
		}
	}
	before := s.env
	s.env = append(slices.Clone(before), "BUTAKERO_VERSION=check-next")
	s.compose(t, "up -d")
	s.healthy(t)
	s.done(t, s.start(t, "paper lights"))
	s.env = before
	s.compose(t, "up -d")
	s.healthy(t)
	s.done(t, s.start(t, "rio claro"))
	s.compose(t, "up -d --scale worker=2")
	s.done(t, s.start(t, "radio vieja"))
}

// publishedOnlyAPI asks the engine, not the file.
func (s *stack) publishedOnlyAPI(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(s.compose(t, "ps --format {{.Service}}\t{{.Ports}}")) {
		service, ports, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if open := strings.Contains(ports, "->"); open != (service == "backend-application") || open && !strings.HasPrefix(ports, "127.0.0.1:") {
			t.Errorf("%s is reached by %q", service, ports)
		}
	}
	for _, engine := range []string{"kafka", "mongodb"} {
		if routes := s.compose(t, "exec -T "+engine+" cat /proc/net/route"); strings.Contains(routes, "\t00000000\t") {
			t.Errorf("%s has a way out:\n%s", engine, routes)
		}
	}
	if routes := s.compose(t, "exec -T worker cat /proc/net/route"); !strings.Contains(routes, "\t00000000\t") {
		t.Error("the worker has no way out")
	}
}

// The demo alone: one container, no file, no engine.
func TestDemo(t *testing.T) {
	s := newStack(t, "DEMO_PORT")
	if err := os.Remove(filepath.Join(s.folder, "test_local.env")); err != nil {
		t.Fatal(err)
	}
	s.compose(t, "up -d demo")
	s.healthy(t)
	s.done(t, s.start(t, "luna de octubre"))
	if running := strings.Fields(s.compose(t, "ps --services")); !slices.Equal(running, []string{"demo"}) {
		t.Errorf("running: %q", running)
	}
}

// The same API and worker on stand-ins for AWS, whose queue and tables outlive down.
func TestAWS(t *testing.T) {
	s := newStack(t, "AWS_PORT")
	s.compose(t, "up -d backend-application-aws")
	s.healthy(t)
	s.done(t, s.start(t, "luna de octubre"))
	s.compose(t, "stop worker-aws")
	waiting := s.start(t, "cafe del puerto")
	s.compose(t, "--profile aws down")
	s.compose(t, "up -d backend-application-aws")
	s.healthy(t)
	s.done(t, waiting)
}

package app

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each role asks its own address and path, from the environment, the file or the
// default, in this order; where all interfaces are meant, loopback is asked.
func TestListenAddress(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("BUTAKERO_LISTEN=0.0.0.0:9001\nBUTAKERO_WORKER_LISTEN=:9002\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		role    Role
		environ []string
		file    string
		want    string
	}{
		"default":              {RoleAPI, nil, "", "127.0.0.1:8080"},
		"default of a worker":  {RoleWorker, nil, "", "127.0.0.1:8081"},
		"both roles":           {RoleUp, nil, "", "127.0.0.1:8080"},
		"file":                 {RoleAPI, nil, file, "127.0.0.1:9001"},
		"file of a worker":     {RoleWorker, nil, file, "127.0.0.1:9002"},
		"environment":          {RoleAPI, []string{"BUTAKERO_LISTEN=10.1.2.3:80"}, file, "10.1.2.3:80"},
		"empty is not set":     {RoleAPI, []string{"BUTAKERO_LISTEN="}, file, "127.0.0.1:9001"},
		"not the other's name": {RoleWorker, []string{"BUTAKERO_LISTEN=10.1.2.3:80"}, "", "127.0.0.1:8081"},
		"IPv6":                 {RoleAPI, []string{"BUTAKERO_LISTEN=[::]:80"}, "", "[::1]:80"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := listenAddress(c.role, c.environ, c.file)
			if err != nil || got != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
	if _, err := listenAddress(RoleAPI, []string{"BUTAKERO_LISTEN=nonsense"}, ""); err == nil {
		t.Error("nonsense was taken for an address")
	}
	if _, err := listenAddress(RoleAPI, nil, file+"-none"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	answers := map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "the store is away", answers[r.URL.Path])
	}))
	defer server.Close()
	environ := []string{
		"BUTAKERO_LISTEN=" + server.Listener.Addr().String(),
		"AWS_SECRET_NAME=nobody-may-ask-for-this", "BUTAKERO_NO_SUCH_NAME=1",
	}
	var said bytes.Buffer
	if code := health(RoleAPI, "/healthz", environ, "", &said); code != 0 {
		t.Errorf("live: %d, %s", code, &said)
	}
	if code := health(RoleAPI, "/readyz", environ, "", &said); code != 1 || !strings.Contains(said.String(), "the store is away") {
		t.Errorf("ready: %d, %s", code, &said)
	}
	redirect := httptest.NewServer(http.RedirectHandler(server.URL+"/healthz", http.StatusFound))
	defer redirect.Close()
	if code := health(RoleAPI, "/healthz", []string{"BUTAKERO_LISTEN=" + redirect.Listener.Addr().String()}, "", &said); code != 1 {
		t.Errorf("a redirect counts as healthy")
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if code := health(RoleAPI, "/healthz", []string{"BUTAKERO_LISTEN=" + gone}, "", &said); code != 1 {
		t.Errorf("nobody listens: %d", code)
	}
}

// A server that takes the connection and never answers is not well.
func TestHealthOfTheDumb(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	done := make(chan error, 1)
	go func() { done <- ask(ctx, server.URL) }()
	<-asked
	cancel()
	if err := <-done; err == nil {
		t.Error("silence counts as healthy")
	}
}

func TestCommandRefusesUnknownArguments(t *testing.T) {
	t.Parallel()
	if code := Command(RoleAPI, "", "", []string{"heath"}); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if code := Command(RoleAPI, "v1", "", []string{"version"}); code != 0 {
		t.Errorf("version: exit code %d", code)
	}
}

//go:build deploycheck

// Package engine runs a Docker engine for the tests of the images and of Compose: one of
// its own, with its own data in the cache, that ends with the tests; or, where
// BUTAKERO_TEST_DOCKER_HOST names one, that one. Where no registry can be reached, the
// images' bases are made here, as the same Debian with the same Go.
package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Engine is a running engine.
type Engine struct {
	Host   string // as DOCKER_HOST has it
	Cache  string
	client string
	folder string
	daemon *exec.Cmd
	ended  chan struct{}
	rules  []byte // of the packet filter, as they were
	lock   *os.File
}

const howTo = "bash scripts/setup.sh docker installs it"

// CacheFolder is where scripts/setup.sh puts things.
func CacheFolder() (string, error) {
	if dir := os.Getenv("BUTAKERO_TEST_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "butakero"), err
}

// Start starts the engine, or finds the one that the environment names.
func Start(ctx context.Context) (*Engine, error) {
	cache, err := CacheFolder()
	if err != nil {
		return nil, err
	}
	if host := os.Getenv("BUTAKERO_TEST_DOCKER_HOST"); host != "" {
		return &Engine{Host: host, Cache: cache, client: "docker"}, nil
	}
	for _, need := range []string{"/usr/sbin/dockerd", "/usr/bin/docker", filepath.Join(cache, "docker/debian-bookworm.tar")} {
		if _, err := os.Stat(need); err != nil {
			return nil, fmt.Errorf("%s is not there: %s", need, howTo)
		}
	}
	if os.Getuid() != 0 {
		return nil, errors.New("an engine can be started by root alone; or name one in BUTAKERO_TEST_DOCKER_HOST")
	}
	e := &Engine{Cache: cache, client: "/usr/bin/docker", ended: make(chan struct{})}
	if err := e.start(ctx); err != nil {
		e.Stop()
		return nil, err
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context) (err error) {
	data := filepath.Join(e.Cache, "docker", "data")
	if err = os.MkdirAll(data, 0o711); err != nil {
		return err
	}
	if e.lock, err = os.OpenFile(data+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err = syscall.Flock(int(e.lock.Fd()), syscall.LOCK_EX); err != nil { // while other tests have the data
		return err
	}
	if e.folder, err = os.MkdirTemp("", "engine"); err != nil { // short: sockets lie in it
		return err
	}
	// The engine closes the way through the machine for others; it is opened again at the end.
	if e.rules, err = exec.CommandContext(ctx, "iptables-save").Output(); err != nil {
		return fmt.Errorf("iptables-save: %w", err)
	}
	log, err := os.Create(filepath.Join(e.folder, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	socket := filepath.Join(e.folder, "sock")
	e.Host = "unix://" + socket
	e.daemon = exec.CommandContext(context.WithoutCancel(ctx), "/usr/sbin/dockerd", "--data-root", data,
		"--exec-root", filepath.Join(e.folder, "run"), "--pidfile", filepath.Join(e.folder, "pid"), "-H", e.Host, "--bridge=none")
	e.daemon.Stdout, e.daemon.Stderr = log, log
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err = e.daemon.Start(); err != nil {
		e.daemon = nil
		return err
	}
	go func() { defer close(e.ended); _ = e.daemon.Wait() }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		if _, err = e.Docker(ctx, "info", "--format", "{{.ServerVersion}}"); err == nil {
			return nil
		}
		select {
		case <-e.ended:
			return fmt.Errorf("dockerd has ended: %s", e.logTail())
		case <-limit:
			return fmt.Errorf("dockerd does not answer: %w; %s", err, e.logTail())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (e *Engine) logTail() string {
	log, err := os.ReadFile(filepath.Join(e.folder, "log"))
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-1500):])
}

// Stop ends the engine and puts the packet filter back. The data stay in the cache.
func (e *Engine) Stop() {
	if e.daemon != nil {
		_ = e.daemon.Process.Signal(syscall.SIGTERM)
		select {
		case <-e.ended:
		case <-time.After(time.Minute):
			_ = e.daemon.Process.Kill()
			<-e.ended
		}
	}
	if e.rules != nil {
		restore := exec.CommandContext(context.Background(), "iptables-restore")
		restore.Stdin = bytes.NewReader(e.rules)
		if out, err := restore.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "iptables-restore: %v: %s\n", err, out)
		}
	}
	if e.folder != "" {
		_ = os.RemoveAll(e.folder)
	}
	if e.lock != nil {
		_ = e.lock.Close()
	}
}

// Env is what clients of the engine need.
func (e *Engine) Env() []string {
	return append(os.Environ(), "DOCKER_HOST="+e.Host, "DOCKER_BUILDKIT=1")
}

// Docker runs docker and returns what it printed.
func (e *Engine) Docker(ctx context.Context, args ...string) (string, error) {
	return e.Run(ctx, nil, e.client, args...)
}

// Compose runs docker compose in a folder, with more of an environment.
func (e *Engine) Compose(ctx context.Context, folder string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(e.Cache, "bin", "docker-compose"), args...)
	cmd.Dir, cmd.Env = folder, append(e.Env(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("docker compose %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Run runs a program as a client of the engine; its standard output is returned, its
// standard error is part of the error.
func (e *Engine) Run(ctx context.Context, stdin io.Reader, program string, args ...string) (string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Env(), stdin, &out, &said
	if err := cmd.Run(); err != nil {
		text := said.String()
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, text[max(0, len(text)-3000):])
	}
	return out.String(), nil
}

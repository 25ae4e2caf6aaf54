//go:build deploycheck

package image

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/test/image/engine"
)

// What all tests here use: the engine, and the images that were built with it.
var (
	docker    *engine.Engine
	arguments []string
)

const (
	apiImage    = "butakero/api:check"
	workerImage = "butakero/worker:check"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if docker, err = engine.Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		return 1
	}
	defer docker.Stop()
	if arguments, err = docker.BuildArguments(ctx); err == nil {
		err = build(ctx, "../..", "api", apiImage)
	}
	if err == nil {
		err = build(ctx, "../..", "worker", workerImage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		return 1
	}
	return m.Run()
}

// build builds one target of a checkout.
func build(ctx context.Context, folder, target, image string, more ...string) error {
	began := time.Now()
	args := append([]string{"build", "--target", target, "-t", image, "--build-arg", "VERSION=v9.8.7", "--build-arg", "COMMIT=0a1b2c3"}, arguments...)
	_, err := docker.Docker(ctx, append(append(args, more...), folder)...)
	fmt.Printf("image: %s %s built in %s\n", image, strings.Join(more, " "), time.Since(began).Round(time.Second))
	return err
}

// must runs docker and wants it to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := docker.Docker(context.WithoutCancel(t.Context()), args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// confined is how containers have to be able to run.
var confined = []string{"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"}

// start starts a container that is removed with the test.
func start(t *testing.T, args ...string) string {
	t.Helper()
	id := must(t, append(append([]string{"run", "-d"}, confined...), args...)...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%s", args[len(args)-1], logs(t, id))
		}
		must(t, "rm", "-f", "-v", id)
	})
	return id
}

func logs(t *testing.T, id string) string {
	t.Helper()
	out, err := docker.Run(context.WithoutCancel(t.Context()), nil, "sh", "-c", "docker logs "+id+" 2>&1")
	if err != nil {
		return err.Error()
	}
	return out
}

// wait polls until the condition holds.
func wait(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
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

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/butakero/butakero/test/bench"
)

// serveCommand makes this program the API that is measured: a process of its
// own, on the same cores as its clients.
const serveCommand = "serve"

// serve serves until its standard input ends.
func serve(dir string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return bench.API(ctx, dir, func(address string) { fmt.Println(addressPrefix + address) })
}

const addressPrefix = "listening on "

// serving runs the API in a child process while use runs.
func serving(ctx context.Context, dir string, use func(address string) error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return child(ctx, exec.CommandContext(ctx, self, serveCommand, dir), addressPrefix, use) // #nosec G204 -- this program
}

// child runs a command while use runs, which is called with what stands behind
// the prefix on the child's output, and ends it by closing its input.
func child(ctx context.Context, cmd *exec.Cmd, prefix string, use func(said string) error) (err error) {
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 30 * time.Second
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if said, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			err = use(said)
			if cmd.Args[1] != serveCommand {
				err = errors.Join(err, cmd.Process.Signal(os.Interrupt))
			}
			break
		}
	}
	err = errors.Join(err, lines.Err(), input.Close())
	_, _ = io.Copy(io.Discard, output)
	return errors.Join(err, cmd.Wait(), ctx.Err())
}

// settle is how long an idle process gets to come to rest.
const settle = 3 * time.Second

// idle starts butakero up in dir, waits and looks at its memory.
func idle(ctx context.Context, program, dir string) (resident, own int, err error) {
	cmd := exec.CommandContext(ctx, program, "up", "--listen", "127.0.0.1:0", "--data-dir", dir) // #nosec G204 -- our own
	cmd.Env = append(os.Environ(), "BUTAKERO_SOURCE=demo", "BUTAKERO_LOG_LEVEL=error")
	err = child(ctx, cmd, "Butakero is up on ", func(string) error {
		wait := time.NewTimer(settle)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		resident, own, err = bench.RSS(cmd.Process.Pid)
		return err
	})
	return resident, own, err
}

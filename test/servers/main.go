// Command servers starts and stops the real engines that the tests use, for people
// and for make. Its library, package servers beside it, says what they are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

const help = `Usage: go run ./servers COMMAND [--state FOLDER] [SERVER...]

Starts the engines that the tests use, on free ports of 127.0.0.1. The first time they
are downloaded into a cache, which takes some minutes. SERVER is one of kafka, sqs,
dynamodb, mongo, s3; none named means all.

  up                    start what does not run, in the background; print the settings
  down                  end them and remove their data
  status                pid, address, health and log file of each; exit code 1 when one is ill
  env                   print the settings of those that run, as NAME=value
  run [SERVER...] -- COMMAND [ARGUMENT...]
                        start those that the environment does not give, run the
                        command with their settings, end them, exit as the command did

Examples:
  eval "$(go run ./servers up)"      start all, and let the tests of this shell use them
  go run ./servers env >servers.env  the same settings for --env-file or docker
  go run ./servers run mongo -- go test ./engines/mongo
  go run ./servers down

BUTAKERO_TEST_CACHE is the cache. BUTAKERO_TEST_DYNAMODB=local takes Amazon's DynamoDB
Local instead of dynalite: mind its licence. --state is the folder of the servers' data,
logs and pids (default: up in the cache).
`

// grace is what a command has after it was asked to end.
const grace = 15 * time.Second

// Exit codes, as those of butakero.
const (
	failed = 1
	usage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command runs one command line and returns the exit code.
func command(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	out := printer{stdout}
	if len(arguments) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, arguments[0]) {
		out.print(help)
		if len(arguments) == 0 {
			return usage
		}
		return 0
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { printer{stderr}.print(help) }
	state := flags.String("state", "", "")
	rest := arguments[1:]
	var inner []string // behind --
	if i := slices.Index(rest, "--"); i >= 0 {
		rest, inner = rest[:i], rest[i+1:]
	}
	if err := flags.Parse(rest); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return usage
	}
	names, err := named(flags.Args())
	if err == nil && (arguments[0] == "run") != (len(inner) > 0) {
		err = errors.New("run, and only run, takes a command behind --")
	}
	if err != nil {
		printer{stderr}.print("servers: " + err.Error() + " (see --help)\n")
		return usage
	}
	if *state == "" {
		if *state, err = servers.DefaultFolder(); err != nil {
			printer{stderr}.print("servers: " + err.Error() + "\n")
			return failed
		}
	}
	code := 0
	switch arguments[0] {
	case "up":
		err = up(ctx, *state, names, out)
	case "down":
		err = down(ctx, *state, names, out)
	case "status":
		err = status(ctx, *state, names, out)
	case "env":
		err = env(ctx, *state, names, out)
	case "run":
		code, err = run(ctx, names, inner)
	default:
		printer{stderr}.print("servers: unknown command " + arguments[0] + " (see --help)\n")
		return usage
	}
	if err != nil {
		printer{stderr}.print("servers: " + err.Error() + "\n")
		return max(code, failed)
	}
	return code
}

func named(arguments []string) ([]string, error) {
	if len(arguments) == 0 {
		return servers.Names(), nil
	}
	for _, name := range arguments {
		if !slices.Contains(servers.Names(), name) {
			return nil, fmt.Errorf("unknown server %q: %s", name, strings.Join(servers.Names(), ", "))
		}
	}
	return arguments, nil
}

func up(ctx context.Context, folder string, names []string, out printer) error {
	state, err := servers.Up(ctx, folder, names)
	if state != nil {
		for _, line := range settings(state, names) {
			name, value, _ := strings.Cut(line, "=")
			out.print("export " + name + "='" + value + "'\n") // no value holds a quote
		}
	}
	return err
}

func down(ctx context.Context, folder string, names []string, out printer) error {
	ended, err := servers.Down(ctx, folder, names)
	for _, e := range ended {
		out.print(fmt.Sprintf("%s has ended\n", e.Name))
	}
	return err
}

func env(ctx context.Context, folder string, names []string, out printer) error {
	state, err := servers.Status(ctx, folder)
	if err != nil {
		return err
	}
	for _, line := range settings(state, names) {
		out.print(line + "\n")
	}
	return nil
}

func settings(state *servers.State, names []string) []string {
	var all []string
	for _, e := range state.Servers {
		if slices.Contains(names, e.Name) {
			all = append(all, e.Environment...)
		}
	}
	return all
}

func status(ctx context.Context, folder string, names []string, out printer) error {
	state, err := servers.Status(ctx, folder)
	if err != nil {
		return err
	}
	ill := 0
	table := tabwriter.NewWriter(out.to, 0, 8, 2, ' ', 0)
	for _, e := range state.Servers {
		if !slices.Contains(names, e.Name) {
			continue
		}
		health := "ready"
		if err := e.Health(ctx); err != nil {
			health, _, _ = strings.Cut(err.Error(), "\n")
			ill++
		}
		printer{table}.print(fmt.Sprintf("%s\t%d\t%s\t%s\t%s\n", e.Name, e.PID, e.Address, health, e.Log))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if ill > 0 {
		return fmt.Errorf("%d not ready", ill)
	}
	if len(state.Servers) == 0 {
		out.print("nothing runs\n")
	}
	return nil
}

// run starts servers, runs a command beside them and ends them, also when it is
// itself asked to end: the command is told first, and has its time.
func run(ctx context.Context, names, line []string) (code int, err error) {
	environment, end, err := servers.Run(ctx, names)
	if err != nil {
		return failed, err
	}
	defer func() { err = errors.Join(err, end()) }()
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), environment...)
	if err := servers.Spawn(cmd); err != nil {
		return failed, err
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			// Its whole group, as Ctrl-C on a terminal would: go run passes nothing on.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // it may be over
			select {
			case <-time.After(grace):
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			case <-over:
			}
		case <-over:
		}
	}()
	err = cmd.Wait()
	close(over)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if code = exit.ExitCode(); code < 0 { // by a signal: as a shell says it
			code = 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
		}
		return code, nil
	}
	return 0, err
}

// printer writes to people: a broken pipe is theirs.
type printer struct{ to io.Writer }

func (p printer) print(s string) { _, _ = io.WriteString(p.to, s) }

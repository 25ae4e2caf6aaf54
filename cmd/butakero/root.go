package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

// Exit codes, the same for every command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnreachable = 4
)

// exitError carries an exit code out of a command.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func failWith(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// cli is what the commands share.
type cli struct {
	in       io.Reader
	out, err io.Writer
	envFile  string
	server   string
	json     bool
}

// run executes the command line and returns the exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	c := &cli{in: in, out: out, err: errOut}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	intake, _, release := app.Signals(context.Background())
	defer release()
	err := root.ExecuteContext(intake)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(errOut, "butakero:", err)
	var coded *exitError
	if errors.As(err, &coded) {
		return coded.code
	}
	var problems app.Problems
	if errors.As(err, &problems) {
		return exitUsage
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// usageError marks a command line that can not be understood.
type usageError struct{ error }

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "butakero",
		Short: "Songs as DCA files for Discord bots",
		Long: `Butakero turns songs into DCA1 files, the Opus frames that Discord bots play.
A bot asks for a song by title or link over HTTP, workers make it, and nothing
that was accepted is ever lost.`,
		Example: `  butakero demo                       see it work, with no account, key or network
  butakero up --source demo           run it on the bundled samples
  butakero submit "luna de octubre" --wait
  butakero dca verify song.dca`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          noSuch,
		RunE:          showHelp,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&c.envFile, "env-file", "", "read settings from this file where the environment is silent")
	flags.StringVar(&c.server, "server", envOr("BUTAKERO_URL", "http://127.0.0.1:8080"), "address of the API (BUTAKERO_URL)")
	flags.BoolVar(&c.json, "json", false, "print records as JSON")
	root.AddCommand(c.upCommand(), c.demoCommand(), c.submitCommand(), c.watchCommand(), c.jobsCommand(), c.queueCommand(),
		c.resolveCommand(), c.dcaCommand(), c.healthCommand(), c.configCommand(), c.migrateCommand(), c.selftestCommand())
	return root
}

// group is a command that only has others below it: alone it shows its help, and
// a word that is none of them is a usage error.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: noSuch, RunE: showHelp}
	cmd.Example = below[0].Example
	cmd.AddCommand(below...)
	return cmd
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func noSuch(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("%s has no command %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())}
}

func envOr(name, preset string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return preset
}

// release is stamped by the build: -ldflags "-X main.release=v1.2.3".
var release = ""

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "development"
}

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

func (c *cli) selftestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "selftest",
		Short: "Try the promises of the configured store, queue and files, and say whether they can be trusted",
		Long: "Try the promises of the configured store, queue and files, and say whether they can be trusted: races for one\n" +
			"job and one file, stale workers, lost answers. Nothing is left behind; a fleet may be at work meanwhile.",
		Example: `  butakero selftest
  butakero selftest --env-file production.env --json`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := app.Load(os.Environ(), c.envFile, nil)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
			tried, failed := 0, 0
			ok, err := app.SelfTest(cmd.Context(), config, log, func(f app.Finding) {
				tried++
				if !f.OK {
					failed++
				}
				c.printFinding(f)
			})
			switch {
			case err != nil:
				return err
			case !ok:
				return fmt.Errorf("%d of %d promises do not hold: do not trust this installation with work", failed, tried)
			}
			if !c.json {
				fmt.Fprintf(c.out, "%s, %s and %s can be trusted\n", config.Store, config.Queue, config.Blob)
			}
			return nil
		},
	}
}

func (c *cli) printFinding(f app.Finding) {
	if c.json {
		if raw, err := json.Marshal(f); err == nil {
			fmt.Fprintln(c.out, string(raw))
		}
		return
	}
	mark, detail := "ok  ", f.Detail
	switch {
	case !f.OK:
		mark = "BAD "
	case f.NotRun != "":
		mark, detail = "-   ", f.NotRun
	}
	if detail != "" {
		detail = ": " + detail
	}
	fmt.Fprintf(c.out, "%s%-5s  %s%s (%.0f ms)\n", mark, f.Part, f.Promise, detail, f.Seconds*1000)
}

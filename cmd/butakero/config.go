package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

func (c *cli) configCommand() *cobra.Command {
	return group("config", "Look at the settings", &cobra.Command{
		Use:   "check",
		Short: "Print the effective settings, where each came from, and every problem",
		Example: `  butakero config check
  butakero --env-file test_local.env config check --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			config, problems := app.Load(os.Environ(), c.envFile, nil)
			if err := c.printSettings(config.Settings()); err != nil {
				return err
			}
			if problems != nil {
				return problems
			}
			cookies, err := config.Cookies(time.Now())
			if err != nil {
				return app.Problems{err.Error()}
			}
			if c.json {
				return nil
			}
			if cookies != "" {
				fmt.Fprintln(c.out, "\ncookies:", cookies)
			}
			fmt.Fprintln(c.out, "\nno problems")
			return nil
		},
	})
}

func (c *cli) printSettings(all []app.Setting) error {
	if c.json {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, s := range all {
		text := s.Value
		if text == "" {
			text = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, text, s.Origin, s.Help)
	}
	return w.Flush()
}

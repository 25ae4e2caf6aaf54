package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

func (c *cli) upCommand() *cobra.Command {
	overrides := map[string]*string{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run API and worker in one process",
		Long: `Runs the API and a worker in one process until Ctrl-C: the first one lets songs
in hand finish, a second one stops them and gives them back.
Settings come from the environment (see "butakero config check"); flags win.`,
		Example: `  butakero up --source demo
  butakero up --media ~/Music --listen 127.0.0.1:9000
  BUTAKERO_DATA_DIR=/var/lib/butakero butakero up`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			texts := map[string]string{}
			for name, text := range overrides {
				texts[name] = *text
			}
			if texts["BUTAKERO_MEDIA_DIR"] != "" && texts["BUTAKERO_SOURCE"] == "" {
				texts["BUTAKERO_SOURCE"] = "demo"
			}
			config, err := app.Load(os.Environ(), c.envFile, texts)
			if err != nil {
				return err
			}
			intake, work, release := app.Signals(context.WithoutCancel(cmd.Context()))
			defer release()
			return app.Run(intake, work, config, app.NewLog(config, c.err), app.RoleUp, func(address string) {
				fmt.Fprintf(c.out, "Butakero is up on %s\n", config.Public(address))
			})
		},
	}
	flag := func(name, setting, usage string) {
		text := new(string)
		overrides[setting] = text
		cmd.Flags().StringVar(text, name, "", usage+" ("+setting+")")
	}
	flag("listen", "BUTAKERO_LISTEN", "host:port of the API")
	flag("data-dir", "BUTAKERO_DATA_DIR", "folder of databases and songs")
	flag("media", "BUTAKERO_MEDIA_DIR", "folder of audio files as catalogue; means --source demo")
	flag("source", "BUTAKERO_SOURCE", "youtube or demo")
	return cmd
}

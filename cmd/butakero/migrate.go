package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

func (c *cli) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Make the tables, collections and indexes of the configured store",
		Long: "Make the tables, collections and indexes of the configured store. Repeating it changes nothing; what is\n" +
			"there and differs from what this version needs is refused, never altered.",
		Example: `  BUTAKERO_STORE=mongodb BUTAKERO_MONGO_URI=mongodb://localhost/?replicaSet=rs0 butakero migrate
  butakero migrate --env-file production.env`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := app.Load(os.Environ(), c.envFile, nil)
			if err != nil {
				return err
			}
			return app.Migrate(cmd.Context(), config, func(step string) { fmt.Fprintln(c.out, step) })
		},
	}
}

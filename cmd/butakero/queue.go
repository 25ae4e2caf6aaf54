package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

func (c *cli) queueCommand() *cobra.Command {
	return group("queue", "Look at the backlog, pause and resume it", &cobra.Command{
		Use:     "stats",
		Short:   "Count jobs, waiting operations and messages",
		Example: `  butakero queue stats`,
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			raw, err := api.call(cmd.Context(), http.MethodGet, "/api/v1/queue", nil)
			if err != nil {
				return err
			}
			return c.printJSON(raw)
		},
	}, c.pauseCommand(), c.resumeCommand(), c.importCommand(), c.quarantineCommand())
}

func (c *cli) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "health",
		Short:   "Ask a running Butakero whether it is well",
		Example: `  butakero health --server http://127.0.0.1:8080`,
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			raw, err := api.call(cmd.Context(), http.MethodGet, "/readyz", nil)
			if err != nil {
				return err
			}
			_, err = c.out.Write(raw)
			return err
		},
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func (c *cli) jobsRunsCommand() *cobra.Command {
	one := func(verb, short, method string) *cobra.Command {
		return &cobra.Command{
			Use: verb + " RUN", Short: short, Example: "  butakero jobs runs " + verb + " 20261124T101500-1a2b3c4d",
			Args: usageArgs(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error {
				api, err := c.client()
				if err != nil {
					return err
				}
				raw, err := api.call(cmd.Context(), method, "/api/v1/runs/"+url.PathEscape(args[0]), nil)
				if err != nil {
					return err
				}
				return c.printJSON(raw)
			},
		}
	}
	list := &cobra.Command{
		Use: "list", Short: "List bulk runs, the latest first", Example: "  butakero jobs runs list",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			raw, err := api.call(cmd.Context(), http.MethodGet, "/api/v1/runs", nil)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(raw)
			}
			var all struct{ Runs []bulkRun }
			if err := json.Unmarshal(raw, &all); err != nil {
				return fmt.Errorf("the server's answer is not a list of runs: %w", err)
			}
			w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "RUN\tKIND\tSTATE\tCHANGED\tSEEN\tFAILED\tBEGUN\tBY")
			for _, r := range all.Runs {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", r.ID, r.Kind, r.State, r.Changed, r.Seen, r.Failed, r.CreatedAt.Local().Format(time.DateTime), r.By)
			}
			return w.Flush()
		},
	}
	follow := &cobra.Command{
		Use: "wait RUN", Short: "Wait until a run is over", Example: "  butakero jobs runs wait 20261124T101500-1a2b3c4d",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			return c.followRun(cmd.Context(), api, args[0])
		},
	}
	return group("runs", "Bulk replays and discards that the workers carry out", list,
		one("show", "Show how far a run is", http.MethodGet), follow, one("stop", "Stop a run where it is", http.MethodDelete))
}

func (c *cli) jobsAuditCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "audit", Short: "Show what operators did, the latest first", Example: "  butakero jobs audit --limit 20",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			raw, err := api.call(cmd.Context(), http.MethodGet, "/api/v1/audit?limit="+strconv.Itoa(limit), nil)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(raw)
			}
			var list struct {
				Entries []struct {
					At                                         time.Time
					By, Action, Target, Filter, Result, Reason string
					Count                                      int64
				}
			}
			if err := json.Unmarshal(raw, &list); err != nil {
				return fmt.Errorf("the server's answer is not the audit: %w", err)
			}
			w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "WHEN\tWHO\tDID\tWHAT\tHOW MANY\tFILTER\tWHY")
			for _, e := range list.Entries {
				many := "-"
				if e.Count >= 0 {
					many = strconv.FormatInt(e.Count, 10)
				}
				if e.Result != "" {
					e.Action += " " + e.Result
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.At.Local().Format(time.DateTime), e.By, e.Action, e.Target, many, e.Filter, e.Reason)
			}
			return w.Flush()
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	return cmd
}

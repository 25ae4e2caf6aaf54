package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// job is what the commands show of a job.
type job struct {
	Key       string    `json:"key"`
	State     string    `json:"state"`
	Attempt   int       `json:"attempt"`
	Stage     string    `json:"stage"`
	Progress  *int      `json:"progress"`
	Title     string    `json:"title"`
	LastError *failure  `json:"last_error"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (c *cli) jobsCommand() *cobra.Command {
	return group("jobs", "The desk of jobs: look, replay, cancel, discard", c.jobsListCommand(), c.jobsGroupsCommand(), c.jobsShowCommand(),
		c.jobsReplayCommand(), c.jobsCancelCommand(), c.jobsDiscardCommand(), c.jobsRunsCommand(), c.jobsAuditCommand())
}

func (c *cli) jobsListCommand() *cobra.Command {
	var filter jobFilter
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, the latest first",
		Example: `  butakero jobs list --state dead
  butakero jobs list --state dead --host youtube --since 24h --json`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			values, err := filter.query()
			if err != nil {
				return err
			}
			var all []json.RawMessage
			err = api.pages(cmd.Context(), "/api/v1/jobs", values, limit, func(raw json.RawMessage) error {
				all = append(all, raw)
				return nil
			})
			if err != nil {
				return err
			}
			return c.printJobs(all)
		},
	}
	filter.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	return cmd
}

func (c *cli) printJobs(all []json.RawMessage) error {
	if c.json {
		for _, raw := range all {
			fmt.Fprintln(c.out, string(raw))
		}
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tSTATE\tATTEMPT\tUPDATED\tTITLE\tERROR")
	for _, raw := range all {
		var j job
		if err := json.Unmarshal(raw, &j); err != nil {
			return fmt.Errorf("the server's answer is not a job: %w", err)
		}
		reason := ""
		if j.LastError != nil {
			reason = j.LastError.Code
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", j.Key, j.State, j.Attempt,
			j.UpdatedAt.Local().Format(time.DateTime), shorten(j.Title, 40), reason)
	}
	return w.Flush()
}

// printJSON indents a record.
func (c *cli) printJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

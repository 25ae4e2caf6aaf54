package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	return group("jobs", "Look at jobs, replay and cancel them", c.jobsListCommand(), c.jobsShowCommand(),
		c.jobsDoCommand("replay", "Begin a dead or cancelled job again; its operations end anew"),
		c.jobsDoCommand("cancel", "Take back every request for a job and stop it"))
}

func (c *cli) jobsListCommand() *cobra.Command {
	query := map[string]*string{}
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, the latest first",
		Example: `  butakero jobs list --state dead
  butakero jobs list --code private --json`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			values := url.Values{}
			for name, text := range query {
				if *text != "" {
					values.Set(name, *text)
				}
			}
			var all []json.RawMessage
			for len(all) < limit {
				values.Set("limit", strconv.Itoa(min(limit-len(all), 500)))
				raw, err := api.call(cmd.Context(), http.MethodGet, "/api/v1/jobs?"+values.Encode(), nil)
				if err != nil {
					return err
				}
				var page struct {
					Jobs []json.RawMessage `json:"jobs"`
					Next string            `json:"next"`
				}
				if err := json.Unmarshal(raw, &page); err != nil {
					return fmt.Errorf("the server's answer is not a list of jobs: %w", err)
				}
				all = append(all, page.Jobs...)
				if page.Next == "" {
					break
				}
				values.Set("cursor", page.Next)
			}
			return c.printJobs(all)
		},
	}
	for _, name := range []string{"state", "class", "code", "song", "profile", "since", "until", "text"} {
		text := new(string)
		query[name] = text
		cmd.Flags().StringVar(text, name, "", "only jobs with this "+name)
	}
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

func (c *cli) jobsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show JOB",
		Short:   "Show one job with the history of its attempts",
		Example: `  butakero jobs show youtube:SRXH9AbT280:default`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			raw, err := api.call(cmd.Context(), http.MethodGet, "/api/v1/jobs/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			return c.printJSON(raw)
		},
	}
}

func (c *cli) jobsDoCommand(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " JOB...",
		Short:   short,
		Example: "  butakero jobs " + verb + " youtube:SRXH9AbT280:default",
		Args:    usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			for _, key := range args {
				raw, err := api.call(cmd.Context(), http.MethodPost, "/api/v1/jobs/"+url.PathEscape(key)+"/"+verb, nil)
				if err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
				if c.json {
					fmt.Fprintln(c.out, strings.TrimSpace(string(raw)))
					continue
				}
				var j job
				if err := json.Unmarshal(raw, &j); err != nil {
					return fmt.Errorf("the server's answer is not a job: %w", err)
				}
				fmt.Fprintf(c.out, "%s: %s\n", j.Key, j.State)
			}
			return nil
		},
	}
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

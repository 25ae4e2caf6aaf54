package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// bulkRun is a run as the commands show it.
type bulkRun struct {
	ID      string           `json:"id"`
	Kind    string           `json:"kind"`
	State   string           `json:"state"`
	Seen    int64            `json:"seen"`
	Changed int64            `json:"changed"`
	Refused map[string]int64 `json:"refused"`
	Failed  int64            `json:"failed"`
	Error   string           `json:"error"`
	By      string           `json:"by"`

	CreatedAt time.Time `json:"created_at"`
}

func (c *cli) jobsGroupsCommand() *cobra.Command {
	var filter jobFilter
	var by string
	cmd := &cobra.Command{
		Use:   "groups",
		Short: "Count jobs by class, code, host, stage, extractor, requester, song or state",
		Example: `  butakero jobs groups --state dead
  butakero jobs groups --state dead --by host --since 24h`,
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
			values.Set("by", by)
			raw, err := api.call(cmd.Context(), http.MethodGet, "/api/v1/job-groups?"+values.Encode(), nil)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(raw)
			}
			var list struct {
				Groups []struct {
					Value          string
					Count          int64
					Oldest, Newest time.Time
				}
			}
			if err := json.Unmarshal(raw, &list); err != nil {
				return fmt.Errorf("the server's answer is not a list of groups: %w", err)
			}
			w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
			fmt.Fprintf(w, "%s\tJOBS\tOLDEST\tNEWEST\n", strings.ToUpper(by))
			for _, g := range list.Groups {
				if g.Value == "" {
					g.Value = "-"
				}
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", g.Value, g.Count, g.Oldest.Local().Format(time.DateTime), g.Newest.Local().Format(time.DateTime))
			}
			return w.Flush()
		},
	}
	filter.flags(cmd)
	cmd.Flags().StringVar(&by, "by", "code", "what to group by")
	return cmd
}

func (c *cli) jobsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show JOB",
		Short: "Show one job: its attempts with their errors, and the operations that wait for it or were ended by it",
		Long: "Show one job: its attempts with their errors, and the operations that wait for it or were ended by it.\n" +
			"Each operation that has ended has had its event; the event's id derives from the operation's.",
		Example: `  butakero jobs show youtube:SRXH9AbT280:default`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			path := "/api/v1/jobs/" + url.PathEscape(args[0])
			raw, err := api.call(cmd.Context(), http.MethodGet, path, nil)
			if err != nil {
				return err
			}
			var shown map[string]any
			if err := json.Unmarshal(raw, &shown); err != nil {
				return fmt.Errorf("the server's answer is not a job: %w", err)
			}
			operations := map[string]any{}
			for _, state := range []string{"waiting", "succeeded", "failed", "cancelled"} {
				answer, err := api.call(cmd.Context(), http.MethodGet, path+"/operations?limit=100&state="+state, nil)
				if err != nil {
					return err
				}
				var page struct {
					Operations []any
					Next       string
				}
				if err := json.Unmarshal(answer, &page); err != nil {
					return fmt.Errorf("the server's answer is not a list of operations: %w", err)
				}
				if len(page.Operations) > 0 {
					operations[state] = page.Operations
				}
				if page.Next != "" {
					operations[state+"_more"] = true
				}
			}
			shown["operations"] = operations
			raw, err = json.Marshal(shown)
			if err != nil {
				return err
			}
			return c.printJSON(raw)
		},
	}
}

func (c *cli) jobsCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "cancel JOB...",
		Short:   "Take back every request for a job and stop it",
		Example: "  butakero jobs cancel youtube:SRXH9AbT280:default",
		Args:    usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.eachJob(cmd.Context(), args, http.MethodPost, "/cancel")
		},
	}
}

// eachJob does the same to every job that is named.
func (c *cli) eachJob(ctx context.Context, keys []string, method, suffix string) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	for _, key := range keys {
		raw, err := api.call(ctx, method, "/api/v1/jobs/"+url.PathEscape(key)+suffix, nil)
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
}

// bulk is what replay and discard have in common.
type bulk struct {
	filter jobFilter
	force  bool
	dryRun bool
	detach bool
	rate   float64
	limit  int64
	reason string
}

func (b *bulk) flags(cmd *cobra.Command) {
	b.filter.flags(cmd)
	cmd.Flags().BoolVar(&b.dryRun, "dry-run", false, "say what would happen, and change nothing")
	cmd.Flags().BoolVar(&b.detach, "detach", false, "do not wait: the server goes on by itself")
	cmd.Flags().Float64Var(&b.rate, "rate", 0, "jobs a second; 0: as fast as it goes")
	cmd.Flags().Int64Var(&b.limit, "limit", 0, "stop after so many; 0: no limit")
	cmd.Flags().StringVar(&b.reason, "reason", "", "why, for the audit")
}

func (c *cli) jobsReplayCommand() *cobra.Command {
	var b bulk
	cmd := &cobra.Command{
		Use:   "replay [JOB...]",
		Short: "Begin dead or cancelled jobs again, by name or by filter; their operations end anew",
		Long: "Begin dead or cancelled jobs again, by name or by filter; their operations end anew, with new events.\n" +
			"What failed for good, or died of the same failure after two replays, is left alone unless --force is given.\n" +
			"A filter is carried out by the workers: it survives this command, and \"butakero jobs runs\" shows how far it is.",
		Example: `  butakero jobs replay youtube:SRXH9AbT280:default
  butakero jobs replay --code extractor_broken --since 24h --dry-run
  butakero jobs replay --code extractor_broken --since 24h --rate 2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && !b.dryRun {
				suffix := "/replay"
				if b.force {
					suffix += "?force=true"
				}
				return c.eachJob(cmd.Context(), args, http.MethodPost, suffix)
			}
			return c.bulk(cmd.Context(), "replay", args, b)
		},
	}
	b.flags(cmd)
	cmd.Flags().BoolVar(&b.force, "force", false, "also what failed for good, or again and again")
	return cmd
}

func (c *cli) jobsDiscardCommand() *cobra.Command {
	var b bulk
	var export string
	cmd := &cobra.Command{
		Use:   "discard [JOB...]",
		Short: "Forget dead or cancelled jobs, by name or by filter, once they are exported",
		Long: "Forget dead or cancelled jobs, by name or by filter. Their records are written to a file first, as JSON\n" +
			"lines: --export names it (- is standard output), and nothing is discarded before it is whole.",
		Example: `  butakero jobs discard --class permanent --until 720h --export dead.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if b.dryRun {
				return c.bulk(cmd.Context(), "discard", args, b)
			}
			if export == "" {
				return &usageError{errors.New("--export FILE says where the records go before they are forgotten (- is standard output)")}
			}
			if len(args) == 0 {
				if *b.filter.values["until"] == "" { // what dies from now on stays
					*b.filter.values["until"] = time.Now().UTC().Format(time.RFC3339Nano)
				}
				if *b.filter.values["state"] == "" {
					*b.filter.values["state"] = "dead"
				}
			}
			n, err := c.export(cmd.Context(), args, b.filter, export)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.err, "%d records exported to %s\n", n, export)
			if n == 0 {
				return nil
			}
			if len(args) > 0 {
				return c.eachJob(cmd.Context(), args, http.MethodDelete, "")
			}
			return c.bulk(cmd.Context(), "discard", nil, b)
		},
	}
	b.flags(cmd)
	cmd.Flags().StringVar(&export, "export", "", "file for the records, as JSON lines")
	return cmd
}

// export writes the records, and makes sure that they are on the disk.
func (c *cli) export(ctx context.Context, keys []string, filter jobFilter, name string) (n int, err error) {
	api, err := c.client()
	if err != nil {
		return 0, err
	}
	out := c.out
	if name != "-" {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, fmt.Errorf("export: %w", err)
		}
		defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
		out = f
	}
	write := func(key string) error {
		raw, err := api.call(ctx, http.MethodGet, "/api/v1/jobs/"+url.PathEscape(key), nil)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		n++
		_, err = io.WriteString(out, strings.TrimSpace(string(raw))+"\n")
		return err
	}
	if len(keys) > 0 {
		for _, key := range keys {
			if err := write(key); err != nil {
				return n, err
			}
		}
		return n, nil
	}
	values, err := filter.query()
	if err != nil {
		return 0, err
	}
	return n, api.pages(ctx, "/api/v1/jobs", values, 0, func(raw json.RawMessage) error {
		var j job
		if err := json.Unmarshal(raw, &j); err != nil {
			return fmt.Errorf("the server's answer is not a job: %w", err)
		}
		return write(j.Key)
	})
}

// bulk asks for a run, or what it would do, and follows it.
func (c *cli) bulk(ctx context.Context, kind string, keys []string, b bulk) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	filter, err := b.filter.read()
	if err != nil {
		return err
	}
	body := map[string]any{"kind": kind, "force": b.force, "rate": b.rate, "limit": b.limit, "reason": b.reason, "dry_run": b.dryRun}
	switch {
	case len(keys) > 0:
		body["keys"] = keys
	case len(filter) == 0:
		return &usageError{errors.New("name jobs, or select them by a filter (--state dead selects all that are dead)")}
	default:
		body["filter"] = filter
	}
	raw, err := api.call(ctx, http.MethodPost, "/api/v1/runs", body)
	if err != nil {
		return err
	}
	if b.dryRun {
		return c.printPreview(raw, kind)
	}
	var r bulkRun
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("the server's answer is not a run: %w", err)
	}
	if b.detach {
		if c.json {
			return c.printJSON(raw)
		}
		fmt.Fprintf(c.out, "run %s has begun; butakero jobs runs show %s tells how far it is\n", r.ID, r.ID)
		return nil
	}
	return c.followRun(ctx, api, r.ID)
}

func (c *cli) printPreview(raw []byte, kind string) error {
	if c.json {
		return c.printJSON(raw)
	}
	var p struct {
		Seen, Would int64
		Refused     map[string]int64
		Complete    bool
		Keys        []string
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("the server's answer is not a preview: %w", err)
	}
	atLeast := ""
	if !p.Complete {
		atLeast = "at least "
	}
	fmt.Fprintf(c.out, "would %s %s%d of %s%d jobs%s\n", kind, atLeast, p.Would, atLeast, p.Seen, refusals(p.Refused))
	for _, key := range p.Keys[:min(len(p.Keys), 20)] {
		fmt.Fprintln(c.out, " ", key)
	}
	if p.Would > 20 {
		fmt.Fprintln(c.out, "  …")
	}
	return nil
}

func refusals(refused map[string]int64) string {
	var parts []string
	for reason, n := range refused {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return "; left alone: " + strings.Join(parts, ", ")
}

// followRun waits for the end of a run; Ctrl-C leaves it to the server.
func (c *cli) followRun(ctx context.Context, api *client, id string) error {
	last := int64(-1)
	for {
		raw, err := api.call(ctx, http.MethodGet, "/api/v1/runs/"+url.PathEscape(id), nil)
		if err != nil {
			return err
		}
		var r bulkRun
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("the server's answer is not a run: %w", err)
		}
		if r.State != "running" {
			if c.json {
				return c.printJSON(raw)
			}
			fmt.Fprintf(c.out, "run %s: %s, %d of %d jobs changed%s\n", r.ID, r.State, r.Changed, r.Seen, refusals(r.Refused))
			if r.Failed > 0 {
				return fmt.Errorf("%d jobs were left as they were: %s", r.Failed, r.Error)
			}
			return nil
		}
		if r.Seen != last {
			last = r.Seen
			fmt.Fprintf(c.err, "run %s: %d changed of %d seen\n", r.ID, r.Changed, r.Seen)
		}
		select {
		case <-ctx.Done():
			fmt.Fprintf(c.err, "the server goes on with run %s; butakero jobs runs stop %s stops it\n", id, id)
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

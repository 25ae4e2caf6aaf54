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

const targets = "queue (all work), source:NAME or host:NAME"

func (c *cli) pauseCommand() *cobra.Command {
	var reason string
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "pause [TARGET]",
		Short: "Begin nothing new for a while: " + targets,
		Long: "Begin nothing new for a while. TARGET is " + targets + "; all work if none is named.\n" +
			"What is in hand goes on, songs that are there are served, requests are accepted and wait, uncharged.",
		Example: `  butakero queue pause --reason "deploy" --for 10m
  butakero queue pause source:youtube`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			body := map[string]any{"reason": reason}
			if lasts > 0 {
				body["until"] = time.Now().Add(lasts).UTC()
			}
			target := first(args, "queue")
			raw, err := api.call(cmd.Context(), http.MethodPut, "/api/v1/pauses/"+url.PathEscape(target), body)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(raw)
			}
			fmt.Fprintf(c.out, "%s is paused; butakero queue resume %s lifts it\n", target, target)
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who wonder")
	cmd.Flags().DurationVar(&lasts, "for", 0, "for so long, such as 10m; without it until it is lifted")
	return cmd
}

func (c *cli) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume [TARGET]", Short: "Lift a pause", Example: "  butakero queue resume\n  butakero queue resume source:youtube",
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			target := first(args, "queue")
			raw, err := api.call(cmd.Context(), http.MethodDelete, "/api/v1/pauses/"+url.PathEscape(target), nil)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(raw)
			}
			fmt.Fprintf(c.out, "%s goes on\n", target)
			return nil
		},
	}
}

func first(args []string, preset string) string {
	if len(args) > 0 {
		return args[0]
	}
	return preset
}

// importCommand takes over what the broker has set aside.
func (c *cli) importCommand() *cobra.Command {
	return &cobra.Command{
		Use: "import", Short: "Take over the broker's own dead letters (SQS), so that the desk shows them", Example: "  butakero queue import",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			raw, err := api.call(cmd.Context(), http.MethodPost, "/api/v1/dead-letters/import", nil)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(raw)
			}
			var counted struct{ Imported int }
			if err := json.Unmarshal(raw, &counted); err != nil {
				return fmt.Errorf("the server's answer is not a count: %w", err)
			}
			fmt.Fprintf(c.out, "%d messages taken over; butakero queue quarantine list shows them\n", counted.Imported)
			return nil
		},
	}
}

func (c *cli) quarantineCommand() *cobra.Command {
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List messages that nobody could work on", Example: "  butakero queue quarantine list",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			raw, err := api.call(cmd.Context(), http.MethodGet, "/api/v1/quarantine?limit="+strconv.Itoa(limit), nil)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(raw)
			}
			var all struct {
				Messages []struct {
					ID, Reason, Origin string
					Bytes              int
					At                 time.Time
				}
			}
			if err := json.Unmarshal(raw, &all); err != nil {
				return fmt.Errorf("the server's answer is not a list of messages: %w", err)
			}
			w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "MESSAGE\tSINCE\tBYTES\tORIGIN\tREASON")
			for _, m := range all.Messages {
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", m.ID, m.At.Local().Format(time.DateTime), m.Bytes, m.Origin, shorten(m.Reason, 80))
			}
			return w.Flush()
		},
	}
	list.Flags().IntVar(&limit, "limit", 50, "at most so many")
	one := func(verb, short, method, suffix string) *cobra.Command {
		return &cobra.Command{
			Use: verb + " MESSAGE", Short: short, Example: "  butakero queue quarantine " + verb + " 5f70bf18a086",
			Args: usageArgs(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error {
				api, err := c.client()
				if err != nil {
					return err
				}
				raw, err := api.call(cmd.Context(), method, "/api/v1/quarantine/"+url.PathEscape(args[0])+suffix, nil)
				if err != nil {
					return err
				}
				return c.printJSON(raw)
			},
		}
	}
	return group("quarantine", "Messages that could not be decoded, or that the broker gave up on", list,
		one("show", "Show a message with its bytes", http.MethodGet, ""),
		one("resend", "Give a message to the workers again, after a fix", http.MethodPost, "/resend"),
		one("drop", "Forget a message; it is printed once more", http.MethodDelete, ""))
}

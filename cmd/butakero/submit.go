package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (c *cli) submitCommand() *cobra.Command {
	var wait bool
	var profile string
	cmd := &cobra.Command{
		Use:   "submit TEXT|LINK",
		Short: "Ask for a song by title or link",
		Example: `  butakero submit "luna de octubre" --wait
  butakero submit https://youtu.be/SRXH9AbT280
  butakero submit --json "luna de octubre"`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			body := map[string]string{"song": strings.Join(args, " ")}
			if profile != "" {
				body["profile"] = profile
			}
			raw, err := api.call(cmd.Context(), http.MethodPost, "/api/v1/operations", body)
			if err != nil {
				return err
			}
			o, err := decodeOperation(raw)
			if err != nil {
				return err
			}
			if wait {
				return c.watch(cmd.Context(), api, o.ID)
			}
			if c.json {
				return c.printJSON(o.raw)
			}
			fmt.Fprintf(c.out, "operation %s, song %s: %s\n", o.ID, o.SongID, o.State)
			if !o.ended() {
				fmt.Fprintf(c.out, "follow it with: butakero watch %s\n", o.ID)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "follow the operation until it has ended")
	cmd.Flags().StringVar(&profile, "profile", "", "how the song is encoded; nothing: the default")
	return cmd
}

func (c *cli) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "watch OPERATION",
		Short:   "Follow one operation until it has ended",
		Example: `  butakero watch 01c3d3c1-...`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client()
			if err != nil {
				return err
			}
			return c.watch(cmd.Context(), api, args[0])
		},
	}
}

// watch follows an operation: a bar on a terminal, lines otherwise, and with
// --json only the last record. It fails when the operation did.
func (c *cli) watch(ctx context.Context, api *client, id string) error {
	show := c.newBars()
	o, err := api.follow(ctx, id, func(o operation) {
		if !c.json {
			show.update(o)
		}
	})
	show.finish()
	if err != nil {
		return err
	}
	if c.json {
		if err := c.printJSON(o.raw); err != nil {
			return err
		}
	} else if o.File != nil {
		fmt.Fprintf(c.out, "%s: %s, %d frames, %s\n%s\n", o.name(), size(o.File.Bytes), o.File.Frames,
			(time.Duration(o.File.DurationMS) * time.Millisecond).Round(time.Second/10), o.File.URL)
	}
	if o.State == "succeeded" {
		return nil
	}
	if e := o.Job.LastError; e != nil {
		return failWith(exitFailed, "%s: %s (%s)", o.name(), e.Message, e.Code)
	}
	return failWith(exitFailed, "%s: %s", o.name(), o.State)
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

// usageArgs makes an argument check a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

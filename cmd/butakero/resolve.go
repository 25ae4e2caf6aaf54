package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

func (c *cli) resolveCommand() *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "resolve [--offline] [--] TEXT|LINK|-",
		Short: "Say which song a text or link means; - reads one a line from stdin",
		Long: `Says which song a text or link means, as one JSON record a line:
  {"kind":"video|query|invalid","song_id":…,"code":…}
With --offline it only parses: no search, no network.`,
		Example: `  butakero resolve --offline https://youtu.be/SRXH9AbT280
  butakero resolve "linkin park the emptiness machine"
  butakero resolve --offline -- -rf`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			resolve := app.ParseLink
			if !offline {
				config, err := app.Load(os.Environ(), c.envFile, nil)
				if err != nil {
					return err
				}
				resolver, closeAll, err := app.OpenResolver(cmd.Context(), config)
				if err != nil {
					return err
				}
				defer closeAll()
				resolve = func(text string) app.Resolution { return resolver(cmd.Context(), text) }
			}
			e := json.NewEncoder(c.out)
			e.SetEscapeHTML(false)
			if len(args) == 1 && args[0] == "-" {
				lines := bufio.NewScanner(c.in)
				lines.Buffer(nil, 1<<20)
				for lines.Scan() {
					if err := e.Encode(resolve(lines.Text())); err != nil {
						return err
					}
				}
				return lines.Err()
			}
			r := resolve(strings.Join(args, " "))
			if err := e.Encode(r); err != nil {
				return err
			}
			if r.Kind == app.KindInvalid {
				return failWith(exitFailed, "%s", fmt.Sprintf("%s (%s)", r.Message, r.Code))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "only parse")
	return cmd
}

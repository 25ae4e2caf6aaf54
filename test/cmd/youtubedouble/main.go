// The command youtubedouble runs the double of YouTube, for people who develop
// without the network:
//
//	go -C test run ./cmd/youtubedouble -listen 127.0.0.1:8099
//
// It prints the settings with which Butakero reaches it and its catalogue: some
// songs, and a video for each thing that can go wrong. Those are called after it:
// "private----" is private, "m-reset----" breaks in the middle, always. With a
// number at the end it happens so often and then no more: "limit-----3". Links to
// them look like https://youtu.be/private----.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/butakero/butakero/test/double"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "youtubedouble:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("youtubedouble", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8099", "host:port")
	key := flags.String("key", "", "the key that the Data API takes; empty: any")
	rate := flags.Int64("rate", 0, "bytes a second for media; 0: no limit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	tracks, err := double.LoadTracks(ctx, func(s string) { fmt.Fprintln(os.Stderr, s) })
	if err != nil {
		return err
	}
	d, err := double.New(double.Options{Listen: *listen, APIKey: *key, Rate: *rate})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Fill(tracks); err != nil {
		return err
	}
	announce(out, d)
	<-ctx.Done()
	return nil
}

func announce(out io.Writer, d *double.Double) {
	say := func(format string, a ...any) { _, _ = fmt.Fprintf(out, format+"\n", a...) } // a terminal that has gone misses nothing
	say("YouTube's double is at %s, settings:\n", d.URL)
	for _, s := range d.Settings() {
		name, value, _ := strings.Cut(s, "=")
		say("  export %s='%s'", name, value)
	}
	say("\nSongs:\n")
	for _, s := range d.Songs() {
		if k := double.KindOf(s.ID); k == "" {
			say("  https://youtu.be/%s  %s - %s (%s)", s.ID, s.Channel, s.Title, s.Length)
		}
	}
	say("\nWhat can go wrong (a number at the end of the id: so often, then no more):\n")
	for _, s := range d.Songs() {
		if k := double.KindOf(s.ID); k != "" {
			say("  https://youtu.be/%s  %s", s.ID, k)
		}
	}
	say("\n%s/_double/requests shows what was asked; see double/control.go for the rest.", d.URL)
}

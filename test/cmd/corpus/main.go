// Command corpus makes the files that the pipeline is tested with, and says where
// they are. It is quick when they are there already; go test makes them, too, when
// it needs them. See the package test/corpus.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/butakero/butakero/test/corpus"
)

func main() {
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: corpus [-list]\n\nMakes the test corpus in $BUTAKERO_TEST_CACHE or the user's cache folder.")
		flag.PrintDefaults()
	}
	list := flag.Bool("list", false, "print a line per entry: row, name, what is wanted, bytes")
	flag.Parse()
	if err := run(*list); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func run(list bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	entries, err := corpus.Build(ctx, func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "corpus: "+format+"\n", args...)
	})
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return errors.New("the corpus is empty")
	}
	var total int64
	for _, e := range entries {
		total += e.Size
		if list {
			fmt.Printf("%2d  %-36q %-4s %11d\n", e.Row, e.Name, e.Want, e.Size)
		}
	}
	folder := filepath.Dir(filepath.Dir(filepath.Dir(entries[0].Path)))
	fmt.Printf("corpus: %d files, %d MB, in %s\n", len(entries), total/1_000_000, folder)
	return nil
}

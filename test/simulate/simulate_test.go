package simulate

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/memory"
	"github.com/butakero/butakero/internal/store/sqlite"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this seed alone")
	seedsFlag = flag.Int("seeds", 300, "how many seeds, from -from on")
	fromFlag  = flag.Uint64("from", 1, "the first seed")
)

// onSQLite says which seeds keep their records in a real database.
func onSQLite(seed uint64) bool { return seed%20 == 0 }

// TestMain leaves one processor: what happens at one moment of fake time happens in
// one order then.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	m.Run()
}

// run is one simulation, in a bubble of fake time.
func run(t *testing.T, seed uint64) (l *ledger, wrong []string) {
	synctest.Test(t, func(t *testing.T) {
		var store jobs.Backend = memory.New()
		if onSQLite(seed) {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "records.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			store = s
		}
		ctx := context.Background()
		w := newWorld(seed, store)
		w.live(ctx)
		w.heal(ctx)
		w.end()
		l, wrong = w.ledger, w.ledger.check(ctx, store)
	})
	return l, wrong
}

// TestSimulate runs the seeds and prints one line of what was counted.
func TestSimulate(t *testing.T) {
	from, n := *fromFlag, *seedsFlag
	if *seedFlag != 0 {
		from, n = *seedFlag, 1
	}
	if testing.Short() || slow {
		n = min(n, 30)
	}
	var ran, bad atomic.Int64
	total := map[string]int{}
	copies := 0
	results := make(chan *ledger, 64)
	summed := make(chan struct{})
	go func() {
		defer close(summed)
		for l := range results {
			for what, count := range l.counts {
				total[what] += count
			}
			copies += l.copies
		}
	}()
	t.Run("seeds", func(t *testing.T) {
		for i := range n {
			seed := from + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				l, wrong := run(t, seed)
				ran.Add(1)
				results <- l
				if len(wrong) > 0 {
					bad.Add(1)
					t.Errorf("seed %d (again: go -C test test ./simulate -run TestSimulate -seed %d -v):\n%s", seed, seed, strings.Join(wrong, "\n"))
				}
			})
		}
	})
	close(results)
	<-summed
	var faults []string
	for _, what := range slices.Sorted(maps.Keys(total)) {
		faults = append(faults, fmt.Sprintf("%d %s", total[what], what))
	}
	t.Log(strings.Join(faults, ", "))
	fmt.Printf("simulate: %d seeds, %d bad, %d accepted, %d commits, %d crashes, %d copies of events\n",
		ran.Load(), bad.Load(), total["accepted"], total["commits"], total["crashes"], copies)
}

// One seed is one run: the same things happen at the same times.
func TestSeedsRepeat(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 5, 7, 11, 20} {
		first, _ := run(t, seed)
		again, _ := run(t, seed)
		if first.trace != again.trace || !maps.Equal(first.counts, again.counts) {
			t.Errorf("seed %d: %v, then %v", seed, first.counts, again.counts)
		}
	}
}

// Ten thousand ask for one song at the same time: it is made once, and each has its
// event.
func TestTenThousandForOneSong(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(42, memory.New())
		w.faulty.Store(false)
		api := w.start("api", false)
		for range 3 {
			w.start("worker", true)
		}
		for range n {
			w.stopped.Go(func() {
				a, err := api.intake.Accept(t.Context(), jobs.Request{Text: "song 1"})
				if err != nil {
					t.Error(err)
					return
				}
				w.ledger.accept(a.Operation.ID)
			})
		}
		pass(time.Minute)
		w.heal(t.Context())
		w.end()
		if wrong := w.ledger.check(t.Context(), w.store); len(wrong) > 0 {
			t.Errorf("%d wrong, such as %s", len(wrong), wrong[0])
		}
		if l := w.ledger; l.counts["accepted"] != n || l.counts["runs"] != 1 || len(l.events) != n || l.copies > 0 {
			t.Errorf("%d accepted, %d downloads, events of %d operations, %d copies", l.counts["accepted"], l.counts["runs"], len(l.events), l.copies)
		}
	})
}

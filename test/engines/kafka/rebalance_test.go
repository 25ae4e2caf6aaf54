package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/kafka"
)

// traffic sends a steady stream of messages and notes who received what, and
// when, as workers do that claim and acknowledge.
type traffic struct {
	tb   testing.TB
	mu   sync.Mutex
	sent int
	seen map[string][]sight // by job key
	last map[string]sight   // by partition
	gaps map[string]time.Duration
}

type sight struct {
	by        string
	partition string
	at        time.Time
}

func newTraffic(tb testing.TB) *traffic {
	return &traffic{tb: tb, seen: map[string][]sight{}, last: map[string]sight{}, gaps: map[string]time.Duration{}}
}

// partitionOf reads topic/partition/offset.
func partitionOf(d jobs.Delivery) string { return strings.Split(d.Origin, "/")[1] }

// send sends until ctx is done.
func (t *traffic) send(ctx context.Context, q jobs.Queue) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var batch []jobs.Outgoing
		t.mu.Lock()
		for range 8 {
			batch = append(batch, jobs.Outgoing{Message: message(t.sent)})
			t.sent++
		}
		t.mu.Unlock()
		if err := q.Send(context.WithoutCancel(ctx), batch); err != nil {
			t.tb.Error(err)
			return
		}
	}
}

// receive works until ctx is done.
func (t *traffic) receive(ctx context.Context, by string, q jobs.Queue) {
	for ctx.Err() == nil {
		ds, err := q.Receive(ctx, 16)
		if err != nil && ctx.Err() == nil {
			t.tb.Errorf("%s: receive: %v", by, err)
			return
		}
		now := time.Now()
		t.mu.Lock()
		for _, d := range ds {
			s := sight{by, partitionOf(d), now}
			t.seen[d.Message.Key] = append(t.seen[d.Message.Key], s)
			if before, ok := t.last[s.partition]; ok {
				t.gaps[s.partition] = max(t.gaps[s.partition], now.Sub(before.at))
			}
			t.last[s.partition] = s
		}
		t.mu.Unlock()
		for _, err := range q.Settle(context.WithoutCancel(ctx), acks(ds)) {
			if err != nil && !errors.Is(err, jobs.ErrFenced) {
				t.tb.Errorf("%s: settle: %v", by, err)
			}
		}
	}
}

// owners returns who received last from each partition.
func (t *traffic) owners() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := map[string]string{}
	for p, s := range t.last {
		o[p] = s.by
	}
	return o
}

// waitFor fails the test unless done becomes true within d.
func (t *traffic) waitFor(what string, d time.Duration, done func() bool) time.Duration {
	t.tb.Helper()
	begun := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Since(begun) < d {
		<-tick.C
		if done() {
			return time.Since(begun)
		}
	}
	t.tb.Fatalf("%s: not within %s", what, d)
	return 0
}

func (t *traffic) count(want func(owner string) bool) int {
	n := 0
	for _, o := range t.owners() {
		if want(o) {
			n++
		}
	}
	return n
}

// complete waits until everything that was sent was received, and returns how
// many messages came more than once.
func (t *traffic) complete() (twice int) {
	t.tb.Helper()
	t.waitFor("all messages", 20*time.Second, func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return len(t.seen) == t.sent
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sights := range t.seen {
		if len(sights) > 1 {
			twice++
		}
	}
	return twice
}

// A second worker gets its share within a second, with the times of a test and
// with the preset ones; nothing is lost or comes twice, what the first one keeps is
// not disturbed, and when the second goes, the first has it all again. The median
// of three rounds counts, as other tests run beside.
func TestRebalance(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*kafka.Options){
		"Quick":  func(*kafka.Options) {},
		"Preset": func(o *kafka.Options) { o.Heartbeat, o.Wait, o.Session, o.Commit = 0, 0, 0, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := quick(t)
			set(&o)
			first, sender := open(t, o), open(t, o)
			seen := newTraffic(t)
			ctx, stop := context.WithCancel(t.Context())
			var sending, working sync.WaitGroup
			sending.Go(func() { seen.send(ctx, sender) })
			work, stopWork := context.WithCancel(t.Context())
			defer stopWork()
			working.Go(func() { seen.receive(work, "first", first) })
			all := func() bool { return seen.count(func(o string) bool { return o == "first" }) == o.Partitions }
			seen.waitFor("the first owns all", 20*time.Second, all)

			var joins, movings, keepings, leavings []time.Duration
			for range 3 {
				second := open(t, o)
				seen.silences()
				workSecond, stopSecond := context.WithCancel(work)
				idle := make(chan struct{})
				working.Go(func() { seen.receive(workSecond, "second", second); close(idle) })
				joins = append(joins, seen.waitFor("the second has its share", 20*time.Second, func() bool {
					return seen.count(func(o string) bool { return o == "second" }) == o.Partitions/2
				}))
				kept, moved := seen.silences()
				movings, keepings = append(movings, moved), append(keepings, kept)
				stopSecond()
				<-idle // what it has in hand is settled
				if err := second.Close(); err != nil {
					t.Error(err)
				}
				leavings = append(leavings, seen.waitFor("the first has all again", 20*time.Second, all))
			}
			stop()
			sending.Wait()
			twice := seen.complete()
			stopWork()
			working.Wait()

			joined, moved, kept, left := median(joins), median(movings), median(keepings), median(leavings)
			t.Logf("a member came in %s (longest silence of a partition that moved %s, that stayed %s) and left in %s; %d messages, %d twice",
				joined, moved, kept, left, seen.sent, twice)
			if moved > time.Second || left > time.Second {
				t.Errorf("a hand-over took %s, the one after a leave %s", moved, left)
			}
			if kept > 700*time.Millisecond {
				t.Errorf("a partition that stayed was silent for %s", kept)
			}
			if twice > 0 {
				t.Errorf("%d messages came twice", twice)
			}
			if c := first.Counters(); c.Joins != 1 {
				t.Errorf("the first joined %d times", c.Joins)
			}
		})
	}
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2].Round(time.Millisecond)
}

// silences returns how long the partitions that the first worker has, and the
// others, were silent at most since the last call.
func (t *traffic) silences() (kept, moved time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, gap := range t.gaps {
		if t.last[p].by == "first" {
			kept = max(kept, gap)
		} else {
			moved = max(moved, gap)
		}
	}
	clear(t.gaps)
	return kept, moved
}

// What is in hand is not disturbed by a rebalance: a delivery of a partition that
// stays is settled as ever; one of a partition that went is fenced, and comes to
// the new owner.
func TestHeldThroughRebalance(t *testing.T) {
	t.Parallel()
	o := quick(t)
	first := open(t, o)
	send(t, first, 0, 40)
	held := map[string]jobs.Delivery{} // the first of each partition
	for got := 0; got < 40; {
		ds, err := first.Receive(t.Context(), 40)
		if err != nil {
			t.Fatal(err)
		}
		got += len(ds)
		var settle []jobs.Delivery
		for _, d := range ds {
			if _, ok := held[partitionOf(d)]; !ok {
				held[partitionOf(d)] = d
				continue
			}
			settle = append(settle, d)
		}
		for _, err := range first.Settle(t.Context(), acks(settle)) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	if len(held) != o.Partitions {
		t.Fatalf("messages in %d partitions", len(held))
	}
	second := open(t, o)
	again := map[string]bool{}
	for len(again) < 20 { // the two partitions from their first unsettled message on: all ten each
		ds, err := second.Receive(t.Context(), 40)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			again[d.Message.Key] = true
			held[partitionOf(d)+" again"] = d
		}
		for _, err := range second.Settle(t.Context(), acks(ds)) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	kept, gone := 0, 0
	for p, d := range held {
		if strings.HasSuffix(p, "again") {
			continue
		}
		err := first.Settle(t.Context(), acks([]jobs.Delivery{d}))[0]
		_, moved := held[p+" again"]
		switch {
		case moved && errors.Is(err, jobs.ErrFenced) && again[d.Message.Key]:
			gone++
		case !moved && err == nil:
			kept++
		default:
			t.Error(fmt.Errorf("partition %s, moved %v: %w", p, moved, err))
		}
	}
	if kept != 2 || gone != 2 {
		t.Errorf("%d kept, %d gone", kept, gone)
	}
}

package bench_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	storememory "github.com/butakero/butakero/internal/store/memory"
	storesqlite "github.com/butakero/butakero/internal/store/sqlite"
	queuememory "github.com/butakero/butakero/internal/transport/memory"
	"github.com/butakero/butakero/test/bench"
)

// news counts the operations whose event came.
type news struct {
	mu  sync.Mutex
	ids map[string]int
}

func (n *news) Publish(_ context.Context, events []jobs.Event) []error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range events {
		n.ids[e.Operation.ID]++
	}
	return make([]error, len(events))
}

// A drain ends when every job has ended and its event is out, and counts what that
// took.
func TestDrain(t *testing.T) {
	t.Parallel()
	store, err := storesqlite.Open(t.Context(), filepath.Join(t.TempDir(), "records.db"), storesqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // a test's
	queue := queuememory.New(queuememory.Options{})
	heard := &news{ids: map[string]int{}}
	e := bench.Engines{Store: store, Queue: queue, Events: heard, Requests: func() (int64, int64) { return 5, 7 }}
	const n = 500
	if err := e.Fill(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	d, err := e.Drain(t.Context(), n, 16, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if d.Count != n || d.Calls == 0 || d.Allocations == 0 || d.Requests != (bench.Requests{}) {
		t.Errorf("%+v", d)
	}
	if least := n / 16 * time.Millisecond; d.Wall < least {
		t.Errorf("%s for work of %s", d.Wall, least)
	}
	if len(heard.ids) != n {
		t.Errorf("events of %d operations, of %d", len(heard.ids), n)
	}
	if depth, err := queue.Depth(t.Context()); err != nil || depth.Visible+depth.InFlight != 0 {
		t.Errorf("%+v is left, %v", depth, err)
	}
}

// A drain of more than there is ends with the context, and says what is missing.
func TestDrainOfTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := bench.Engines{Store: storememory.New(), Queue: queuememory.New(queuememory.Options{})}
		if err := e.Fill(ctx, 3); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Drain(ctx, 4, 2, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestConsume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		loop := func(ctx context.Context, work func()) error {
			for ctx.Err() == nil {
				work()
			}
			return nil
		}
		d, err := bench.Consume(t.Context(), loop, 200, 5*time.Millisecond)
		if err != nil || d.Count != 200 || d.Wall != time.Second {
			t.Errorf("%+v, %v", d, err)
		}
		broken := errors.New("broken")
		if _, err := bench.Consume(t.Context(), func(context.Context, func()) error { return broken }, 1, 0); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	})
}

// All contenders get messages of one size, which the workers can read.
func TestMessages(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, body := range bench.Messages(3) {
		m, err := jobs.DecodeMessage(body)
		if err != nil || len(body) != bench.MessageBytes || seen[m.Key] {
			t.Errorf("%d bytes, %+v, %v", len(body), m, err)
		}
		seen[m.Key] = true
	}
}

package kafka_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/kafka"
)

func one(tb testing.TB, q jobs.Queue) jobs.Delivery {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for {
		ds, err := q.Receive(ctx, 1)
		if err != nil {
			tb.Fatal(err)
		}
		if len(ds) == 1 {
			return ds[0]
		}
	}
}

func settle(tb testing.TB, q jobs.Queue, s jobs.Settlement) {
	tb.Helper()
	if err := q.Settle(tb.Context(), []jobs.Settlement{s})[0]; err != nil {
		tb.Fatal(err)
	}
}

// A released message comes again to the same worker, under a new receipt; the old
// one is stale.
func TestReleased(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, 400 * time.Millisecond} {
		q := open(t, quick(t))
		send(t, q, 0, 1)
		d := one(t, q)
		begun := time.Now()
		settle(t, q, jobs.Settlement{Delivery: d, Release: true, Delay: delay})
		again := one(t, q)
		if took := time.Since(begun); took < delay || took > delay+time.Second {
			t.Errorf("delay %s: after %s", delay, took)
		}
		if again.Message != d.Message || again.Receipt == d.Receipt || again.Origin != d.Origin {
			t.Errorf("%+v then %+v", d, again)
		}
		for _, release := range []bool{true, false} {
			err := q.Settle(t.Context(), []jobs.Settlement{{Delivery: d, Release: release}})[0]
			if !errors.Is(err, jobs.ErrFenced) {
				t.Errorf("the old receipt: %v", err)
			}
		}
		settle(t, q, jobs.Settlement{Delivery: again})
		if c := q.Counters(); c.Reproduced != 0 || c.Released != 1 || c.Acknowledged != 1 || c.Stale != 2 {
			t.Errorf("%+v", c)
		}
	}
}

// reproduced waits until a message was produced again: it can be received before the
// broker has told that it took it.
func reproduced(tb testing.TB, q *kafka.Queue) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); q.Counters().Reproduced != 1; runtime.Gosched() {
		if time.Now().After(deadline) {
			tb.Fatalf("%+v", q.Counters())
		}
	}
}

// A message that is released for long is produced again, whole, so that its
// partition's offset can go on.
func TestReleasedForLong(t *testing.T) {
	t.Parallel()
	o := quick(t)
	q := open(t, o)
	body := `{"v":99,"job":"demo:00000000000:default","gen":1}` // a newer worker's
	if err := raw(t, o)(t.Context(), []byte(body)); err != nil {
		t.Fatal(err)
	}
	d := one(t, q)
	settle(t, q, jobs.Settlement{Delivery: d, Release: true, Delay: 5100 * time.Millisecond})
	again := one(t, q)
	if !errors.Is(again.Err, jobs.ErrNewerSchema) || string(again.Raw) != body || again.Origin == d.Origin {
		t.Errorf("%+v then %+v", d, again)
	}
	settle(t, q, jobs.Settlement{Delivery: again})
	reproduced(t, q)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	lag, err := open(t, o).Lag(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for p, n := range lag {
		if n != 0 {
			t.Errorf("%d messages are left in partition %d", n, p)
		}
	}
}

// One that holds up many others is produced again too, however short its
// release.
func TestReleasedBeforeMany(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.Partitions = 1
	q := open(t, o)
	send(t, q, 0, 1)
	d := one(t, q)
	send(t, q, 1, 700)
	drainAll(t, q, 699)
	settle(t, q, jobs.Settlement{Delivery: d, Release: true, Delay: 100 * time.Millisecond})
	again := one(t, q)
	if again.Message != d.Message || again.Origin == d.Origin {
		t.Errorf("%+v then %+v", d, again)
	}
	reproduced(t, q)
}

// A released message that nobody takes up again before the worker goes is the
// next one's.
func TestReleasedThenClosed(t *testing.T) {
	t.Parallel()
	o := quick(t)
	q := open(t, o)
	send(t, q, 0, 1)
	d := one(t, q)
	settle(t, q, jobs.Settlement{Delivery: d, Release: true, Delay: time.Minute})
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if again := one(t, open(t, o)); again.Message != d.Message || again.Origin != d.Origin {
		t.Errorf("%+v", again)
	}
}

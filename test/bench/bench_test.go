package bench_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/butakero/butakero/test/bench"
)

// Every job of a small backlog ends, and is counted once.
func TestDispatch(t *testing.T) {
	t.Parallel()
	rate, err := bench.Dispatch(t.Context(), t.TempDir(), 700, 600)
	if err != nil {
		t.Fatal(err)
	}
	if rate.Count != 600 || rate.Wall <= 0 || rate.CPU <= 0 {
		t.Errorf("%+v", rate)
	}
}

// A single song does not wait for company or a poll.
func TestLatency(t *testing.T) {
	t.Parallel()
	took, err := bench.Latency(t.Context(), t.TempDir(), 30)
	if err != nil {
		t.Fatal(err)
	}
	if p50 := bench.Percentile(took, 50); len(took) != 30 || p50 > 80*time.Millisecond {
		t.Errorf("%d samples, half of them within %s", len(took), p50)
	}
}

// The API takes what the clients send, at once and at a rate.
func TestAPI(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	address, served := make(chan string, 1), make(chan error, 1)
	go func() { served <- bench.API(ctx, t.TempDir(), func(a string) { address <- a }) }()
	var to string
	select {
	case to = <-address:
	case err := <-served:
		t.Fatal(err)
	}
	load := bench.Load{Address: to, Connections: 8, Count: 400}
	if got, err := load.Run(ctx); err != nil || got.Count != 400 {
		t.Errorf("%d answered, %v", got.Count, err)
	}
	load.Rate, load.Count = 500, 100
	got, err := load.Run(ctx)
	if err != nil || got.Count != 100 || got.Wall < 190*time.Millisecond {
		t.Errorf("%d answered in %s, %v", got.Count, got.Wall, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	all := []time.Duration{5, 1, 4, 2, 3}
	for p, want := range map[float64]time.Duration{0: 1, 50: 3, 99: 5, 100: 5} {
		if got := bench.Percentile(all, p); got != want {
			t.Errorf("p%v: %d, want %d", p, got, want)
		}
	}
	if bench.Percentile(nil, 50) != 0 {
		t.Error("of nothing")
	}
}

func TestRSS(t *testing.T) {
	t.Parallel()
	resident, own, err := bench.RSS(os.Getpid())
	if err != nil || own <= 0 || resident < own {
		t.Errorf("%d, %d KiB, %v", resident, own, err)
	}
}

package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/transport/memory"
	"github.com/butakero/butakero/internal/transport/transporttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	const visibility = 300 * time.Millisecond
	transporttest.Run(t, transporttest.Features{
		Held: true, Delays: true, ToldWhenStale: true, ExactDepth: true,
		Visibility: visibility, WakeWithin: 250 * time.Millisecond,
	}, func(t *testing.T) transporttest.Harness {
		q := memory.New(memory.Options{Visibility: visibility})
		t.Cleanup(func() { _ = q.Close() })
		return transporttest.Harness{
			Queue: q, Close: q.Close,
			SendRaw: func(_ context.Context, body []byte) error { q.SendRaw(body); return nil },
		}
	})
}

package kafka_test

import (
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/kafka"
	"github.com/butakero/butakero/internal/transport/transporttest"
)

var _ jobs.Queue = (*kafka.Queue)(nil) // what the suite holds

func TestConformance(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Features{
		Delays: true, ToldWhenStale: true, Persistent: true, OtherConsumers: true,
		Visibility: 300 * time.Millisecond, WakeWithin: time.Second,
	}, func(t *testing.T) transporttest.Harness {
		o := quick(t)
		q := open(t, o)
		return transporttest.Harness{
			Queue: q, SendRaw: raw(t, o), Close: q.Close,
			Second: func(t *testing.T) jobs.Queue { return open(t, o) },
			Reopen: func(t *testing.T) jobs.Queue {
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
				return open(t, o)
			},
		}
	})
}

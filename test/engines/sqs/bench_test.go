package sqs

import (
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/test/servers/servers"
)

// Whole lives of messages on the queue: sent in batches of 100, received for 64 slots,
// settled as they came.
func BenchmarkSendReceiveSettle(b *testing.B) {
	endpoint := servers.SQS(b)
	q, err := awssqs.Open(b.Context(), servers.AWS(b, endpoint), awssqs.Options{URL: fresh(b, endpoint), CreateResources: true, Visibility: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	sent, done := 0, 0
	for b.Loop() {
		if sent++; sent%100 != 0 {
			continue
		}
		out := make([]jobs.Outgoing, 100)
		for i := range out {
			out[i] = message(i)
		}
		if err := q.Send(b.Context(), out); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < len(out); {
			ds, err := q.Receive(b.Context(), min(64, len(out)-n))
			if err != nil {
				b.Fatal(err)
			}
			for _, err := range q.Settle(b.Context(), acknowledgements(ds)) {
				if err != nil {
					b.Fatal(err)
				}
			}
			n += len(ds)
			done += len(ds)
		}
	}
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "messages/s")
}

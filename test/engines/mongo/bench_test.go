package mongo_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/mongo"
)

// ensure makes jobs in batches and returns their keys.
func ensure(tb testing.TB, s jobs.Store, n int) (keys []jobs.Key) {
	tb.Helper()
	for len(keys) < n {
		var commands []jobs.JobCommand
		now := time.Now()
		for range min(500, n-len(keys)) {
			key := randomKey()
			keys = append(keys, key)
			commands = append(commands, jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now.Add(time.Hour)})
		}
		outs, err := s.ApplyJobs(tb.Context(), commands)
		if err != nil {
			tb.Fatal(err)
		}
		for _, o := range outs {
			if o.Err != nil || !o.Changed {
				tb.Fatalf("%+v", o)
			}
		}
	}
	return keys
}

func claimCommand(key jobs.Key, now time.Time) jobs.JobCommand {
	return jobs.JobCommand{
		Kind: jobs.JobClaim, Key: key, Now: now, Token: jobs.RandomID(), Owner: "w", Until: now.Add(90 * time.Second), Margin: 5 * time.Second, MaxCrashes: 3,
	}
}

// BenchmarkClaim is claims of jobs that another process has made: one by one by
// so many callers, or in batches.
func BenchmarkClaim(b *testing.B) {
	for _, how := range []struct{ callers, batch int }{{1, 1}, {16, 1}, {64, 1}, {1, 10}, {1, 64}, {4, 64}} {
		b.Run(fmt.Sprintf("callers=%d/batch=%d", how.callers, how.batch), func(b *testing.B) {
			db := database(b, address(b))
			keys := ensure(b, open(b, mongo.Options{Database: db}), b.N)
			s := open(b, mongo.Options{Database: db})
			work := make(chan []jobs.Key, len(keys))
			for chunk := range slices.Chunk(keys, how.batch) {
				work <- chunk
			}
			close(work)
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			for range how.callers {
				all.Go(func() {
					for chunk := range work {
						commands := make([]jobs.JobCommand, len(chunk))
						for i, key := range chunk {
							commands[i] = claimCommand(key, time.Now())
						}
						outs, err := s.ApplyJobs(b.Context(), commands)
						if err != nil {
							b.Error(err)
							return
						}
						for _, o := range outs {
							if o.Err != nil {
								b.Error(o.Err)
							}
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
		})
	}
}

// BenchmarkLife is whole lives with the real use cases: accept is the API's side
// alone, drain the worker's with all songs accepted before, and both is everything.
func BenchmarkLife(b *testing.B) {
	for _, slots := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("drain/slots=%d", slots), func(b *testing.B) { drain(b, slots, 0) })
	}
	b.Run("drain/slots=64/5ms", func(b *testing.B) { drain(b, 64, 5*time.Millisecond) })
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("accept/callers=%d", callers), func(b *testing.B) {
			f := newFleet(b, open(b, mongo.Options{}), 1, 0)
			defer f.background(b.Context())()
			b.ResetTimer()
			f.accept(b.N, callers)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepts/s")
		})
	}
}

func drain(b *testing.B, slots int, work time.Duration) {
	b.Helper()
	calls := &commands{}
	f := newFleet(b, open(b, mongo.Options{Monitor: calls.monitor()}), slots, work)
	defer f.background(b.Context())()
	f.accept(b.N, 64)
	b.ReportAllocs()
	b.ResetTimer()
	calls.reset()
	stop := f.works(b.Context())
	f.events.wait(b, b.N, 5*time.Minute)
	stop()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lives/s")
	b.ReportMetric(float64(calls.total())/float64(b.N), "calls/op")
	b.Log(calls)
}

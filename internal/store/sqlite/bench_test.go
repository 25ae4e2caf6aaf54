package sqlite_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/sqlite"
)

func report(b *testing.B, since time.Duration, unit string) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), unit)
	b.ReportMetric(float64((cpu()-since).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b)
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			before := cpu()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						accept(b, s, 1, 1)
					}
				})
			}
			wg.Wait()
			report(b, before, "accepts/s")
		})
	}
}

func BenchmarkLife(b *testing.B) {
	for _, batch := range []int{1, 64, 128, 256} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := open(b)
			keys, _ := accept(b, s, b.N, 512)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			for len(keys) > 0 {
				n := min(batch, len(keys))
				live(b, s, keys[:n])
				keys = keys[n:]
			}
			report(b, before, "lives/s")
		})
	}
}

// BenchmarkAmong is a life while many other jobs wait: it must not matter how
// many.
func BenchmarkAmong(b *testing.B) {
	for _, waiting := range []int{1_000, 1_000_000} {
		if testing.Short() && waiting > 1_000 {
			continue
		}
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			s := among(b, waiting)
			b.Run("life", func(b *testing.B) {
				keys, _ := accept(b, s, b.N, 512)
				b.ResetTimer()
				before := cpu()
				for len(keys) > 0 {
					n := min(128, len(keys))
					live(b, s, keys[:n])
					keys = keys[n:]
				}
				report(b, before, "lives/s")
			})
			b.Run("accept", func(b *testing.B) {
				before := cpu()
				accept(b, s, b.N, 128)
				report(b, before, "accepts/s")
			})
			b.Run("due", func(b *testing.B) {
				for range b.N {
					must(b, func() error { _, err := s.Due(b.Context(), time.Now(), 200); return err })
				}
			})
			b.Run("stats", func(b *testing.B) {
				for range b.N {
					must(b, func() error { _, err := s.Stats(b.Context(), time.Now()); return err })
				}
			})
		})
	}
}

// among returns a store in which so many jobs wait; none of them is due.
func among(b *testing.B, waiting int) *sqlite.Store {
	b.Helper()
	s := open(b)
	accept(b, s, waiting, 1000)
	return s
}

// BenchmarkIdle is what one caller of an idle store waits for one command, which
// is on the disk then. The median and the slowest hundredth are reported.
func BenchmarkIdle(b *testing.B) {
	s := open(b)
	key := jobs.Key{Song: randomSong(), Profile: jobs.DefaultProfile}
	must(b, func() error {
		_, err := s.ApplyJobs(b.Context(), []jobs.JobCommand{{Kind: jobs.JobEnsure, Key: key, Now: time.Now()}})
		return err
	})
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		must(b, func() error {
			_, err := s.ApplyJobs(b.Context(), []jobs.JobCommand{{Kind: jobs.JobRing, Key: key, Now: time.Now(), DueAt: time.Now()}})
			return err
		})
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkRead is one operation by its id, as a polling client asks for it.
func BenchmarkRead(b *testing.B) {
	s := open(b)
	_, ids := accept(b, s, 10_000, 500)
	i := 0
	for b.Loop() {
		must(b, func() error { _, err := s.Operation(b.Context(), ids[i%len(ids)]); return err })
		i++
	}
}

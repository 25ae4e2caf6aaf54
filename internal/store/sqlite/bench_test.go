package sqlite_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/sqlite"
)

func open(tb testing.TB) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "records.db"), sqlite.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func randomSong() jobs.Song {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var b [jobs.SongIDLength]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return jobs.Song{Platform: jobs.PlatformYouTube, ID: string(b[:])}
}

func entropy() (e [8]byte) { _, _ = rand.Read(e[:]); return e }

// accept puts n operations and their jobs in batches, and returns the keys.
func accept(tb testing.TB, s jobs.Store, n, batch int) (keys []jobs.Key, ids []string) {
	tb.Helper()
	for len(keys) < n {
		var puts []jobs.OperationCommand
		var ensures []jobs.JobCommand
		now := time.Now()
		for range min(batch, n-len(keys)) {
			key := jobs.Key{Song: randomSong(), Profile: jobs.DefaultProfile}
			id := jobs.NewOperationID(key.Song, entropy())
			keys, ids = append(keys, key), append(ids, id)
			puts = append(puts, jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: now, Operation: jobs.Operation{
				ID: id, Key: key, Text: "some title", CreatedAt: now, DueAt: now.Add(2 * time.Minute),
			}})
			ensures = append(ensures, jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now.Add(30 * time.Second), Info: jobs.SongInfo{Title: "some title"}})
		}
		must(tb, func() error { _, err := s.ApplyOperations(tb.Context(), puts); return err })
		must(tb, func() error { _, err := s.ApplyJobs(tb.Context(), ensures); return err })
	}
	return keys, ids
}

func must(tb testing.TB, f func() error) {
	tb.Helper()
	if err := f(); err != nil {
		tb.Fatal(err)
	}
}

// live takes jobs through claim, commit with fan-out and announcement.
func live(tb testing.TB, s jobs.Store, keys []jobs.Key) {
	tb.Helper()
	now := time.Now()
	claims := make([]jobs.JobCommand, len(keys))
	for i, k := range keys {
		claims[i] = jobs.JobCommand{Kind: jobs.JobClaim, Key: k, Now: now, Token: "0123456789abcdef0123456789abcdef", Owner: "worker", Until: now.Add(time.Minute), MaxCrashes: 3}
	}
	outs, err := s.ApplyJobs(tb.Context(), claims)
	if err != nil {
		tb.Fatal(err)
	}
	commits := make([]jobs.JobCommand, len(keys))
	for i, o := range outs {
		if o.Err != nil {
			tb.Fatal(o.Err)
		}
		commits[i] = jobs.JobCommand{
			Kind: jobs.JobCommit, Key: keys[i], Now: now, Fence: o.Job.Fence, Token: o.Job.Token, FanOut: 100, DueAt: now.Add(time.Minute),
			Result: &jobs.Result{Path: "audio/some title [xxxxxxxxxxx].dca", Bytes: 3 << 20, SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Frames: 10000, Duration: 200 * time.Second},
		}
	}
	if outs, err = s.ApplyJobs(tb.Context(), commits); err != nil {
		tb.Fatal(err)
	}
	var marks []jobs.OperationCommand
	for _, o := range outs {
		if o.Err != nil || !o.Closed {
			tb.Fatalf("%+v", o)
		}
		for _, op := range o.Finished {
			marks = append(marks, jobs.OperationCommand{Kind: jobs.OperationAnnounced, ID: op.ID, Now: now, Generation: op.Generation, ExpireAt: now.Add(time.Hour)})
		}
	}
	if _, err := s.ApplyOperations(tb.Context(), marks); err != nil {
		tb.Fatal(err)
	}
}

// cpu is the time that the process has spent on all cores: unlike the wall's it
// does not depend on who else uses the machine.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

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

package sqlite_test

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/sqlite"
	"github.com/butakero/butakero/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobs.Backend { return open(t) }, storetest.Features{FanOut: true, Eventually: 5 * time.Second})
}

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

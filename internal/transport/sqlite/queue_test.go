package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/sqlite"
	"github.com/butakero/butakero/internal/transport/transporttest"
)

const visibility = 300 * time.Millisecond

func open(tb testing.TB, path string) *sqlite.Queue {
	tb.Helper()
	q, err := sqlite.Open(tb.Context(), path, sqlite.Options{Visibility: visibility})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = q.Close() })
	return q
}

func TestConformance(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Features{
		Held: true, Delays: true, ToldWhenStale: true, ExactDepth: true, Persistent: true, OtherConsumers: true,
		Visibility: visibility, WakeWithin: time.Second,
	}, func(t *testing.T) transporttest.Harness {
		path := filepath.Join(t.TempDir(), "queue.db")
		q := open(t, path)
		return transporttest.Harness{
			Queue: q, SendRaw: q.SendRaw, Close: q.Close,
			Second: func(t *testing.T) jobs.Queue { return open(t, path) },
			Reopen: func(t *testing.T) jobs.Queue {
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
				return open(t, path)
			},
		}
	})
}

// What can not be opened is refused with words that say why.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damaged, []byte(fmt.Sprintf("%04096d", 7)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	if err := open(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		damaged:                          sqlite.ErrCorrupt,
		newer:                            sqlite.ErrNewerSchema,
		filepath.Join(newer, "below.db"): sqlite.ErrNotWritable,
	} {
		if q, err := sqlite.Open(t.Context(), path, sqlite.Options{}); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", path, q, err, want)
		}
	}
}

// Another process's messages are heard of without being told.
func TestOtherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	ours, theirs := open(t, path), open(t, path)
	got := make(chan error, 1)
	go func() {
		_, err := ours.Receive(t.Context(), 1)
		got <- err
	}()
	err := theirs.Send(t.Context(), []jobs.Outgoing{{Message: jobs.Message{Key: "demo:00000000000:default", Generation: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("never heard of it")
	}
}

func BenchmarkSendReceiveAcknowledge(b *testing.B) {
	for _, batch := range []int{1, 128} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			q := open(b, filepath.Join(b.TempDir(), "queue.db"))
			var out []jobs.Outgoing
			for range batch {
				out = append(out, jobs.Outgoing{Message: jobs.Message{Key: "demo:00000000000:default", Generation: 1}})
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := q.Send(b.Context(), out); err != nil {
					b.Fatal(err)
				}
				for got := 0; got < batch; {
					ds, err := q.Receive(b.Context(), batch)
					if err != nil {
						b.Fatal(err)
					}
					got += len(ds)
					settle := make([]jobs.Settlement, len(ds))
					for i, d := range ds {
						settle[i].Delivery = d
					}
					for _, err := range q.Settle(b.Context(), settle) {
						if err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// A file of the first version is taken over. Its messages are not: the
// reconciler rings again.
func TestOlderSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE messages (id INTEGER PRIMARY KEY); INSERT INTO messages VALUES (1); PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	q := openFor(t, path, time.Minute)
	send(t, q, song(1))
	if ds := receive(t, q, 5*time.Second); len(ds) != 1 || ds[0].Message != song(1) {
		t.Errorf("%+v", ds)
	}
}

package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/sqlite"
)

func openFor(tb testing.TB, path string, visibility time.Duration) *sqlite.Queue {
	tb.Helper()
	q, err := sqlite.Open(tb.Context(), path, sqlite.Options{Visibility: visibility, BusyTimeout: 50 * time.Millisecond, PollEvery: 20 * time.Millisecond})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = q.Close() })
	return q
}

func song(i int) jobs.Message {
	return jobs.Message{Version: jobs.MessageVersion, Key: fmt.Sprintf("demo:%011d:default", i), Generation: 1}
}

func send(tb testing.TB, q jobs.Queue, all ...jobs.Message) {
	tb.Helper()
	out := make([]jobs.Outgoing, len(all))
	for i, m := range all {
		out[i].Message = m
	}
	if err := q.Send(tb.Context(), out); err != nil {
		tb.Fatal(err)
	}
}

// receive returns what comes within d.
func receive(tb testing.TB, q jobs.Queue, d time.Duration) []jobs.Delivery {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	defer cancel()
	ds, err := q.Receive(ctx, 10)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		tb.Fatal(err)
	}
	return ds
}

func settle(tb testing.TB, q jobs.Queue, s jobs.Settlement) {
	tb.Helper()
	if err := q.Settle(tb.Context(), []jobs.Settlement{s})[0]; err != nil {
		tb.Fatal(err)
	}
}

// until waits for the depth as another process sees it.
func until(tb testing.TB, q jobs.Queue, want jobs.Depth) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		d, err := q.Depth(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		if d == want {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("depth %+v, want %+v", d, want)
		}
	}
}

// version changes whenever another connection has written to the file.
func version(tb testing.TB, path string) func() int {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { _ = db.Close() })
	return func() (v int) {
		if err := db.QueryRow("PRAGMA data_version").Scan(&v); err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// A message that is received and settled at once costs no write.
func TestSettledAtOnceIsNotWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := openFor(t, path, time.Minute)
	_ = receive(t, q, 10*time.Millisecond) // somebody receives here
	written := version(t, path)
	before := written()
	for i := range 200 {
		send(t, q, song(i))
		ds := receive(t, q, 5*time.Second)
		if len(ds) != 1 || ds[0].Message != song(i) {
			t.Fatalf("%+v", ds)
		}
		settle(t, q, jobs.Settlement{Delivery: ds[0]})
	}
	if after := written(); after != before {
		t.Error("the file was written")
	}
}

// A message that nobody here has time for reaches other processes soon, and in a
// process that never receives it is in the file when Send returns.
func TestOthersSeeWhatWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	ours, theirs := openFor(t, path, time.Minute), openFor(t, path, time.Minute)
	send(t, ours, song(1))
	if d, err := theirs.Depth(t.Context()); err != nil || d.Visible != 1 {
		t.Errorf("at once: %+v, %v", d, err)
	}
	if ds := receive(t, ours, 5*time.Second); len(ds) != 1 {
		t.Fatal(ds)
	}
	send(t, ours, song(2), song(3))
	for got := 0; got < 2; {
		ds := receive(t, theirs, 5*time.Second)
		if len(ds) == 0 {
			t.Fatal("never came")
		}
		got += len(ds)
	}
}

// A delivery that is held for long is in the file: others count it, and what its
// holder does with it they see.
func TestHeldForLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	ours, theirs := openFor(t, path, time.Minute), openFor(t, path, time.Minute)
	send(t, ours, song(1), song(2), song(3))
	var ds []jobs.Delivery
	for len(ds) < 3 {
		ds = append(ds, receive(t, ours, 5*time.Second)...)
	}
	until(t, theirs, jobs.Depth{InFlight: 3})
	until(t, ours, jobs.Depth{InFlight: 3})
	settle(t, ours, jobs.Settlement{Delivery: ds[0]})
	until(t, theirs, jobs.Depth{InFlight: 2})
	if err := ours.Settle(t.Context(), []jobs.Settlement{{Delivery: ds[0]}})[0]; !errors.Is(err, jobs.ErrFenced) {
		t.Errorf("settled twice: %v", err)
	}
	settle(t, ours, jobs.Settlement{Delivery: ds[1], Release: true})
	again := receive(t, theirs, 5*time.Second)
	if len(again) != 1 || again[0].Message != ds[1].Message {
		t.Fatalf("released: %+v", again)
	}
	if err := ours.Extend(t.Context(), ds[2:], 0)[0]; err != nil {
		t.Fatal(err)
	}
	again = receive(t, theirs, 5*time.Second) // its time is over
	if len(again) != 1 || again[0].Message != ds[2].Message {
		t.Fatalf("expired: %+v", again)
	}
	for _, err := range append(ours.Extend(t.Context(), ds[2:], time.Minute), ours.Settle(t.Context(), []jobs.Settlement{{Delivery: ds[2]}})...) {
		if !errors.Is(err, jobs.ErrFenced) {
			t.Errorf("a stale receipt: %v", err)
		}
	}
	until(t, theirs, jobs.Depth{InFlight: 2})
}

// What is in memory when the queue is closed is there when it is opened again:
// what waits at once, what was held after its time.
func TestClosedLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := openFor(t, path, 700*time.Millisecond)
	_ = receive(t, q, 10*time.Millisecond)
	send(t, q, song(1))
	held := receive(t, q, 5*time.Second)
	begun := time.Now()
	send(t, q, song(2))
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = openFor(t, path, time.Minute)
	if ds := receive(t, q, 5*time.Second); len(ds) != 1 || ds[0].Message != song(2) {
		t.Errorf("%+v", ds)
	}
	ds := receive(t, q, 5*time.Second)
	if len(ds) != 1 || ds[0].Message != song(1) || len(held) != 1 || time.Since(begun) < 500*time.Millisecond {
		t.Errorf("%+v after %s", ds, time.Since(begun))
	}
}

// While the file can not be written, messages stay in memory, health says so,
// and nothing is lost.
func TestWritingBehindFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := openFor(t, path, time.Minute)
	_ = receive(t, q, 10*time.Millisecond)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	lock, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	send(t, q, song(1))
	if err := q.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("ping while the file is locked: %v", err)
	}
	// The counts are right, or it says that it can not count now.
	if d, err := q.Depth(t.Context()); err == nil && d.Visible != 1 || err != nil && !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := lock.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	until(t, openFor(t, path, time.Minute), jobs.Depth{Visible: 1})
	if ds := receive(t, q, 5*time.Second); len(ds) != 1 {
		t.Error(ds)
	}
	if err := q.Ping(t.Context()); err != nil {
		t.Errorf("ping afterwards: %v", err)
	}
}

// A long backlog in the file comes before what was sent just now.
func TestOldestFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := openFor(t, path, time.Minute)
	var backlog []jobs.Message
	for i := range 100 {
		backlog = append(backlog, song(i))
	}
	send(t, q, backlog...)
	for got := 0; got < 100; {
		for _, d := range receive(t, q, 5*time.Second) {
			if d.Message != song(got) {
				t.Fatalf("%s came as number %d", d.Message.Key, got)
			}
			send(t, q, song(1000+got))
			got++
		}
	}
}

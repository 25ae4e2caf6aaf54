package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/sqlite"
)

// opened opens a database that has to open.
func opened(tb testing.TB, path string, o sqlite.Options) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), path, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// filled makes a database with records and closes it.
func filled(t *testing.T, path string, n int) []jobs.Key {
	t.Helper()
	s := opened(t, path, sqlite.Options{})
	keys, _ := accept(t, s, n, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// refusal opens a database that must not open and returns why.
func refusal(t *testing.T, path string, o sqlite.Options) error {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, o)
	if err == nil {
		t.Fatal("opened", s.Close())
	}
	return err
}

// raw is a connection of a stranger.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestModes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new folder ñ?#%", "records.db")
	s := opened(t, path, sqlite.Options{})
	accept(t, s, 1, 1)
	for file, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %o", file, info, err, want)
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	keys := filled(t, path, 250)
	s := opened(t, path, sqlite.Options{})
	for _, key := range keys {
		if j, err := s.Job(t.Context(), key); err != nil || j.State != jobs.JobPending {
			t.Fatalf("%+v, %v", j, err)
		}
	}
	if st, err := s.Stats(t.Context(), time.Now()); err != nil || st.Jobs[jobs.JobPending] != 250 || st.Waiting != 250 {
		t.Fatalf("%+v, %v", st, err)
	}
	live(t, s, keys[:100])
	events, _, err := s.Events(t.Context(), "", 1000)
	if err != nil || len(events) != 100 {
		t.Fatalf("%d events, %v", len(events), err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "records.db"), sqlite.Options{})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
	if _, err := s.ApplyJobs(t.Context(), []jobs.JobCommand{{Kind: jobs.JobEnsure}}); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("apply: %v", err)
	}
	if _, err := s.Job(t.Context(), jobs.Key{}); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	filled(t, path, 1)
	if _, err := raw(t, path).ExecContext(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	err := refusal(t, path, sqlite.Options{})
	if !errors.Is(err, sqlite.ErrNewerSchema) || !strings.Contains(err.Error(), "schema 99") || !strings.Contains(err.Error(), "store_newer_schema") {
		t.Fatal(err)
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	damages := map[string]func(b []byte) []byte{
		"another file":  func([]byte) []byte { return bytes.Repeat([]byte("this is a text\n"), 1000) },
		"a short text":  func([]byte) []byte { return []byte("hello") },
		"cut in half":   func(b []byte) []byte { return b[:len(b)/2] },
		"header":        func(b []byte) []byte { return append(bytes.Repeat([]byte{0xff}, 100), b[100:]...) },
		"the last half": func(b []byte) []byte { return append(b[:len(b)/2:len(b)/2], bytes.Repeat([]byte{0xa5}, len(b)/2)...) },
		"one page":      func(b []byte) []byte { copy(b[8*4096:], bytes.Repeat([]byte{0}, 4096)); return b },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "records.db")
			filled(t, path, 300)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := refusal(t, path, sqlite.Options{}); !errors.Is(err, sqlite.ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Fatal(err)
			}
		})
	}
	t.Run("an empty file is a new one", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "records.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		accept(t, opened(t, path, sqlite.Options{}), 1, 1)
	})
}

// A record that can not be read is an error of its own; the rest of the batch
// goes on.
func TestOneBadRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	keys := filled(t, path, 10)
	if _, err := raw(t, path).ExecContext(t.Context(), "UPDATE jobs SET doc = X'77' WHERE row = 3"); err != nil {
		t.Fatal(err)
	}
	s := opened(t, path, sqlite.Options{})
	var commands []jobs.JobCommand
	for _, key := range keys {
		commands = append(commands, jobs.JobCommand{Kind: jobs.JobClaim, Key: key, Now: time.Now(), Token: "t", Until: time.Now().Add(time.Minute), MaxCrashes: 3})
	}
	outs, err := s.ApplyJobs(t.Context(), commands)
	if err != nil {
		t.Fatal(err)
	}
	for i, out := range outs {
		if (out.Err != nil) != (i == 2) {
			t.Errorf("record %d: %v", i, out.Err)
		}
	}
}

func TestNotWritable(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a file in place of the folder": filepath.Join(file, "records.db"),
		"a folder in place of the file": folder,
		"a device":                      "/proc/self/status/records.db",
	} {
		if err := refusal(t, path, sqlite.Options{}); !errors.Is(err, sqlite.ErrNotWritable) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	s := opened(t, path, sqlite.Options{BusyTimeout: 100 * time.Millisecond})
	keys, _ := accept(t, s, 1, 1)
	tx, err := raw(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	claim := []jobs.JobCommand{{Kind: jobs.JobClaim, Key: keys[0], Now: time.Now(), Token: "t", Until: time.Now().Add(time.Minute), MaxCrashes: 3}}
	if _, err := s.ApplyJobs(t.Context(), claim); !errors.Is(err, jobs.ErrUnavailable) {
		t.Fatalf("a locked database: %v", err)
	}
	if waited := time.Since(began); waited < 90*time.Millisecond {
		t.Errorf("gave up after %s", waited)
	}
	if err := refusal(t, path, sqlite.Options{BusyTimeout: 50 * time.Millisecond}); !errors.Is(err, jobs.ErrUnavailable) || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	if _, err := s.Job(t.Context(), keys[0]); err != nil {
		t.Errorf("reading goes on: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	outs, err := s.ApplyJobs(t.Context(), claim)
	if err != nil || outs[0].Err != nil || outs[0].Job.Attempt != 1 {
		t.Fatalf("%+v, %v", outs, err)
	}
}

// What waits for a lock that is released in time is none the wiser.
func TestWaitsForALock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	s := opened(t, path, sqlite.Options{BusyTimeout: 30 * time.Second})
	tx, err := raw(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- s.Ping(t.Context()) }()
	select {
	case err := <-result:
		t.Fatalf("answered while the database was locked: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "records.db"), sqlite.Options{KeepDead: time.Hour})
	keys, ids := accept(t, s, 30, 30)
	live(t, s, keys[:20]) // their operations expire in an hour
	var cancels, closes []jobs.JobCommand
	for _, key := range keys[20:25] {
		cancels = append(cancels, jobs.JobCommand{Kind: jobs.JobCancel, Key: key, Now: time.Now(), Generation: 1})
		closes = append(closes, jobs.JobCommand{Kind: jobs.JobClose, Key: key, Now: time.Now(), Generation: 1})
	}
	must(t, func() error { _, err := s.ApplyJobs(t.Context(), cancels); return err })
	must(t, func() error { _, err := s.ApplyJobs(t.Context(), closes[:4]); return err })
	_, cursor, err := s.Events(t.Context(), "", 100)
	must(t, func() error { return err })
	for _, step := range []struct {
		after time.Duration
		limit int
		want  int
	}{{0, 100, 0}, {59 * time.Minute, 100, 0}, {61 * time.Minute, 5, 5 + 4}, {61 * time.Minute, 100, 15}, {61 * time.Minute, 100, 0}} {
		if n, err := s.Purge(t.Context(), time.Now().Add(step.after), step.limit); err != nil || n != step.want {
			t.Errorf("after %s: %d deleted, want %d; %v", step.after, n, step.want, err)
		}
	}
	if _, err := s.Operation(t.Context(), ids[0]); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("an expired operation: %v", err)
	}
	for _, id := range ids[20:] {
		if _, err := s.Operation(t.Context(), id); err != nil {
			t.Errorf("an operation that waits: %v", err)
		}
	}
	for i, want := range map[int]error{0: nil, 20: jobs.ErrNotFound, 24: nil, 25: nil} { // done, closed, cancelled only, pending
		if _, err := s.Job(t.Context(), keys[i]); !errors.Is(err, want) {
			t.Errorf("job %d: %v, want %v", i, err, want)
		}
	}
	if st, err := s.Stats(t.Context(), time.Now()); err != nil || st.Jobs[jobs.JobCancelled] != 1 || st.Jobs[jobs.JobDone] != 20 || st.Waiting != 10 {
		t.Errorf("%+v, %v", st, err)
	}
	// The newest end was deleted: a reader of the events goes on behind it.
	live(t, s, keys[25:])
	if events, _, err := s.Events(t.Context(), cursor, 100); err != nil || len(events) != 5 {
		t.Errorf("%d events behind the deleted ones, want 5; %v", len(events), err)
	}
}

// A retention that was shortened is not held up by what is to be kept for longer.
func TestPurgeBehindLongLived(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "records.db"), sqlite.Options{})
	_, ids := accept(t, s, 1500, 500)
	var commands []jobs.OperationCommand
	now := time.Now()
	for _, id := range ids {
		commands = append(commands, jobs.OperationCommand{Kind: jobs.OperationFinish, ID: id, Now: now, State: jobs.OperationCancelled})
	}
	must(t, func() error { _, err := s.ApplyOperations(t.Context(), commands); return err })
	for i := range commands {
		keep := 10_000 * time.Hour
		if i >= 1400 {
			keep = time.Hour
		}
		commands[i] = jobs.OperationCommand{Kind: jobs.OperationAnnounced, ID: ids[i], Now: now, Generation: 1, ExpireAt: now.Add(keep)}
	}
	must(t, func() error { _, err := s.ApplyOperations(t.Context(), commands); return err })
	deleted := 0
	for range 6 {
		n, err := s.Purge(t.Context(), now.Add(2*time.Hour), 50)
		must(t, func() error { return err })
		deleted += n
	}
	if deleted != 100 {
		t.Fatalf("%d deleted, want 100", deleted)
	}
}

func TestBadOperationID(t *testing.T) {
	t.Parallel()
	s := open(t)
	good := jobs.NewOperationID(randomSong(), entropy())
	for _, id := range []string{"", "x", strings.ToUpper(good), strings.Replace(good, "-", "_", 1), good[:35] + "g"} {
		outs, err := s.ApplyOperations(t.Context(), []jobs.OperationCommand{
			{Kind: jobs.OperationPut, ID: id, Operation: jobs.Operation{ID: id}},
			{Kind: jobs.OperationPut, ID: good, Operation: jobs.Operation{ID: good}},
		})
		if err != nil || !errors.Is(outs[0].Err, jobs.ErrBadOperationID) || outs[1].Err != nil {
			t.Errorf("%q: %v, %v", id, outs, err)
		}
	}
	if _, err := s.Operation(t.Context(), good); err != nil {
		t.Error(err)
	}
}

func Example() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder) //nolint:errcheck // an example's own folder
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(folder, "records.db"), sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close() //nolint:errcheck // everything that was answered is on the disk
	key := jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}, Profile: jobs.DefaultProfile}
	outcomes, err := store.ApplyJobs(ctx, []jobs.JobCommand{
		{Kind: jobs.JobEnsure, Key: key, Now: time.Now()},
		{Kind: jobs.JobEnsure, Key: key, Now: time.Now()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range outcomes {
		fmt.Println(o.Job.Key, o.Job.State, o.Changed)
	}
	// Output:
	// youtube:dQw4w9WgXcQ:default pending true
	// youtube:dQw4w9WgXcQ:default pending false
}

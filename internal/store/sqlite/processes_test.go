package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/sqlite"
	"github.com/butakero/butakero/internal/store/storetest"
)

// pair stands for two processes that share a file: it takes turns.
type pair struct {
	stores [2]*sqlite.Store
	turn   atomic.Int64
}

func (p *pair) next() *sqlite.Store { return p.stores[p.turn.Add(1)%2] }

func (p *pair) ApplyJobs(ctx context.Context, c []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	return p.next().ApplyJobs(ctx, c)
}

func (p *pair) ApplyOperations(ctx context.Context, c []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	return p.next().ApplyOperations(ctx, c)
}

func (p *pair) Job(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	return p.next().Job(ctx, key)
}

func (p *pair) Operation(ctx context.Context, id string) (jobs.Operation, error) {
	return p.next().Operation(ctx, id)
}

func (p *pair) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) ([]jobs.Operation, error) {
	return p.next().OperationsOf(ctx, key, state, after, limit)
}

func (p *pair) Due(ctx context.Context, now time.Time, limit int) (jobs.Due, error) {
	return p.next().Due(ctx, now, limit)
}

func (p *pair) Jobs(ctx context.Context, f jobs.JobFilter, cursor string, limit int) ([]jobs.Job, string, error) {
	return p.next().Jobs(ctx, f, cursor, limit)
}

func (p *pair) Groups(ctx context.Context, f jobs.JobFilter, by jobs.Facet, limit int) ([]jobs.Group, error) {
	return p.next().Groups(ctx, f, by, limit)
}

func (p *pair) Events(ctx context.Context, cursor string, limit int) ([]jobs.Operation, string, error) {
	return p.next().Events(ctx, cursor, limit)
}

func (p *pair) Stats(ctx context.Context, now time.Time) (jobs.Stats, error) {
	return p.next().Stats(ctx, now)
}

func (p *pair) Note(ctx context.Context, key string) (jobs.Note, error) {
	return p.next().Note(ctx, key)
}

func (p *pair) SwapNote(ctx context.Context, n jobs.Note) (jobs.Note, error) {
	return p.next().SwapNote(ctx, n)
}

func (p *pair) ListNotes(ctx context.Context, prefix, after string, limit int) ([]jobs.Note, error) {
	return p.next().ListNotes(ctx, prefix, after, limit)
}

// TestTwoProcesses runs the whole suite on two stores that share a file: each
// must see at once what the other has written, whatever it keeps in memory.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobs.Backend {
		path := filepath.Join(t.TempDir(), "records.db")
		o := sqlite.Options{BusyTimeout: time.Minute}
		return &pair{stores: [2]*sqlite.Store{opened(t, path, o), opened(t, path, o)}}
	}, storetest.Features{FanOut: true, Eventually: 5 * time.Second, Rounds: 5, Racers: 16, Commands: 2000, Waiters: 500})
}

const childFolder = "BUTAKERO_TEST_SQLITE_CHILD"

// TestMain lets the test binary be the process that TestKilled kills.
func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		child(folder)
	}
	os.Exit(m.Run())
}

// child accepts until it is killed, and says what was answered.
func child(folder string) {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, filepath.Join(folder, "records.db"), sqlite.Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for {
		song := randomSong()
		key := jobs.Key{Song: song, Profile: jobs.DefaultProfile}
		id := jobs.NewOperationID(song, entropy())
		now := time.Now()
		_, err := s.ApplyOperations(ctx, []jobs.OperationCommand{{Kind: jobs.OperationPut, ID: id, Now: now, Operation: jobs.Operation{ID: id, Key: key, CreatedAt: now, DueAt: now}}})
		if err == nil {
			_, err = s.ApplyJobs(ctx, []jobs.JobCommand{{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now}})
		}
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(id, key)
	}
}

// TestKilled kills a process in the middle of its writing, again and again, and
// looks for everything that was answered.
func TestKilled(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	answered := map[string]jobs.Key{}
	for round := range 5 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), childFolder+"="+folder)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			id, name, _ := strings.Cut(lines.Text(), " ")
			key, err := jobs.ParseKey(name)
			if err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			answered[id] = key
			if n == 50+round*13 {
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = c.Wait() // killed
		s, err := sqlite.Open(t.Context(), filepath.Join(folder, "records.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for id, key := range answered {
			o, err := s.Operation(t.Context(), id)
			if err != nil || o.Key != key {
				t.Fatalf("operation %s: %+v, %v", id, o, err)
			}
			if _, err := s.Job(t.Context(), key); err != nil {
				t.Fatalf("job %s: %v", key, err)
			}
		}
		if st, err := s.Stats(t.Context(), time.Now()); err != nil || st.Waiting < int64(len(answered)) {
			t.Fatalf("%+v, %v", st, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(answered) < 250 {
		t.Fatalf("%d answers", len(answered))
	}
}

//go:build failpoints

package app

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// This file is in test builds only (-tags failpoints). It lets a process kill itself
// at a named step of the protocol, and witness what it does in a file outside:
//
//	FAILPOINT=W8-before:3     SIGKILL before the third commit (W1 to W12, before or after)
//	FAILPOINT_LEDGER=FILE     a line for each claim, renewal, end and download
type failpoints struct {
	at     string
	left   atomic.Int64
	ledger *os.File
}

// points is read once: a process has one set of failpoints.
var points *failpoints

func readFailpoints() (*failpoints, error) {
	f := &failpoints{}
	if text := os.Getenv("FAILPOINT"); text != "" {
		at, count, _ := strings.Cut(text, ":")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("FAILPOINT %q: want such as W8-before:3", text)
		}
		f.at = at
		f.left.Store(int64(n))
	}
	if name := os.Getenv("FAILPOINT_LEDGER"); name != "" {
		file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // a test names it
		if err != nil {
			return nil, err
		}
		f.ledger = file
	}
	return f, nil
}

// hit ends the process if this is the step at which it is to die.
func (f *failpoints) hit(point, when string) {
	if f.at == point+"-"+when && f.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it arrives
	}
}

// witness adds a line to the ledger: one write, so that processes do not mix theirs.
func (f *failpoints) witness(what string, key jobs.Key, generation, fence int64, until time.Time) {
	if f.ledger == nil {
		return
	}
	end := int64(0)
	if !until.IsZero() {
		end = until.UnixMilli()
	}
	line := fmt.Sprintf("%d %s %s %d %d %d %d\n", time.Now().UnixMilli(), what, key, generation, fence, end, os.Getpid())
	if _, err := f.ledger.WriteString(line); err == nil {
		_ = f.ledger.Sync()
	}
}

func (s *System) instrument() (err error) {
	if points, err = readFailpoints(); err != nil {
		return err
	}
	s.Store = failingStore{s.Store, points}
	s.Queue = failingQueue{s.Queue, points}
	s.Blobs = failingBlobs{s.Blobs, points}
	s.Source = witnessedSource{s.Source, points}
	if s.Events != nil {
		s.Events = failingEvents{s.Events, points}
	}
	return nil
}

// instrumentHandler dies after the answer to a request for a song (W3), which has
// reached the client, and before it.
func instrumentHandler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/audio/start")
		if start {
			points.hit("W3", "before")
		}
		h.ServeHTTP(w, r)
		if start {
			_ = http.NewResponseController(w).Flush()
			points.hit("W3", "after")
		}
	})
}

var jobPoints = map[jobs.JobCommandKind]string{
	jobs.JobEnsure: "W2", jobs.JobClaim: "W5", jobs.JobRenew: "W6", jobs.JobCommit: "W8", jobs.JobFail: "W8",
}

var operationPoints = map[jobs.OperationCommandKind]string{
	jobs.OperationPut: "W1", jobs.OperationFinish: "W9", jobs.OperationAnnounced: "W11",
}

type failingStore struct {
	storeAdapter
	points *failpoints
}

// ApplyJobs implements jobs.Store.
func (s failingStore) ApplyJobs(ctx context.Context, commands []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	for _, c := range commands {
		s.points.hit(jobPoints[c.Kind], "before")
	}
	outs, err := s.storeAdapter.ApplyJobs(ctx, commands)
	if err != nil {
		return outs, err
	}
	for i, o := range outs {
		c := commands[i]
		if o.Err == nil && o.Changed {
			switch c.Kind {
			case jobs.JobClaim, jobs.JobRenew:
				s.points.witness(string(c.Kind), c.Key, o.Job.Generation, o.Job.Fence, o.Job.LeaseUntil)
			case jobs.JobCommit, jobs.JobFail:
				s.points.witness(string(c.Kind), c.Key, o.Job.Generation, c.Fence, time.Time{})
			}
		}
		if o.Finished != nil { // in the same transaction
			s.points.hit("W9", "after")
		}
		s.points.hit(jobPoints[c.Kind], "after")
	}
	return outs, err
}

// ApplyOperations implements jobs.Store.
func (s failingStore) ApplyOperations(ctx context.Context, commands []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	for _, c := range commands {
		s.points.hit(operationPoints[c.Kind], "before")
	}
	outs, err := s.storeAdapter.ApplyOperations(ctx, commands)
	for _, c := range commands {
		s.points.hit(operationPoints[c.Kind], "after")
	}
	return outs, err
}

type failingQueue struct {
	queueAdapter
	points *failpoints
}

// Send implements jobs.Queue.
func (q failingQueue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	q.points.hit("W4", "before")
	err := q.queueAdapter.Send(ctx, messages)
	q.points.hit("W4", "after")
	return err
}

// Settle implements jobs.Queue.
func (q failingQueue) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	q.points.hit("W12", "before")
	errs := q.queueAdapter.Settle(ctx, settlements)
	q.points.hit("W12", "after")
	return errs
}

type failingEvents struct {
	jobs.Events
	points *failpoints
}

// Publish implements jobs.Events.
func (e failingEvents) Publish(ctx context.Context, events []jobs.Event) []error {
	e.points.hit("W10", "before")
	errs := e.Events.Publish(ctx, events)
	e.points.hit("W10", "after")
	return errs
}

type failingBlobs struct {
	blobAdapter
	points *failpoints
}

// Create implements pipeline.Blobs.
func (b failingBlobs) Create(ctx context.Context, key string) (pipeline.Upload, error) {
	u, err := b.blobAdapter.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	return failingUpload{u, b.points}, nil
}

type failingUpload struct {
	pipeline.Upload
	points *failpoints
}

// Commit implements pipeline.Upload.
func (u failingUpload) Commit(ctx context.Context, meta pipeline.BlobMeta, replace bool) error {
	u.points.hit("W7", "before")
	err := u.Upload.Commit(ctx, meta, replace)
	u.points.hit("W7", "after")
	return err
}

type witnessedSource struct {
	sourceAdapter
	points *failpoints
}

// Open implements pipeline.Source.
func (s witnessedSource) Open(ctx context.Context, song jobs.Song) (*pipeline.Media, error) {
	s.points.witness("download", jobs.Key{Song: song, Profile: jobs.DefaultProfile}, 0, 0, time.Time{})
	return s.sourceAdapter.Open(ctx, song)
}

package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	storesqlite "github.com/butakero/butakero/internal/store/sqlite"
	queuesqlite "github.com/butakero/butakero/internal/transport/sqlite"
)

// rig is engines and the use cases over them.
type rig struct {
	Engines
	bell     *jobs.Bell
	finisher *jobs.Finisher
	counted  *counted

	stopHelpers context.CancelFunc
	helping     sync.WaitGroup
	closers     []io.Closer
}

// openRig opens the embedded engines in a folder.
func openRig(ctx context.Context, dir string) (*rig, error) {
	store, err := storesqlite.Open(ctx, filepath.Join(dir, "records.db"), storesqlite.Options{})
	if err != nil {
		return nil, err
	}
	queue, err := queuesqlite.Open(ctx, filepath.Join(dir, "queue.db"), queuesqlite.Options{})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	r := newRig(ctx, Engines{Store: store, Queue: queue})
	r.closers = []io.Closer{queue, store}
	return r, nil
}

// newRig puts the use cases over engines that stay open when it is closed.
func newRig(ctx context.Context, e Engines) *rig {
	r := &rig{Engines: e, counted: &counted{Store: e.Store, reached: make(chan struct{}, 1)}}
	r.bell = jobs.NewBell(e.Queue, slog.New(slog.DiscardHandler))
	r.finisher = jobs.NewFinisher(jobs.FinisherConfig{Store: r.counted, Events: e.Events, Bell: r.bell})
	helpers, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stopHelpers = stop
	r.helping.Go(func() { r.bell.Run(helpers) })
	r.helping.Go(func() { r.finisher.Run(helpers) })
	return r
}

func (r *rig) close() error {
	r.stopHelpers()
	r.helping.Wait()
	var all []error
	for _, c := range r.closers {
		all = append(all, c.Close())
	}
	return errors.Join(all...)
}

// work runs a worker until the returned function is called, which returns when
// everything is settled.
func (r *rig) work(p jobs.Processor, slots int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	runner := jobs.NewRunner(jobs.RunnerConfig{
		Store: r.counted, Notes: r.Store, Queue: r.Queue, Finisher: r.finisher, Bell: r.bell, Processor: p, Slots: slots,
	})
	reconciler := jobs.NewReconciler(jobs.ReconcilerConfig{Store: r.counted, Finisher: r.finisher, Bell: r.bell})
	var working sync.WaitGroup
	working.Go(func() { runner.Run(ctx, context.Background()) })
	working.Go(func() { reconciler.Run(ctx) })
	return func() { cancel(); working.Wait() }
}

// fillBatch is how many jobs are accepted at a time.
const fillBatch = 256

// fill accepts n new songs, each with its operation, its job and its message, as
// the intake would, many at a time. The reconciler looks at the jobs after ring,
// and at the operations after four times as long. The requester is in the messages
// alone, and makes them longer.
func (e Engines) fill(ctx context.Context, n int, ring time.Duration, requester string) error {
	for n > 0 {
		size := min(n, fillBatch)
		n -= size
		puts := make([]jobs.OperationCommand, size)
		ensures := make([]jobs.JobCommand, size)
		messages := make([]jobs.Outgoing, size)
		now := time.Now()
		for i := range size {
			key := jobs.Key{Song: newSong(), Profile: jobs.DefaultProfile}
			id := jobs.NewOperationID(key.Song, entropy())
			puts[i] = jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: now, Operation: jobs.Operation{
				ID: id, Key: key, Text: "https://youtu.be/" + key.Song.ID, CreatedAt: now, DueAt: now.Add(4 * ring),
			}}
			ensures[i] = jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now.Add(ring)}
			messages[i].Message = message(key.Song, requester)
		}
		if _, err := e.Store.ApplyOperations(ctx, puts); err != nil {
			return err
		}
		outs, err := e.Store.ApplyJobs(ctx, ensures)
		if err != nil {
			return err
		}
		for _, o := range outs {
			if o.Err != nil || !o.Changed {
				return fmt.Errorf("fill: changed %v, %w", o.Changed, o.Err)
			}
		}
		if err := e.Queue.Send(ctx, messages); err != nil {
			return err
		}
	}
	return nil
}

// counted counts the events that are marked as published: the last step of an
// operation's life.
type counted struct {
	jobs.Store
	calls     atomic.Int64 // of the port
	announced atomic.Int64
	target    atomic.Int64
	reached   chan struct{}
}

// expect makes wait return once n more operations have been announced.
func (c *counted) expect(n int) { c.target.Store(c.announced.Load() + int64(n)) }

func (c *counted) wait(ctx context.Context) error {
	select {
	case <-c.reached:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d operations have not ended: %w", c.target.Load()-c.announced.Load(), ctx.Err())
	}
}

// ApplyOperations implements jobs.Store.
func (c *counted) ApplyOperations(ctx context.Context, commands []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	c.calls.Add(1)
	outs, err := c.Store.ApplyOperations(ctx, commands)
	n := int64(0)
	for i := range outs {
		if commands[i].Kind == jobs.OperationAnnounced && outs[i].Changed {
			n++
		}
	}
	if n == 0 {
		return outs, err
	}
	after, target := c.announced.Add(n), c.target.Load()
	if after >= target && after-n < target {
		c.reached <- struct{}{}
	}
	return outs, err
}

// ApplyJobs implements jobs.Store.
func (c *counted) ApplyJobs(ctx context.Context, commands []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	c.calls.Add(1)
	return c.Store.ApplyJobs(ctx, commands)
}

// Job implements jobs.Store.
func (c *counted) Job(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	c.calls.Add(1)
	return c.Store.Job(ctx, key)
}

// OperationsOf implements jobs.Store.
func (c *counted) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) ([]jobs.Operation, error) {
	c.calls.Add(1)
	return c.Store.OperationsOf(ctx, key, state, after, limit)
}

// Due implements jobs.Store.
func (c *counted) Due(ctx context.Context, now time.Time, limit int) (jobs.Due, error) {
	c.calls.Add(1)
	return c.Store.Due(ctx, now, limit)
}

func entropy() (e [8]byte) { _, _ = rand.Read(e[:]); return e }

func newSong() jobs.Song {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var b [jobs.SongIDLength]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return jobs.Song{Platform: jobs.PlatformYouTube, ID: string(b[:])}
}

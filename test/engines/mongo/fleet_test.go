package mongo_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/memory"
)

// fleet is the use cases of an API and a worker over a store, with a queue in
// memory and songs that are made in no time, or in a set one.
type fleet struct {
	tb     testing.TB
	intake *jobs.Intake
	runner *jobs.Runner
	bell   *jobs.Bell
	finish *jobs.Finisher
	events *published
	work   time.Duration

	mu   sync.Mutex
	made map[jobs.Key]int
}

func newFleet(tb testing.TB, store jobs.Backend, slots int, work time.Duration) *fleet {
	tb.Helper()
	f := &fleet{tb: tb, work: work, made: map[jobs.Key]int{}, events: &published{times: map[string]int{}, news: make(chan struct{}, 1)}}
	queue := memory.New(memory.Options{})
	tb.Cleanup(func() { _ = queue.Close() })
	f.bell = jobs.NewBell(queue, slog.New(slog.DiscardHandler))
	f.finish = jobs.NewFinisher(jobs.FinisherConfig{Store: store, Events: f.events, Bell: f.bell})
	f.intake = jobs.NewIntake(jobs.IntakeConfig{Store: store, Notes: store, Bell: f.bell, Finisher: f.finish})
	f.runner = jobs.NewRunner(jobs.RunnerConfig{
		Store: store, Notes: store, Queue: queue, Processor: f, Finisher: f.finish, Bell: f.bell, Slots: slots, Drain: 10 * time.Second,
	})
	return f
}

// Process implements jobs.Processor.
func (f *fleet) Process(ctx context.Context, j jobs.Job, _ func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	f.mu.Lock()
	f.made[j.Key]++
	f.mu.Unlock()
	if f.work > 0 {
		select {
		case <-time.After(f.work):
		case <-ctx.Done():
			return jobs.Result{}, ctx.Err()
		}
	}
	return jobs.Result{Path: "audio/" + j.Key.ID + ".dca", Bytes: 1 << 20, SHA256: "ab", Frames: 9000, Duration: 3 * time.Minute}, nil
}

// background has the bell and the finisher run.
func (f *fleet) background(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { f.bell.Run(ctx) })
	all.Go(func() { f.finish.Run(ctx) })
	return func() {
		cancel()
		all.Wait()
	}
}

// works has the worker run.
func (f *fleet) works(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { f.runner.Run(ctx, context.WithoutCancel(ctx)) })
	return func() {
		cancel()
		all.Wait()
	}
}

// accept has n songs asked for, by so many callers at a time.
func (f *fleet) accept(n, callers int) {
	f.tb.Helper()
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range todo {
				song := randomSong()
				if _, err := f.intake.Accept(f.tb.Context(), jobs.Request{Song: &song, Requester: "guild-1"}); err != nil {
					f.tb.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// published is where events go.
type published struct {
	mu    sync.Mutex
	times map[string]int
	news  chan struct{}
}

// Publish implements jobs.Events.
func (p *published) Publish(_ context.Context, events []jobs.Event) []error {
	p.mu.Lock()
	for _, e := range events {
		p.times[e.ID]++
	}
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
	return make([]error, len(events))
}

// wait waits until n different events are out.
func (p *published) wait(tb testing.TB, n int, limit time.Duration) {
	tb.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		have := len(p.times)
		p.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-p.news:
		case <-deadline.C:
			tb.Fatalf("%d of %d events are out after %s", have, n, limit)
		}
	}
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

func randomKey() jobs.Key { return jobs.Key{Song: randomSong(), Profile: jobs.DefaultProfile} }

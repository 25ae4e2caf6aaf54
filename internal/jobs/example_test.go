package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	storememory "github.com/butakero/butakero/internal/store/memory"
	queuememory "github.com/butakero/butakero/internal/transport/memory"
)

// shout makes songs without any work.
type shout struct{}

func (shout) Process(_ context.Context, j jobs.Job, _ func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	return jobs.Result{Path: "audio/" + j.Key.ID + ".dca", Frames: 50, Duration: time.Second}, nil
}

// told passes events on to a channel.
type told chan jobs.Event

func (t told) Publish(_ context.Context, events []jobs.Event) []error {
	for _, e := range events {
		t <- e
	}
	return make([]error, len(events))
}

// The whole flow with adapters in memory: a request is accepted, a worker makes
// the song, and the event tells of it.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	store, queue, events := storememory.New(), queuememory.New(queuememory.Options{}), make(told, 1)
	bell := jobs.NewBell(queue, slog.New(slog.DiscardHandler))
	finisher := jobs.NewFinisher(jobs.FinisherConfig{Store: store, Events: events, Bell: bell})
	intake := jobs.NewIntake(jobs.IntakeConfig{Store: store, Notes: store, Bell: bell, Finisher: finisher, Resolver: byText{}})
	runner := jobs.NewRunner(jobs.RunnerConfig{Store: store, Queue: queue, Processor: shout{}, Finisher: finisher, Bell: bell})
	go bell.Run(ctx)
	go finisher.Run(ctx)
	done := make(chan struct{})
	go func() { defer close(done); runner.Run(ctx, context.Background()) }()

	accepted, err := intake.Accept(ctx, jobs.Request{Text: "rainywindow"})
	fmt.Println(accepted.Operation.State, err)
	event := <-events
	fmt.Println(event.Operation.ID == accepted.Operation.ID, event.Operation.State, event.Operation.Result.Path)

	cancel() // no new work
	<-done   // what was in hand is settled
	// Output:
	// waiting <nil>
	// true succeeded audio/rainywindow.dca
}

func ExamplePolicy_Decide() {
	policy := jobs.Policy{}.WithDefaults()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	job := jobs.Job{Attempt: 1, Owner: "worker", CreatedAt: now}
	for _, err := range []error{
		jobs.Permanent("private", "this video is private", nil),
		jobs.Transient("network", "the connection was lost", nil),
		jobs.RetryAfter(time.Minute, "rate_limited", "they ask us to wait", nil),
	} {
		c := policy.Decide(job, err, now, 0.5)
		fmt.Println(c.To, c.Failure.Code, "charged:", !c.Refund)
	}
	// Output:
	// dead private charged: true
	// retry network charged: true
	// retry rate_limited charged: false
}

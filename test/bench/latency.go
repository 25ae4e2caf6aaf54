package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Latency accepts single songs while nothing else goes on, and returns for each
// how long it took from the call of the intake until the job was claimed and its
// processor called: two durable writes, the message, and the durable claim.
func Latency(ctx context.Context, dir string, samples int) (took []time.Duration, err error) {
	r, err := openRig(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	started := make(starts, 1)
	stop := r.work(started, 2)
	defer stop()
	intake := jobs.NewIntake(jobs.IntakeConfig{Store: r.counted, Notes: r.Store, Bell: r.bell, Finisher: r.finisher})
	for range samples {
		song := newSong()
		r.counted.expect(1)
		from := time.Now()
		if _, err := intake.Accept(ctx, jobs.Request{Song: &song}); err != nil {
			return nil, err
		}
		select {
		case at := <-started:
			took = append(took, at.Sub(from))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := r.counted.wait(ctx); err != nil {
			return nil, err
		}
		pause := time.NewTimer(time.Duration(5+rand.IntN(20)) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		}
	}
	return took, nil
}

// starts is a processor that tells when it was called.
type starts chan time.Time

// Process implements jobs.Processor.
func (s starts) Process(ctx context.Context, j jobs.Job, report func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	s <- time.Now()
	return nothing{}.Process(ctx, j, report)
}

// Percentile returns the value that p percent of the durations do not exceed; 0
// if there are none.
func Percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*p/100))]
}

package bench

import (
	"context"
	"errors"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Rate is what a run of many alike things took.
type Rate struct {
	Count int
	Wall  time.Duration
	CPU   time.Duration // of this process, over all cores
}

// PerSecond is the rate; 0 of nothing.
func (r Rate) PerSecond() float64 {
	if r.Wall <= 0 {
		return 0
	}
	return float64(r.Count) / r.Wall.Seconds()
}

// CPUEach is the CPU time of one.
func (r Rate) CPUEach() time.Duration { return r.CPU / time.Duration(max(1, r.Count)) }

// dispatchSlots are more than a worker has for real songs: with work that takes
// no time, the slots are the company in which jobs travel.
const dispatchSlots = 1024

// Dispatch fills a new database in dir with waiting jobs, lets a worker with
// no-op work at them and measures how long it takes until so many have ended and
// their events are marked as published.
func Dispatch(ctx context.Context, dir string, waiting, ended int) (rate Rate, err error) {
	r, err := openRig(ctx, dir)
	if err != nil {
		return rate, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	// What waits for longer is looked at by the reconciler, which is another thing
	// to measure.
	ring := 30 * time.Second
	if waiting > 200_000 {
		ring = 24 * time.Hour
	}
	if err := r.fill(ctx, waiting, ring, ""); err != nil {
		return rate, err
	}
	r.counted.expect(ended)
	from, cpu := time.Now(), processCPU()
	stop := r.work(nothing{}, dispatchSlots)
	defer stop()
	if err := r.counted.wait(ctx); err != nil {
		return rate, err
	}
	return Rate{Count: ended, Wall: time.Since(from), CPU: processCPU() - cpu}, nil
}

// nothing is a processor that makes a song out of nothing, at once.
type nothing struct{}

// Process implements jobs.Processor.
func (nothing) Process(_ context.Context, j jobs.Job, _ func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	return jobs.Result{
		Path: "audio/Song [" + j.Key.Song.ID + "].dca", Bytes: 3 << 20, Frames: 10_000, Duration: 200 * time.Second,
		SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	}, nil
}

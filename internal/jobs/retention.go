package jobs

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// Retention is how long ended jobs are kept after their last change, by state. A state
// that is missing, or 0, is kept for ever.
type Retention map[JobState]time.Duration

// KeeperConfig holds what a Keeper needs; Store and Desk must be set.
type KeeperConfig struct {
	Store Store
	Desk  Desk
	Keep  Retention
	Every time.Duration // between two sweeps; 1 h
	Page  int           // jobs at a time; 100
	Now   func() time.Time
	Log   *slog.Logger
}

// Keeper forgets ended jobs when their time is over. It is idempotent, and any number
// may run. The file of a done job stays: it is adopted when the song is asked for
// again.
type Keeper struct {
	KeeperConfig
	forgotten atomic.Int64
}

// NewKeeper fills in the defaults.
func NewKeeper(c KeeperConfig) *Keeper {
	setDefault(&c.Every, time.Hour)
	setDefault(&c.Page, 100)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{KeeperConfig: c}
}

// Forgotten counts the jobs that this process has forgotten.
func (k *Keeper) Forgotten() int64 { return k.forgotten.Load() }

// Run sweeps now and then until ctx is done.
func (k *Keeper) Run(ctx context.Context) {
	for wait := min(time.Minute, k.Every); sleep(ctx, wait); wait = k.Every {
		forgotten, err := k.Sweep(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			k.Log.Warn("can not forget jobs whose time is over; trying again later", "error", err)
		case len(forgotten) > 0:
			k.Log.Info("forgot jobs whose time is over", "jobs", forgotten)
		}
	}
}

// Sweep forgets all jobs whose time is over, and returns how many of each state.
func (k *Keeper) Sweep(ctx context.Context) (map[JobState]int, error) {
	forgotten := map[JobState]int{}
	for _, state := range slices.Sorted(maps.Keys(k.Keep)) {
		keep := k.Keep[state]
		if keep <= 0 || !state.Ended() {
			continue
		}
		n, err := k.sweep(ctx, JobFilter{State: state, Until: k.Now().Add(-keep)})
		if n > 0 {
			forgotten[state] = n
			k.forgotten.Add(int64(n))
		}
		if err != nil {
			return forgotten, err
		}
	}
	return forgotten, nil
}

// sweep goes through what a filter selects, page by page. Lists may be stale: what has
// changed meanwhile, or whose operations are not all ended, refuses.
func (k *Keeper) sweep(ctx context.Context, filter JobFilter) (n int, err error) {
	for cursor := ""; ; {
		page, next, err := k.Desk.Jobs(ctx, filter, cursor, k.Page)
		if err != nil {
			return n, err
		}
		commands := make([]JobCommand, 0, len(page))
		for _, j := range page {
			commands = append(commands, JobCommand{Kind: JobDiscard, Key: j.Key, Now: k.Now(), Generation: j.Generation})
		}
		if len(commands) > 0 {
			outs, err := k.Store.ApplyJobs(ctx, commands)
			if err != nil {
				return n, err
			}
			for _, o := range outs {
				switch {
				case o.Err == nil && o.Changed:
					n++
				case o.Err != nil && errors.Is(o.Err, ErrUnavailable):
					return n, o.Err
				}
			}
		}
		if next == "" {
			return n, nil
		}
		cursor = next
	}
}

package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// BulksConfig holds what Bulks needs; all but the last four must be set.
type BulksConfig struct {
	Store    Store
	Desk     Desk
	Notes    Notes
	Operator *Operator
	Audit    *Audit

	Worker string        // who carries runs out; a random id
	Every  time.Duration // how often a worker looks for runs; 2 s
	Log    *slog.Logger
	Now    func() time.Time
}

// Bulks is the desk of bulk runs: it takes them down, and its Run carries them out.
type Bulks struct{ BulksConfig }

const (
	bulkPrefix = "bulk/"
	bulkKeep   = 90 * 24 * time.Hour // of ended runs
	bulkLease  = time.Minute
	bulkPage   = 100
	// previewFor bounds a dry run; what it could not look at is said.
	previewFor = 5 * time.Second
)

// NewBulks fills in the defaults.
func NewBulks(c BulksConfig) *Bulks {
	setDefault(&c.Worker, RandomID())
	setDefault(&c.Every, 2*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Bulks{c}
}

// Preview says what a run would do.
type Preview struct {
	Seen     int64            `json:"seen"`
	Would    int64            `json:"would"` // change
	Refused  map[string]int64 `json:"refused,omitempty"`
	Complete bool             `json:"complete"` // false: there are more than could be looked at in 5 s
	Keys     []string         `json:"keys,omitempty"`
}

// Preview looks at what a run would select, for some seconds at most, and changes
// nothing. Keys holds the first hundred that it would change.
func (b *Bulks) Preview(ctx context.Context, run Bulk) (Preview, error) {
	run.CreatedAt = b.Now()
	run, err := run.check()
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Refused: map[string]int64{}, Complete: true}
	begun := time.Now()
	for {
		page, next, err := b.page(ctx, run)
		if err != nil {
			return p, err
		}
		for _, j := range page {
			if run.Limit > 0 && p.Would == run.Limit {
				return p, nil
			}
			p.Seen++
			if reason := run.refusal(j); reason != "" {
				p.Refused[reason]++
				continue
			}
			p.Would++
			if len(p.Keys) < 100 {
				p.Keys = append(p.Keys, j.Key.String())
			}
		}
		if next == "" {
			return p, nil
		}
		if run.Cursor = next; time.Since(begun) > previewFor {
			p.Complete = false
			return p, nil
		}
	}
}

// page reads the next jobs of a selection, and where to go on; "" at the end.
func (b *Bulks) page(ctx context.Context, run Bulk) ([]Job, string, error) {
	if len(run.Keys) == 0 {
		found, next, err := b.Desk.Jobs(ctx, run.Filter, run.Cursor, bulkPage)
		if err != nil {
			return nil, "", fmt.Errorf("list jobs: %w", err)
		}
		return found, next, nil
	}
	var found []Job
	for _, text := range run.Keys {
		key, err := ParseKey(text)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrBulk, err)
		}
		j, err := b.Store.Job(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, "", fmt.Errorf("job %s: %w", key, err)
		}
		j.Key = key
		found = append(found, j)
	}
	return found, "", nil
}

// Start takes a run down; the workers begin within seconds.
func (b *Bulks) Start(ctx context.Context, run Bulk) (Bulk, error) {
	now := b.Now().UTC()
	run.CreatedAt, run.UpdatedAt = now, now
	run, err := run.check()
	if err != nil {
		return run, err
	}
	run.ID = fmt.Sprintf("%s-%s", now.Format("20060102T150405"), RandomID()[:8])
	run.State = BulkRunning
	if err := putNote(ctx, b.Notes, bulkPrefix+run.ID, run, time.Time{}); err != nil {
		return run, fmt.Errorf("start the run: %w", err)
	}
	b.Audit.Record(ctx, Entry{
		By: run.By, Action: string(run.Kind), Target: "run " + run.ID, Filter: run.Filter.String(), Count: -1, Reason: run.Reason,
	})
	return run, nil
}

// Get returns a run. ErrNotFound.
func (b *Bulks) Get(ctx context.Context, id string) (Bulk, error) {
	run, _, err := b.read(ctx, id)
	return run, err
}

func (b *Bulks) read(ctx context.Context, id string) (Bulk, Note, error) {
	n, err := b.Notes.Note(ctx, bulkPrefix+id)
	if err != nil {
		return Bulk{}, n, fmt.Errorf("run: %w", err)
	}
	var run Bulk
	if err := json.Unmarshal(n.Value, &run); err != nil {
		return run, n, fmt.Errorf("run %s can not be read: %w", id, err)
	}
	return run, n, nil
}

// List returns the runs, the newest first.
func (b *Bulks) List(ctx context.Context) (all []Bulk, err error) {
	err = eachNote(ctx, b.Notes, bulkPrefix, func(n Note) bool {
		var run Bulk
		if json.Unmarshal(n.Value, &run) == nil {
			all = append(all, run)
		}
		return true
	})
	slices.Reverse(all)
	return all, err
}

// Stop ends a run where it is. ErrNotFound; ErrEnded when it is over.
func (b *Bulks) Stop(ctx context.Context, id, by string) (Bulk, error) {
	for {
		run, n, err := b.read(ctx, id)
		if err != nil {
			return run, err
		}
		if run.State != BulkRunning {
			return run, ErrEnded
		}
		run.State, run.EndedAt = BulkStopped, b.Now().UTC()
		if _, err = b.swap(ctx, n, run); errors.Is(err, ErrConflict) {
			continue
		} else if err != nil {
			return run, err
		}
		b.Audit.Record(ctx, Entry{By: by, Action: "stop", Target: "run " + id, Count: run.Changed})
		return run, nil
	}
}

// swap writes a run down if nobody else has since; ErrConflict.
func (b *Bulks) swap(ctx context.Context, n Note, run Bulk) (Note, error) {
	run.UpdatedAt = b.Now().UTC()
	value, err := json.Marshal(run)
	if err != nil {
		return n, err
	}
	n.Value = value
	n.ExpiresAt = time.Time{}
	if run.State != BulkRunning {
		n.ExpiresAt = run.UpdatedAt.Add(bulkKeep)
	}
	return b.Notes.SwapNote(ctx, n)
}

// Run carries out what is there until ctx is done. Any number of workers may: each
// run is held by one at a time.
func (b *Bulks) Run(ctx context.Context) {
	failing := false
	for sleep(ctx, b.Every) {
		err := b.look(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			b.Log.Warn("bulk runs wait", "error", err)
		}
		failing = err != nil
	}
}

func (b *Bulks) look(ctx context.Context) error {
	all, err := b.List(ctx)
	if err != nil {
		return err
	}
	for _, run := range slices.Backward(all) { // the oldest first
		if run.State == BulkRunning && (run.Owner == b.Worker || b.Now().After(run.LeaseUntil)) {
			if err := b.carryOut(ctx, run.ID); err != nil && !errors.Is(err, ErrConflict) {
				return err
			}
		}
	}
	return nil
}

// carryOut does one run page by page. ErrConflict: somebody else has it, or has
// stopped it.
func (b *Bulks) carryOut(ctx context.Context, id string) error {
	run, n, err := b.read(ctx, id)
	if err != nil {
		return err
	}
	for run.State == BulkRunning {
		run.Owner, run.LeaseUntil = b.Worker, b.Now().Add(bulkLease)
		if n, err = b.swap(ctx, n, run); err != nil {
			return err
		}
		page, next, err := b.page(ctx, run)
		if err != nil {
			return err
		}
		whole, err := b.work(ctx, &run, page)
		if whole {
			run.Cursor = next
			if next == "" {
				run.State, run.EndedAt = BulkDone, b.Now().UTC()
			}
		}
		if run.Limit > 0 && run.Changed >= run.Limit {
			run.State, run.EndedAt = BulkDone, b.Now().UTC()
		}
		written, swapErr := b.swap(context.WithoutCancel(ctx), n, run)
		if err = errors.Join(err, swapErr); err != nil {
			return err
		}
		n = written
	}
	b.Log.Info("a bulk run is done", "run", run.ID, "kind", run.Kind, "changed", run.Changed, "seen", run.Seen, "failed", run.Failed)
	b.Audit.Record(ctx, Entry{
		By: run.By, Action: string(run.Kind), Target: "run " + run.ID, Filter: run.Filter.String(), Count: run.Changed, Result: "done",
	})
	return nil
}

// work does the jobs of a page, at the run's rate, for half a lease at most; whole
// tells whether it came to the page's end.
func (b *Bulks) work(ctx context.Context, run *Bulk, page []Job) (whole bool, err error) {
	until := b.Now().Add(bulkLease / 2)
	for _, j := range page {
		if run.Limit > 0 && run.Changed >= run.Limit {
			return true, nil
		}
		if b.Now().After(until) && len(run.Keys) == 0 {
			return false, nil // what is done is not selected again
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		run.Seen++
		reason := run.refusal(j)
		if reason == "" {
			reason, err = b.one(ctx, *run, j)
		}
		switch {
		case err != nil && errors.Is(err, ErrUnavailable):
			run.Seen--
			return false, err
		case err != nil:
			run.Failed++
			run.Error = err.Error()
		case reason != "":
			if run.Refused == nil {
				run.Refused = map[string]int64{}
			}
			run.Refused[reason]++
		default:
			run.Changed++
		}
		err = nil
		if run.Rate > 0 && !sleep(ctx, time.Duration(float64(time.Second)/run.Rate)) {
			return false, ctx.Err()
		}
	}
	return true, nil
}

// one changes one job; reason says why not.
func (b *Bulks) one(ctx context.Context, run Bulk, j Job) (reason string, err error) {
	if run.Kind == BulkReplay {
		_, err = b.Operator.Replay(ctx, j.Key, run.Force)
	} else {
		err = b.Operator.Discard(ctx, j.Key)
	}
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return refused.Reason, nil
	case errors.Is(err, ErrState), errors.Is(err, ErrStale):
		return RefusedState, nil
	case errors.Is(err, ErrNotFound):
		return RefusedGone, nil
	}
	return "", err
}

package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// FinisherConfig holds what a Finisher needs. Store and Bell must be set.
type FinisherConfig struct {
	Store  Store
	Events Events // nil: the API's own stream is all there is
	Bell   *Bell
	Log    *slog.Logger

	Grace     time.Duration // an ended record is looked at by the reconciler after; 30 s
	KeepEnded time.Duration // an operation may be deleted so long after its event is out; 30 days
	Page      int           // waiting operations that are ended at a time; 100

	Now func() time.Time
}

// Finisher ends the operations that wait for ended jobs and publishes their
// events: W9 to W11. Every step may be repeated by anybody at any time.
type Finisher struct {
	FinisherConfig
	announcements chan Operation
}

const (
	announceBuffer  = 4096
	announceBatch   = 256
	announceTimeout = 15 * time.Second
)

// NewFinisher fills in the defaults.
func NewFinisher(c FinisherConfig) *Finisher {
	setDefault(&c.Grace, 30*time.Second)
	setDefault(&c.KeepEnded, 30*24*time.Hour)
	setDefault(&c.Page, 100)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Finisher{FinisherConfig: c, announcements: make(chan Operation, announceBuffer)}
}

// Finish ends one operation from an ended job and has its event published. It
// returns the operation as it then is.
func (f *Finisher) Finish(ctx context.Context, j Job, o Operation) (Operation, error) {
	if j.State == JobCancelled {
		return o, ErrState
	}
	now := f.Now()
	out, err := applyOperation(ctx, f.Store, FinishCommand(j, o, now, now.Add(f.Grace)))
	if err != nil {
		if errors.Is(err, ErrEnded) {
			return out.Operation, nil
		}
		return o, err
	}
	f.Announce(ctx, out.Operation)
	return out.Operation, nil
}

// Cancel ends one operation by a person's wish.
func (f *Finisher) Cancel(ctx context.Context, o Operation, message string) (Operation, error) {
	now := f.Now()
	out, err := applyOperation(ctx, f.Store, OperationCommand{
		Kind: OperationFinish, ID: o.ID, Now: now, State: OperationCancelled,
		Failure: &Failure{Class: ClassCancelled, Code: CodeCancelled, Message: message, At: now},
		DueAt:   now.Add(f.Grace),
	})
	if err != nil {
		return out.Operation, err
	}
	f.Announce(ctx, out.Operation)
	return out.Operation, nil
}

// FanOut brings ended jobs to rest: it reopens what a replay left, ends every
// waiting operation page by page, and closes the job. A cancelled job that
// somebody waits for is begun again: a cancel takes back one's own request,
// never another's. The first error is returned; what was not done stays due.
func (f *Finisher) FanOut(ctx context.Context, ended []Job) error {
	var first error
	for len(ended) > 0 {
		var more []Job
		var finish []OperationCommand
		var closing []JobCommand
		for _, j := range ended {
			if j.Reopen != 0 {
				if err := f.Reopen(ctx, j); err != nil {
					first = firstError(first, err)
					continue
				}
			}
			waiting, err := f.Store.OperationsOf(ctx, j.Key, OperationWaiting, "", f.Page)
			if err != nil {
				first = firstError(first, fmt.Errorf("waiting operations: %w", err))
				continue
			}
			if j.State == JobCancelled && len(waiting) > 0 {
				first = firstError(first, f.revive(ctx, j))
				continue
			}
			now := f.Now()
			for _, o := range waiting {
				finish = append(finish, FinishCommand(j, o, now, now.Add(f.Grace)))
			}
			if len(waiting) == f.Page {
				more = append(more, j)
				continue
			}
			closing = append(closing, JobCommand{Kind: JobClose, Key: j.Key, Now: now, Generation: j.Generation})
		}
		progress, err := f.finishAll(ctx, finish)
		first = firstError(first, err)
		if err == nil && len(closing) > 0 {
			if _, err := f.Store.ApplyJobs(ctx, closing); err != nil {
				first = firstError(first, fmt.Errorf("close: %w", err))
			}
		}
		if !progress { // nothing of the page could be ended: leave it to the reconciler
			break
		}
		ended = more
	}
	return first
}

// finishAll applies the commands and announces what ended. progress is false if
// there was something to end and nothing did.
func (f *Finisher) finishAll(ctx context.Context, commands []OperationCommand) (progress bool, err error) {
	if len(commands) == 0 {
		return true, nil
	}
	outs, err := f.Store.ApplyOperations(ctx, commands)
	if err != nil {
		return false, fmt.Errorf("end operations: %w", err)
	}
	for _, o := range outs {
		switch {
		case o.Err == nil:
			progress = true
			f.Announce(ctx, o.Operation)
		case errors.Is(o.Err, ErrEnded), errors.Is(o.Err, ErrNotFound):
			progress = true // somebody else ended it
		case errors.Is(o.Err, ErrStale): // reopened by a replay meanwhile: the next generation's business
		default:
			err = firstError(err, o.Err)
		}
	}
	return progress, err
}

// revive begins a cancelled job again for those who came too late to be asked.
func (f *Finisher) revive(ctx context.Context, j Job) error {
	now := f.Now()
	out, err := applyJob(ctx, f.Store, JobCommand{Kind: JobEnsure, Key: j.Key, Now: now, DueAt: now.Add(f.Grace), Requester: j.Requester})
	if err != nil {
		return fmt.Errorf("revive: %w", err)
	}
	if out.Changed {
		f.Bell.Ring(out.Job, 0)
	}
	return nil
}

// Reopen makes the failed operations of a replayed job wait again, and then
// clears the job's mark. An event that is not out yet goes out first: no end
// goes unannounced.
func (f *Finisher) Reopen(ctx context.Context, j Job) error {
	after := ""
	for {
		page, err := f.Store.OperationsOf(ctx, j.Key, OperationFailed, after, f.Page)
		if err != nil {
			return fmt.Errorf("reopen: %w", err)
		}
		for _, o := range page {
			after = o.ID
			if o.JobGeneration > j.Reopen {
				continue
			}
			if o.Event == EventPending {
				if err := f.publish(ctx, []Operation{o}); err != nil {
					return fmt.Errorf("reopen: %w", err)
				}
			}
			now := f.Now()
			_, err := applyOperation(ctx, f.Store, OperationCommand{
				Kind: OperationReopen, ID: o.ID, Now: now, Generation: o.Generation,
				JobGeneration: j.Reopen, DueAt: now.Add(f.Grace),
			})
			if err != nil && !errors.Is(err, ErrState) && !errors.Is(err, ErrStale) && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("reopen: %w", err)
			}
		}
		if len(page) < f.Page {
			break
		}
	}
	_, err := applyJob(ctx, f.Store, JobCommand{Kind: JobReopened, Key: j.Key, Now: f.Now(), Generation: j.Generation})
	return err
}

// Announce hands an ended operation to the publisher (Run). It waits for room
// while ctx lasts; what finds none is published by the reconciler.
func (f *Finisher) Announce(ctx context.Context, o Operation) {
	if o.Event != EventPending {
		return
	}
	select {
	case f.announcements <- o:
	default:
		select {
		case f.announcements <- o:
		case <-ctx.Done():
		}
	}
}

// Run publishes what is announced until ctx is done, and then what is left.
func (f *Finisher) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last := context.WithoutCancel(ctx)
			for batch := f.gather(nil); len(batch) > 0; batch = f.gather(nil) {
				f.publishLogged(last, batch)
			}
			return
		case first := <-f.announcements:
			f.publishLogged(context.WithoutCancel(ctx), f.gather([]Operation{first}))
		}
	}
}

func (f *Finisher) gather(batch []Operation) []Operation {
	for len(batch) < announceBatch {
		select {
		case o := <-f.announcements:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

func (f *Finisher) publishLogged(ctx context.Context, batch []Operation) {
	if err := f.publish(ctx, batch); err != nil {
		f.Log.Warn("events stay pending; the reconciler publishes them", "error", err, "events", len(batch))
	}
}

// publish is W10 and W11: the mark is set only for what the target has taken.
func (f *Finisher) publish(ctx context.Context, batch []Operation) error {
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	var first error
	taken := batch
	if f.Events != nil {
		events := make([]Event, len(batch))
		for i, o := range batch {
			events[i] = EventOf(o)
		}
		taken = make([]Operation, 0, len(batch))
		errs := f.Events.Publish(ctx, events)
		for i, o := range batch {
			if errs[i] != nil {
				first = firstError(first, fmt.Errorf("publish: %w", errs[i]))
				continue
			}
			taken = append(taken, o)
		}
	}
	if len(taken) == 0 {
		return first
	}
	now := f.Now()
	marks := make([]OperationCommand, len(taken))
	for i, o := range taken {
		marks[i] = OperationCommand{
			Kind: OperationAnnounced, ID: o.ID, Now: now, Generation: o.Generation, ExpireAt: now.Add(f.KeepEnded),
		}
	}
	if _, err := f.Store.ApplyOperations(ctx, marks); err != nil {
		return firstError(first, fmt.Errorf("mark published: %w", err))
	}
	return first
}

func firstError(first, err error) error {
	if first != nil {
		return first
	}
	return err
}

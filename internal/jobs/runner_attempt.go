package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// process runs the processor and catches its panics.
func (r *Runner) process(ctx context.Context, a *attempt) (result Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{
				Class: ClassPanic, Code: CodePanic, Message: "a bug stopped the work on this song",
				Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack()),
			}
		}
	}()
	if r.Attempt > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Attempt, errTimeout)
		defer cancel()
	}
	result, err = r.Processor.Process(ctx, a.job, a.report)
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = Transient(CodeTimeout, fmt.Sprintf("the attempt took longer than %s", r.Attempt), err)
	}
	return result, err
}

// stopped gives the verdict on an attempt that was stopped from outside.
func stopped(cause, err error) error {
	switch {
	case errors.Is(cause, ErrShutdown):
		return &Error{Class: ClassInterrupted, Code: CodeInterrupted, Message: "the worker was shut down", Err: err}
	case errors.Is(cause, ErrLeaseLost), errors.Is(cause, ErrCancelled):
		return cause
	}
	return err
}

// report is called by the processor as often as it likes.
func (a *attempt) report(s Stage, p Progress, info SongInfo) {
	a.mu.Lock()
	a.stage, a.progress, a.fresh = s, p, true
	a.info = mergeInfo(a.info, info)
	a.mu.Unlock()
}

// sleep waits for d; false: ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/memory"
)

// A queue that can not be reached at the start is used as soon as it is there;
// requests need not wait for it.
func TestLateQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		var there atomic.Bool
		genuine := memory.New(memory.Options{Visibility: time.Minute})
		open := func(context.Context) (queueAdapter, error) {
			if !there.Load() {
				return nil, fmt.Errorf("%w: connection refused", jobs.ErrUnavailable)
			}
			return genuine, nil
		}
		q, err := openLateQueue(t.Context(), quiet, true, open)
		if err != nil {
			t.Fatal(err)
		}
		send := []jobs.Outgoing{{Message: jobs.Message{Version: 1, Key: "demo:abcdefghijk:default", Generation: 1}}}
		if err := q.Send(t.Context(), send); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("before: %v", err)
		}
		if err := q.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("ping: %v", err)
		}
		there.Store(true)
		<-time.After(time.Minute)
		if err := q.Send(t.Context(), send); err != nil {
			t.Errorf("after: %v", err)
		}
		if ds, err := q.Receive(t.Context(), 1); err != nil || len(ds) != 1 {
			t.Errorf("receive: %v, %v", ds, err)
		}
		if err := q.Close(); err != nil {
			t.Errorf("close: %v", err)
		}

		wrong := errors.New("a FIFO queue")
		if _, err := openLateQueue(t.Context(), quiet, true, func(context.Context) (queueAdapter, error) { return nil, wrong }); !errors.Is(err, wrong) {
			t.Errorf("what can not get better by waiting: %v", err)
		}
		there.Store(false)
		if q, err = openLateQueue(t.Context(), quiet, true, open); err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil { // while it still waits
			t.Errorf("close: %v", err)
		}
	})
}

func TestPatiently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		tries := 0
		n, err := patiently(t.Context(), quiet, "store", time.Minute, func(context.Context) (int, error) {
			if tries++; tries < 4 {
				return 0, jobs.ErrUnavailable
			}
			return 7, nil
		})
		if n != 7 || err != nil || tries != 4 {
			t.Errorf("%d, %v after %d tries", n, err, tries)
		}
		begun := time.Now()
		if _, err = patiently(t.Context(), quiet, "store", time.Minute, func(context.Context) (int, error) { return 0, jobs.ErrUnavailable }); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("never there: %v", err)
		}
		if took := time.Since(begun); took > time.Minute || took < 45*time.Second {
			t.Errorf("gave up after %s", took)
		}
	})
}

package demo_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/source/demo"
)

// TestSlowSongEndsAtOnce: neither a context that is done nor Close waits for the
// byte that is due next.
func TestSlowSongEndsAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.CancelFunc, *pipeline.Media) error{
		"cancel": func(cancel context.CancelFunc, _ *pipeline.Media) error { cancel(); return nil },
		"close":  func(_ context.CancelFunc, m *pipeline.Media) error { return m.Body.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				m, err := newSource(t, demo.Options{Rate: 1}).Open(ctx, song("LunaOctubre"))
				if err != nil {
					t.Fatal(err)
				}
				start, ended := time.Now(), make(chan error)
				go func() {
					_, err := io.Copy(io.Discard, m.Body)
					ended <- err
				}()
				synctest.Wait() // the second byte is due in a second
				if err := end(cancel, m); err != nil {
					t.Error(err)
				}
				if err := <-ended; jobs.AsError(err).Code != jobs.CodeInterrupted {
					t.Errorf("read: %v", err)
				}
				if waited := time.Since(start); waited != 0 {
					t.Errorf("it took %v", waited)
				}
				if err := m.Body.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

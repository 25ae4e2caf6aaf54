package app_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/butakero/butakero/internal/app"
)

// The embedded engines keep every promise, also the one to leave nothing behind:
// a second trial on the same folder finds it as the first did.
func TestSelfTest(t *testing.T) {
	t.Parallel()
	c, err := app.Load([]string{"BUTAKERO_SOURCE=demo", "BUTAKERO_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		tried := 0
		ok, err := app.SelfTest(t.Context(), c, slog.New(slog.DiscardHandler), func(f app.Finding) {
			tried++
			if !f.OK || f.NotRun != "" {
				t.Errorf("%+v", f)
			}
		})
		if err != nil || !ok || tried != 12 {
			t.Errorf("ok %v, %v after %d trials", ok, err, tried)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := app.SelfTest(gone, c, slog.New(slog.DiscardHandler), func(app.Finding) {}); ok || err == nil {
		t.Errorf("interrupted, and yet ok %v, %v", ok, err)
	}
}

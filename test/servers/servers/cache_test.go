package servers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestFillBuildsOnceForMany(t *testing.T) {
	t.Setenv("BUTAKERO_TEST_CACHE", t.TempDir())
	var built atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			folder, err := fill(t.Context(), "thing-1", func(_ context.Context, stage string) error {
				built.Add(1)
				return os.WriteFile(filepath.Join(stage, "program"), []byte("x"), 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(folder, "program")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if built.Load() != 1 {
		t.Errorf("built %d times", built.Load())
	}
}

func TestFillLeavesNothingHalf(t *testing.T) {
	t.Setenv("BUTAKERO_TEST_CACHE", t.TempDir())
	broken := errors.New("the registry is away")
	tries := 0
	_, err := fill(t.Context(), "thing-1", func(_ context.Context, stage string) error {
		tries++
		return errors.Join(broken, os.WriteFile(filepath.Join(stage, "half"), nil, 0o644))
	})
	if !errors.Is(err, broken) || tries != 2 {
		t.Fatalf("err %v after %d tries", err, tries)
	}
	// One that was killed in the middle left a folder without the marker, and a stage.
	root, err := cacheFolder()
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"thing-1", "thing-1.stage"} {
		if err := os.MkdirAll(filepath.Join(root, left, "half"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := fill(t.Context(), "thing-1", func(context.Context, string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "half")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was half is still there: %v", err)
	}
}

func TestLockEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lock(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	again, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestPortsAreTakenOnce(t *testing.T) {
	t.Setenv("BUTAKERO_TEST_CACHE", t.TempDir())
	first, release, err := ports(100)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	second, releaseSecond, err := ports(100)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseSecond()
	seen := map[int]bool{}
	for _, p := range append(first, second...) {
		if seen[p] {
			t.Errorf("port %d twice", p)
		}
		seen[p] = true
	}
}

func TestSweepSparesTheLiving(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{"gone", "living"} {
		if err := os.MkdirAll(filepath.Join(root, name, "data"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, "lock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := lock(t.Context(), filepath.Join(root, "living", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := sweep(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of one that is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "living", "data")); err != nil {
		t.Error(err)
	}
}

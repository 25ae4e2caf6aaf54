package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/sqlite"
)

// mounted mounts a small file system for the test, which only root can.
func mounted(t *testing.T, options string) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, options); err != nil {
		t.Skipf("CAN NOT RUN %s: mounting a tmpfs takes root: %v", t.Name(), err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return folder
}

func TestReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	folder := mounted(t, "size=4m")
	path := filepath.Join(folder, "records.db")
	filled(t, path, 10)
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := refusal(t, path, sqlite.Options{}); !errors.Is(err, sqlite.ErrNotWritable) {
		t.Fatal(err)
	}
}

// When the disk is full, writes fail and say so, nothing that was answered is
// lost, reads go on, and so do writes once there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	folder := mounted(t, "size=3m")
	filler := filepath.Join(folder, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := opened(t, filepath.Join(folder, "records.db"), sqlite.Options{})
	put := func(n int) (ids []string, commands []jobs.OperationCommand) {
		for range n {
			song := randomSong()
			id := jobs.NewOperationID(song, entropy())
			ids = append(ids, id)
			commands = append(commands, jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: time.Now(), Operation: jobs.Operation{
				ID: id, Key: jobs.Key{Song: song, Profile: jobs.DefaultProfile}, Text: strings.Repeat("x", 1000), CreatedAt: time.Now(), DueAt: time.Now(),
			}})
		}
		return ids, commands
	}
	var answered []string
	var full error
	for range 500 {
		ids, commands := put(20)
		if _, full = s.ApplyOperations(t.Context(), commands); full != nil {
			break
		}
		answered = append(answered, ids...)
	}
	if !errors.Is(full, jobs.ErrUnavailable) || !strings.Contains(full.Error(), "full") {
		t.Fatalf("the disk is full and the store says %v", full)
	}
	check := func() {
		t.Helper()
		for _, id := range answered {
			if _, err := s.Operation(t.Context(), id); err != nil {
				t.Fatalf("an operation whose put was answered: %v", err)
			}
		}
	}
	check()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	ids, commands := put(20)
	if _, err := s.ApplyOperations(t.Context(), commands); err != nil {
		t.Fatalf("there is room again: %v", err)
	}
	answered = append(answered, ids...)
	check()
}

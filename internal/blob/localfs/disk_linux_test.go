package localfs_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// smallDisk mounts a file system of its own.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("CAN NOT RUN: mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Parallel()
			dir := smallDisk(t, "1m")
			s := open(t, dir, o)
			put(t, s, aKey, "whole")
			if err := store(t.Context(), s, "audio/too big", strings.Repeat("x", 2<<20)); !errors.Is(err, pipeline.ErrNoSpace) {
				t.Errorf("store: %v, want ErrNoSpace", err)
			}
			// An error of Write is one of Commit too, whatever the caller made of it.
			// Not even space that turns up later makes what was written whole.
			write(t, filepath.Join(dir, "ballast"), make([]byte, 512<<10))
			u, err := s.Create(t.Context(), "audio/too big")
			if err != nil {
				t.Fatal(err)
			}
			n, writeErr := u.Write(make([]byte, 2<<20))
			if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
				t.Fatal(err)
			}
			if err := u.Commit(t.Context(), pipeline.BlobMeta{Bytes: int64(n)}, true); !errors.Is(err, pipeline.ErrNoSpace) {
				t.Errorf("commit after %v: %v, want ErrNoSpace", writeErr, err)
			}
			if found, err := s.List(t.Context(), "", "", 10); err != nil || len(found) != 1 {
				t.Errorf("listed %+v, %v", found, err)
			}
			if left := leftovers(t, dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			// To the last byte: what is needed to publish does not fit either.
			filler, err := os.Create(filepath.Join(dir, "filler"))
			if err != nil {
				t.Fatal(err)
			}
			u, err = s.Create(t.Context(), "audio/new folder/last")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Write([]byte("last")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(filler, zeros{}); !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			if err := s.Ping(t.Context()); !errors.Is(err, pipeline.ErrNoSpace) {
				t.Errorf("ping: %v, want ErrNoSpace", err)
			}
			if err := u.Commit(t.Context(), pipeline.BlobMeta{Bytes: 4, SHA256: sum("last")}, false); !errors.Is(err, pipeline.ErrNoSpace) {
				t.Errorf("commit: %v, want ErrNoSpace", err)
			}
			if _, err := s.Stat(t.Context(), "audio/new folder/last"); !errors.Is(err, jobs.ErrNotFound) {
				t.Errorf("stat: %v", err)
			}
			if err := filler.Close(); err != nil {
				t.Error(err)
			}
			if err := os.Remove(filler.Name()); err != nil {
				t.Fatal(err)
			}
			if left := leftovers(t, dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("ping when there is space again: %v", err)
			}
			put(t, s, "audio/new folder/last", "last")
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return min(len(p), 1000), nil }

func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "1m")
	s := open(t, dir, localfs.Options{})
	named := open(t, dir, localfs.Options{NamedTemp: true})
	put(t, s, aKey, "whole")
	begun, err := s.Create(t.Context(), "audio/begun")
	if err != nil {
		t.Fatal(err)
	}
	if err := begun.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*localfs.Store{s, named} {
		if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("ping: %v, want ErrUnavailable", err)
		}
		if err := store(t.Context(), s, "audio/new", "data"); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("store: %v, want ErrUnavailable", err)
		}
		if err := s.Remove(t.Context(), aKey); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("remove: %v, want ErrUnavailable", err)
		}
		if info, err := s.Stat(t.Context(), aKey); err != nil || info.Meta.Title != "whole" {
			t.Errorf("stat: %+v, %v", info, err)
		}
		r, err := s.Open(t.Context(), aKey, 1)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(r); err != nil || string(data) != "hole" {
			t.Errorf("read %q, %v", data, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		if _, err := localfs.New(dir, o); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("New on a folder that can not be written: %v, want ErrUnavailable", err)
		}
	}
}

func TestNoPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("CAN NOT RUN: root may write everywhere; TestReadOnly covers what root can see")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := localfs.New(dir, localfs.Options{}); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("New: %v, want ErrUnavailable", err)
	}
}

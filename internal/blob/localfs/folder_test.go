package localfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const aKey = "audio/A Title [dQw4w9WgXcQ].dca"

func TestFilesHaveTheirKeysAsNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, localfs.Options{})
	for _, key := range []string{aKey, "audio/夜 \U0001F3B5.dca", strings.Repeat("x", 250)} {
		put(t, s, key, "data")
		if data, err := os.ReadFile(filepath.Join(dir, key)); err != nil || string(data) != "data" {
			t.Errorf("%q: %q, %v", key, data, err)
		}
	}
}

func TestNobodyElseMayWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		s := open(t, dir, o)
		key := map[bool]string{false: "audio/a", true: "audio/b"}[o.NamedTemp]
		put(t, s, key, "data")
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		most := fs.FileMode(0o640)
		if d.IsDir() {
			most = 0o750
		}
		if mode := info.Mode().Perm(); mode&^most != 0 {
			t.Errorf("%s has the mode %v, %v is enough", name, mode, most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), []byte("secret"))
	s := open(t, dir, localfs.Options{})
	for name, target := range map[string]string{"folder": outside, "file": filepath.Join(outside, "secret"), "up": "..", "dangling": filepath.Join(outside, "new")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"folder/secret", "folder/new", "file", "dangling", "up/" + filepath.Base(outside) + "/secret"} {
		if r, err := s.Open(t.Context(), key, 0); err == nil {
			t.Errorf("%s was opened", key)
			_ = r.Close()
		}
		if _, err := s.Stat(t.Context(), key); err == nil || errors.Is(err, pipeline.ErrNotWhole) {
			t.Errorf("stat %s: %v", key, err)
		}
		if err := store(t.Context(), s, key, "data"); !errors.Is(err, pipeline.ErrBadKey) {
			t.Errorf("store %s: %v, want ErrBadKey", key, err)
		}
	}
	if err := s.Remove(t.Context(), "folder/secret"); err == nil {
		t.Error("remove through a link was no error")
	}
	if found, err := s.List(t.Context(), "", "", 10); err != nil || len(found) > 0 {
		t.Errorf("listed %+v, %v", found, err)
	}
	if got := files(t, outside); len(got) != 1 {
		t.Errorf("outside there are %q", got)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "secret")); string(data) != "secret" || err != nil {
		t.Errorf("outside there is %q, %v", data, err)
	}
}

func TestFileAndFolderOfOneName(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), localfs.Options{})
	put(t, s, "a/b", "data")
	if err := store(t.Context(), s, "a", "data"); !errors.Is(err, pipeline.ErrBadKey) {
		t.Errorf("a file over a folder: %v", err)
	}
	if err := store(t.Context(), s, "a/b/c", "data"); !errors.Is(err, pipeline.ErrBadKey) {
		t.Errorf("a file below a file: %v", err)
	}
	for _, key := range []string{"a", "a/b/c"} {
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("stat %s: %v", key, err)
		}
		if err := s.Remove(t.Context(), key); err != nil {
			t.Errorf("remove %s: %v", key, err)
		}
	}
}

// TestCopiedFolder: whoever moves the songs to another machine need not keep
// their times.
func TestCopiedFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, localfs.Options{})
	put(t, s, aKey, "data")
	name := filepath.Join(dir, aKey)
	if err := os.Chtimes(name, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(t.Context(), aKey); err != nil || info.Meta.Title != "data" {
		t.Errorf("stat = %+v, %v", info, err)
	}
	write(t, name, []byte("DATA"))
	if info, err := s.Stat(t.Context(), aKey); !errors.Is(err, pipeline.ErrNotWhole) {
		t.Errorf("another file of the same size: %+v, %v", info, err)
	}
}

// TestCrashWhileReplacing: the record of the new file is there, the file is
// still the old one.
func TestCrashWhileReplacing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, localfs.Options{})
	put(t, s, aKey, "old!")
	name, old := filepath.Join(dir, aKey), filepath.Join(dir, "old")
	if err := os.Link(name, old); err != nil {
		t.Fatal(err)
	}
	u, err := s.Create(t.Context(), aKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write([]byte("new!")); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context(), pipeline.BlobMeta{Bytes: 4, Title: "new!", SHA256: sum("new!")}, true); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(t.Context(), aKey); err != nil || info.Meta.Title != "new!" {
		t.Errorf("the new file: %+v, %v", info, err)
	}
	if err := os.Rename(old, name); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(t.Context(), aKey); err != nil || info.Meta.Title != "old!" {
		t.Errorf("the old file: %+v, %v", info, err)
	}
}

func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, localfs.Options{})
	put(t, s, aKey, "data")
	put(t, s, "audio/other", "data")
	records := files(t, filepath.Join(dir, ".butakero", "records"))
	if len(records) != 2 {
		t.Fatalf("%d records", len(records))
	}
	body, err := os.ReadFile(records[0])
	if err != nil {
		t.Fatal(err)
	}
	write(t, records[1], body) // each other's
	for _, damage := range []string{"", "{", "[]", `{"v":2}`, "null", string(body)} {
		write(t, records[0], []byte(damage))
		whole := 0
		for _, key := range []string{aKey, "audio/other"} {
			switch _, err := s.Stat(t.Context(), key); {
			case err == nil:
				whole++
			case !errors.Is(err, pipeline.ErrNotWhole):
				t.Errorf("record %q: %v", damage, err)
			}
		}
		if want := map[bool]int{true: 1}[damage == string(body)]; whole != want {
			t.Errorf("record %q: %d files are whole, want %d", damage, whole, want)
		}
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, localfs.Options{})
	put(t, s, aKey, "data")
	put(t, s, "audio/deleted by hand", "data")
	if err := os.Remove(filepath.Join(dir, "audio/deleted by hand")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".butakero/records/00/garbage.json"), []byte("x"))
	write(t, filepath.Join(dir, ".butakero/temp/dead"), []byte("x"))
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := files(t, filepath.Join(dir, ".butakero/records")); len(got) != 1 {
		t.Errorf("records: %q", got)
	}
	if got := files(t, filepath.Join(dir, ".butakero/temp")); len(got) != 0 {
		t.Errorf("temporary files: %q", got)
	}
	if _, err := s.Stat(t.Context(), aKey); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	for _, dir := range []string{"", file, file + "/below"} {
		if s, err := localfs.New(dir, localfs.Options{}); err == nil {
			t.Errorf("New(%q): no error", dir)
			_ = s.Close()
		}
	}
}

func TestFolderIsGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "songs")
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		s := open(t, dir, o)
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("ping of a folder that is gone: %v", err)
		}
		if err := store(t.Context(), s, aKey, "data"); err == nil {
			t.Error("a song was stored in a folder that is gone")
		}
	}
}

// TestHiddenFolderDeleted: what was recorded is lost, nothing else is.
func TestHiddenFolderDeleted(t *testing.T) {
	t.Parallel()
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		dir := t.TempDir()
		s := open(t, dir, o)
		for _, replace := range []bool{false, true} {
			key := map[bool]string{false: "audio/new", true: aKey}[replace]
			put(t, s, aKey, "data")
			if err := os.RemoveAll(filepath.Join(dir, ".butakero")); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Stat(t.Context(), aKey); !errors.Is(err, pipeline.ErrNotWhole) {
				t.Errorf("stat: %v, want ErrNotWhole", err)
			}
			if err := os.RemoveAll(filepath.Join(dir, ".butakero")); err != nil { // with the lock that Stat took
				t.Fatal(err)
			}
			u, err := s.Create(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if err := u.Commit(t.Context(), pipeline.BlobMeta{}, replace); err != nil {
				t.Errorf("commit: %v", err)
			}
			if _, err := s.Stat(t.Context(), key); err != nil {
				t.Errorf("stat: %v", err)
			}
			if err := errors.Join(s.Sweep(t.Context()), s.Remove(t.Context(), aKey), s.Remove(t.Context(), key)); err != nil {
				t.Error(err)
			}
		}
	}
}

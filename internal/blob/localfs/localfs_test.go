package localfs_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/butakero/butakero/internal/blob/blobtest"
	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/pipeline"
)

// Not parallel: the suite measures memory.
func TestConformance(t *testing.T) { conformance(t, localfs.Options{}) }

func TestConformanceWithNamedTemp(t *testing.T) { conformance(t, localfs.Options{NamedTemp: true}) }

func conformance(t *testing.T, o localfs.Options) {
	var folders sync.Map // store to folder
	blobtest.Run(t, blobtest.Harness{
		New: func(t *testing.T) pipeline.Blobs {
			dir := t.TempDir()
			s := open(t, dir, o)
			folders.Store(s, dir)
			return s
		},
		Plant: func(t *testing.T, b pipeline.Blobs, key string, content []byte) {
			dir, _ := folders.Load(b)
			write(t, filepath.Join(dir.(string), filepath.FromSlash(key)), content)
		},
		Leftovers: func(t *testing.T, b pipeline.Blobs) []string {
			dir, _ := folders.Load(b)
			return leftovers(t, dir.(string))
		},
		Memory: 1 << 20,
	})
}

func open(t *testing.T, dir string, o localfs.Options) *localfs.Store {
	t.Helper()
	s, err := localfs.New(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// put stores data under the key.
func put(t *testing.T, s *localfs.Store, key, data string) {
	t.Helper()
	if err := store(t.Context(), s, key, data); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
}

func store(ctx context.Context, s *localfs.Store, key, data string) error {
	u, err := s.Create(ctx, key)
	if err != nil {
		return err
	}
	if _, err := u.Write([]byte(data)); err != nil {
		return errors.Join(err, u.Abort())
	}
	return u.Commit(ctx, pipeline.BlobMeta{Bytes: int64(len(data)), Title: data, SHA256: sum(data)}, false)
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// leftovers lists the temporary files, and the records that describe no file.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	left := files(t, filepath.Join(dir, ".butakero", "temp"))
	records, songs := files(t, filepath.Join(dir, ".butakero", "records")), 0
	for _, name := range files(t, dir) {
		if rel, err := filepath.Rel(filepath.Join(dir, ".butakero"), name); err != nil || !filepath.IsLocal(rel) {
			songs++
		}
	}
	if len(records) > songs {
		left = append(left, records...)
	}
	return left
}

// files lists all files below a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func sum(data string) string {
	h := sha256.Sum256([]byte(data))
	return hex.EncodeToString(h[:])
}

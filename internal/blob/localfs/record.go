package localfs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// sidecar is the content of a record file.
type sidecar struct {
	Version int      `json:"v"`
	Key     string   `json:"key"`
	Files   []record `json:"files"` // the newest first; the second is the one that it replaced
}

// record describes one file that is or was under the key.
type record struct {
	Bytes   int64             `json:"bytes"`
	ModTime time.Time         `json:"mod_time"`
	Meta    pipeline.BlobMeta `json:"meta"`
}

const (
	sidecarVersion  = 1
	maxSidecarBytes = 64 << 10
)

func recordName(key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:20])
	return recordsDir + "/" + name[:2] + "/" + name[2:] + ".json"
}

// Stat implements pipeline.Blobs.
func (s *Store) Stat(ctx context.Context, key string) (pipeline.BlobInfo, error) {
	if err := ctx.Err(); err != nil {
		return pipeline.BlobInfo{}, err
	}
	info, err := s.stat(key)
	if !errors.Is(err, pipeline.ErrNotWhole) {
		return info, err
	}
	// File and record are read one after the other; somebody may have replaced
	// or removed the file between the two. Look again while nobody can.
	unlock, lockErr := s.lock(ctx, key)
	if lockErr != nil {
		return info, errors.Join(err, lockErr)
	}
	defer unlock()
	return s.stat(key)
}

func (s *Store) stat(key string) (_ pipeline.BlobInfo, err error) {
	f, found, err := s.open(key)
	if err != nil {
		return pipeline.BlobInfo{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info := pipeline.BlobInfo{Key: key, Bytes: found.Size(), ModTime: found.ModTime()}
	kept, err := s.readRecord(key)
	if err != nil {
		return info, err
	}
	for _, r := range kept.Files {
		if r.Bytes == found.Size() && r.ModTime.Equal(found.ModTime()) {
			info.Meta = r.Meta
			return info, nil
		}
	}
	sum := ""
	for _, r := range kept.Files {
		if r.Bytes != found.Size() {
			continue
		}
		if sum == "" {
			if sum, err = hash(f); err != nil {
				return info, err
			}
		}
		if sum == r.Meta.SHA256 {
			info.Meta = r.Meta
			return info, nil
		}
	}
	return info, fmt.Errorf("%w: %d bytes of %s", pipeline.ErrNotWhole, found.Size(), found.ModTime().UTC().Format(time.RFC3339))
}

func hash(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", wrap("read file", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// readRecord returns what is recorded of a key; an error that wraps
// pipeline.ErrNotWhole if nothing readable is.
func (s *Store) readRecord(key string) (kept sidecar, err error) {
	f, err := s.root.Open(recordName(key))
	if errors.Is(err, fs.ErrNotExist) {
		return kept, fmt.Errorf("%w: nothing is recorded of it", pipeline.ErrNotWhole)
	}
	if err != nil {
		return kept, wrap("open record", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	body, err := io.ReadAll(io.LimitReader(f, maxSidecarBytes))
	if err != nil {
		return kept, wrap("read record", err)
	}
	if err := json.Unmarshal(body, &kept); err != nil {
		return sidecar{}, fmt.Errorf("%w: its record is damaged: %w", pipeline.ErrNotWhole, err)
	}
	if kept.Version != sidecarVersion || kept.Key != key {
		return sidecar{}, fmt.Errorf("%w: its record is of version %d for %q", pipeline.ErrNotWhole, kept.Version, kept.Key)
	}
	return kept, nil
}

// writeRecord makes r the first record of the key, durably; the caller holds the
// key's lock. replaced is the file that is there now, nil for none.
func (s *Store) writeRecord(ctx context.Context, key string, r record, replaced fs.FileInfo) (err error) {
	kept := sidecar{Version: sidecarVersion, Key: key, Files: []record{r}}
	if replaced != nil {
		old, err := s.readRecord(key)
		if err != nil && !errors.Is(err, pipeline.ErrNotWhole) {
			return err
		}
		for _, o := range old.Files {
			if o.Bytes == replaced.Size() && o.ModTime.Equal(replaced.ModTime()) {
				kept.Files = append(kept.Files, o)
				break
			}
		}
	}
	body, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	name := recordName(key)
	if err := s.makeFolders(name); err != nil {
		return err
	}
	t, err := s.newNamedTemp(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.discard()) }()
	if _, err := t.file.Write(body); err != nil {
		return wrap("write record", err)
	}
	if err := t.file.Sync(); err != nil {
		return wrap("sync record", err)
	}
	if err := s.root.Rename(t.name, name); err != nil {
		return wrap("publish record", err)
	}
	t.name = ""
	return s.syncFolderOf(name)
}

func (s *Store) removeRecord(key string) error {
	name := recordName(key)
	if err := s.root.Remove(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return wrap("remove record", err)
	}
	return s.syncFolderOf(name)
}

// fileThere returns the file under a valid key, nil if there is none. What is
// there and no file makes the key unusable.
func (s *Store) fileThere(key string) (fs.FileInfo, error) {
	info, err := s.root.Lstat(place(key))
	switch err := notFound("look for file", err); {
	case errors.Is(err, jobs.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: there is something of this name that is no file", pipeline.ErrBadKey)
	}
	return info, nil
}

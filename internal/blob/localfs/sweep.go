package localfs

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/butakero/butakero/internal/pipeline"
)

// Sweep removes temporary files whose process is dead, and records whose file
// somebody deleted by hand. New does the first part. It may run at any time.
func (s *Store) Sweep(ctx context.Context) error {
	if err := s.sweepTemp(); err != nil {
		return err
	}
	return fs.WalkDir(s.root.FS(), recordsDir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreGone(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.sweepRecord(ctx, name)
	})
}

// sweepRecord removes a record that describes no file.
func (s *Store) sweepRecord(ctx context.Context, name string) error {
	body, err := s.root.ReadFile(name)
	if err != nil {
		return wrap("read record", ignoreGone(err))
	}
	var kept sidecar
	if err := json.Unmarshal(body, &kept); err != nil || checkKey(kept.Key) != nil || recordName(kept.Key) != name {
		return wrap("remove damaged record", ignoreGone(s.root.Remove(name)))
	}
	if there, err := s.fileThere(kept.Key); err != nil || there != nil {
		return ignoreBadKey(err)
	}
	unlock, err := s.lock(ctx, kept.Key)
	if err != nil {
		return err
	}
	defer unlock()
	// A commit writes the record first and holds the lock until the file is
	// there: what is alone now stays alone.
	if there, err := s.fileThere(kept.Key); err != nil || there != nil {
		return ignoreBadKey(err)
	}
	return s.removeRecord(kept.Key)
}

func (s *Store) sweepTemp() error {
	entries, err := fs.ReadDir(s.root.FS(), tempDir)
	if err != nil {
		return wrap("read the temp folder", ignoreGone(err))
	}
	for _, entry := range entries {
		if err := s.sweepTempFile(tempDir+"/"+entry.Name(), entry); err != nil {
			return err
		}
	}
	return nil
}

// sweepTempFile removes a temporary file that nobody holds. It is removed under
// its lock: whoever has just made it and not locked it yet notices.
func (s *Store) sweepTempFile(name string, entry fs.DirEntry) error {
	if !entry.Type().IsRegular() {
		return nil
	}
	f, err := s.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return wrap("open temporary file", ignoreGone(err))
	}
	free, err := tryLock(f)
	if err == nil && free {
		err = ignoreGone(s.root.Remove(name))
	}
	return errors.Join(wrap("sweep temporary file", err), f.Close())
}

// ignoreBadKey: somebody put a folder or a link where the file was. The record
// stays for the day on which it comes back.
func ignoreBadKey(err error) error {
	if errors.Is(err, pipeline.ErrBadKey) {
		return nil
	}
	return err
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

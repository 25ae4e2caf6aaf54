package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/butakero/butakero/internal/pipeline"
)

// upload implements pipeline.Upload.
type upload struct {
	store   *Store
	ctx     context.Context // bounds the whole upload
	key     string
	temp    *temp // nil when the upload has ended
	written int64
	failed  error // of a Write: what was written is not whole
}

var errUploadEnded = errors.New("the upload has ended")

// Create implements pipeline.Blobs.
func (s *Store) Create(ctx context.Context, key string) (pipeline.Upload, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := s.newTemp(ctx)
	if err != nil {
		return nil, err
	}
	return &upload{store: s, ctx: ctx, key: key, temp: t}, nil
}

// Write implements io.Writer.
func (u *upload) Write(p []byte) (int, error) {
	switch {
	case u.temp == nil:
		return 0, errUploadEnded
	case u.failed != nil:
		return 0, u.failed
	case u.ctx.Err() != nil:
		u.failed = u.ctx.Err()
		return 0, u.failed
	}
	n, err := u.temp.file.Write(p)
	u.written += int64(n)
	u.failed = wrap("write file", err)
	return n, u.failed
}

// Abort implements pipeline.Upload.
func (u *upload) Abort() error {
	if u.temp == nil {
		return nil
	}
	t := u.temp
	u.temp = nil
	return t.discard()
}

// Commit implements pipeline.Upload. A file that is not as long as meta says is
// refused with pipeline.ErrNotWhole. Once a file has been replaced it is not
// brought back, even if the system then fails to make that durable.
func (u *upload) Commit(ctx context.Context, meta pipeline.BlobMeta, replace bool) (err error) {
	if u.temp == nil {
		return errUploadEnded
	}
	// Whatever happens, the temporary file goes: a published one has a name of
	// its own by then.
	defer func() { err = errors.Join(err, u.Abort()) }()
	for _, err := range []error{u.failed, u.ctx.Err(), ctx.Err()} {
		if err != nil {
			return err
		}
	}
	if meta.Bytes != u.written {
		return fmt.Errorf("%w: %d bytes were written and %d announced", pipeline.ErrNotWhole, u.written, meta.Bytes)
	}
	s := u.store
	if !replace { // spare a loser the wait for the disk
		if there, err := s.fileThere(u.key); err != nil || there != nil {
			return errors.Join(err, existsIf(there))
		}
	}
	if err := u.temp.file.Sync(); err != nil {
		return wrap("sync file", err)
	}
	made, err := u.temp.file.Stat()
	if err != nil {
		return wrap("stat file", err)
	}
	unlock, err := s.lock(ctx, u.key)
	if err != nil {
		return err
	}
	defer unlock()
	there, err := s.fileThere(u.key)
	if err != nil {
		return err
	}
	if there != nil && !replace {
		return existsIf(there)
	}
	if err := s.makeFolders(place(u.key)); err != nil {
		return err
	}
	r := record{Bytes: made.Size(), ModTime: made.ModTime(), Meta: meta}
	if err := s.writeRecord(ctx, u.key, r, there); err != nil {
		return err
	}
	return u.publish(ctx, there != nil)
}

// publish gives the file its name. The caller holds the key's lock and has
// written the record.
func (u *upload) publish(ctx context.Context, replace bool) error {
	s, name := u.store, place(u.key)
	err := u.ctx.Err()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && replace {
		err = u.temp.replace(name)
	} else if err == nil {
		err = u.temp.link(name)
	}
	if err == nil {
		if err = s.syncFolderOf(name); err == nil || replace {
			return err
		}
		err = errors.Join(err, s.root.Remove(name))
	}
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %w", pipeline.ErrExists, err)
	}
	if !replace {
		err = errors.Join(err, s.removeRecord(u.key))
	}
	return wrap("publish file", err)
}

func existsIf(there fs.FileInfo) error {
	if there == nil {
		return nil
	}
	return pipeline.ErrExists
}

// makeFolders makes the folders that lead to name, durably.
func (s *Store) makeFolders(name string) error {
	dir := path.Dir(name)
	if info, err := s.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	at := ""
	for part := range strings.SplitSeq(dir, "/") {
		at = path.Join(at, part)
		err := s.root.Mkdir(at, folderMode)
		switch {
		case err == nil:
			if err := s.syncFolderOf(at); err != nil {
				return err
			}
		case errors.Is(err, fs.ErrExist):
			if info, err := s.root.Stat(at); err != nil || !info.IsDir() {
				return fmt.Errorf("%w: %q is no folder of this store", pipeline.ErrBadKey, at)
			}
		default:
			return wrap("make folder", err)
		}
	}
	return nil
}

// syncFolderOf makes durable that name is, or is no more, in its folder.
func (s *Store) syncFolderOf(name string) error {
	dir, err := s.root.Open(path.Dir(name))
	if err != nil {
		return wrap("open folder", err)
	}
	err = syncFolder(dir)
	return errors.Join(wrap("sync folder", err), dir.Close())
}

// folder opens the folder of name and returns it with name's last part.
func (s *Store) folderOf(name string) (*os.File, string, error) {
	dir, err := s.root.Open(path.Dir(name))
	return dir, path.Base(name), err
}

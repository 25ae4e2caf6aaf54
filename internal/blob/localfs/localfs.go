package localfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const (
	folderMode = 0o750
	fileMode   = 0o640
)

// Options change how a Store works. The zero value is right.
type Options struct {
	// NamedTemp writes uploads to named temporary files even where the file
	// system has unnamed ones.
	NamedTemp bool
}

// Store is a folder of files. It implements pipeline.Blobs and jobs.Files. Any
// number of processes of one machine may share a folder.
type Store struct {
	root    *os.Root
	folder  *os.File // root itself, for what os.Root has no method
	named   bool     // see Options.NamedTemp; also where O_TMPFILE does not work
	stripes [256]chan struct{}
}

var (
	_ pipeline.Blobs = (*Store)(nil)
	_ jobs.Files     = (*Store)(nil)
)

// New opens the folder, makes it if it is not there, and removes what uploads
// of dead processes left. A folder that can not be written is an error that
// wraps jobs.ErrUnavailable.
func New(folder string, o Options) (opened *Store, err error) {
	if folder == "" {
		return nil, errors.New("no folder for the songs is set")
	}
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return nil, wrap("make the folder of the songs", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, wrap("open the folder of the songs", err)
	}
	s := &Store{root: root, named: o.NamedTemp}
	for i := range s.stripes {
		s.stripes[i] = make(chan struct{}, 1)
	}
	defer func() {
		if err != nil {
			opened, err = nil, errors.Join(err, s.Close())
		}
	}()
	if s.folder, err = root.Open("."); err != nil {
		return nil, wrap("open the folder of the songs", err)
	}
	for _, dir := range []string{recordsDir, tempDir, locksDir} {
		if err := root.MkdirAll(dir, folderMode); err != nil {
			return nil, wrap("prepare the folder of the songs", err)
		}
	}
	s.named = s.named || !unnamedFilesWork(s.folder)
	if err := s.sweepTemp(); err != nil {
		return nil, err
	}
	return s, s.ping()
}

// Close lets go of the folder. Uploads and readers that are still open stay
// usable for reading and Abort.
func (s *Store) Close() error {
	err := s.root.Close()
	if s.folder != nil {
		err = errors.Join(err, s.folder.Close())
	}
	return err
}

// Ping reports whether a file could be written now: pipeline.ErrNoSpace,
// jobs.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.ping()
}

func (s *Store) ping() error {
	t, err := s.newTemp(context.Background())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: the folder of the songs is gone: %w", jobs.ErrUnavailable, err)
		}
		return err
	}
	_, err = t.file.Write([]byte{0})
	return errors.Join(wrap("write to the folder of the songs", err), t.discard())
}

// Exists implements jobs.Files: the file is there, and size and hash are those
// of the result.
func (s *Store) Exists(ctx context.Context, r jobs.Result) (bool, error) {
	info, err := s.Stat(ctx, r.Path)
	switch {
	case err == nil:
		return info.Bytes == r.Bytes && info.Meta.SHA256 == r.SHA256, nil
	case errors.Is(err, jobs.ErrNotFound), errors.Is(err, pipeline.ErrNotWhole), errors.Is(err, pipeline.ErrBadKey):
		return false, nil
	}
	return false, err
}

// openHidden opens or makes a file in one of the hidden folders, and the folder
// too if somebody has deleted it.
func (s *Store) openHidden(name string, flag int) (*os.File, error) {
	f, err := s.root.OpenFile(name, flag|os.O_RDWR|os.O_CREATE, fileMode)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := s.root.MkdirAll(path.Dir(name), folderMode); err != nil {
		return nil, err
	}
	return s.root.OpenFile(name, flag|os.O_RDWR|os.O_CREATE, fileMode)
}

// Open implements pipeline.Blobs. Reading from the end on, or behind it, yields
// io.EOF.
func (s *Store) Open(ctx context.Context, key string, offset int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fmt.Errorf("open at the negative offset %d", offset)
	}
	f, _, err := s.open(key)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(wrap("seek", err), f.Close())
	}
	return f, nil
}

// open opens the file of a key for reading. jobs.ErrNotFound, also for what is
// no plain file: nothing of ours is.
func (s *Store) open(key string) (*os.File, fs.FileInfo, error) {
	if err := checkKey(key); err != nil {
		return nil, nil, err
	}
	name := place(key)
	found, err := s.root.Lstat(name)
	if err == nil && !found.Mode().IsRegular() {
		err = errNotAFile
	}
	if err != nil {
		return nil, nil, notFound("open file", err)
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, nil, notFound("open file", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(wrap("stat file", err), f.Close())
	}
	return f, info, nil
}

// Remove implements pipeline.Blobs. Folders stay, also empty ones.
func (s *Store) Remove(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	name := place(key)
	info, err := s.root.Lstat(name)
	if err == nil && info.IsDir() {
		return nil // no file of that key
	}
	if err == nil {
		err = s.root.Remove(name)
	}
	if err == nil {
		err = s.syncFolderOf(name)
	}
	// The record goes after its file: a record alone is nothing, a file alone is
	// not whole.
	if err := notFound("remove file", err); err != nil && !errors.Is(err, jobs.ErrNotFound) {
		return err
	}
	return s.removeRecord(key)
}

package youtube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// room is a private folder for one run of yt-dlp: its home, its temporary files,
// its copy of the cookies and what it downloads. A lock tells whether its owner
// lives; what owners that were killed left is removed by the next run.
type room struct {
	dir  string
	lock *os.File
}

const (
	roomPrefix = "butakero-ytdlp-"
	roomNew    = "butakero-new-"
)

func newRoom(parent string) (*room, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent)
	// The room gets its real name when its lock is held: no sweeper may find it
	// before.
	dir, err := os.MkdirTemp(parent, roomNew)
	if err != nil {
		return nil, fmt.Errorf("private folder: %w", err)
	}
	r := &room{dir: dir}
	if r.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		hold(r.lock)
		err = os.Mkdir(r.media(), 0o700)
	}
	if err == nil {
		named := filepath.Join(parent, roomPrefix+strings.TrimPrefix(filepath.Base(dir), roomNew))
		if err = os.Rename(dir, named); err == nil {
			r.dir = named
		}
	}
	if err != nil {
		r.remove()
		return nil, fmt.Errorf("private folder: %w", err)
	}
	return r, nil
}

// sweep removes rooms whose owners are gone.
func sweep(parent string) {
	rooms, err := filepath.Glob(filepath.Join(parent, roomPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range rooms {
		lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0o600)
		if err != nil {
			continue
		}
		if hold(lock) {
			_ = os.RemoveAll(dir) // another sweeper may be at it
		}
		_ = lock.Close()
	}
}

func (r *room) media() string { return filepath.Join(r.dir, "media") }

// cookies puts a copy of the master's lines here. yt-dlp rewrites it; the master
// is never given away.
func (r *room) cookies(master string, now time.Time) (string, error) {
	lines, _, err := loadCookies(master, now)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.dir, "cookies.txt")
	if err := os.WriteFile(path, lines, 0o600); err != nil {
		return "", errors.New("the cookies can not be copied")
	}
	return path, nil
}

// audio opens the one file that yt-dlp left.
func (r *room) audio() (*os.File, int64, error) {
	entries, err := os.ReadDir(r.media())
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || strings.HasSuffix(e.Name(), ".part") || strings.HasSuffix(e.Name(), ".ytdl") {
			continue
		}
		f, err := os.Open(filepath.Join(r.media(), e.Name()))
		if err != nil {
			return nil, 0, err
		}
		return f, info.Size(), nil
	}
	return nil, 0, os.ErrNotExist
}

func (r *room) remove() {
	_ = os.RemoveAll(r.dir) // what can not be removed now, the next sweep removes
	if r.lock != nil {
		_ = r.lock.Close()
	}
}

// roomFile is a proved download. It removes its room when it is closed.
type roomFile struct {
	ctx  context.Context
	file *os.File
	room *room
}

// Read implements io.Reader.
func (f *roomFile) Read(b []byte) (int, error) {
	if f.ctx.Err() != nil {
		return 0, stopped(f.ctx)
	}
	n, err := f.file.Read(b)
	if errors.Is(err, os.ErrClosed) {
		return n, &jobs.Error{Class: jobs.ClassInterrupted, Code: jobs.CodeInterrupted, Message: "The work was stopped.", Err: errClosed}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fail(CodeConfig, errors.New("what yt-dlp left can not be read")) // the cause would name the folder
	}
	return n, err
}

// Close implements io.Closer.
func (f *roomFile) Close() error {
	err := f.file.Close()
	f.room.remove()
	if errors.Is(err, os.ErrClosed) {
		return nil // closed twice
	}
	return err
}

package localfs

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
)

// temp is a file that is being written. It is locked as long as its process
// lives, which tells the sweep of another process that somebody needs it.
type temp struct {
	store *Store
	file  *os.File
	name  string // below the root; "": it has none
}

// newTemp makes an unnamed file if it can, a named one otherwise.
func (s *Store) newTemp(ctx context.Context) (*temp, error) {
	if s.named {
		return s.newNamedTemp(ctx)
	}
	f, err := openUnnamed(s.folder)
	if err != nil {
		return nil, wrap("make a temporary file", err)
	}
	t := &temp{store: s, file: f}
	// It may get a name before it is published: see replace.
	if err := lockFile(ctx, f); err != nil {
		return nil, errors.Join(err, t.discard())
	}
	return t, nil
}

func (s *Store) newNamedTemp(ctx context.Context) (*temp, error) {
	for {
		name := tempName()
		f, err := s.openHidden(name, os.O_EXCL)
		if err != nil {
			return nil, wrap("make a temporary file", err)
		}
		t := &temp{store: s, file: f, name: name}
		if err := lockFile(ctx, f); err != nil {
			return nil, errors.Join(err, t.discard())
		}
		// Before it was locked, a sweep may have taken it for a dead one.
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(wrap("stat temporary file", err), t.discard())
		}
		if found, err := s.root.Lstat(name); err == nil && os.SameFile(mine, found) {
			return t, nil
		}
		if err := f.Close(); err != nil {
			return nil, wrap("close temporary file", err)
		}
	}
}

func tempName() string { return tempDir + "/" + rand.Text() }

// link gives the file a name if nothing has it; fs.ErrExist otherwise.
func (t *temp) link(name string) error {
	if t.name == "" {
		return t.linkUnnamed(name)
	}
	err := t.store.root.Link(t.name, name)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err // discard takes the other name away
	}
	// A file system without hard links: the key's lock keeps our own kind away
	// between the look and the rename.
	if _, err := t.store.root.Lstat(name); err == nil {
		return fs.ErrExist
	}
	return t.rename(name)
}

func (t *temp) linkUnnamed(name string) error {
	dir, base, err := t.store.folderOf(name)
	if err != nil {
		return err
	}
	return errors.Join(linkUnnamed(t.file, dir, base), dir.Close())
}

// replace gives the file a name that another file may have.
func (t *temp) replace(name string) error {
	if t.name == "" {
		between := tempName()
		if err := t.store.root.MkdirAll(tempDir, folderMode); err != nil {
			return err
		}
		if err := t.linkUnnamed(between); err != nil {
			return err
		}
		t.name = between
	}
	return t.rename(name)
}

func (t *temp) rename(name string) error {
	if err := t.store.root.Rename(t.name, name); err != nil {
		return err
	}
	t.name = ""
	return nil
}

// discard closes the file and takes its temporary name away.
func (t *temp) discard() error {
	var err error
	if t.name != "" {
		err = t.store.root.Remove(t.name)
	}
	return errors.Join(wrap("remove temporary file", err), wrap("close file", t.file.Close()))
}

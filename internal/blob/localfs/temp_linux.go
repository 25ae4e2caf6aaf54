package localfs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openUnnamed makes a file without a name on the folder's file system (open(2),
// O_TMPFILE).
func openUnnamed(folder *os.File) (*os.File, error) {
	fd, err := unix.Openat(int(folder.Fd()), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, fileMode)
	if err != nil {
		return nil, &os.PathError{Op: "openat", Path: "unnamed file", Err: err}
	}
	return os.NewFile(uintptr(fd), "unnamed file"), nil
}

// linkUnnamed names an unnamed file; fs.ErrExist if something has the name.
func linkUnnamed(f, dir *os.File, base string) error {
	// With AT_EMPTY_PATH a process needs a capability on older kernels; the way
	// through /proc needs none (open(2)).
	err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), int(dir.Fd()), base, unix.AT_SYMLINK_FOLLOW)
	if err == unix.ENOENT {
		err = unix.Linkat(int(f.Fd()), "", int(dir.Fd()), base, unix.AT_EMPTY_PATH)
	}
	if err != nil {
		return &os.LinkError{Op: "linkat", Old: "unnamed file", New: base, Err: err}
	}
	return nil
}

// unnamedFilesWork tries it: overlay and network file systems may not have
// them, and a process without /proc may not be able to name them.
func unnamedFilesWork(folder *os.File) bool {
	f, err := openUnnamed(folder)
	if err != nil {
		return false
	}
	_, err = os.Lstat(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	return f.Close() == nil && err == nil
}

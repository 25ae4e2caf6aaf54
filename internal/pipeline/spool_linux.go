package pipeline

import (
	"os"

	"golang.org/x/sys/unix"
)

func openUnnamed(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC|unix.O_EXCL, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), "spool"), nil // #nosec G115 -- a descriptor is not negative
}

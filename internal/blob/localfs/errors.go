package localfs

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// wrap says what was being done and gives the error of the system its meaning:
// pipeline.ErrNoSpace, or jobs.ErrUnavailable for what may pass without anybody
// changing the request.
func wrap(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w: %w", doing, pipeline.ErrNoSpace, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EIO),
		errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return fmt.Errorf("%s: %w: %w", doing, jobs.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

var errNotAFile = errors.New("not a plain file")

// notFound is wrap for errors about a key's file: none there is
// jobs.ErrNotFound, and pipeline.ErrBadKey if the way to it leads out of the
// folder.
func notFound(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, errNotAFile):
		return fmt.Errorf("%s: %w: %w", doing, jobs.ErrNotFound, err)
	case isEscape(err):
		return fmt.Errorf("%s: %w: %w", doing, pipeline.ErrBadKey, err)
	}
	return wrap(doing, err)
}

// isEscape recognises os.Root's refusal to follow a path out of the folder. It
// has no name; it is the one error about a path that does not come from the
// system.
func isEscape(err error) bool {
	var about *fs.PathError
	var system syscall.Errno
	return errors.As(err, &about) && !errors.As(err, &system) && !errors.Is(err, fs.ErrClosed)
}

package pipeline_test

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"
)

// watch notices that a file is opened, by whatever process.
type watch struct{ fd int }

func newWatch(t *testing.T, path string) *watch {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	check(t, err)
	t.Cleanup(func() { check(t, syscall.Close(fd)) })
	_, err = syscall.InotifyAddWatch(fd, path, syscall.IN_OPEN)
	check(t, err)
	return &watch{fd}
}

// opened says how often the file was opened since the last call.
func (w *watch) opened(t *testing.T) (times int) {
	t.Helper()
	for {
		buffer := make([]byte, 4096)
		n, err := syscall.Read(w.fd, buffer)
		if errors.Is(err, syscall.EAGAIN) {
			return times
		}
		check(t, err)
		for events := buffer[:n]; len(events) >= syscall.SizeofInotifyEvent; times++ {
			events = events[syscall.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(events[12:])):]
		}
	}
}

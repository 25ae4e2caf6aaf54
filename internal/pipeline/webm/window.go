package webm

import (
	"errors"
	"io"
)

const (
	windowSize = 64 << 10
	blockLimit = 1 << 20 // of our track's blocks, and of the header elements
)

// window is the part of the input that is in memory. It grows only for a block
// that is larger than it, up to blockLimit.
type window struct {
	r          io.Reader
	buf        []byte
	start, end int
	base       int64 // offset of buf[0] in the input
	err        error // of the source; io.EOF at its end
}

// offset is where the next unread byte lies in the input.
func (w *window) offset() int64 { return w.base + int64(w.start) }

// need makes n bytes available behind start, n at most blockLimit+16. io.EOF:
// the input ends right here; io.ErrUnexpectedEOF: it ends within the n bytes.
func (w *window) need(n int) error {
	for w.end-w.start < n {
		if w.err != nil {
			if !errors.Is(w.err, io.EOF) {
				return w.err
			}
			if w.end == w.start {
				return io.EOF
			}
			return io.ErrUnexpectedEOF
		}
		if w.start > 0 && (w.start == w.end || w.start+n > len(w.buf)) {
			w.base += int64(w.start)
			w.end = copy(w.buf, w.buf[w.start:w.end])
			w.start = 0
		}
		if n > len(w.buf) {
			grown := make([]byte, n+windowSize)
			copy(grown, w.buf[:w.end])
			w.buf = grown
		}
		w.read()
	}
	return nil
}

// read takes what the source has into the room behind end. Readers that return
// nothing for too long are given up, as io.ErrNoProgress.
func (w *window) read() {
	for range 100 {
		n, err := w.r.Read(w.buf[w.end:])
		if n < 0 || n > len(w.buf)-w.end {
			w.err = errors.New("the source returned an impossible count")
			return
		}
		w.end += n
		w.err = err
		if n > 0 || err != nil {
			return
		}
	}
	w.err = io.ErrNoProgress
}

// skip steps over n bytes.
func (w *window) skip(n int64) error {
	for n > 0 {
		if have := int64(w.end - w.start); have > 0 {
			step := min(have, n)
			w.start += int(step)
			n -= step
			continue
		}
		if err := w.need(1); err != nil {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

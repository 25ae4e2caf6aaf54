package dca

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

const bufferBytes = 64 << 10

// Writer writes a DCA1 file. It gathers frames in a buffer of 64 KiB and does not
// allocate for each.
type Writer struct {
	w      io.Writer
	buf    []byte
	frames int64
	bytes  int64
	err    error
}

// NewWriter writes the header and returns a Writer for the frames behind it. The metadata
// is not judged, but must fit in MaxHeaderBytes.
func NewWriter(w io.Writer, m Metadata) (*Writer, error) {
	header, err := m.appendHeader(nil)
	if err != nil {
		return nil, err
	}
	d := &Writer{w: w, buf: make([]byte, 0, bufferBytes), bytes: int64(len(header))}
	if len(header) > bufferBytes-2-MaxFrameBytes {
		_, d.err = w.Write(header)
		return d, d.failed()
	}
	d.buf = append(d.buf, header...)
	return d, nil
}

// WriteFrame appends one Opus packet, which should last 20 ms. A packet that is empty or
// longer than MaxFrameBytes is refused with ErrFrameSize and nothing is
// written. After an error of the underlying writer every call returns that error.
func (d *Writer) WriteFrame(frame []byte) error {
	if d.err != nil {
		return d.failed()
	}
	if len(frame) == 0 || len(frame) > MaxFrameBytes {
		return fmt.Errorf("%w: frame %d has %d bytes, want 1 to %d", ErrFrameSize, d.frames, len(frame), MaxFrameBytes)
	}
	if len(d.buf)+2+len(frame) > cap(d.buf) {
		if err := d.Flush(); err != nil {
			return err
		}
	}
	d.buf = binary.LittleEndian.AppendUint16(d.buf, uint16(len(frame))) // #nosec G115 -- at most 1276
	d.buf = append(d.buf, frame...)
	d.frames++
	d.bytes += int64(2 + len(frame))
	return nil
}

// Flush hands everything to the underlying writer. The file is complete after it; there
// is nothing to close.
func (d *Writer) Flush() error {
	if d.err == nil && len(d.buf) > 0 {
		_, d.err = d.w.Write(d.buf)
		d.buf = d.buf[:0]
	}
	return d.failed()
}

func (d *Writer) failed() error {
	if d.err == nil {
		return nil
	}
	return fmt.Errorf("write dca: %w", d.err)
}

// Frames is the number of frames written.
func (d *Writer) Frames() int64 { return d.frames }

// Bytes is the size of the file so far, header included.
func (d *Writer) Bytes() int64 { return d.bytes }

// Duration is the playing time so far.
func (d *Writer) Duration() time.Duration { return time.Duration(d.frames) * FrameDuration }

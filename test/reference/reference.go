// Package reference reads DCA files with github.com/jonas747/dca, the library that Discord bots
// use, to prove that the files made here are what others understand.
//
// It shares no code with internal/pipeline/dca, which it checks.
package reference

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jonas747/dca"
)

// Result is what the reference decoder made of a file.
type Result struct {
	Metadata      *dca.Metadata
	Frames        int64
	FrameDuration time.Duration
}

// Duration is the playing time.
func (r Result) Duration() time.Duration { return time.Duration(r.Frames) * r.FrameDuration }

// Read decodes a file to its end. The decoder itself takes a file that ends behind a length field for
// complete, and lets empty frames pass; Read does not.
func Read(src io.Reader) (Result, error) {
	in := &counter{r: src}
	d := dca.NewDecoder(in)
	if err := d.ReadMetadata(); err != nil {
		return Result{}, fmt.Errorf("metadata: %w", err)
	}
	if d.FormatVersion != 1 {
		return Result{}, fmt.Errorf("format version %d, want 1", d.FormatVersion)
	}
	if d.Metadata == nil || d.Metadata.Opus == nil || d.Metadata.Opus.Channels == 0 {
		return Result{}, errors.New("metadata lack the opus object, on which players fail")
	}
	result := Result{Metadata: d.Metadata, FrameDuration: d.FrameDuration()}
	var payload int64
	for {
		frame, err := d.OpusFrame()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return result, fmt.Errorf("frame %d: %w", result.Frames, err)
		}
		if len(frame) == 0 {
			return result, fmt.Errorf("frame %d is empty", result.Frames)
		}
		result.Frames++
		payload += int64(2 + len(frame))
	}
	if result.Frames == 0 {
		return result, errors.New("no frames")
	}
	if rest := in.n - in.header - payload; rest != 0 {
		return result, fmt.Errorf("ends inside frame %d, after %d bytes of it", result.Frames, rest)
	}
	return result, nil
}

// counter counts the bytes read, and the header's by looking at them.
type counter struct {
	r      io.Reader
	n      int64
	header int64
	prefix []byte
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	if missing := 8 - len(c.prefix); missing > 0 {
		c.prefix = append(c.prefix, b[:min(n, missing)]...)
		if p := c.prefix; len(p) == 8 {
			c.header = 8 + int64(p[4]) + int64(p[5])<<8 + int64(p[6])<<16 + int64(p[7])<<24
		}
	}
	return n, err
}

// ReadFrames is Read and keeps the frames.
func ReadFrames(src io.Reader) (frames [][]byte, err error) {
	d := dca.NewDecoder(bufio.NewReader(src))
	for {
		frame, err := d.OpusFrame()
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		frames = append(frames, frame)
	}
}

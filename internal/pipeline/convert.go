package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline/dca"
)

// ConvertOptions says how Convert works. The zero value is fine.
type ConvertOptions struct {
	Config                           // Source and Blobs are not used
	Profile  string                  // the default one
	Info     jobs.SongInfo           // for the file's header
	Size     int64                   // of in, if known: what comes must be exactly that; 0 takes a file's own
	Progress func(done, total int64) // bytes of in; total 0: not known. Called from one goroutine, often
}

// Report describes what Convert wrote.
type Report struct {
	Format     string        `json:"format"` // of the input, such as "WebM/Opus"
	Transcoded bool          `json:"transcoded"`
	Reason     string        `json:"reason,omitempty"` // why Opus was transcoded
	BytesIn    int64         `json:"bytes_in"`
	Bytes      int64         `json:"bytes"`
	SHA256     string        `json:"sha256"`
	Frames     int64         `json:"frames"`
	Duration   time.Duration `json:"duration_ns"`
}

// Convert reads audio in any format that is supported and writes it to out as
// DCA1: Opus in WebM and Ogg is copied as it streams by, everything else goes
// through ffmpeg. Errors are *jobs.Error with the codes of this package, or wrap
// ctx's error; what has been written to out is of no use then.
//
// The rare stream that turns out to need transcoding when part of it has been
// written is begun anew where out is a regular file (or wraps one: it needs Seek, Stat and
// Truncate) that ends at its present position, such as a new one; any other out gets an error with CodeNoRestart.
//
// Convert returns when ctx is done even if in does not return from Read, as a
// terminal may not; in must then not be used any more.
func Convert(ctx context.Context, in io.Reader, out io.Writer, o ConvertOptions) (Report, error) {
	type outcome struct {
		report Report
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := convert(ctx, in, out, o)
		done <- outcome{r, err}
	}()
	select {
	case o := <-done:
		return o.report, o.err
	case <-ctx.Done():
	}
	// Everything but a blocked Read ends soon.
	patience := time.NewTimer(2 * reapTime)
	defer patience.Stop()
	select {
	case o := <-done:
		return o.report, o.err
	case <-patience.C:
		return Report{}, stopped(ctx)
	}
}

func convert(ctx context.Context, in io.Reader, out io.Writer, o ConvertOptions) (Report, error) {
	p := New(o.Config)
	profile, err := p.profile(o.Profile)
	if err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start, size, again := regularFile(in)
	if o.Size > 0 {
		size = o.Size
	}
	if p.MaxBytes > 0 && size > p.MaxBytes {
		return Report{}, tooLarge(p.MaxBytes)
	}
	open := func() *feed {
		feeding, stop := context.WithCancelCause(ctx)
		return p.newFeed(feeding, stop, io.NopCloser(in), size, func(done int64) {
			if o.Progress != nil {
				o.Progress(done, size)
			}
		})
	}
	meta := dca.NewMetadata(p.Tool)
	meta.Info.Title, meta.Info.Artist = headerText(o.Info.Title), headerText(o.Info.Artist)
	meta.Origin = dca.Origin{Source: "file", URL: headerText(o.Info.URL)}
	m := maker{Pipeline: p, profile: profile, meta: meta, announced: o.Info.Duration}
	m.begin, m.once = restart(out)
	if again {
		m.reopen = func() (*feed, error) {
			if _, err := in.(io.Seeker).Seek(start, io.SeekStart); err != nil {
				return nil, sourceError(err)
			}
			return open(), nil
		}
	}
	d, err := m.run(ctx, open())
	r := Report{
		Format: d.format, Transcoded: d.transcoded, BytesIn: d.read, Bytes: d.bytes, SHA256: d.sha256,
		Frames: d.frames, Duration: d.duration,
	}
	if d.reason != nil {
		r.Reason = d.reason.Error()
	}
	return r, err
}

// seekable is what a file and what wraps one have.
type seekable interface {
	io.Seeker
	Stat() (os.FileInfo, error)
}

// regularFile tells whether v is a regular file, with its position and the number
// of bytes behind that.
func regularFile(v any) (start, behind int64, ok bool) {
	file, ok := v.(seekable)
	if !ok {
		return 0, 0, false
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, 0, false
	}
	start, err = file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, 0, false
	}
	return start, max(0, info.Size()-start), true
}

// restart returns how to begin writing to out, and whether that can be done only
// once. A file with something behind its position (one that is appended to has
// its position at 0) is never cut.
func restart(out io.Writer) (begin func() (*sink, error), once bool) {
	type truncater interface {
		seekable
		io.Writer
		Truncate(size int64) error
	}
	file, ok := out.(truncater)
	if start, behind, regular := regularFile(out); ok && regular && behind == 0 {
		return func() (*sink, error) {
			_, err := file.Seek(start, io.SeekStart)
			if err = errors.Join(err, file.Truncate(start)); err != nil {
				return nil, storageError(fmt.Errorf("begin output: %w", err))
			}
			return newSink(file), nil
		}, false
	}
	return func() (*sink, error) { return newSink(out), nil }, true
}

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// maker turns one media stream into one DCA stream and proves it.
type maker struct {
	*Pipeline
	profile   Profile
	meta      dca.Metadata
	announced time.Duration // by the source, 0 not

	begin  func() (*sink, error) // an empty output; what was written before is thrown away
	once   bool                  // begin works a single time
	reopen func() (*feed, error) // the media from its beginning; nil: it can be read only once
}

// made describes a DCA stream that is whole.
type made struct {
	bytes, frames int64
	sha256        string
	duration      time.Duration
	transcoded    bool
	reason        error // why it was transcoded; nil: it could not have been copied
	format        string
	read          int64 // bytes of the media
}

// run makes the stream. It closes f.
func (m *maker) run(ctx context.Context, f *feed) (made, error) {
	defer func() { f.Close() }()
	head, err := f.peek(sniffBytes)
	if err != nil {
		return made{}, failure(ctx, f, nil, err)
	}
	kind := sniff(head)
	if kind == nil {
		return made{}, notAudio(ctx, f, head)
	}
	var reason error
	if kind.opus && m.profile.Copy {
		done, err := m.copy(ctx, f, kind, head)
		if !errors.Is(err, errUncopyable) {
			return done, err
		}
		reason = err
		if !f.kept() {
			if m.once || m.reopen == nil {
				return made{}, jobs.Permanent(CodeNoRestart,
					"part of the stream has to be transcoded, which can not begin anew here", reason)
			}
			again, err := m.reopen()
			if err != nil {
				return made{}, err
			}
			f.Close()
			f = again
		}
	}
	done, err := m.transcode(ctx, f, kind)
	done.reason = reason
	return done, err
}

// notAudio refuses what is not recognised. An empty or short answer of a
// connection that broke is no verdict on the song.
func notAudio(ctx context.Context, f *feed, head []byte) error {
	if short := f.checkSize(); short != nil {
		return failure(ctx, f, nil, short)
	}
	shown := head[:min(len(head), 16)]
	return jobs.Permanent(CodeNotAudio, "this is not an audio file of a known kind", fmt.Errorf("it begins with %q", shown))
}

// frameWriter writes repacked frames to a DCA file and holds them to the limit.
type frameWriter struct {
	repacker opus.Repacker
	out      *dca.Writer
	limit    int64 // frames; 0 none
	long     error // what to say when there are more
}

func (m *maker) newFrameWriter(s *sink, meta dca.Metadata) (*frameWriter, error) {
	out, err := dca.NewWriter(s, meta)
	if err != nil {
		return nil, err
	}
	w := &frameWriter{out: out}
	if m.MaxDuration > 0 {
		w.limit, w.long = int64(m.MaxDuration/dca.FrameDuration), m.tooLong()
	}
	return w, nil
}

// emit takes one frame of 20 ms.
func (w *frameWriter) emit(frame []byte) error {
	if w.limit > 0 && w.out.Frames() >= w.limit {
		return w.long
	}
	return w.out.WriteFrame(frame)
}

// pump moves packets until next says io.EOF. errLink separates streams that
// follow one another.
func (w *frameWriter) pump(next func() ([]byte, error)) error {
	emit := w.emit // once, not for every packet
	for {
		packet, err := next()
		if err == nil {
			if err := w.repacker.Push(packet, emit); err != nil {
				if errors.Is(err, opus.ErrNotCopyable) {
					return uncopyable(err)
				}
				return err
			}
			continue
		}
		// Not errors.Is: a source's error may have io.EOF for its cause.
		end := err == io.EOF        //nolint:errorlint // see above
		if !end && err != errLink { //nolint:errorlint // never wrapped
			return err
		}
		if err := w.repacker.Flush(emit); err != nil {
			return err
		}
		if end {
			return w.out.Flush()
		}
	}
}

// errLink is said between two links of a chain.
var errLink = errors.New("next link")

// finish describes the stream when everything about it is proved.
func (m *maker) finish(f *feed, s *sink, w *frameWriter) (made, error) {
	d := made{
		bytes: s.bytes, frames: w.out.Frames(), sha256: s.sum(), duration: w.out.Duration(), read: f.read,
	}
	switch {
	case f.checkSize() != nil:
		return d, f.checkSize()
	case d.frames == 0:
		return d, jobs.Permanent(CodeNoAudio, "there is no audio in it", nil)
	case m.announced > 0 && !near(d.duration, m.announced, 2*time.Second, 50):
		return d, jobs.Transient(CodeIncomplete, "the song is shorter or longer than announced",
			fmt.Errorf("it lasts %v, %v were announced", d.duration, m.announced))
	}
	return d, nil
}

// near tells whether a is b within a tolerance: slack or, if that is more, one
// part of b.
func near(a, b, slack time.Duration, part int64) bool {
	tolerance := max(slack, b/time.Duration(part))
	return a >= b-tolerance && a <= b+tolerance
}

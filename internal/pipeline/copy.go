package pipeline

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// track is an Opus stream inside a container.
type track interface {
	// head is the stream's OpusHead. An error that is errUncopyable means a
	// stream that ffmpeg may be able to read.
	head() (opus.Head, error)

	// next returns packets and, between the links of a chain, errLink. io.EOF
	// comes at a legal end only.
	next() ([]byte, error)

	// whole is asked when everything has been read: whether the stream reaches as
	// far as the container says it should, when its frames last so long, and
	// nothing is left over.
	whole(f *feed, lasts time.Duration) error
}

// copy re-frames the packets of an Opus stream. errUncopyable: it has to be
// transcoded. start is what sniffing has seen.
func (m *maker) copy(ctx context.Context, f *feed, kind *format, start []byte) (made, error) {
	var t track
	if kind == formatWebM {
		t = newWebMTrack(f, start)
	} else {
		t = &oggTrack{r: ogg.NewReader(f), announced: m.announced > 0}
	}
	head, err := t.head()
	if err == nil {
		err = copyable(head)
	}
	if err != nil {
		return made{}, failure(ctx, f, nil, err)
	}
	// The first packet says what to expect. Encoders keep to one frame length, so
	// behind a packet of 20 ms nothing will come that can not be copied, and the
	// bytes need not be kept; with any other length it is too early to tell.
	first, firstErr := t.next()
	if firstErr != nil && firstErr != io.EOF { //nolint:errorlint // the readers' own mark
		return made{}, failure(ctx, f, nil, firstErr)
	}
	if len(first) > 0 && opus.TOC(first[0]).FrameSamples() > opus.FrameSamples {
		return made{}, uncopyable(errLongFrames)
	}
	if n, bad := opus.Samples(first); m.once || m.reopen != nil && bad == nil && n == opus.FrameSamples {
		f.forget()
	}
	s, err := m.begin()
	if err != nil {
		return made{}, err
	}
	w, err := m.newFrameWriter(s, m.copyMetadata(head))
	if err != nil {
		return made{}, failure(ctx, f, s, err)
	}
	pending := true
	err = w.pump(func() ([]byte, error) {
		if pending {
			pending = false
			return first, firstErr
		}
		return t.next()
	})
	if err == nil {
		err = f.drain()
	}
	if err == nil && s.err == nil {
		err = t.whole(f, w.out.Duration())
	}
	if err != nil {
		return made{}, failure(ctx, f, s, err)
	}
	d, err := m.finish(f, s, w)
	d.format = kind.name + "/Opus"
	return d, err
}

var errLongFrames = errors.New("opus frames longer than 20 ms")

// copyMetadata is the header of a file whose packets come from the source.
func (m *maker) copyMetadata(head opus.Head) dca.Metadata {
	meta := m.meta
	meta.Opus.Bitrate = meta.Origin.Bitrate
	meta.Origin.Channels, meta.Origin.Encoding = head.Channels, "opus"
	meta.Extra = maps.Clone(meta.Extra)
	if meta.Extra == nil {
		meta.Extra = map[string]any{}
	}
	meta.Extra["pre_skip"] = head.PreSkip
	return meta
}

func copyable(head opus.Head) error {
	if err := head.Copyable(); err != nil {
		return uncopyable(err)
	}
	return nil
}

// oggTrack reads Ogg Opus, chains included.
type oggTrack struct {
	r         *ogg.Reader
	announced bool // the source said how long the song is
}

func (t *oggTrack) head() (opus.Head, error) {
	raw, err := t.r.Head()
	switch {
	case errors.Is(err, ogg.ErrNoOpus): // Vorbis, FLAC, Speex
		return opus.Head{}, uncopyable(err)
	case err != nil:
		return opus.Head{}, err
	}
	return opus.ParseHead(raw)
}

func (t *oggTrack) next() ([]byte, error) {
	packet, err := t.r.Next()
	switch {
	case err == nil, err == io.EOF: //nolint:errorlint // the reader's own mark
		return packet, err
	case errors.Is(err, ogg.ErrChained):
		head, err := t.head()
		if err != nil {
			return nil, err
		}
		if err := copyable(head); err != nil {
			return nil, err
		}
		return nil, errLink
	case errors.Is(err, ogg.ErrNoEOS) && t.announced:
		return nil, io.EOF // the duration will tell whether it is whole
	default:
		return nil, err
	}
}

// whole has nothing to add: the end mark was there, or the source's own duration
// is compared anyway.
func (t *oggTrack) whole(*feed, time.Duration) error { return nil }

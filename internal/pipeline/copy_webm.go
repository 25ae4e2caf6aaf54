package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/butakero/butakero/internal/pipeline/opus"
	"github.com/butakero/butakero/internal/pipeline/webm"
)

// webmTrack reads the Opus track of a WebM file.
type webmTrack struct {
	r    *webm.Reader
	open bool // the segment does not say how long it is, so its end proves nothing
}

// newWebMTrack takes what sniffing has seen of the file beside the file.
func newWebMTrack(r io.Reader, start []byte) *webmTrack {
	return &webmTrack{r: webm.NewReader(r), open: openSegment(start)}
}

func (t *webmTrack) head() (opus.Head, error) {
	track, err := t.r.Track()
	var none *webm.NoOpusError
	switch {
	case errors.As(err, &none) && len(none.Codecs) > 0, // Vorbis, AAC
		errors.Is(err, webm.ErrCompressed):
		return opus.Head{}, uncopyable(err)
	case err != nil:
		return opus.Head{}, err
	}
	if track.CodecPrivate == nil { // as early writers had it
		if track.Channels < 1 || track.Channels > 2 {
			return opus.Head{}, uncopyable(fmt.Errorf("%d channels and no OpusHead", track.Channels))
		}
		return opus.Head{Version: 1, Channels: track.Channels, Streams: 1, Coupled: track.Channels - 1}, nil
	}
	return opus.ParseHead(track.CodecPrivate)
}

func (t *webmTrack) next() ([]byte, error) { return t.r.Next() }

// whole refuses what lies behind the end, such as a second file, of which a
// player would hear only the first. Where nothing but the duration in the file shows
// its end, it compares with that. (Where the segment's size is known, its end has been reached, and a
// duration that lies, or that counts from a late beginning, does no harm.)
func (t *webmTrack) whole(f *feed, lasts time.Duration) error {
	if behind := f.read - t.r.Offset(); behind > 0 {
		return fmt.Errorf("%w: %d bytes behind the end", errDamaged, behind)
	}
	declared := t.r.Duration()
	if t.open && declared > 0 && declared < absurd && lasts < declared-slack(declared) {
		return fmt.Errorf("%w: it lasts %v and should last %v", io.ErrUnexpectedEOF, lasts, declared)
	}
	return nil
}

// openSegment tells whether the segment that begins in b is of unknown size.
func openSegment(b []byte) bool {
	for at := int64(0); at < int64(len(b)); {
		e, err := readElement(bytes.NewReader(b), at, math.MaxInt64)
		if err != nil {
			return true
		}
		if e.id == idSegment {
			return e.unknown
		}
		at = e.end
	}
	return true
}

package pipeline

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// maxBoxes bounds the walk: ten hours in fragments of a second are 72,000.
const maxBoxes = 1 << 20

// mp4 walks through the boxes (ISO 14496-12): every one must fit its parent, and
// the file must have a moov box, which describes the tracks. In fragmented files
// mehd or sidx give the duration, if anything does.
func (d *declared) mp4(r io.ReaderAt, size int64) error {
	w := mp4Walk{r: r, left: maxBoxes}
	if err := w.boxes(0, size, 0); err != nil {
		return err
	}
	if !w.moov {
		return fmt.Errorf("no moov box: %w", io.ErrUnexpectedEOF)
	}
	if !w.audio {
		return nil // ffmpeg says whether there is any
	}
	presented, media := w.track, w.media
	switch {
	case presented > 0 && media > 0:
		d.samples(max(presented, media), 1)
		shorter := *d
		shorter.samples(min(presented, media), 1)
		d.least = shorter.duration
	case presented > 0 || media > 0:
		d.samples(max(presented, media), 1)
	case w.fragments > 0:
		d.samples(w.fragments, 1)
	case w.index > 0:
		d.samples(w.index, 1)
	}
	return nil
}

// mp4Walk collects what the boxes say. Durations are in seconds.
type mp4Walk struct {
	r    io.ReaderAt
	left int

	moov, audio bool
	timescale   float64 // of the movie
	fragments   float64 // mehd
	index       float64 // sidx

	// Of the first audio track, once audio is set; of the current one before.
	track, media float64
}

var mp4Containers = map[string]bool{"moov": true, "trak": true, "mdia": true, "mvex": true}

func (w *mp4Walk) boxes(at, end int64, depth int) error {
	for at < end {
		if w.left--; w.left < 0 {
			return fmt.Errorf("%w: too many boxes", errDamaged)
		}
		var head [16]byte
		if end-at < 8 {
			if depth == 0 && allZero(w.r, at, end) { // padding
				return nil
			}
			return fmt.Errorf("box header: %w", io.ErrUnexpectedEOF)
		}
		if err := readAt(w.r, head[:8], at); err != nil {
			return err
		}
		size, header := int64(binary.BigEndian.Uint32(head[:])), int64(8)
		kind := string(head[4:8])
		switch size {
		case 0:
			size = end - at
		case 1:
			if err := readAt(w.r, head[8:16], at+8); err != nil {
				return err
			}
			long := binary.BigEndian.Uint64(head[8:])
			if long > math.MaxInt64 {
				return fmt.Errorf("%w: box %q of %d bytes", errDamaged, kind, long)
			}
			size, header = int64(long), 16 // #nosec G115 -- checked
		}
		if size < header {
			return fmt.Errorf("%w: box %q of %d bytes", errDamaged, kind, size)
		}
		if size > end-at {
			return fmt.Errorf("box %q of %d bytes, %d are there: %w", kind, size, end-at, io.ErrUnexpectedEOF)
		}
		if err := w.box(kind, at+header, at+size, depth); err != nil {
			return err
		}
		at += size
	}
	return nil
}

func (w *mp4Walk) box(kind string, at, end int64, depth int) error {
	if kind == "moov" {
		w.moov = true
	}
	if kind == "trak" && !w.audio {
		w.track, w.media = 0, 0
	}
	if mp4Containers[kind] && depth < 4 {
		return w.boxes(at, end, depth+1)
	}
	switch kind {
	case "mvhd":
		w.timescale, _ = w.times(at, end, 12)
	case "tkhd":
		if !w.audio {
			w.track = w.trackTime(at, end)
		}
	case "mdhd":
		if scale, n := w.times(at, end, 12); !w.audio && scale > 0 {
			w.media = n / scale
		}
	case "hdlr":
		var b [12]byte
		if end-at >= 12 && readAt(w.r, b[:], at) == nil && string(b[8:12]) == "soun" {
			w.audio = true
		}
	case "mehd":
		if n := w.number(at+4, end, w.version(at)); w.timescale > 0 {
			w.fragments = n / w.timescale
		}
	case "sidx":
		w.index += w.indexTime(at, end)
	}
	return nil
}

func (w *mp4Walk) version(at int64) byte {
	var b [1]byte
	if readAt(w.r, b[:], at) != nil {
		return 0
	}
	return b[0]
}

// number reads an integer of 32 or, from version 1 on, 64 bits; all ones mean
// that it is not known.
func (w *mp4Walk) number(at, end int64, version byte) float64 {
	var b [8]byte
	if version == 0 {
		if at+4 > end || readAt(w.r, b[:4], at) != nil || binary.BigEndian.Uint32(b[:]) == math.MaxUint32 {
			return 0
		}
		return float64(binary.BigEndian.Uint32(b[:]))
	}
	if at+8 > end || readAt(w.r, b[:], at) != nil || binary.BigEndian.Uint64(b[:]) == math.MaxUint64 {
		return 0
	}
	return float64(binary.BigEndian.Uint64(b[:]))
}

// times reads time scale and duration of mvhd and mdhd.
func (w *mp4Walk) times(at, end, skip int64) (scale, duration float64) {
	version := w.version(at)
	if version == 1 {
		skip += 8
	}
	return w.number(at+skip, end, 0), w.number(at+skip+4, end, version)
}

// trackTime reads the duration of tkhd, which is in the movie's time scale.
func (w *mp4Walk) trackTime(at, end int64) float64 {
	version, skip := w.version(at), int64(20)
	if version == 1 {
		skip = 28
	}
	if w.timescale == 0 {
		return 0
	}
	return w.number(at+skip, end, version) / w.timescale
}

// indexTime sums the subsegments of a sidx box (8.16.3).
func (w *mp4Walk) indexTime(at, end int64) float64 {
	var b [12]byte
	version, skip := w.version(at), int64(20)
	if version > 0 {
		skip = 28
	}
	scale := w.number(at+8, end, 0)
	if at+skip+4 > end || readAt(w.r, b[:4], at+skip) != nil || scale == 0 {
		return 0
	}
	sum := 0.0
	entry := at + skip + 4
	for range binary.BigEndian.Uint16(b[2:]) {
		if entry+12 > end || readAt(w.r, b[:], entry) != nil {
			return 0
		}
		sum += float64(binary.BigEndian.Uint32(b[4:]))
		entry += 12
	}
	return sum / scale
}

// allZero tells whether a few bytes are padding.
func allZero(r io.ReaderAt, at, end int64) bool {
	b := make([]byte, end-at)
	if readAt(r, b, at) != nil {
		return false
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

package pipeline

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// Element IDs of RFC 9559.
const (
	idSegment       = 0x18538067
	idInfo          = 0x1549A966
	idCluster       = 0x1F43B675
	idTimestamp     = 0xE7
	idTimecodeScale = 0x2AD7B1
	idDuration      = 0x4489
)

// webm walks through the top of a WebM or Matroska file whose tracks are not to be
// copied: the segment and what is in it must be complete, and Info tells the
// duration. What has no known size ends the walk.
func (d *declared) webm(r io.ReaderAt, size int64) error {
	e := element{end: 0}
	for at := int64(0); at < size; at = e.end {
		var err error
		if e, err = readElement(r, at, size); err != nil {
			return err
		}
		if e.id == idSegment {
			return d.segment(r, e)
		}
		if e.unknown {
			return nil
		}
	}
	return fmt.Errorf("no segment: %w", io.ErrUnexpectedEOF)
}

func (d *declared) segment(r io.ReaderAt, segment element) error {
	var length, start float64 // seconds
	started := false
	for at, left := segment.start, maxBoxes; at < segment.end; left-- {
		e, err := readElement(r, at, segment.end)
		if err != nil {
			return err
		}
		if left == 0 {
			return fmt.Errorf("%w: too many elements", errDamaged)
		}
		switch {
		case e.id == idInfo:
			length = infoSeconds(r, e)
		case e.id == idCluster && !started:
			started = true
			start = clusterSeconds(r, e)
		}
		if e.unknown {
			break
		}
		at = e.end
	}
	d.samples(length, 1)
	if start > 1 && start < length { // begins late: that much is not there
		rest := *d
		rest.samples(length-start, 1)
		d.least = rest.duration
	}
	return nil
}

// infoSeconds reads Duration, taking the usual scale of milliseconds if there is
// no other.
func infoSeconds(r io.ReaderAt, info element) float64 {
	scale, duration := 1e6, 0.0
	for at := info.start; at < info.end; {
		e, err := readElement(r, at, info.end)
		if err != nil || e.unknown {
			return 0
		}
		switch e.id {
		case idTimecodeScale:
			scale = float64(e.uint(r))
		case idDuration:
			duration = e.float(r)
		}
		at = e.end
	}
	if seconds := duration * scale / 1e9; seconds > 0 && !math.IsInf(seconds, 0) {
		return seconds
	}
	return 0
}

// clusterSeconds reads the time at which a cluster begins, at the usual scale.
func clusterSeconds(r io.ReaderAt, cluster element) float64 {
	for at, left := cluster.start, 8; at < cluster.end && left > 0; left-- {
		e, err := readElement(r, at, cluster.end)
		if err != nil || e.unknown {
			return 0
		}
		if e.id == idTimestamp {
			return float64(e.uint(r)) / 1000
		}
		at = e.end
	}
	return 0
}

// element is where an EBML element lies (RFC 8794, 4 and 5).
type element struct {
	id         uint64
	start, end int64
	unknown    bool // the size is not known; end is that of the parent
}

func readElement(r io.ReaderAt, at, limit int64) (element, error) {
	var b [12]byte
	n := int(min(int64(len(b)), limit-at))
	if err := readAt(r, b[:n], at); err != nil {
		return element{}, err
	}
	idBytes := bits.LeadingZeros8(b[0]) + 1
	if idBytes > 4 {
		return element{}, fmt.Errorf("%w: no element ID at byte %d", errDamaged, at)
	}
	if idBytes >= n {
		return element{}, fmt.Errorf("element header: %w", io.ErrUnexpectedEOF)
	}
	sizeBytes := bits.LeadingZeros8(b[idBytes]) + 1
	if sizeBytes > 8 {
		return element{}, fmt.Errorf("%w: no element size at byte %d", errDamaged, at)
	}
	if idBytes+sizeBytes > n {
		return element{}, fmt.Errorf("element header: %w", io.ErrUnexpectedEOF)
	}
	var wide [8]byte
	copy(wide[8-idBytes:], b[:idBytes])
	e := element{id: binary.BigEndian.Uint64(wide[:]), start: at + int64(idBytes+sizeBytes)}
	wide = [8]byte{}
	copy(wide[8-sizeBytes:], b[idBytes:idBytes+sizeBytes])
	mask := uint64(1)<<(7*sizeBytes) - 1
	size := binary.BigEndian.Uint64(wide[:]) & mask
	if size == mask {
		e.unknown, e.end = true, limit
		return e, nil
	}
	if size > uint64(limit-e.start) { // #nosec G115 -- start was read, so it is not behind limit
		return element{}, fmt.Errorf("element of %d bytes, %d are there: %w", size, limit-e.start, io.ErrUnexpectedEOF)
	}
	e.end = e.start + int64(size) // #nosec G115 -- checked
	return e, nil
}

func (e element) uint(r io.ReaderAt) uint64 {
	var b [8]byte
	n := e.end - e.start
	if n < 1 || n > 8 || readAt(r, b[8-n:], e.start) != nil {
		return 0
	}
	return binary.BigEndian.Uint64(b[:])
}

func (e element) float(r io.ReaderAt) float64 {
	switch e.end - e.start {
	case 4:
		return float64(math.Float32frombits(uint32(e.uint(r)))) // #nosec G115 -- four bytes were read
	case 8:
		return math.Float64frombits(e.uint(r))
	}
	return 0
}

package pipeline

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// oggStream is the first audio stream of one link while its pages go by.
type oggStream struct {
	serial uint32
	rate   float64
	skip   float64 // samples to drop at the start
	first  float64 // granule of the first page with audio
	last   float64
	ended  bool
	known  bool
}

// ogg walks from page to page of whatever is in the file, sums up what the links of
// a chain last by their granule positions, and demands an end mark.
func (d *declared) ogg(r io.ReaderAt, size int64) error {
	in := bufio.NewReaderSize(io.NewSectionReader(r, 0, size), copyBytes)
	var s oggStream
	var seconds float64
	sure := true
	bos := false // the page before began a stream
	for {
		head, err := in.Peek(27)
		if len(head) == 0 {
			if err == io.EOF {
				break
			}
			return err
		}
		if len(head) < 27 || string(head[:4]) != "OggS" {
			return fmt.Errorf("%w: no page where one has to be", oggDamage(len(head) < 27))
		}
		flags, serial := head[5], binary.LittleEndian.Uint32(head[14:])
		granule := int64(binary.LittleEndian.Uint64(head[6:])) // #nosec G115 -- signed
		segments := int(head[26])
		if head, err = in.Peek(27 + segments); err != nil {
			return fmt.Errorf("page header: %w", io.ErrUnexpectedEOF)
		}
		body := 0
		for _, n := range head[27:] {
			body += int(n)
		}
		if _, err := in.Discard(27 + segments); err != nil {
			return err
		}
		if flags&2 != 0 {
			if !bos && s.known { // the next link
				seconds += s.seconds(&sure)
				s = oggStream{}
			}
			start, _ := in.Peek(min(body, 64))
			if next := identify(start); next.known && !s.known {
				s, s.serial = next, serial
			}
		} else if s.known && serial == s.serial && granule > 0 {
			if s.first == 0 {
				s.first = float64(granule)
			}
			s.last = float64(granule)
		}
		if s.known && serial == s.serial && flags&4 != 0 {
			s.ended = true
		}
		bos = flags&2 != 0
		if _, err := in.Discard(body); err != nil {
			return fmt.Errorf("page: %w", io.ErrUnexpectedEOF)
		}
	}
	if !s.known {
		return nil // ffmpeg says whether there is audio
	}
	if !s.ended {
		return fmt.Errorf("no end mark: %w", io.ErrUnexpectedEOF)
	}
	seconds += s.seconds(&sure)
	d.samples(seconds, 1)
	d.exact = d.exact && sure
	return nil
}

func oggDamage(cut bool) error {
	if cut {
		return io.ErrUnexpectedEOF
	}
	return errDamaged
}

// seconds is the length of the stream. It is not sure for one that was cut out
// of a longer one, with granules that do not begin near 0.
func (s *oggStream) seconds(sure *bool) float64 {
	if s.rate == 0 || s.first > 10*s.rate || s.last > math.MaxInt64/2 {
		*sure = false
		return 0
	}
	return max(0, s.last-s.skip) / s.rate
}

// identify reads the first packet of a stream: rate and skip are set for the
// codecs whose granules count samples.
func identify(b []byte) oggStream {
	s := oggStream{}
	switch {
	case bytes.HasPrefix(b, []byte("\x01vorbis")) && len(b) >= 16:
		s.known, s.rate = true, float64(binary.LittleEndian.Uint32(b[12:]))
	case bytes.HasPrefix(b, []byte("OpusHead")) && len(b) >= 12:
		s.known, s.rate, s.skip = true, 48000, float64(binary.LittleEndian.Uint16(b[10:]))
	case bytes.HasPrefix(b, []byte("\x7fFLAC")) && len(b) >= 17+18:
		s.known, s.rate = true, float64(binary.BigEndian.Uint64(b[17+10:])>>44)
	case bytes.HasPrefix(b, []byte("Speex   ")) && len(b) >= 40:
		s.known, s.rate = true, float64(binary.LittleEndian.Uint32(b[36:]))
	}
	return s
}

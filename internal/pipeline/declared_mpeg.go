package pipeline

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	maxTags = 8
	maxJunk = 1 << 20 // bytes between frames, padding and unknown tags together
)

// mpeg looks behind ID3 tags and counts the frames of MP3 or ADTS: their headers
// say how long they are. For an MP3 the Xing header tells how many there should
// be.
func (d *declared) mpeg(r io.ReaderAt, size int64) error {
	at, err := d.behindTags(r, size)
	if err != nil {
		return err
	}
	switch d.format {
	case formatFLAC:
		return d.flac(r, at)
	case formatMP3:
		return d.frames(io.NewSectionReader(r, at, size-at), mpegFrame)
	case formatADTS:
		return d.frames(io.NewSectionReader(r, at, size-at), adtsFrame)
	}
	return nil
}

// behindTags skips ID3 tags, finds out what follows them, and returns where.
func (d *declared) behindTags(r io.ReaderAt, size int64) (int64, error) {
	var at int64
	head := make([]byte, sniffBytes)
	for range maxTags {
		n, err := r.ReadAt(head, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		tag := id3Size(head[:n])
		if tag == 0 {
			if at > 0 {
				if kind := sniff(head[:n]); kind != nil {
					d.format = kind
				}
			}
			return at, nil
		}
		at += tag
		if at >= size {
			return 0, fmt.Errorf("a tag of %d bytes: %w", tag, io.ErrUnexpectedEOF)
		}
	}
	return 0, fmt.Errorf("%w: more than %d tags", errDamaged, maxTags)
}

// frames walks from frame to frame.
func (d *declared) frames(r io.Reader, parse func([]byte) audioFrame) error {
	in := bufio.NewReaderSize(r, copyBytes)
	var count, junk int
	var seconds, promised float64
	for {
		b, err := in.Peek(sniffBytes)
		if len(b) == 0 {
			if errors.Is(err, io.EOF) {
				break
			}
			return err
		}
		frame := parse(b)
		follower := frame.bytes
		if frame.bytes == 0 || follower+4 <= len(b) && parse(b[follower:]).bytes == 0 && !isTag(b[follower:]) {
			n := 1
			if skip := bytes.IndexAny(b[1:], "\xff\x0b"); skip < 0 && len(b) > 1 {
				n = len(b) - 1
			}
			if junk += n; junk > maxJunk {
				return d.noFrames(count)
			}
			if _, err := in.Discard(n); err != nil {
				return err
			}
			continue
		}
		if count == 0 {
			if n := xingFrames(b[:min(frame.bytes, len(b))], frame); n > 0 {
				promised = float64(n) * float64(frame.samples) / float64(frame.rate)
			}
		}
		if _, err := in.Discard(frame.bytes); err != nil {
			break // the last frame is cut
		}
		count++
		seconds += float64(frame.samples) / float64(frame.rate)
	}
	if count == 0 {
		return d.noFrames(count)
	}
	d.samples(max(seconds, promised), 1)
	return nil
}

// noFrames gives up: with nothing found it is no such file, otherwise ffmpeg may
// make something of it.
func (d *declared) noFrames(count int) error {
	if count == 0 {
		return fmt.Errorf("%w: no frames", errDamaged)
	}
	return nil
}

// isTag recognises the tags that stand at the end of files.
func isTag(b []byte) bool {
	return bytes.HasPrefix(b, []byte("TAG")) || bytes.HasPrefix(b, []byte("APETAGEX")) ||
		bytes.HasPrefix(b, []byte("LYRICSBEGIN")) || bytes.HasPrefix(b, []byte("ID3"))
}

// xingFrames is the number of frames that a Xing, Info or VBRI header in the
// first frame promises, 0 if there is none.
func xingFrames(b []byte, frame audioFrame) uint32 {
	at := 4 + 32
	switch {
	case frame.version == 1 && frame.mono, frame.version != 1 && !frame.mono:
		at = 4 + 17
	case frame.version != 1:
		at = 4 + 9
	}
	if len(b) >= at+12 && (string(b[at:at+4]) == "Xing" || string(b[at:at+4]) == "Info") && b[at+7]&1 != 0 {
		return binary.BigEndian.Uint32(b[at+8:])
	}
	if len(b) >= 36+18 && string(b[36:40]) == "VBRI" {
		return binary.BigEndian.Uint32(b[36+14:])
	}
	return 0
}

package ogg

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

var testHead = []byte("OpusHead\x01\x02\x38\x01\x80\xBB\x00\x00\x00\x00\x00")

// pageList makes pages by hand, one after the other, and keeps them apart, so that tests can lose,
// swap and damage single ones.
type pageList struct {
	serial   uint32
	sequence uint32
	pages    [][]byte
}

func (l *pageList) add(flags byte, granule int64, lacing, body []byte) {
	p := Page{Flags: flags, Granule: granule, Serial: l.serial, Sequence: l.sequence, Lacing: lacing, Body: body}
	l.pages = append(l.pages, p.Append(nil))
	l.sequence++
}

// packet puts whole packets on one page.
func (l *pageList) packet(flags byte, granule int64, packets ...[]byte) {
	var lacing []byte
	for _, packet := range packets {
		lacing = AppendLacing(lacing, len(packet))
	}
	l.add(flags, granule, lacing, slices.Concat(packets...))
}

func (l *pageList) headers() {
	l.packet(FlagBOS, 0, testHead)
	l.packet(0, 0, Tags("test"))
}

func (l *pageList) bytes() []byte { return slices.Concat(l.pages...) }

// cut lays packets over pages of at most most segments, wherever that cuts them, with a page
// without segments here and there.
func (l *pageList) cut(rng *rand.Rand, packets [][]byte, most int) {
	var lacing []byte
	for _, packet := range packets {
		lacing = AppendLacing(lacing, len(packet))
	}
	body := slices.Concat(packets...)
	var granule int64
	open := false
	for len(lacing) > 0 {
		if rng.IntN(8) == 0 {
			l.add(0, NoGranule, nil, nil)
		}
		n := min(1+rng.IntN(most), len(lacing))
		var flags byte
		if open {
			flags |= FlagContinued
		}
		size, ends := 0, false
		for _, v := range lacing[:n] {
			size += int(v)
			if v < 255 {
				granule += 960
				ends = true
			}
		}
		if n == len(lacing) {
			flags |= FlagEOS
		}
		at := int64(NoGranule)
		if ends {
			at = granule
		}
		l.add(flags, at, lacing[:n], body[:size])
		open = lacing[n-1] == 255
		lacing, body = lacing[n:], body[size:]
	}
}

// randomPackets are packets of every kind of size: usual, empty, around multiples of 255, and huge.
func randomPackets(rng *rand.Rand) [][]byte {
	packets := make([][]byte, 1+rng.IntN(40))
	for i := range packets {
		size := 1 + rng.IntN(400)
		switch rng.IntN(12) {
		case 0:
			size = 255*rng.IntN(5) + rng.IntN(3)
		case 1:
			size = rng.IntN(3)
		case 2:
			if rng.IntN(10) == 0 {
				size = MaxPacketBytes - rng.IntN(2)
			}
		}
		packets[i] = make([]byte, size)
		for j := range packets[i] {
			packets[i][j] = byte(rng.Uint32())
		}
	}
	return packets
}

// readAll reads to the first error that is not the next link of a chain, and returns the
// packets of each link.
func readAll(r *Reader) (links [][][]byte, err error) {
	if _, err := r.Head(); err != nil {
		return nil, err
	}
	links = append(links, nil)
	for {
		packet, err := r.Next()
		switch {
		case errors.Is(err, ErrChained):
			links = append(links, nil)
		case err != nil:
			return links, err
		default:
			last := len(links) - 1
			links[last] = append(links[last], bytes.Clone(packet))
		}
	}
}

// mustRead reads a stream of one link to its legal end.
func mustRead(t *testing.T, src io.Reader) [][]byte {
	t.Helper()
	links, err := readAll(NewReader(src))
	if !errors.Is(err, io.EOF) || len(links) != 1 {
		t.Fatalf("%d links, error %v, want one and io.EOF", len(links), err)
	}
	return links[0]
}

func equalPackets(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

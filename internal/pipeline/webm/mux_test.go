package webm_test

import (
	"encoding/binary"
	"math"
)

// A little muxer: just enough to make every layout and fault by hand.

// vint encodes a size in n bytes.
func vint(v uint64, n int) []byte {
	b := make([]byte, 8)
	binary.BigEndian.PutUint64(b, v|1<<(7*n))
	return b[8-n:]
}

func id(v uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, v)
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// el is an element of known size.
func el(v uint32, parts ...[]byte) []byte {
	content := join(parts...)
	return join(id(v), vint(uint64(len(content)), 8), content)
}

// open is the head of an element of unknown size.
func open(v uint32) []byte { return append(id(v), 0xff) }

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func num(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func float(v float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)) }

var opusHead = []byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00")

func ebml() []byte { return el(0x1A45DFA3, el(0x4282, []byte("webm"))) }

func info(ms float64) []byte {
	return el(0x1549A966, el(0x2AD7B1, num(1_000_000)), el(0x4489, float(ms)), el(0x7BA9, []byte("a title")))
}

// track is a TrackEntry; extra elements come last.
func track(number, kind uint64, codec string, extra ...[]byte) []byte {
	return el(0xAE, join(append([][]byte{
		el(0xD7, num(number)), el(0x83, num(kind)), el(0x86, []byte(codec)), el(0x63A2, opusHead),
		el(0x56AA, num(6_500_000)), el(0xE1, el(0xB5, float(48000)), el(0x9F, num(2))),
	}, extra...)...))
}

func tracks(entries ...[]byte) []byte { return el(0x1654AE6B, entries...) }

func opusTrack() []byte { return tracks(track(1, 2, "A_OPUS")) }

// block is the content of a Block or SimpleBlock of track 1.
func block(flags byte, content ...[]byte) []byte {
	return join([]byte{0x81, 0, 0, flags}, join(content...))
}

func simple(packet []byte) []byte { return el(0xA3, block(0x80, packet)) }

func cluster(parts ...[]byte) []byte {
	return el(0x1F43B675, append([][]byte{el(0xE7, num(0))}, parts...)...)
}

func segment(parts ...[]byte) []byte { return el(0x18538067, parts...) }

// file is a whole file with one packet a SimpleBlock, in clusters of three.
func file(packets ...[]byte) []byte {
	parts := [][]byte{info(1000), opusTrack(), el(0x1C53BB6B, el(0xEC, make([]byte, 9)))}
	for len(packets) > 0 {
		n := min(3, len(packets))
		var blocks [][]byte
		for _, p := range packets[:n] {
			blocks = append(blocks, simple(p))
		}
		parts = append(parts, cluster(blocks...))
		packets = packets[n:]
	}
	return join(ebml(), segment(parts...))
}

package corpus

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Element ids of WebM (RFC 9559 section 5) that the writers below use.
const (
	idEBML           = 0x1A45DFA3
	idDocType        = 0x4282
	idVoid           = 0xEC
	idCRC32          = 0xBF
	idSegment        = 0x18538067
	idInfo           = 0x1549A966
	idScale          = 0x2AD7B1
	idDuration       = 0x4489
	idTracks         = 0x1654AE6B
	idTrackEntry     = 0xAE
	idNumber         = 0xD7
	idType           = 0x83
	idCodec          = 0x86
	idPrivate        = 0x63A2
	idDelay          = 0x56AA
	idAudio          = 0xE1
	idRate           = 0xB5
	idChannels       = 0x9F
	idDefault        = 0x88
	idEncodings      = 0x6D80
	idEncoding       = 0x6240
	idEncodingType   = 0x5033
	idEncryption     = 0x5035
	idCompression    = 0x5034
	idAlgorithm      = 0x4254
	idSettings       = 0x4255
	idCluster        = 0x1F43B675
	idTimestamp      = 0xE7
	idSimpleBlock    = 0xA3
	idBlockGroup     = 0xA0
	idBlock          = 0xA1
	idDiscardPadding = 0x75A2
	idTags           = 0x1254C367
	idCues           = 0x1C53BB6B
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// elementID is an id as it is written.
func elementID(v uint32) []byte {
	return bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, v), "\x00")
}

// vint is a size in n bytes (RFC 8794 section 4).
func vint(v uint64, n int) []byte {
	return binary.BigEndian.AppendUint64(nil, v|1<<(7*n))[8-n:]
}

// el is an element.
func el(v uint32, parts ...[]byte) []byte {
	content := join(parts...)
	return join(elementID(v), vint(uint64(len(content)), 8), content)
}

// sized is the head of an element that says it has size bytes.
func sized(v uint32, size uint64) []byte { return join(elementID(v), vint(size, 8)) }

// endless is the head of an element of unknown size.
func endless(v uint32) []byte { return append(elementID(v), 0xff) }

func number(v uint64) []byte {
	b := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, v), "\x00")
	if len(b) == 0 {
		return []byte{0}
	}
	return b
}

func float(v float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)) }

func ebmlHeader() []byte { return el(idEBML, el(idDocType, []byte("webm"))) }

// info announces a length in milliseconds.
func info(ms float64) []byte {
	return el(idInfo, el(idScale, number(1_000_000)), el(idDuration, float(ms)))
}

// audioTrack is a TrackEntry of Opus. head may be nil: no CodecPrivate.
func audioTrack(track uint64, head []byte, extra ...[]byte) []byte {
	parts := [][]byte{el(idNumber, number(track)), el(idType, []byte{2}), el(idCodec, []byte("A_OPUS")),
		el(idDelay, number(6_500_000)), el(idAudio, el(idRate, float(48000)), el(idChannels, []byte{2}))}
	if head != nil {
		parts = append(parts, el(idPrivate, head))
	}
	return el(idTrackEntry, slices.Concat(parts, extra)...)
}

func videoTrack2() []byte {
	return el(idTrackEntry, el(idNumber, []byte{2}), el(idType, []byte{1}), el(idCodec, []byte("V_VP8")),
		el(0xE0, el(0xB0, number(160)), el(0xBA, number(120))))
}

// block is the content of a SimpleBlock or Block.
func block(track uint64, at int16, flags byte, content ...[]byte) []byte {
	head := binary.BigEndian.AppendUint16(vint(track, 1), uint16(at))
	return join(append(head, flags), join(content...))
}

func simpleBlock(at int, packet []byte) []byte {
	return el(idSimpleBlock, block(1, int16(at), 0x80, packet))
}

// webm is a file in the making. Its zero value with packets is a valid file.
type webm struct {
	head    []byte   // OpusHead; stereo() if nil
	tracks  [][]byte // further TrackEntries
	extra   [][]byte // further elements of the Opus track
	packets [][]byte
	ms      int      // a packet lasts; what it says itself if 0
	every   int      // packets in a Cluster; 100 if 0
	base    uint64   // time of the first Cluster, ms
	length  float64  // announced, ms; what the packets last if 0
	front   [][]byte // before the Tracks
	filler  []byte   // between all the elements from the Segment on
	cluster func(at uint64, blocks []byte) []byte
	block   func(i, at int, packet []byte) []byte
	segment func(content []byte) []byte
}

func (w webm) bytes() []byte {
	w.setDefaults()
	content := [][]byte{w.filler}
	content = append(content, w.front...)
	content = append(content, info(w.length), w.filler,
		el(idTracks, append([][]byte{audioTrack(1, w.head, w.extra...)}, w.tracks...)...), w.filler)
	i, clock := 0, 0
	for part := range slices.Chunk(w.packets, w.every) {
		begun := clock
		blocks := bytes.Clone(w.filler)
		for _, p := range part {
			blocks = append(blocks, w.block(i, clock/48-begun/48, p)...)
			blocks = append(blocks, w.filler...)
			clock += w.lasts(p)
			i++
		}
		content = append(content, w.cluster(w.base+uint64(begun/48), blocks), w.filler)
	}
	return join(ebmlHeader(), w.segment(join(content...)))
}

// lasts is how far a packet moves the clock, in samples.
func (w *webm) lasts(p []byte) int {
	if w.ms > 0 {
		return 48 * w.ms
	}
	if n := samples(p); n > 0 && n <= 5760 {
		return n
	}
	return 960 // it is malformed
}

func (w *webm) setDefaults() {
	if w.head == nil {
		w.head = stereo().bytes()
	}
	if w.every == 0 {
		w.every = 100
	}
	if w.length == 0 {
		for _, p := range w.packets {
			w.length += float64(w.lasts(p)) / 48
		}
	}
	if w.cluster == nil {
		w.cluster = func(at uint64, blocks []byte) []byte { return el(idCluster, el(idTimestamp, number(at)), blocks) }
	}
	if w.block == nil {
		w.block = func(_, at int, packet []byte) []byte { return simpleBlock(at, packet) }
	}
	if w.segment == nil {
		w.segment = func(content []byte) []byte { return el(idSegment, content) }
	}
}

// place is where an element of a file lies.
type place struct {
	id                uint32
	at, content, next int
}

// walk lists the children of the element whose content is b[from:to], all of
// known size.
func walk(b []byte, from, to int) (all []place) {
	for at := from; at < to; {
		n := leading(b[at])
		var id uint32
		for _, c := range b[at : at+n] {
			id = id<<8 | uint32(c)
		}
		m := leading(b[at+n])
		size := uint64(b[at+n]) & (0xff >> m)
		for _, c := range b[at+n+1 : at+n+m] {
			size = size<<8 | uint64(c)
		}
		content := at + n + m
		all = append(all, place{id, at, content, content + int(size)})
		at = content + int(size)
	}
	return all
}

// leading is the length that a vint's first byte tells.
func leading(c byte) int {
	n := 1
	for mask := byte(0x80); mask > 0 && c&mask == 0; mask >>= 1 {
		n++
	}
	return n
}

package webm

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

// unknownSize is the size of an element whose end is not known (RFC 8794
// section 6.2): allowed for Segment and Cluster.
const unknownSize = -1

// element is what stands before an element's content.
type element struct {
	id     uint32
	size   int64 // of the content, or unknownSize
	offset int64 // of the element
	header int   // bytes of id and size
}

// parseID reads an element id with its marker bits (RFC 8794 section 5). n is 0
// when b is too short, -1 when it is no id of up to 4 bytes.
func parseID(b []byte) (id uint32, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > 4 {
		return 0, -1
	}
	if len(b) < n {
		return 0, 0
	}
	for _, c := range b[:n] {
		id = id<<8 | uint32(c)
	}
	return id, n
}

// parseSize reads a variable-size integer (RFC 8794 section 4) without its
// marker. n as in parseID, for up to 8 bytes.
func parseSize(b []byte) (size int64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > 8 {
		return 0, -1
	}
	if len(b) < n {
		return 0, 0
	}
	v := uint64(b[0]) & (0xff >> n)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	if v == 1<<(7*n)-1 {
		return unknownSize, n
	}
	return int64(v), n
}

// parseString reads a string, which zero bytes may end before its element does
// (RFC 8794 section 13).
func parseString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func parseUint(b []byte) (v uint64) {
	for _, c := range b[max(0, len(b)-8):] {
		v = v<<8 | uint64(c)
	}
	return v
}

func parseInt(b []byte) int64 {
	if len(b) == 0 || len(b) > 8 {
		return 0
	}
	shift := 64 - 8*len(b)
	return int64(parseUint(b)<<shift) >> shift
}

func parseFloat(b []byte) float64 {
	switch len(b) {
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}

// children calls each for the elements in b, which is the whole content of a
// master element. false: b is malformed. Empty elements are left out: they stand
// for their default value (RFC 8794 section 6.1), which callers begin with.
func children(b []byte, each func(id uint32, content []byte) bool) bool {
	for len(b) > 0 {
		id, n := parseID(b)
		if n <= 0 {
			return false
		}
		size, m := parseSize(b[n:])
		if m <= 0 || size < 0 || size > int64(len(b)-n-m) {
			return false
		}
		content := b[n+m : n+m+int(size)]
		if size > 0 && !each(id, content) {
			return false
		}
		b = b[n+m+int(size):]
	}
	return true
}

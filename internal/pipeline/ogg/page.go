package ogg

import "encoding/binary"

// NoGranule is the granule position of a page on which no packet ends.
const NoGranule = -1

// Page is one page to be written, field by field as RFC 3533 section 6 has them. [Writer]
// fills it correctly; tests fill it as they like.
type Page struct {
	Flags    byte
	Granule  int64
	Serial   uint32
	Sequence uint32
	Lacing   []byte // at most 255 values; 255 = the packet goes on
	Body     []byte // as many bytes as the sum of Lacing
}

// Append appends the page with its checksum to b. Lacing beyond 255 values is cut off.
func (p Page) Append(b []byte) []byte {
	start := len(b)
	lacing := p.Lacing[:min(len(p.Lacing), 255)]
	b = append(b, "OggS\x00"...)
	b = append(b, p.Flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Granule)) // #nosec G115 -- two's complement
	b = binary.LittleEndian.AppendUint32(b, p.Serial)
	b = binary.LittleEndian.AppendUint32(b, p.Sequence)
	b = append(b, 0, 0, 0, 0, byte(len(lacing)))
	b = append(b, lacing...)
	b = append(b, p.Body...)
	Seal(b[start:])
	return b
}

// Seal writes the right checksum into a page, for instance after it was
// changed. It does nothing if page is too short to be one.
func Seal(page []byte) {
	if len(page) < headerSize {
		return
	}
	var c checksum
	binary.LittleEndian.PutUint32(page[22:], c.page(page))
}

// AppendLacing appends the lacing values of a packet of n bytes: a 255 for each full
// 255 bytes and then what is left, which may be 0.
func AppendLacing(b []byte, n int) []byte {
	for ; n >= 255; n -= 255 {
		b = append(b, 255)
	}
	return append(b, byte(n)) // #nosec G115 -- 0-254
}

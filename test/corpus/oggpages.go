package corpus

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Flags of Ogg pages (RFC 3533 section 6).
const (
	flagContinued = 1
	flagFirst     = 2
	flagLast      = 4
)

var crcTable = func() (t [256]uint32) {
	for i := range t {
		v := uint32(i) << 24
		for range 8 {
			if v&(1<<31) != 0 {
				v = v<<1 ^ 0x04c11db7
			} else {
				v <<= 1
			}
		}
		t[i] = v
	}
	return t
}()

// seal writes a page's checksum.
func seal(page []byte) []byte {
	copy(page[22:26], make([]byte, 4))
	var crc uint32
	for _, c := range page {
		crc = crc<<8 ^ crcTable[byte(crc>>24)^c]
	}
	binary.LittleEndian.PutUint32(page[22:], crc)
	return page
}

// page is an Ogg page.
func page(flags byte, granule int64, serial, sequence uint32, lacing, body []byte) []byte {
	b := append([]byte("OggS\x00"), flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(granule))
	b = binary.LittleEndian.AppendUint32(b, serial)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, byte(len(lacing)))
	return seal(join(b, lacing, body))
}

// tags is a comment header of about size bytes.
func tags(size int) []byte {
	b := []byte("OpusTags\x06\x00\x00\x00corpus")
	if size == 0 {
		return append(b, 0, 0, 0, 0)
	}
	comment := "COMMENT=" + longText("corpus ", size)
	b = append(b, 1, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(comment)))
	return append(b, comment...)
}

func longText(unit string, size int) string {
	return string(bytes.Repeat([]byte(unit), size/len(unit)+1)[:size])
}

// oggFile is a stream in the making. Its zero value with packets is a valid one.
type oggFile struct {
	head     []byte // stereo() if nil
	tags     []byte // short ones if nil
	packets  [][]byte
	serial   uint32
	lacing   int   // the most lacing values on a page; 50 if 0
	granule  int64 // of the beginning
	trim     int64 // samples at the end that are not to be heard
	open     bool  // no end mark
	beginMid bool  // neither header pages
}

// pages returns the pages of the stream; join makes a file of them.
func (o oggFile) pages() (all [][]byte) {
	if o.head == nil {
		o.head = stereo().bytes()
	}
	if o.tags == nil {
		o.tags = tags(0)
	}
	if o.lacing == 0 {
		o.lacing = 50
	}
	if !o.beginMid {
		all = append(all, page(flagFirst, 0, o.serial, 0, []byte{byte(len(o.head))}, o.head))
		all = append(all, paginate([][]byte{o.tags}, []int64{0}, o.serial, 1, 255)...)
	}
	granules := make([]int64, len(o.packets))
	at := o.granule
	for i, p := range o.packets {
		at += int64(samples(p))
		granules[i] = at
	}
	if n := len(granules); n > 0 {
		granules[n-1] -= o.trim
	}
	all = append(all, paginate(o.packets, granules, o.serial, uint32(len(all)), o.lacing)...)
	if !o.open {
		last := all[len(all)-1]
		last[5] |= flagLast
		seal(last)
	}
	return all
}

func (o oggFile) bytes() []byte { return join(o.pages()...) }

// paginate lays packets out on pages of so many lacing values.
func paginate(packets [][]byte, granules []int64, serial, sequence uint32, most int) (pages [][]byte) {
	var (
		lacing, body []byte
		granule      = int64(-1)
		continued    = byte(0)
	)
	flush := func(open bool) {
		pages = append(pages, page(continued, granule, serial, sequence, lacing, body))
		sequence++
		lacing, body, granule, continued = nil, nil, -1, 0
		if open {
			continued = flagContinued
		}
	}
	for i, p := range packets {
		for {
			if len(lacing) == most {
				flush(len(lacing) > 0 && lacing[len(lacing)-1] == 255)
			}
			n := min(len(p), 255)
			lacing, body = append(lacing, byte(n)), append(body, p[:n]...)
			p = p[n:]
			if n < 255 {
				break
			}
		}
		granule = granules[i]
	}
	if len(lacing) > 0 {
		flush(false)
	}
	return pages
}

// oggPackets takes a file of one stream apart, headers included.
func oggPackets(b []byte) (packets [][]byte) {
	var packet []byte
	for len(b) > 27 {
		lacing := b[27 : 27+int(b[26])]
		b = b[27+len(lacing):]
		for _, n := range lacing {
			packet = append(packet, b[:n]...)
			b = b[n:]
			if n < 255 {
				packets = append(packets, packet)
				packet = nil
			}
		}
	}
	return packets
}

// oggPages cuts a file into its pages.
func oggPages(b []byte) (pages [][]byte) {
	for len(b) > 27 {
		n := 27 + int(b[26])
		for _, size := range b[27 : 27+int(b[26])] {
			n += int(size)
		}
		pages = append(pages, slices.Clone(b[:n]))
		b = b[n:]
	}
	return pages
}

package ogg

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// checksum computes the CRC of Ogg pages: polynomial 0x04c11db7, initial value 0,
// most significant bit first. The standard library has the same polynomial
// least significant bit first, and in hardware. A CRC over bytes whose bits are mirrored
// is the mirrored CRC, so mirroring the input costs less than a table of our own.
type checksum struct {
	sum     uint32
	scratch [1024]byte
}

func (c *checksum) reset() { c.sum = ^uint32(0) } // the library inverts at the start and the end

func (c *checksum) write(b []byte) {
	for len(b) > 0 {
		n := min(len(b), len(c.scratch))
		mirror(c.scratch[:n], b[:n])
		c.sum = crc32.Update(c.sum, crc32.IEEETable, c.scratch[:n])
		b = b[n:]
	}
}

func (c *checksum) value() uint32 { return bits.Reverse32(^c.sum) }

// page is the checksum of a whole page, whose own field counts as zero.
func (c *checksum) page(page []byte) uint32 {
	var zero [4]byte
	c.reset()
	c.write(page[:22])
	c.write(zero[:])
	c.write(page[26:])
	return c.value()
}

// mirror writes the bytes of src with the bits of each one reversed to dst, which is as
// long.
func mirror(dst, src []byte) {
	const (
		ones  = 0x5555555555555555
		pairs = 0x3333333333333333
		nibs  = 0x0F0F0F0F0F0F0F0F
	)
	reverse := func(x uint64) uint64 {
		x = x>>1&ones | x&ones<<1
		x = x>>2&pairs | x&pairs<<2
		return x>>4&nibs | x&nibs<<4
	}
	for len(src) >= 32 && len(dst) >= 32 { // four words at a time, which do not wait for each other
		binary.LittleEndian.PutUint64(dst, reverse(binary.LittleEndian.Uint64(src)))
		binary.LittleEndian.PutUint64(dst[8:], reverse(binary.LittleEndian.Uint64(src[8:])))
		binary.LittleEndian.PutUint64(dst[16:], reverse(binary.LittleEndian.Uint64(src[16:])))
		binary.LittleEndian.PutUint64(dst[24:], reverse(binary.LittleEndian.Uint64(src[24:])))
		dst, src = dst[32:], src[32:]
	}
	for i, v := range src {
		dst[i] = bits.Reverse8(v)
	}
}

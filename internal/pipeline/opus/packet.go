package opus

// TOC is the first byte of a packet (RFC 6716 section 3.1).
type TOC byte

const (
	codeMask   TOC = 0x03 // how many frames follow and how their lengths are coded
	stereoBit  TOC = 0x04
	layoutMask TOC = 0xFC // config and stereo: frames may share a packet only if these are equal
)

// Config is the configuration number 0-31: mode, bandwidth and frame length.
func (t TOC) Config() int { return int(t >> 3) }

// Stereo tells whether the frames hold two channels. It may change from
// packet to packet.
func (t TOC) Stereo() bool { return t&stereoBit != 0 }

// FrameSamples is the length of each frame of the packet in samples at 48 kHz:
// 120 (2.5 ms) to 2880 (60 ms).
func (t TOC) FrameSamples() int {
	size := int(t>>3) & 3
	switch {
	case t&0x80 != 0: // CELT: 2.5, 5, 10, 20 ms
		return 120 << size
	case t&0x60 == 0x60: // hybrid: 10, 20 ms
		return 480 << (size & 1)
	case size == 3: // SILK: 60 ms
		return 2880
	default: // SILK: 10, 20, 40 ms
		return 480 << size
	}
}

// Packet is a packet taken apart. The zero value is ready for [Packet.Parse]; it
// can be used again and again and owns no memory besides itself.
type Packet struct {
	toc     TOC
	count   int
	padding int    // bytes, with the bytes that code the padding's length
	body    []byte // the frames, one after the other
	sizes   [maxFrames]int16
}

// Parse takes b apart by the rules R1-R7 of RFC 6716 section 3.4. It keeps a
// reference to b and copies nothing. An error is a [*PacketError], and p is
// then of no use until the next Parse.
func (p *Packet) Parse(b []byte) error {
	if len(b) == 0 {
		return errEmpty
	}
	p.toc, p.padding = TOC(b[0]), 0
	rest := b[1:]
	switch p.toc & codeMask {
	case 0:
		p.count = 1
		return p.takeEqual(rest, errLongFrame)
	case 1:
		p.count = 2
		return p.takeEqual(rest, errOdd)
	case 2:
		p.count = 2
		size, n := frameLength(rest)
		if n == 0 || size > len(rest)-n {
			return errTwoLength
		}
		p.sizes[0] = int16(size) // #nosec G115 -- at most 1275
		return p.takeLast(rest[n:], size)
	default:
		return p.parseMany(rest)
	}
}

// parseMany reads a packet of code 3: a signalled number of frames (section 3.2.5).
func (p *Packet) parseMany(rest []byte) error {
	if len(rest) == 0 {
		return errNoCount
	}
	header := rest[0]
	rest = rest[1:]
	p.count = int(header & 0x3F)
	if p.count == 0 {
		return errZeroCount
	}
	if p.count*p.toc.FrameSamples() > MaxPacketSamples {
		return errTooLong
	}
	vbr := header&0x80 != 0
	if header&0x40 != 0 {
		padding, n := paddingLength(rest)
		if n == 0 || padding > len(rest)-n {
			if vbr {
				return errVBRPadding
			}
			return errCBRPadding
		}
		rest = rest[n : len(rest)-padding]
		p.padding = n + padding
	}
	if !vbr {
		return p.takeEqual(rest, errCBRSize)
	}
	sum := 0
	for i := range p.count - 1 {
		size, n := frameLength(rest)
		if n == 0 {
			return errVBRLength
		}
		rest = rest[n:]
		sum += size
		if sum > len(rest) {
			return errVBRLength
		}
		p.sizes[i] = int16(size) // #nosec G115 -- at most 1275
	}
	return p.takeLast(rest, sum)
}

// takeEqual makes body p.count frames of the same size.
func (p *Packet) takeEqual(body []byte, indivisible error) error {
	size := len(body) / p.count
	if size*p.count != len(body) {
		return indivisible
	}
	if size > MaxFrameBytes {
		return errLongFrame
	}
	for i := range p.count {
		p.sizes[i] = int16(size) // #nosec G115 -- at most 1275
	}
	p.body = body
	return nil
}

// takeLast gives the last frame what the others, used bytes in sum, have left of body.
func (p *Packet) takeLast(body []byte, used int) error {
	size := len(body) - used
	if size > MaxFrameBytes {
		return errLongFrame
	}
	p.sizes[p.count-1] = int16(size) // #nosec G115 -- at most 1275
	p.body = body
	return nil
}

// frameLength reads a frame length of one or two bytes (section 3.2.1) and the
// number of bytes it takes, 0 if b is too short.
func frameLength(b []byte) (size, n int) {
	switch {
	case len(b) == 0:
		return 0, 0
	case b[0] < 252:
		return int(b[0]), 1
	case len(b) == 1:
		return 0, 0
	default:
		return int(b[0]) + 4*int(b[1]), 2
	}
}

// paddingLength reads the length of the padding and the number of bytes that
// code it, 0 if b is too short. The value 255 stands for 254 bytes of padding and goes on.
func paddingLength(b []byte) (padding, n int) {
	for i, v := range b {
		if v < 255 {
			return padding + int(v), i + 1
		}
		padding += 254
	}
	return 0, 0
}

// TOC is the packet's first byte.
func (p *Packet) TOC() TOC { return p.toc }

// Count is the number of frames, 1-48.
func (p *Packet) Count() int { return p.count }

// Samples is the length of the packet in samples at 48 kHz, at most 5760.
func (p *Packet) Samples() int { return p.count * p.toc.FrameSamples() }

// Padding is the number of bytes that carry no audio, with their length field.
func (p *Packet) Padding() int { return p.padding }

// Frames calls yield with each frame in order until it returns false. A frame
// may be empty, which means lost or not sent (DTX). It points into the packet.
func (p *Packet) Frames(yield func(frame []byte) bool) {
	body := p.body
	for _, size := range p.sizes[:p.count] {
		if !yield(body[:size:size]) {
			return
		}
		body = body[size:]
	}
}

// Samples is the length of a packet in samples at 48 kHz: 120 (2.5 ms) to 5760
// (120 ms). It checks the whole packet and returns a [*PacketError] if
// that is malformed. It does not allocate.
func Samples(packet []byte) (int, error) {
	var p Packet
	if err := p.Parse(packet); err != nil {
		return 0, err
	}
	return p.Samples(), nil
}

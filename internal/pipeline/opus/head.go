package opus

import (
	"encoding/binary"
	"fmt"
)

const (
	headMagic    = "OpusHead"
	headSize     = 19 // up to and including the mapping family
	silentSource = 255
)

// Head is the identification header of an Opus stream (RFC 7845 section 5.1): the
// first packet of an Ogg stream and the CodecPrivate of a WebM track.
type Head struct {
	Version   uint8  // 1; 1-15 are compatible with it
	Channels  int    // channels that the decoder delivers, 1-255
	PreSkip   int    // samples at 48 kHz to drop at the start, usually 312
	InputRate uint32 // rate of the original in Hz, informative; 0 = not said
	Gain      int16  // output gain in 1/256 dB
	Family    uint8  // channel mapping family
	Streams   int    // Opus streams in each packet
	Coupled   int    // how many of them are stereo
	Mapping   []byte // for each channel the decoded channel it plays, 255 = silence; nil for family 0
}

// ParseHead reads an OpusHead. Bytes after the header are ignored. The
// Mapping of the result points into b. An error is a [*HeadError].
//
// A header of an unknown version (0 or above 15) has an unknown layout: only Version is
// set, the error is nil, and [Head.Copyable] refuses it. Of a mapping family other
// than 0 and 1 the mapping is read only as far as it has family 1's form.
func ParseHead(b []byte) (Head, error) {
	if len(b) < len(headMagic)+1 {
		return Head{}, headErrorf("%d bytes are too short", len(b))
	}
	if string(b[:len(headMagic)]) != headMagic {
		return Head{}, headErrorf("does not start with %q", headMagic)
	}
	h := Head{Version: b[8]}
	if !h.knownVersion() {
		return h, nil
	}
	if len(b) < headSize {
		return Head{}, headErrorf("%d bytes, want at least %d", len(b), headSize)
	}
	h.Channels = int(b[9])
	h.PreSkip = int(binary.LittleEndian.Uint16(b[10:]))
	h.InputRate = binary.LittleEndian.Uint32(b[12:])
	h.Gain = int16(binary.LittleEndian.Uint16(b[16:])) // #nosec G115 -- the field is signed
	h.Family = b[18]
	if h.Channels == 0 {
		return Head{}, headErrorf("0 channels")
	}
	switch h.Family {
	case 0:
		if h.Channels > 2 {
			return Head{}, headErrorf("mapping family 0 with %d channels", h.Channels)
		}
		h.Streams, h.Coupled = 1, h.Channels-1
		return h, nil
	case 1:
		if h.Channels > 8 {
			return Head{}, headErrorf("mapping family 1 with %d channels", h.Channels)
		}
		return h, h.parseMapping(b[headSize:])
	default:
		// Family 3 replaces the table by a matrix and later families may do anything;
		// none of them is copied, so a table that makes no sense is no reason to
		// refuse what a decoder may well play.
		if err := h.parseMapping(b[headSize:]); err != nil {
			h.Streams, h.Coupled, h.Mapping = 0, 0, nil
		}
		return h, nil
	}
}

// parseMapping reads the channel mapping table (RFC 7845 section 5.1.1).
func (h *Head) parseMapping(b []byte) error {
	if len(b) < 2+h.Channels {
		return headErrorf("channel mapping table of %d bytes, want %d", len(b), 2+h.Channels)
	}
	streams, coupled, mapping := int(b[0]), int(b[1]), b[2:2+h.Channels]
	if streams == 0 {
		return headErrorf("0 streams")
	}
	if coupled > streams || streams+coupled > 255 {
		return headErrorf("%d streams, %d of them coupled", streams, coupled)
	}
	for channel, source := range mapping {
		if source != silentSource && int(source) >= streams+coupled {
			return headErrorf("channel %d plays decoded channel %d of %d", channel, source, streams+coupled)
		}
	}
	h.Streams, h.Coupled, h.Mapping = streams, coupled, mapping
	return nil
}

func (h Head) knownVersion() bool { return h.Version >= 1 && h.Version <= 15 }

// Copyable is nil when the packets of a stream with this header can be
// stored as they are, and a [*NotCopyableError] otherwise. Mono can be copied: any Opus
// stream may be decoded as stereo (RFC 7845 section 5.1.1).
func (h Head) Copyable() error {
	switch {
	case !h.knownVersion():
		return notCopyable(ReasonVersion, "OpusHead version %d", h.Version)
	case h.Family > 1:
		return notCopyable(ReasonFamily, "channel mapping family %d", h.Family)
	case h.Streams > 1 || h.Channels > 2:
		return notCopyable(ReasonMultistream, "%d channels in %d streams", h.Channels, h.Streams)
	case h.Family == 1 && !h.plainMapping():
		return notCopyable(ReasonMapping, "channel mapping %v of a stream with %d channels", h.Mapping, 1+h.Coupled)
	case h.Gain != 0:
		return notCopyable(ReasonGain, "output gain %s dB", decibels(h.Gain))
	}
	return nil
}

// plainMapping tells whether a family 1 stream plays like family 0.
func (h Head) plainMapping() bool {
	switch h.Channels {
	case 1:
		return h.Coupled == 0 && h.Mapping[0] == 0
	case 2:
		return h.Coupled == 1 && h.Mapping[0] == 0 && h.Mapping[1] == 1
	}
	return false
}

// decibels writes a gain in Q7.8 with its sign, so that an error reads "+6.00".
func decibels(q int16) string { return fmt.Sprintf("%+.2f", float64(q)/256) }

// Append appends the header's bytes to b, the inverse of [ParseHead]. It
// writes the fields as they are; it is the caller's business that they make sense.
func (h Head) Append(b []byte) []byte {
	b = append(b, headMagic...)
	b = append(b, h.Version, byte(h.Channels))                 // #nosec G115 -- 1-255
	b = binary.LittleEndian.AppendUint16(b, uint16(h.PreSkip)) // #nosec G115 -- 16 bits in the format
	b = binary.LittleEndian.AppendUint32(b, h.InputRate)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Gain)) // #nosec G115 -- two's complement
	b = append(b, h.Family)
	if h.Family != 0 {
		b = append(b, byte(h.Streams), byte(h.Coupled)) // #nosec G115 -- 0-255
		b = append(b, h.Mapping...)
	}
	return b
}

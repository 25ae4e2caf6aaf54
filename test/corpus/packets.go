package corpus

import (
	"encoding/binary"
	"os"
)

// opusHead is the header of a stream (RFC 7845 section 5.1).
type opusHead struct {
	version, channels byte
	preSkip           uint16
	gain              int16 // Q7.8 dB
	family            byte
	mapping           []byte // streams, coupled streams and map, if the family has them
}

func stereo() opusHead { return opusHead{version: 1, channels: 2, preSkip: 312} }

func (h opusHead) bytes() []byte {
	b := append([]byte("OpusHead"), h.version, h.channels)
	b = binary.LittleEndian.AppendUint16(b, h.preSkip)
	b = binary.LittleEndian.AppendUint32(b, 48000)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.gain))
	return join(append(b, h.family), h.mapping)
}

// samples is how many samples at 48 kHz a valid packet lasts (RFC 6716 section 3.1).
func samples(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	frame := 0
	switch config := p[0] >> 3; {
	case config >= 16:
		frame = 120 << (config & 3)
	case config >= 12:
		frame = 480 << (config & 1)
	case config&3 == 3:
		frame = 2880
	default:
		frame = 480 << (config & 3)
	}
	switch p[0] & 3 {
	case 0:
		return frame
	case 1, 2:
		return 2 * frame
	}
	if len(p) < 2 {
		return 0
	}
	return frame * int(p[1]&63)
}

// frames is how many frames of 20 ms packets make.
func frames(packets [][]byte) int {
	n := 0
	for _, p := range packets {
		n += samples(p)
	}
	return (n + 959) / 960
}

// padded is a packet of one frame with code 3 padding (RFC 6716 section 3.2.5),
// total bytes long.
func padded(p []byte, total int) []byte {
	room := total - 2 - len(p[1:])
	count := 1 // bytes that tell how much padding there is
	for room-count > 254*count {
		count++
	}
	b := []byte{p[0] | 3, 0x41}
	for range count - 1 {
		b = append(b, 255)
	}
	b = append(b, byte(room-count-254*(count-1)))
	return join(b, p[1:], make([]byte, room-count))
}

// material is what encoders made for the rows that are made by hand.
type material struct {
	celt20, celt20Mono, celt10, celt60, silk20, silk60, hybrid20, other20 [][]byte // packets
	file                                                                  map[string][]byte
}

func (b *builder) material() (*material, error) {
	m := &material{file: map[string][]byte{}}
	for name, to := range map[string]*[][]byte{
		"celt20": &m.celt20, "celt20-mono": &m.celt20Mono, "celt10": &m.celt10, "celt60": &m.celt60, "silk20": &m.silk20,
		"silk60": &m.silk60, "hybrid20": &m.hybrid20, "other20": &m.other20,
	} {
		data, err := os.ReadFile(b.tmp(name))
		if err != nil {
			return nil, err
		}
		*to = oggPackets(data)[2:]
	}
	for _, name := range []string{"youtube.webm", "moov-last.m4a", "faststart.m4a", "fragmented.m4a", "song.mp3", "without-xing.mp3",
		"song.flac", "song.wav", "vorbis.ogg", "video.webm", "hours.flac", "cover.png"} {
		data, err := os.ReadFile(b.tmp(name))
		if err != nil {
			return nil, err
		}
		m.file[name] = data
	}
	return m, nil
}

package opus

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// The frame lengths of RFC 6716 table 2, in samples at 48 kHz.
func TestFrameSamples(t *testing.T) {
	t.Parallel()
	silk, hybrid, celt := []int{480, 960, 1920, 2880}, []int{480, 960}, []int{120, 240, 480, 960}
	want := slices.Concat(silk, silk, silk, hybrid, hybrid, celt, celt, celt, celt)
	for config, samples := range want {
		for low := range 8 {
			toc := TOC(config<<3 | low)
			if got := toc.FrameSamples(); got != samples {
				t.Errorf("config %d: %d samples, want %d", config, got, samples)
			}
			if toc.Config() != config || toc.Stereo() != (low&4 != 0) {
				t.Errorf("TOC %#x: config %d stereo %t", toc, toc.Config(), toc.Stereo())
			}
		}
	}
}

// bytesOf is n bytes that tell apart from others by their value.
func bytesOf(n int, value byte) []byte { return bytes.Repeat([]byte{value}, n) }

func TestParse(t *testing.T) {
	t.Parallel()
	const (
		celt20  = 0xF8 // config 31: 20 ms
		celt10  = 0xF0
		celt2_5 = 0xE0
		silk60  = 0x18
	)
	tests := []struct {
		name    string
		packet  []byte
		samples int
		padding int
		frames  [][]byte
	}{
		{"TOC alone", []byte{celt20}, 960, 0, [][]byte{{}}},
		{"Discord's silence", []byte{0xF8, 0xFF, 0xFE}, 960, 0, [][]byte{{0xFF, 0xFE}}},
		{"code 0, longest frame", append([]byte{celt20}, bytesOf(1275, 7)...), 960, 0, [][]byte{bytesOf(1275, 7)}},
		{"code 0, 60 ms", []byte{silk60, 1}, 2880, 0, [][]byte{{1}}},
		{"code 1", []byte{celt10 | 1, 1, 2, 3, 4}, 960, 0, [][]byte{{1, 2}, {3, 4}}},
		{"code 1, both empty", []byte{celt10 | 1}, 960, 0, [][]byte{{}, {}}},
		{"code 1, 120 ms", []byte{silk60 | 1}, 5760, 0, [][]byte{{}, {}}},
		{"code 2", []byte{celt10 | 2, 1, 9, 8, 7}, 960, 0, [][]byte{{9}, {8, 7}}},
		{"code 2, first empty", []byte{celt10 | 2, 0, 9}, 960, 0, [][]byte{{}, {9}}},
		{"code 2, second empty", []byte{celt10 | 2, 1, 9}, 960, 0, [][]byte{{9}, {}}},
		{"code 2, 251 bytes", append([]byte{celt10 | 2, 251}, bytesOf(251, 1)...), 960, 0, [][]byte{bytesOf(251, 1), {}}},
		{"code 2, 252 bytes", append([]byte{celt10 | 2, 252, 0}, bytesOf(252, 1)...), 960, 0, [][]byte{bytesOf(252, 1), {}}},
		{"code 2, 1275 bytes", append([]byte{celt10 | 2, 255, 255}, bytesOf(1275, 1)...), 960, 0, [][]byte{bytesOf(1275, 1), {}}},
		{"code 3, one frame", []byte{celt20 | 3, 1, 5}, 960, 0, [][]byte{{5}}},
		{"code 3, equal", []byte{celt10 | 3, 3, 1, 2, 3}, 1440, 0, [][]byte{{1}, {2}, {3}}},
		{"code 3, equal and empty", []byte{celt20 | 3, 6}, 5760, 0, make([][]byte, 6)},
		{"code 3, 48 frames", []byte{celt2_5 | 3, 48}, 5760, 0, make([][]byte, 48)},
		{"code 3, variable", []byte{celt10 | 3, 0x83, 2, 0, 1, 2, 3}, 1440, 0, [][]byte{{1, 2}, {}, {3}}},
		{"code 3, variable, one frame", []byte{celt20 | 3, 0x81, 4, 5}, 960, 0, [][]byte{{4, 5}}},
		{"code 3, padding 0", []byte{celt20 | 3, 0x41, 0, 5}, 960, 1, [][]byte{{5}}},
		{"code 3, padding 2", []byte{celt20 | 3, 0x41, 2, 5, 0, 0}, 960, 3, [][]byte{{5}}},
		{"code 3, padding 254", append([]byte{celt20 | 3, 0x41, 254, 5}, bytesOf(254, 0)...), 960, 255, [][]byte{{5}}},
		{"code 3, padding 255 in two bytes", append([]byte{celt20 | 3, 0x41, 255, 1, 5}, bytesOf(255, 0)...), 960, 257, [][]byte{{5}}},
		{"code 3, padding and variable", []byte{celt10 | 3, 0xC2, 1, 2, 1, 2, 3, 0}, 960, 2, [][]byte{{1, 2}, {3}}},
		{"code 3, nothing but padding", []byte{celt20 | 3, 0x42, 2, 0, 0}, 1920, 3, [][]byte{{}, {}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p Packet
			if err := p.Parse(test.packet); err != nil {
				t.Fatal(err)
			}
			if p.Samples() != test.samples || p.Padding() != test.padding || p.Count() != len(test.frames) {
				t.Errorf("%d samples, padding %d, %d frames; want %d, %d, %d",
					p.Samples(), p.Padding(), p.Count(), test.samples, test.padding, len(test.frames))
			}
			if got := slices.Collect(p.Frames); !slices.EqualFunc(got, test.frames, bytes.Equal) {
				t.Errorf("frames %v, want %v", got, test.frames)
			}
			if got, err := Samples(test.packet); got != test.samples || err != nil {
				t.Errorf("Samples = %d, %v", got, err)
			}
		})
	}
}

// Each rule of RFC 6716 section 3.4, broken in each way.
func TestParseMalformed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rule   int
		packet []byte
	}{
		{"no bytes", 1, nil},
		{"code 0 frame of 1276 bytes", 2, append([]byte{0xF8}, bytesOf(1276, 0)...)},
		{"code 0 frame of 40 kB", 2, append([]byte{0xF8}, bytesOf(40000, 0)...)},
		{"code 1 frames of 1276 bytes", 2, append([]byte{0xF9}, bytesOf(2552, 0)...)},
		{"code 2 last frame of 1276 bytes", 2, append([]byte{0xFA, 0}, bytesOf(1276, 0)...)},
		{"code 3 equal frames of 1276 bytes", 2, append([]byte{0xFB, 2}, bytesOf(2552, 0)...)},
		{"code 3 last frame of 1276 bytes", 2, append([]byte{0xFB, 0x82, 0}, bytesOf(1276, 0)...)},
		{"code 1 odd", 3, []byte{0xF9, 1, 2, 3}},
		{"code 2 without length", 4, []byte{0xFA}},
		{"code 2 with half a length", 4, []byte{0xFA, 252}},
		{"code 2 length too long", 4, []byte{0xFA, 3, 1, 2}},
		{"code 3 without count", 5, []byte{0xFB}},
		{"code 3 count 0", 5, []byte{0xFB, 0}},
		{"code 3 count 0 with padding", 5, []byte{0xFB, 0xC0, 0}},
		{"code 3 of 140 ms", 5, []byte{0xFB, 7}},
		{"code 3 of 122.5 ms", 5, []byte{0xE3, 49}},
		{"code 3 of 1260 ms", 5, []byte{0xFB, 63}},
		{"code 3 of 180 ms SILK", 5, []byte{0x1B, 3}},
		{"equal frames do not divide", 6, []byte{0xFB, 2, 1, 2, 3}},
		{"equal frames, padding without length", 6, []byte{0xFB, 0x42}},
		{"equal frames, padding length does not end", 6, []byte{0xFB, 0x42, 255, 255}},
		{"equal frames, padding too long", 6, []byte{0xFB, 0x42, 4, 0, 0, 0}},
		{"variable frames, padding too long", 7, []byte{0xFB, 0xC2, 4, 0, 0, 0}},
		{"variable frames without lengths", 7, []byte{0xFB, 0x83, 0}},
		{"variable frames, half a length", 7, []byte{0xFB, 0x82, 252}},
		{"variable frames too long", 7, []byte{0xFB, 0x82, 2, 1}},
		{"variable frames too long in sum", 7, []byte{0xFB, 0x83, 2, 2, 1, 2, 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p Packet
			err := p.Parse(test.packet)
			var fault *PacketError
			if !errors.Is(err, ErrMalformed) || !errors.As(err, &fault) || fault.Rule != test.rule {
				t.Fatalf("error %v, want rule R%d", err, test.rule)
			}
			if errors.Is(err, ErrNotCopyable) {
				t.Error("a malformed packet counts as not copyable")
			}
			if n, err := Samples(test.packet); n != 0 || err == nil {
				t.Errorf("Samples = %d, %v", n, err)
			}
		})
	}
}

func TestFramesStops(t *testing.T) {
	t.Parallel()
	var p Packet
	if err := p.Parse([]byte{0xF1, 1, 2}); err != nil {
		t.Fatal(err)
	}
	for frame := range p.Frames {
		if !bytes.Equal(frame, []byte{1}) {
			t.Errorf("frame %v", frame)
		}
		break
	}
}

// A packet used for a larger packet before must not show any of it.
func TestPacketReuse(t *testing.T) {
	t.Parallel()
	var p Packet
	for _, packet := range [][]byte{{0xFB, 0x43, 2, 1, 2, 3, 0, 0}, {0xF8, 9}} {
		if err := p.Parse(packet); err != nil {
			t.Fatal(err)
		}
	}
	if got := slices.Collect(p.Frames); len(got) != 1 || !bytes.Equal(got[0], []byte{9}) || p.Padding() != 0 {
		t.Errorf("frames %v, padding %d", got, p.Padding())
	}
}

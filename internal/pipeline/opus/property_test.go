package opus

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// audioFrame is one frame as a decoder sees it: its configuration and its bytes.
type audioFrame struct {
	layout byte
	data   []byte
}

// encode writes frames of one layout as a packet in one of the forms that can hold them, chosen at
// random, with random padding. It is written from the RFC's figures and shares no code with the
// package.
func encode(rng *rand.Rand, layout byte, frames [][]byte) []byte {
	length := func(b []byte, n int) []byte {
		if n < 252 {
			return append(b, byte(n))
		}
		second := (n - 252) / 4
		return append(b, byte(n-second*4), byte(second))
	}
	equal := true
	for _, frame := range frames {
		equal = equal && len(frame) == len(frames[0])
	}
	var b []byte
	switch form := rng.IntN(3); {
	case len(frames) == 1 && form > 0:
		b = append(b, layout)
	case len(frames) == 2 && equal && form > 1:
		b = append(b, layout|1)
	case len(frames) == 2 && form > 0:
		b = length(append(b, layout|2), len(frames[0]))
	default:
		count, padding := byte(len(frames)), 0
		vbr := !equal || rng.IntN(2) == 0
		if vbr {
			count |= 0x80
		}
		padded := rng.IntN(3) == 0
		if padded {
			count |= 0x40
		}
		b = append(b, layout|3, count)
		if padded {
			padding = rng.IntN(700)
			rest := padding
			for ; rest > 254; rest -= 254 {
				b = append(b, 255)
			}
			b = append(b, byte(rest))
		}
		if vbr {
			for _, frame := range frames[:len(frames)-1] {
				b = length(b, len(frame))
			}
		}
		return append(append(b, slices.Concat(frames...)...), make([]byte, padding)...)
	}
	return append(b, slices.Concat(frames...)...)
}

// decode takes packets apart with the package's parser.
func decode(t *testing.T, packets [][]byte) (frames []audioFrame, samples int) {
	t.Helper()
	var p Packet
	for _, packet := range packets {
		if err := p.Parse(packet); err != nil {
			t.Fatalf("packet %x: %v", packet, err)
		}
		samples += p.Samples()
		for frame := range p.Frames {
			frames = append(frames, audioFrame{byte(p.TOC()) &^ 3, bytes.Clone(frame)})
		}
	}
	return frames, samples
}

// randomStream makes a stream that can be copied: groups of 20 ms or more whose configuration is constant
// within 20 ms, cut into packets at random, and a tail of any length.
func randomStream(rng *rand.Rand) (stream [][]byte, frames []audioFrame) {
	layouts := []byte{0x00, 0x0C, 0x28, 0x48, 0x60, 0x68, 0x74, 0x7C, 0x80, 0x8C, 0x90, 0x9C, 0xE0, 0xEC, 0xF4, 0xF8}
	groups := 1 + rng.IntN(12)
	for g := range groups {
		layout := layouts[rng.IntN(len(layouts))]
		each := TOC(layout).FrameSamples()
		total := (1 + rng.IntN(5)) * FrameSamples / each
		if g == groups-1 {
			total = 1 + rng.IntN(total) // the tail
		}
		most := min(250, 1200*each/FrameSamples) // so that 20 ms fit into one packet
		sizes := rng.IntN(3)
		var data [][]byte
		for range total {
			size := rng.IntN(most)
			switch sizes {
			case 0:
				size = most / 2
			case 1:
				size *= rng.IntN(2) // half of them empty
			}
			frame := make([]byte, size)
			for i := range frame {
				frame[i] = byte(rng.Uint32())
			}
			data = append(data, frame)
			frames = append(frames, audioFrame{layout, frame})
		}
		for len(data) > 0 {
			n := 1 + rng.IntN(min(len(data), MaxPacketSamples/each))
			stream = append(stream, encode(rng, layout, data[:n]))
			data = data[n:]
		}
	}
	return stream, frames
}

// Whatever the cut of the packets: every frame comes out once, in order, with its bytes and
// configuration, in packets of 20 ms; only the tail gains empty frames.
func TestRepackKeepsEveryFrame(t *testing.T) {
	t.Parallel()
	var r Repacker
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- repeatable on purpose
		in, want := randomStream(rng)
		parsed, samplesIn := decode(t, in)
		equal := func(a, b audioFrame) bool { return a.layout == b.layout && bytes.Equal(a.data, b.data) }
		if !slices.EqualFunc(parsed, want, equal) {
			t.Fatalf("seed %d: the parser does not see the frames that were written", seed)
		}
		r.Reset()
		out, err := repack(&r, in...)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, samplesOut := decode(t, out)
		if len(got) < len(want) || !slices.EqualFunc(got[:len(want)], want, equal) {
			t.Fatalf("seed %d: %d frames in, %d out, or other ones", seed, len(want), len(got))
		}
		for _, extra := range got[len(want):] {
			if len(extra.data) != 0 || extra.layout != want[len(want)-1].layout {
				t.Fatalf("seed %d: frame %+v was added", seed, extra)
			}
		}
		if missing := samplesOut - samplesIn; missing < 0 || missing >= FrameSamples {
			t.Fatalf("seed %d: %d samples in, %d out", seed, samplesIn, samplesOut)
		}
		checkStats(t, &r, in, out)
	}
}

// checkHostile pushes anything at all: no panic, and what comes out is well formed whatever went in.
func checkHostile(t *testing.T, packets [][]byte) {
	t.Helper()
	var r Repacker
	emit := func(frame []byte) error {
		if n, err := Samples(frame); err != nil || n != FrameSamples || len(frame) > MaxEmitBytes {
			t.Fatalf("emitted %x of %d samples, error %v", frame, n, err)
		}
		return nil
	}
	for _, packet := range packets {
		n, sampleErr := Samples(packet)
		if (sampleErr == nil) != (n >= 120 && n <= MaxPacketSamples) {
			t.Fatalf("Samples(%x) = %d, %v", packet, n, sampleErr)
		}
		err := r.Push(packet, emit)
		switch {
		case errors.Is(err, ErrNotCopyable):
			r.Reset()
		case errors.Is(err, ErrMalformed) != (sampleErr != nil):
			t.Fatalf("Push(%x): %v, but Samples: %v", packet, err, sampleErr)
		case err != nil && sampleErr == nil:
			t.Fatalf("Push(%x): %v", packet, err)
		}
	}
	if err := r.Flush(emit); errors.Is(err, ErrNotCopyable) {
		return // the tail and its empty frames need more than MaxEmitBytes
	} else if err != nil {
		t.Fatalf("Flush: %v", err)
	}
	if s := r.Stats(); s.SamplesOut-s.SamplesIn != s.Padded {
		t.Fatalf("stats %+v do not add up", s)
	}
}

// Thousands of streams with bits flipped, bytes cut, doubled and replaced.
func TestRepackMutations(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 2)) // #nosec G404 -- repeatable on purpose
		stream, _ := randomStream(rng)
		for i, packet := range stream {
			stream[i] = mutate(rng, packet)
		}
		checkHostile(t, stream)
	}
}

// mutate damages b in one of the ways that matter to a parser.
func mutate(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range rng.IntN(3) {
		if len(b) == 0 {
			return b
		}
		at := rng.IntN(len(b))
		switch rng.IntN(6) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b[rng.IntN(min(len(b), 4))] = byte(rng.Uint32()) // the packet's head
		case 2:
			b = b[:at]
		case 3:
			b = append(b, b[at:]...)
		case 4:
			b[at] = []byte{0, 1, 251, 252, 254, 255}[rng.IntN(6)]
		case 5:
			b = append(b, make([]byte, rng.IntN(3000))...)
		}
	}
	return b
}

func FuzzRepack(f *testing.F) {
	for seed := range uint64(20) {
		stream, _ := randomStream(rand.New(rand.NewPCG(seed, 3))) // #nosec G404 -- repeatable on purpose
		var flat []byte
		for _, packet := range stream {
			flat = append(flat, byte(len(packet)), byte(len(packet)>>8))
			flat = append(flat, packet...)
		}
		f.Add(flat)
	}
	// Packets with a length before each one.
	f.Fuzz(func(t *testing.T, flat []byte) {
		var packets [][]byte
		for len(flat) >= 2 {
			n := min(int(flat[0])|int(flat[1])<<8, len(flat)-2)
			packets = append(packets, flat[2:2+n])
			flat = flat[2+n:]
		}
		checkHostile(t, packets)
	})
}

func FuzzParseHead(f *testing.F) {
	f.Add(head(1, 2, 0, 0))
	f.Add(head(1, 2, -256, 1, 1, 1, 0, 1))
	f.Add(head(1, 6, 0, 1, 4, 2, 0, 4, 1, 2, 3, 5))
	f.Add(head(16, 0, 0, 255))
	f.Add(head(1, 4, 0, 3, 2, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHead(b)
		if err != nil {
			if !errors.Is(err, ErrHead) {
				t.Fatalf("error %v of no kind", err)
			}
			return
		}
		if err := h.Copyable(); err == nil {
			if h.Channels < 1 || h.Channels > 2 || h.Gain != 0 || h.Family > 1 || h.Streams != 1 {
				t.Fatalf("%+v counts as copyable", h)
			}
			if !bytes.HasPrefix(b, h.Append(nil)) {
				t.Fatalf("%+v is written as %x, read from %x", h, h.Append(nil), b)
			}
		} else if !errors.Is(err, ErrNotCopyable) {
			t.Fatalf("error %v of no kind", err)
		}
	})
}

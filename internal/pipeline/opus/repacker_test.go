package opus

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// repack pushes packets and flushes, and returns copies of the frames that come out.
func repack(r *Repacker, packets ...[]byte) (frames [][]byte, err error) {
	emit := func(frame []byte) error {
		frames = append(frames, bytes.Clone(frame))
		return nil
	}
	for _, packet := range packets {
		if err := r.Push(packet, emit); err != nil {
			return frames, err
		}
	}
	return frames, r.Flush(emit)
}

func packets(p ...[]byte) [][]byte { return p }

// Packets of 2.5 to 120 ms, alone and mixed; padding, DTX, tails, a short packet between full ones, mode
// and channel changes.
func TestRepack(t *testing.T) {
	t.Parallel()
	long := bytesOf(300, 3)
	tests := []struct {
		name string
		in   [][]byte
		want [][]byte
	}{
		{"nothing", nil, nil},
		{"20 ms", packets([]byte{0xFC, 1, 2}), packets([]byte{0xFC, 1, 2})},
		{"20 ms of the maximum size", packets(append([]byte{0xFC}, bytesOf(1275, 1)...)), packets(append([]byte{0xFC}, bytesOf(1275, 1)...))},
		{"20 ms empty (DTX)", packets([]byte{0xF8}, []byte{0x08}), packets([]byte{0xF8}, []byte{0x08})},
		{"20 ms in two frames stays", packets([]byte{0xF1, 1, 2}), packets([]byte{0xF1, 1, 2})},
		{"20 ms in code 2 stays", packets([]byte{0xF2, 1, 1, 2, 3}), packets([]byte{0xF2, 1, 1, 2, 3})},
		{"20 ms in eight frames stays", packets([]byte{0xE3, 8, 1, 2, 3, 4, 5, 6, 7, 8}), packets([]byte{0xE3, 8, 1, 2, 3, 4, 5, 6, 7, 8})},
		{"20 ms in code 3 with one frame stays", packets([]byte{0xFB, 1, 9}), packets([]byte{0xFB, 1, 9})},

		{"40 ms", packets([]byte{0xFD, 1, 2, 3, 4}), packets([]byte{0xFC, 1, 2}, []byte{0xFC, 3, 4})},
		{"40 ms, second empty", packets([]byte{0xFE, 1, 7}), packets([]byte{0xFC, 7}, []byte{0xFC})},
		{"60 ms", packets([]byte{0xFB, 3, 1, 2, 3}), packets([]byte{0xF8, 1}, []byte{0xF8, 2}, []byte{0xF8, 3})},
		{"60 ms, variable", packets([]byte{0xFB, 0x83, 2, 0, 1, 2, 3}), packets([]byte{0xF8, 1, 2}, []byte{0xF8}, []byte{0xF8, 3})},
		{"120 ms, all empty", packets([]byte{0xFB, 6}), packets([]byte{0xF8}, []byte{0xF8}, []byte{0xF8}, []byte{0xF8}, []byte{0xF8}, []byte{0xF8})},
		{"40 ms of 10 ms frames", packets([]byte{0xF3, 4, 1, 2, 3, 4}), packets([]byte{0xF1, 1, 2}, []byte{0xF1, 3, 4})},
		{"40 ms SILK in two frames", packets([]byte{0x09, 1, 2}), packets([]byte{0x08, 1}, []byte{0x08, 2})},

		{"10 + 10 ms equal", packets([]byte{0xF0, 1}, []byte{0xF0, 2}), packets([]byte{0xF1, 1, 2})},
		{"10 + 10 ms unequal", packets([]byte{0xF0, 1}, []byte{0xF0, 2, 3}), packets([]byte{0xF2, 1, 1, 2, 3})},
		{"10 + 10 ms empty", packets([]byte{0xF0}, []byte{0xF0}), packets([]byte{0xF1})},
		{"10 + 10 ms with a long first", packets(append([]byte{0xF0}, long...), []byte{0xF0, 9}),
			packets(slices.Concat([]byte{0xF2, 252, 12}, long, []byte{9}))},
		{"4 x 5 ms", packets([]byte{0xE8, 1}, []byte{0xE8, 2}, []byte{0xE8, 3}, []byte{0xE8, 4}), packets([]byte{0xEB, 4, 1, 2, 3, 4})},
		{"4 x 5 ms unequal", packets([]byte{0xE8, 1}, []byte{0xE8, 2}, []byte{0xE8}, []byte{0xE8, 4}),
			packets([]byte{0xEB, 0x84, 1, 1, 0, 1, 2, 4})},
		{"8 x 2.5 ms", slices.Repeat(packets([]byte{0xE0, 5}), 8), packets([]byte{0xE3, 8, 5, 5, 5, 5, 5, 5, 5, 5})},
		{"30 + 10 ms", packets([]byte{0xF3, 3, 1, 2, 3}, []byte{0xF0, 4}), packets([]byte{0xF1, 1, 2}, []byte{0xF1, 3, 4})},

		{"20 ms with padding", packets([]byte{0xFB, 0x41, 3, 9, 0, 0, 0}), packets([]byte{0xF8, 9})},
		{"20 ms with a padding length of 0", packets([]byte{0xFB, 0x41, 0, 9}), packets([]byte{0xF8, 9})},
		{"20 ms with 600 bytes of padding", packets(slices.Concat([]byte{0xFB, 0x41, 255, 255, 92, 9}, bytesOf(600, 0))), packets([]byte{0xF8, 9})},
		{"20 ms in two frames with padding", packets([]byte{0xF3, 0x42, 1, 8, 9, 0}), packets([]byte{0xF1, 8, 9})},
		{"40 ms with padding", packets([]byte{0xFB, 0xC2, 2, 1, 5, 6, 7, 0, 0}), packets([]byte{0xF8, 5}, []byte{0xF8, 6, 7})},

		{"tail of 10 ms", packets([]byte{0xF8, 1}, []byte{0xF0, 2}), packets([]byte{0xF8, 1}, []byte{0xF2, 1, 2})},
		{"tail of 10 ms that is empty", packets([]byte{0xF0}), packets([]byte{0xF1})},
		{"tail of 2.5 ms", packets([]byte{0xE0, 7}), packets([]byte{0xE3, 0x88, 1, 0, 0, 0, 0, 0, 0, 7})},
		{"tail of 15 ms", packets([]byte{0xEB, 3, 1, 2, 3}), packets([]byte{0xEB, 0x84, 1, 1, 1, 1, 2, 3})},
		{"20, 10 + 10, 60 ms, tail of 10", packets([]byte{0xF8, 1}, []byte{0xF0, 2}, []byte{0xF0, 3}, []byte{0xFB, 3, 4, 5, 6}, []byte{0xF0, 7}),
			packets([]byte{0xF8, 1}, []byte{0xF1, 2, 3}, []byte{0xF8, 4}, []byte{0xF8, 5}, []byte{0xF8, 6}, []byte{0xF2, 1, 7})},

		{"one of 10 ms between 20 ms", packets([]byte{0xF8, 1}, []byte{0xF0, 2}, []byte{0xF8, 3}),
			packets([]byte{0xF8, 1}, []byte{0xF2, 1, 2}, []byte{0xF8, 3})},
		{"one of 10 ms before 60 ms", packets([]byte{0xF0, 2}, []byte{0xFB, 3, 4, 5, 6}),
			packets([]byte{0xF2, 1, 2}, []byte{0xF8, 4}, []byte{0xF8, 5}, []byte{0xF8, 6})},
		{"mode and channels change between groups", packets([]byte{0xF8, 1}, []byte{0x0C, 2}, []byte{0x70, 3}, []byte{0x70, 4}, []byte{0xF4, 5}, []byte{0xF4, 6}, []byte{0x78, 7}),
			packets([]byte{0xF8, 1}, []byte{0x0C, 2}, []byte{0x71, 3, 4}, []byte{0xF5, 5, 6}, []byte{0x78, 7})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var r Repacker
			got, err := repack(&r, test.in...)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got, test.want, bytes.Equal) {
				t.Errorf("got  %x\nwant %x", got, test.want)
			}
			checkStats(t, &r, test.in, got)
		})
	}
}

// checkStats holds the counters against the packets themselves.
func checkStats(t *testing.T, r *Repacker, in, out [][]byte) {
	t.Helper()
	var want Stats
	for _, packet := range in {
		n, err := Samples(packet)
		if err != nil {
			t.Fatal(err)
		}
		want.PacketsIn++
		want.SamplesIn += int64(n)
	}
	for _, frame := range out {
		n, err := Samples(frame)
		if err != nil || n != FrameSamples || len(frame) > MaxEmitBytes {
			t.Errorf("emitted %x: %d samples, %d bytes, %v", frame, n, len(frame), err)
		}
		want.FramesOut++
		want.SamplesOut += FrameSamples
	}
	want.Padded = want.SamplesOut - want.SamplesIn
	if got := r.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if r.Pending() != 0 {
		t.Errorf("%d samples pending after Flush", r.Pending())
	}
}

func TestRepackRefuses(t *testing.T) {
	t.Parallel()
	big := append([]byte{0xF0}, bytesOf(640, 1)...)
	short, full := []byte{0xF0, 1}, []byte{0xF8, 2}
	tests := []struct {
		name   string
		in     [][]byte
		reason Reason
		frames int // emitted before
	}{
		{"40 ms SILK frame", packets([]byte{0x10, 1}), ReasonLongFrame, 0},
		{"60 ms SILK frame", packets([]byte{0x18, 1}), ReasonLongFrame, 0},
		{"two 60 ms SILK frames", packets([]byte{0x59, 1, 2}), ReasonLongFrame, 0},
		{"SILK in mid-stream", packets(full, full, []byte{0x58, 1}), ReasonLongFrame, 2},
		{"10 ms of another bandwidth", packets(short, []byte{0xD0, 1}), ReasonMixed, 0},
		{"10 ms with another channel count", packets(short, []byte{0xF4, 1}), ReasonMixed, 0},
		{"10 then 5 ms", packets(short, []byte{0xE8, 1}), ReasonMixed, 0},
		{"5 ms after 15 of another mode", packets([]byte{0xEB, 3, 1, 2, 3}, []byte{0xE0, 1}), ReasonMixed, 0},
		{"10 and 20 ms in turns", slices.Repeat(packets(short, full), 4), ReasonMixed, 6},
		{"two large frames", packets(big, big), ReasonTooBig, 0},
		{"20 ms packet of two large frames", packets(slices.Concat([]byte{0xF1}, big[1:], big[1:])), ReasonTooBig, 0},
		{"20 ms packet of two frames of the maximum size", packets(append([]byte{0xF1}, bytesOf(2550, 0)...)), ReasonTooBig, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var r Repacker
			frames, err := repack(&r, test.in...)
			var refusal *NotCopyableError
			if !errors.Is(err, ErrNotCopyable) || !errors.As(err, &refusal) || refusal.Reason != test.reason {
				t.Fatalf("error %v, want reason %s", err, test.reason)
			}
			if errors.Is(err, ErrMalformed) {
				t.Error("a valid packet counts as malformed")
			}
			if len(frames) != test.frames {
				t.Errorf("%d frames before the error, want %d", len(frames), test.frames)
			}
		})
	}
}

// Reset forgets everything: the group, the counters, the stitches.
func TestRepackerReset(t *testing.T) {
	t.Parallel()
	var r Repacker
	in := packets([]byte{0xF0, 1}, []byte{0xF8, 2})
	for range 2 * maxStitches {
		got, err := repack(&r, in...)
		if err != nil {
			t.Fatal(err)
		}
		checkStats(t, &r, in, got)
		if err := r.Push([]byte{0xE0, 1}, nil); err != nil || r.Pending() != 120 {
			t.Fatalf("pending %d, error %v", r.Pending(), err)
		}
		r.Reset()
	}
}

// A malformed packet between the halves of a group changes nothing.
func TestRepackMalformedIsIgnored(t *testing.T) {
	t.Parallel()
	var r Repacker
	var got [][]byte
	emit := func(frame []byte) error {
		got = append(got, bytes.Clone(frame))
		return nil
	}
	for _, packet := range packets([]byte{0xF0, 1}, nil, []byte{0xFB, 0}, []byte{0xF0, 2}) {
		if err := r.Push(packet, emit); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	}
	if !slices.EqualFunc(got, packets([]byte{0xF1, 1, 2}), bytes.Equal) {
		t.Errorf("got %x", got)
	}
	checkStats(t, &r, packets([]byte{0xF0, 1}, []byte{0xF0, 2}), got)
}

// An error of emit stops at once and comes back as it is.
func TestRepackEmitError(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for name, in := range map[string][][]byte{
		"as it is": packets([]byte{0xF8, 1}),
		"split":    packets([]byte{0xFB, 3, 1, 2, 3}),
		"merge":    packets([]byte{0xF0, 1}, []byte{0xF0, 2}),
		"stitch":   packets([]byte{0xF0, 1}, []byte{0xF8, 2}),
	} {
		var r Repacker
		calls := 0
		var err error
		for _, packet := range in {
			if err = r.Push(packet, func([]byte) error { calls++; return full }); err != nil {
				break
			}
		}
		if err != full || calls != 1 { //nolint:errorlint // identity is the promise
			t.Errorf("%s: error %v after %d calls", name, err, calls)
		}
	}
	var r Repacker
	if err := r.Push([]byte{0xF0, 1}, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(func([]byte) error { return full }); err != full { //nolint:errorlint // identity is the promise
		t.Errorf("Flush: %v", err)
	}
}

// A 20 ms packet must come out as the very same memory.
func TestRepackDoesNotCopy(t *testing.T) {
	t.Parallel()
	var r Repacker
	packet := []byte{0xFC, 1, 2, 3}
	err := r.Push(packet, func(frame []byte) error {
		if &frame[0] != &packet[0] || len(frame) != len(packet) {
			return fmt.Errorf("frame %x is a copy", frame)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

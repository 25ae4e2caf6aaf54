package ogg

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// song is a stream of n packets of 320 bytes (128 kbit/s) on pages of a second.
func song(tb testing.TB, n int) []byte {
	tb.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, 1)
	packet := bytes.Repeat([]byte{0xFC, 1, 2, 3}, 80)
	if err := w.WriteHeaders(testHead, nil); err != nil {
		tb.Fatal(err)
	}
	for range n {
		if err := w.WritePacket(packet, 960); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(0); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

func drain(tb testing.TB, src io.Reader) (packets int) {
	r := NewReader(src)
	for {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			return packets
		}
		if err != nil {
			tb.Fatal(err)
		}
		packets++
	}
}

// A song costs a handful of allocations, however long it is.
func TestReadAllocations(t *testing.T) {
	short, long := song(t, 50), song(t, 20000)
	for _, file := range [][]byte{short, long} {
		src := bytes.NewReader(file)
		allocs := testing.AllocsPerRun(3, func() {
			src.Reset(file)
			drain(t, src)
		})
		if allocs > 10 {
			t.Errorf("%v allocations for %d bytes", allocs, len(file))
		}
	}
}

// One operation is one packet.
func BenchmarkOggRead(b *testing.B) {
	const packets = 3000
	file := song(b, packets)
	src := bytes.NewReader(file)
	r := NewReader(src)
	b.ReportAllocs()
	b.SetBytes(int64(len(file) / packets))
	for b.Loop() {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			src.Reset(file)
			// A new Reader once a minute of audio is part of the cost.
			r = NewReader(src)
			_, err = r.Next()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOggWrite(b *testing.B) {
	w := NewWriter(io.Discard, 1)
	packet := bytes.Repeat([]byte{0xFC, 1, 2, 3}, 80)
	b.ReportAllocs()
	b.SetBytes(int64(len(packet)))
	for b.Loop() {
		if err := w.WritePacket(packet, 960); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChecksum(b *testing.B) {
	page := make([]byte, 4096)
	var c checksum
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		c.page(page)
	}
}

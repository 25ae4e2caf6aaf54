package dca

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// Nothing may be allocated for a frame, neither when writing nor when reading.
func TestAllocations(t *testing.T) {
	w, err := NewWriter(io.Discard, testMetadata())
	if err != nil {
		t.Fatal(err)
	}
	packet := frame(320)
	if allocs := testing.AllocsPerRun(2000, func() {
		if err := w.WriteFrame(packet); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("writing: %v allocations a frame", allocs)
	}
	d := NewReader(bytes.NewReader(write(t, testMetadata(), manyFrames(3000)...)))
	if allocs := testing.AllocsPerRun(2000, func() {
		if _, err := d.Next(); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("reading: %v allocations a frame", allocs)
	}
}

// manyFrames are n frames of 128 kbit/s.
func manyFrames(n int) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = frame(320)
	}
	return frames
}

func BenchmarkDCAWrite(b *testing.B) {
	w, err := NewWriter(io.Discard, testMetadata())
	if err != nil {
		b.Fatal(err)
	}
	packet := frame(320)
	b.ReportAllocs()
	b.SetBytes(int64(len(packet)))
	for b.Loop() {
		if err := w.WriteFrame(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDCARead(b *testing.B) {
	file := write(b, testMetadata(), manyFrames(3000)...)
	src := bytes.NewReader(file)
	d := NewReader(src)
	b.ReportAllocs()
	b.SetBytes(320)
	for b.Loop() {
		_, err := d.Next()
		if errors.Is(err, io.EOF) {
			src.Reset(file)
			d = NewReader(src)
			_, err = d.Next()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// One operation is a minute of audio.
func BenchmarkVerify(b *testing.B) {
	file := write(b, testMetadata(), manyFrames(3000)...)
	b.ReportAllocs()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := Verify(bytes.NewReader(file), samples); err != nil {
			b.Fatal(err)
		}
	}
}

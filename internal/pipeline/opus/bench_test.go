package opus

import (
	"testing"
)

// Packets as they come at 128 kbit/s: about 320 bytes for each 20 ms.
func benchStreams() map[string][][]byte {
	data := bytesOf(320, 7)
	return map[string][][]byte{
		"20ms":   {append([]byte{0xFC}, data...)},
		"60ms":   {append(append(append([]byte{0xFF, 3}, data...), data...), data...)},
		"10ms":   {append([]byte{0xF4}, data[:160]...), append([]byte{0xF4}, data[:158]...)},
		"2.5ms":  {append([]byte{0xE4}, data[:40]...)},
		"padded": {append(append([]byte{0xFF, 0x41, 10}, data...), make([]byte, 10)...)},
	}
}

// Nothing may be allocated for a packet, whatever path it takes.
func TestRepackAllocations(t *testing.T) {
	for name, stream := range benchStreams() {
		var r Repacker
		var total int
		emit := func(frame []byte) error {
			total += len(frame)
			return nil
		}
		allocs := testing.AllocsPerRun(100, func() {
			for _, packet := range stream {
				if err := r.Push(packet, emit); err != nil {
					t.Fatal(err)
				}
				if _, err := Samples(packet); err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func benchmarkRepack(b *testing.B, name string) {
	stream := benchStreams()[name]
	var r Repacker
	var total int64
	emit := func(frame []byte) error {
		total += int64(len(frame))
		return nil
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := r.Push(stream[i%len(stream)], emit); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(r.Stats().FramesOut)/float64(b.N), "frames/op")
}

func BenchmarkRepack20ms(b *testing.B)   { benchmarkRepack(b, "20ms") }
func BenchmarkRepack60ms(b *testing.B)   { benchmarkRepack(b, "60ms") }
func BenchmarkRepack10ms(b *testing.B)   { benchmarkRepack(b, "10ms") }
func BenchmarkRepack2500us(b *testing.B) { benchmarkRepack(b, "2.5ms") }
func BenchmarkRepackPadded(b *testing.B) { benchmarkRepack(b, "padded") }

func BenchmarkSamples(b *testing.B) {
	packet := benchStreams()["20ms"][0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Samples(packet); err != nil {
			b.Fatal(err)
		}
	}
}

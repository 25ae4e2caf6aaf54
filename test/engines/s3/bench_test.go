package s3

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkStore stores songs of 4 MiB, in one request, and files of 20 MiB, in
// parts.
func BenchmarkStore(b *testing.B) {
	for name, size := range map[string]int{"4MiB": 4 * mib, "20MiB": 20 * mib} {
		b.Run(name, func(b *testing.B) {
			s := open(b, nil)
			data := content(1, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := put(b.Context(), s, fmt.Sprintf("audio/%d", i), data, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStat asks for what is known of a song.
func BenchmarkStat(b *testing.B) {
	for name, size := range map[string]int{"4MiB": 4 * mib, "20MiB": 20 * mib} {
		b.Run(name, func(b *testing.B) {
			s := open(b, nil)
			if err := put(b.Context(), s, aKey, content(1, size), false); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Stat(b.Context(), aKey); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen reads a song of 4 MiB.
func BenchmarkOpen(b *testing.B) {
	s := open(b, nil)
	if err := put(b.Context(), s, aKey, content(1, 4*mib), false); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(4 * mib)
	b.ReportAllocs()
	for b.Loop() {
		r, err := s.Open(b.Context(), aKey, 0)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err == nil {
			err = r.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

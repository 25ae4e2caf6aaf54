package localfs_test

import (
	"fmt"
	"testing"

	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/pipeline"
)

// BenchmarkStore stores songs of 4 MiB, durably.
func BenchmarkStore(b *testing.B) {
	for name, o := range map[string]localfs.Options{"unnamed": {}, "named": {NamedTemp: true}} {
		b.Run(name, func(b *testing.B) {
			s, err := localfs.New(b.TempDir(), o)
			if err != nil {
				b.Fatal(err)
			}
			piece := make([]byte, 64<<10)
			b.SetBytes(4 << 20)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				u, err := s.Create(b.Context(), fmt.Sprintf("audio/%d", i))
				if err != nil {
					b.Fatal(err)
				}
				for range 64 {
					if _, err := u.Write(piece); err != nil {
						b.Fatal(err)
					}
				}
				if err := u.Commit(b.Context(), pipeline.BlobMeta{Bytes: 4 << 20}, false); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/pipeline"
)

// Not parallel: it measures this process. 64 MiB go up and down.
func TestMemory(t *testing.T) {
	const size, piece = 64 * mib, 64 << 10
	s := open(t, nil)
	buf := make([]byte, piece)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	resident := rss(t)
	u, err := s.Create(t.Context(), aKey)
	if err != nil {
		t.Fatal(err)
	}
	source, h, most := rand.NewChaCha8([32]byte{1}), sha256.New(), uint64(0)
	for done := 0; done < size; done += piece {
		_, _ = source.Read(buf)
		_, _ = h.Write(buf)
		if _, err := u.Write(buf); err != nil {
			t.Fatal(err)
		}
		if done%mib == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	want := hex.EncodeToString(h.Sum(nil))
	if err := u.Commit(t.Context(), pipeline.BlobMeta{Bytes: size, SHA256: want}, false); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), aKey, 0)
	if err != nil {
		t.Fatal(err)
	}
	h.Reset()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, buf)
	if err != nil || n != size || hex.EncodeToString(h.Sum(nil)) != want {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&now)
	allocated, grown := now.TotalAlloc-before.TotalAlloc, rss(t)-resident
	t.Logf("64 MiB up and down: %d MiB of heap in use at most, %d MiB allocated in all, %d MiB more resident", (most-min(most, before.HeapAlloc))>>20, allocated>>20, grown>>20)
	if most > before.HeapAlloc+40*mib { // garbage counted
		t.Errorf("%d MiB of heap were in use, %d before", most>>20, before.HeapAlloc>>20)
	}
	if allocated > 32*mib {
		t.Errorf("%d MiB were allocated for two parts of 8", allocated>>20)
	}
	if grown > 64*mib {
		t.Errorf("%d MiB more are resident", grown>>20)
	}
}

// rss is the resident memory of this process, 0 where the system does not tell.
func rss(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

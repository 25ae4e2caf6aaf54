package blobtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const aKey = "audio/A Title [dQw4w9WgXcQ].dca"

func testRoundTrip(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	for name, size := range map[string]int{"empty": 0, "one": 1, "small": 1000, "odd": 300_001} {
		data := content(uint64(size), size)
		put(t, b, name, data)
		wantFile(t, b, name, data)
		info, err := b.Stat(t.Context(), name)
		if err != nil || info.Meta != describe(data) {
			t.Errorf("stat %s = %+v, %v; want %+v", name, info.Meta, err, describe(data))
		}
		// The clock may be a server's.
		if age := time.Since(info.ModTime); age < -10*time.Minute || age > 10*time.Minute {
			t.Errorf("%s was made %v ago", name, age)
		}
	}
	wantClean(t, h, b)
}

func testDescriptions(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	for i, title := range []string{
		"", "Canción de cuna – «Ω»", "\U0001F3B5\U0001F468\u200D\U0001F469\u200D\U0001F467 \u202Eright to left", `"quoted" \ back; a=b`, " blanks around ",
		"line\nbreak\ttab\x00\x1b", strings.Repeat("é", 300), "夜に駆ける", "%41%2F+?",
	} {
		key, data := "titles/"+string(rune('a'+i)), content(uint64(i), 10)
		meta := pipeline.BlobMeta{
			Song: jobs.Song{Platform: jobs.PlatformDemo, ID: "-_-_-_-_-_-"}, Profile: "lo-fi", Title: title,
			Bytes: 10, SHA256: describe(data).SHA256, Frames: 1 << 40, Duration: 3*time.Hour + 1,
		}
		if err := begin(t, b, key, data).Commit(t.Context(), meta, false); err != nil {
			t.Errorf("title %q: %v", title, err)
			continue
		}
		if info, err := b.Stat(t.Context(), key); err != nil || info.Meta != meta {
			t.Errorf("title %q: %+v, %v; want %+v", title, info.Meta, err, meta)
		}
	}
}

func testInvisible(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	u := begin(t, b, aKey, content(1, 2<<20))
	wantNothing(t, b, aKey)
	if err := u.Abort(); err != nil {
		t.Errorf("abort: %v", err)
	}
	wantNothing(t, b, aKey)
	wantClean(t, h, b)
	if err := u.Abort(); err != nil {
		t.Errorf("abort twice: %v", err)
	}
	if _, err := u.Write([]byte("x")); err == nil {
		t.Error("write after abort: no error")
	}
	if err := u.Commit(t.Context(), describe(content(1, 2<<20)), false); err == nil {
		t.Error("commit after abort: no error")
	}
	wantNothing(t, b, aKey)
	data := content(2, 100)
	u = begin(t, b, aKey, data)
	if err := u.Commit(t.Context(), describe(data), false); err != nil {
		t.Fatal(err)
	}
	if err := u.Abort(); err != nil {
		t.Errorf("abort after commit: %v", err)
	}
	wantFile(t, b, aKey, data)
	if _, err := u.Write([]byte("x")); err == nil {
		t.Error("write after commit: no error")
	}
	if err := u.Commit(t.Context(), describe(data), true); err == nil {
		t.Error("commit twice: no error")
	}
	wantFile(t, b, aKey, data)
	wantClean(t, h, b)
}

func testExists(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	data, other := content(1, 5000), content(2, 6000)
	early := begin(t, b, aKey, other) // begun when there was no file yet
	put(t, b, aKey, data)
	for _, u := range []pipeline.Upload{early, begin(t, b, aKey, other), begin(t, b, aKey, data)} {
		if err := u.Commit(t.Context(), describe(other), false); !errors.Is(err, pipeline.ErrExists) && !errors.Is(err, pipeline.ErrNotWhole) {
			t.Errorf("commit over a file: %v, want ErrExists", err)
		}
		if err := u.Abort(); err != nil {
			t.Errorf("abort after a failed commit: %v", err)
		}
		wantFile(t, b, aKey, data)
	}
	wantClean(t, h, b)
}

func testReplace(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	for i, size := range []int{4000, 9000, 9000, 10, 0} { // the first one replaces nothing
		data := content(uint64(i), size)
		if err := begin(t, b, aKey, data).Commit(t.Context(), describe(data), true); err != nil {
			t.Fatalf("replace: %v", err)
		}
		wantFile(t, b, aKey, data)
	}
	begun := begin(t, b, aKey, content(9, 100))
	if err := begun.Abort(); err != nil {
		t.Error(err)
	}
	wantFile(t, b, aKey, nil)
	wantClean(t, h, b)
}

func testCancelled(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	data := content(1, 1<<20)
	t.Run("Create", func(t *testing.T) {
		u, err := b.Create(done, aKey)
		if err != nil {
			return
		}
		_, writeErr := u.Write(data)
		if err := u.Commit(t.Context(), describe(data), false); err == nil {
			t.Errorf("an upload whose context is done was committed (write: %v)", writeErr)
		}
	})
	t.Run("Upload", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		u, err := b.Create(ctx, aKey)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write(data); err != nil {
			t.Fatal(err)
		}
		cancel()
		_, writeErr := u.Write(data)
		if err := u.Commit(t.Context(), describe(append(data, data...)), false); err == nil {
			t.Errorf("an upload whose context is done was committed (write: %v)", writeErr)
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("commit: %v, want the context's error", err)
		}
		if err := u.Abort(); err != nil {
			t.Errorf("abort: %v", err)
		}
	})
	t.Run("Commit", func(t *testing.T) {
		if err := begin(t, b, aKey, data).Commit(done, describe(data), false); !errors.Is(err, context.Canceled) {
			t.Errorf("commit: %v, want the context's error", err)
		}
	})
	wantNothing(t, b, aKey)
	wantClean(t, h, b)
	put(t, b, aKey, data) // the key is as good as new
	wantFile(t, b, aKey, data)
	t.Run("Replace", func(t *testing.T) {
		other := content(2, 1<<20)
		if err := begin(t, b, aKey, other).Commit(done, describe(other), true); !errors.Is(err, context.Canceled) {
			t.Errorf("commit: %v, want the context's error", err)
		}
		wantFile(t, b, aKey, data)
	})
	wantClean(t, h, b)
}

// testBigFile uploads and reads 20 MiB and looks at the memory meanwhile.
func testBigFile(t *testing.T, h Harness) {
	const size, piece = 20 << 20, 64 << 10
	b := h.New(t)
	u, err := b.Create(t.Context(), aKey)
	if err != nil {
		t.Fatal(err)
	}
	before, most := heap(), uint64(0)
	source, sum, buf := random(7), sha256.New(), make([]byte, piece)
	for done := 0; done < size; done += piece {
		_, _ = source.Read(buf)
		_, _ = sum.Write(buf)
		if _, err := u.Write(buf); err != nil {
			t.Fatalf("write at %d: %v", done, err)
		}
		if done%(2<<20) == 0 {
			most = max(most, heap())
		}
	}
	want := hex.EncodeToString(sum.Sum(nil))
	meta := pipeline.BlobMeta{Bytes: size, SHA256: want}
	if err := u.Commit(t.Context(), meta, false); err != nil {
		t.Fatalf("commit: %v", err)
	}
	r, err := b.Open(t.Context(), aKey, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum.Reset()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{r}, buf)
	if err != nil || n != size || hex.EncodeToString(sum.Sum(nil)) != want {
		t.Errorf("read %d bytes, %v; they are not those that were written", n, err)
	}
	most = max(most, heap())
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if most > before+h.Memory {
		t.Errorf("%d bytes of memory were in use, %d before; the limit is %d more", most, before, h.Memory)
	}
	if info, err := b.Stat(t.Context(), aKey); err != nil || info.Bytes != size || info.Meta != meta {
		t.Errorf("stat = %+v, %v", info, err)
	}
	wantClean(t, h, b)
}

// heap returns how many bytes are in use, garbage not counted.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

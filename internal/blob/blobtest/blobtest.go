// Package blobtest is the conformance suite of [pipeline.Blobs]: what the
// pipeline relies on, wherever the files are kept. An adapter's test calls [Run]
// with a [Harness]; an adapter that also is jobs.Files is tested as that too.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// Harness is what the suite needs to know of an adapter. What is not set skips
// its tests by name.
type Harness struct {
	// New opens a store without files for one test; what it needs ends with the
	// test.
	New func(t *testing.T) pipeline.Blobs

	// Plant puts a file under a key past the adapter, so that nothing is
	// recorded of it, or what is recorded of the file that was there stays.
	Plant func(t *testing.T, b pipeline.Blobs, key string, content []byte)

	// Leftovers names what is kept and belongs to no file: temporary files,
	// unfinished uploads.
	Leftovers func(t *testing.T, b pipeline.Blobs) []string

	// Memory bounds what one upload may keep in memory, in bytes; 12 MiB (two
	// parts of the size that S3 asks for, and some).
	Memory uint64
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Memory == 0 {
		h.Memory = 12 << 20
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"BigFile", testBigFile}, // first and alone: it measures
		{"RoundTrip", testRoundTrip},
		{"Descriptions", testDescriptions},
		{"Offsets", testOffsets},
		{"Remove", testRemove},
		{"Invisible", testInvisible},
		{"Exists", testExists},
		{"Replace", testReplace},
		{"Cancelled", testCancelled},
		{"RaceForKey", testRaceForKey},
		{"RaceToReplace", testRaceToReplace},
		{"ReadersDuringReplace", testReadersDuringReplace},
		{"StatDuringRemove", testStatDuringRemove},
		{"ManyKeysAtOnce", testManyKeysAtOnce},
		{"Keys", testKeys},
		{"BadKeys", testBadKeys},
		{"List", testList},
		{"ListPages", testListPages},
		{"NotWhole", testNotWhole},
		{"WrongLength", testWrongLength},
		{"Files", testFiles},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, h) })
	}
}

// needs skips a test whose part of the harness is missing.
func needs(t *testing.T, there bool, what string) {
	t.Helper()
	if !there {
		t.Skipf("CAN NOT RUN: the harness has no %s", what)
	}
}

// content makes bytes that are others for every seed.
func content(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = random(seed).Read(b) // never fails
	return b
}

func random(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// describe makes the description of a content.
func describe(data []byte) pipeline.BlobMeta {
	sum := sha256.Sum256(data)
	return pipeline.BlobMeta{
		Song:    jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"},
		Profile: jobs.DefaultProfile, Title: "A Title", Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
		Frames: 1234, Duration: 24680 * time.Millisecond, Transcoded: true,
	}
}

// begin creates an upload and writes data to it in pieces of odd sizes.
func begin(t *testing.T, b pipeline.Blobs, key string, data []byte) pipeline.Upload {
	t.Helper()
	u, err := b.Create(t.Context(), key)
	if err != nil {
		t.Fatalf("create %q: %v", key, err)
	}
	for piece := 1; len(data) > 0; piece = piece*3 + 1 {
		n, err := u.Write(data[:min(piece, len(data))])
		if err != nil || n != min(piece, len(data)) {
			t.Fatalf("write to %q: %d, %v", key, n, err)
		}
		data = data[n:]
	}
	return u
}

// put stores a file as it should be.
func put(t *testing.T, b pipeline.Blobs, key string, data []byte) {
	t.Helper()
	if err := begin(t, b, key, data).Commit(t.Context(), describe(data), false); err != nil {
		t.Fatalf("commit %q: %v", key, err)
	}
}

// read returns a file's bytes from offset on.
func read(ctx context.Context, b pipeline.Blobs, key string, offset int64) ([]byte, error) {
	r, err := b.Open(ctx, key, offset)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// wantFile fails unless the file is there with just this content and says so.
func wantFile(t *testing.T, b pipeline.Blobs, key string, data []byte) {
	t.Helper()
	info, err := b.Stat(t.Context(), key)
	if err != nil {
		t.Errorf("stat %q: %v", key, err)
		return
	}
	if info.Key != key || info.Bytes != int64(len(data)) || info.Meta.SHA256 != describe(data).SHA256 {
		t.Errorf("stat %q = %+v, want %d bytes", key, info, len(data))
	}
	got, err := read(t.Context(), b, key, 0)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %q: %d bytes, %v; want the %d that were written", key, len(got), err, len(data))
	}
}

// wantNothing fails if there is anything under the key.
func wantNothing(t *testing.T, b pipeline.Blobs, key string) { //nolint:unparam // which key it is shows in the messages
	t.Helper()
	if info, err := b.Stat(t.Context(), key); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("stat %q = %+v, %v; want not found", key, info, err)
	}
	if r, err := b.Open(t.Context(), key, 0); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("open %q: %v; want not found", key, err)
		if err == nil {
			_ = r.Close()
		}
	}
	found, err := b.List(t.Context(), key, "", 10)
	if err != nil || len(found) != 0 {
		t.Errorf("list %q = %+v, %v; want none", key, found, err)
	}
}

// wantClean fails if anything is kept that belongs to no file.
func wantClean(t *testing.T, h Harness, b pipeline.Blobs) {
	t.Helper()
	if h.Leftovers == nil {
		return
	}
	if left := h.Leftovers(t, b); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

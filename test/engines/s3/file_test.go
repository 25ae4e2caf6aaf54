package s3

import (
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

const (
	aKey = "audio/A Title [dQw4w9WgXcQ].dca"
	mib  = 1 << 20
)

// content makes bytes that are others for every seed.
func content(seed byte, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

func describe(data []byte) pipeline.BlobMeta {
	return pipeline.BlobMeta{
		Song:    jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"},
		Profile: jobs.DefaultProfile, Title: "Canción – «Ω»", Bytes: int64(len(data)), SHA256: sum(data), Frames: 1234, Duration: 24680 * time.Millisecond,
	}
}

// put uploads data in pieces as the pipeline does.
func put(ctx context.Context, b pipeline.Blobs, key string, data []byte, replace bool) error {
	u, err := b.Create(ctx, key)
	if err != nil {
		return err
	}
	for rest := data; len(rest) > 0; {
		n, err := u.Write(rest[:min(len(rest), 64<<10)])
		if err != nil {
			return errors.Join(err, u.Abort())
		}
		rest = rest[n:]
	}
	return u.Commit(ctx, describe(data), replace)
}

func read(ctx context.Context, b pipeline.Blobs, key string, offset int64) ([]byte, error) {
	r, err := b.Open(ctx, key, offset)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// wantFile fails unless the file is there with just this content and its
// description.
func wantFile(t *testing.T, b pipeline.Blobs, key string, data []byte) {
	t.Helper()
	if info, err := b.Stat(t.Context(), key); err != nil || info.Meta != describe(data) || info.Bytes != int64(len(data)) {
		t.Errorf("stat %q = %+v, %v; want %+v", key, info, err, describe(data))
	}
	if got, err := read(t.Context(), b, key, 0); err != nil || sum(got) != sum(data) {
		t.Errorf("read %q: %d bytes, %v; not the %d that were written", key, len(got), err, len(data))
	}
}

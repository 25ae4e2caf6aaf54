package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/butakero/butakero/internal/blob/awss3"
	"github.com/butakero/butakero/internal/blob/blobtest"
	"github.com/butakero/butakero/internal/pipeline"
)

// Not parallel: the suite measures memory.
func TestConformance(t *testing.T) {
	blobtest.Run(t, blobtest.Harness{
		New: func(t *testing.T) pipeline.Blobs {
			s := open(t, nil)
			return &paths{Store: s.Store, prefix: s.prefix}
		},
		Plant: func(t *testing.T, b pipeline.Blobs, key string, content []byte) {
			plant(t, b.(*paths).prefix+key, content, nil)
		},
		Leftovers: func(t *testing.T, b pipeline.Blobs) []string { return leftovers(t, b.(*paths).prefix) },
		Memory:    20 << 20, // two parts of 8 MiB, and what the client keeps
	})
}

// paths gives segments that are longer than a file's name may be others: the test
// server keeps objects in folders and refuses them. S3 does not.
type paths struct {
	*awss3.Store
	prefix string
	long   sync.Map // the name at the server to the key
}

const longestName = 255

func (p *paths) name(key string) string {
	if len(key) > 512 {
		return key // to be refused
	}
	segments := strings.Split(key, "/")
	for i, s := range segments {
		if len(s) > longestName {
			h := sha256.Sum256([]byte(s))
			segments[i] = "long-" + hex.EncodeToString(h[:])
		}
	}
	name := strings.Join(segments, "/")
	if name != key {
		p.long.Store(name, key)
	}
	return name
}

func (p *paths) key(name string) string {
	if key, ok := p.long.Load(name); ok {
		return key.(string)
	}
	return name
}

func (p *paths) Create(ctx context.Context, key string) (pipeline.Upload, error) {
	return p.Store.Create(ctx, p.name(key))
}

func (p *paths) Stat(ctx context.Context, key string) (pipeline.BlobInfo, error) {
	info, err := p.Store.Stat(ctx, p.name(key))
	info.Key = p.key(info.Key)
	return info, err
}

func (p *paths) Open(ctx context.Context, key string, offset int64) (io.ReadCloser, error) {
	return p.Store.Open(ctx, p.name(key), offset)
}

func (p *paths) Remove(ctx context.Context, key string) error {
	return p.Store.Remove(ctx, p.name(key))
}

func (p *paths) List(ctx context.Context, prefix, after string, limit int) ([]pipeline.BlobInfo, error) {
	infos, err := p.Store.List(ctx, prefix, after, limit)
	for i := range infos {
		infos[i].Key = p.key(infos[i].Key)
	}
	slices.SortFunc(infos, func(a, b pipeline.BlobInfo) int { return strings.Compare(a.Key, b.Key) })
	return infos, err
}

package localfs

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// List implements pipeline.Blobs. Files that somebody else put into the folder
// are listed too. It reads every folder that may hold such keys; memory is
// bounded by limit.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]pipeline.BlobInfo, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	l := listing{ctx: ctx, store: s, prefix: prefix, after: after, limit: limit}
	if err := l.walk(".", ""); err != nil {
		return nil, err
	}
	slices.Sort(l.keys)
	infos := make([]pipeline.BlobInfo, 0, len(l.keys))
	for _, key := range l.keys {
		found, err := s.fileThere(key)
		if err != nil {
			return nil, err
		}
		if found != nil { // else it was removed meanwhile
			infos = append(infos, pipeline.BlobInfo{Key: key, Bytes: found.Size(), ModTime: found.ModTime()})
		}
	}
	return infos, nil
}

// listing collects the smallest keys of a range.
type listing struct {
	ctx           context.Context
	store         *Store
	prefix, after string
	limit         int
	keys          maxHeap
}

// walk looks at the folder dir, whose files' keys start with start.
func (l *listing) walk(dir, start string) (err error) {
	f, err := l.store.root.Open(dir)
	if err != nil {
		if err := notFound("open folder", err); !errors.Is(err, jobs.ErrNotFound) {
			return err
		}
		return nil // removed meanwhile
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		entries, err := f.ReadDir(512)
		for _, entry := range entries {
			if err := l.visit(dir, start, entry); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return wrap("read folder", err)
		}
	}
}

func (l *listing) visit(dir, start string, entry os.DirEntry) error {
	name := entry.Name()
	at := name
	if dir != "." {
		at = dir + "/" + name
	}
	switch {
	case at == hidden:
	case entry.IsDir():
		if from := below(start, name); l.mayHold(from) {
			return l.walk(at, from)
		}
	case entry.Type().IsRegular():
		// What place would not put here is not reached by this key.
		if key := start + name; l.wants(key) && checkKey(key) == nil && place(key) == at {
			l.add(key)
		}
	}
	return nil
}

// mayHold reports whether keys that start with start can be in the range.
func (l *listing) mayHold(start string) bool {
	if !strings.HasPrefix(start, l.prefix) && !strings.HasPrefix(l.prefix, start) {
		return false
	}
	if start < l.after && !strings.HasPrefix(l.after, start) {
		return false
	}
	return len(l.keys) < l.limit || start < l.keys[0]
}

func (l *listing) wants(key string) bool {
	return key > l.after && strings.HasPrefix(key, l.prefix) && (len(l.keys) < l.limit || key < l.keys[0])
}

func (l *listing) add(key string) {
	heap.Push(&l.keys, key)
	if len(l.keys) > l.limit {
		heap.Pop(&l.keys)
	}
}

// maxHeap has its greatest key first.
type maxHeap []string

func (h maxHeap) Len() int           { return len(h) }
func (h maxHeap) Less(i, j int) bool { return cmp.Less(h[j], h[i]) }
func (h maxHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *maxHeap) Push(x any)        { *h = append(*h, x.(string)) }
func (h *maxHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

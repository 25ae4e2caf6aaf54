package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

func testOffsets(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	data := content(3, 100_000)
	put(t, b, aKey, data)
	for _, offset := range []int64{0, 1, 4095, 4096, 65_536, 99_999, 100_000} {
		got, err := read(t.Context(), b, aKey, offset)
		if err != nil || !bytes.Equal(got, data[offset:]) {
			t.Errorf("from %d: %d bytes, %v; want %d", offset, len(got), err, len(data)-int(offset))
		}
	}
	if got, err := read(t.Context(), b, aKey, 100_001); len(got) > 0 {
		t.Errorf("from behind the end: %d bytes, %v", len(got), err)
	}
	if got, err := read(t.Context(), b, aKey, -1); err == nil {
		t.Errorf("from -1: %d bytes and no error", len(got))
	}
	for _, offset := range []int64{0, 5} {
		if _, err := read(t.Context(), b, "nothing/here", offset); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("nothing here, from %d: %v, want ErrNotFound", offset, err)
		}
	}
	// Closed before the end.
	for range 20 {
		r, err := b.Open(t.Context(), aKey, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func testRemove(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	if err := b.Remove(t.Context(), aKey); err != nil {
		t.Errorf("remove of nothing: %v", err)
	}
	data := content(1, 1000)
	put(t, b, aKey, data)
	put(t, b, aKey+".other", data)
	for range 2 {
		if err := b.Remove(t.Context(), aKey); err != nil {
			t.Errorf("remove: %v", err)
		}
		if _, err := b.Stat(t.Context(), aKey); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("stat of a removed file: %v", err)
		}
	}
	if err := b.Remove(t.Context(), "audio"); err != nil { // a prefix is no file
		t.Errorf("remove of a prefix: %v", err)
	}
	wantFile(t, b, aKey+".other", data)
	again := content(2, 500)
	put(t, b, aKey, again)
	wantFile(t, b, aKey, again)
	wantClean(t, h, b)
}

func testList(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	keys := []string{ // in order: "." and "-" come before "/", letters after it
		"a-b", "a.txt", "a/1", "a/2/x", "a/2/y", "a/20", "a0", "b", "c/d/e", "c/d.e", "d/\u00e9", "d/\U0001F3B5", "d/z",
	}
	slices.Sort(keys)
	for i, key := range keys {
		put(t, b, key, content(uint64(i), i))
	}
	for _, c := range []struct{ prefix, after string }{
		{"", ""}, {"a", ""}, {"a/", ""}, {"a/2", ""}, {"a/2/", ""}, {"d/", ""}, {"c/d", ""}, {"zzz", ""}, {"a/1", ""}, {"b", ""}, {"/", ""}, {"..", ""},
		{"", "a/2/x"}, {"", "a/2"}, {"", "a/"}, {"", "a/2/xx"}, {"a/", "a/2/x"}, {"a/", "b"}, {"b", "a"}, {"a", "a0"}, {"", "zzz"}, {"c/", "c/d"}, {"c/", "c/d/"}, {"d/", "d/z"},
	} {
		var want []string
		for _, key := range keys {
			if strings.HasPrefix(key, c.prefix) && key > c.after {
				want = append(want, key)
			}
		}
		for limit := 1; limit <= len(keys)+1; limit++ {
			found, err := b.List(t.Context(), c.prefix, c.after, limit)
			if err != nil {
				t.Fatalf("list %q after %q: %v", c.prefix, c.after, err)
			}
			var got []string
			for _, info := range found {
				got = append(got, info.Key)
				if i := slices.Index(keys, info.Key); info.Bytes != int64(i) || info.ModTime.IsZero() {
					t.Errorf("%q: %d bytes of %v, want %d", info.Key, info.Bytes, info.ModTime, i)
				}
			}
			if part := want[:min(limit, len(want))]; !slices.Equal(got, part) {
				t.Errorf("list %q after %q, %d at most: %q, want %q", c.prefix, c.after, limit, got, part)
			}
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.List(done, "", "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("list with a context that is done: %v", err)
	}
}

func testListPages(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	if found, err := b.List(t.Context(), "", "", 10); err != nil || len(found) > 0 {
		t.Fatalf("a new store lists %+v, %v", found, err)
	}
	const files = 60
	for i := range files {
		put(t, b, fmt.Sprintf("p/%02d/%d", i%7, i), []byte("x"))
	}
	seen, after := map[string]bool{}, ""
	for {
		found, err := b.List(t.Context(), "p/", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			break
		}
		for _, info := range found {
			if info.Key <= after || seen[info.Key] {
				t.Fatalf("%q comes after %q", info.Key, after)
			}
			seen[info.Key], after = true, info.Key
		}
		// What is removed behind the reader's place does not disturb it.
		if err := b.Remove(t.Context(), found[0].Key); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != files {
		t.Errorf("%d files seen, want %d", len(seen), files)
	}
}

func testNotWhole(t *testing.T, h Harness) {
	t.Parallel()
	needs(t, h.Plant != nil, "Plant")
	b := h.New(t)
	data := content(1, 5000)
	put(t, b, aKey, data)
	changed := bytes.Clone(data)
	changed[4000] ^= 1
	for name, planted := range map[string]struct {
		key     string
		content []byte
	}{
		"Shorter": {aKey, data[:4999]}, "Longer": {aKey, append(bytes.Clone(data), 0)}, "Empty": {aKey, nil}, "Changed": {aKey, changed},
		"NotRecorded": {"audio/stranger", data},
	} {
		t.Run(name, func(t *testing.T) {
			h.Plant(t, b, planted.key, planted.content)
			if info, err := b.Stat(t.Context(), planted.key); !errors.Is(err, pipeline.ErrNotWhole) {
				t.Errorf("stat = %+v, %v; want ErrNotWhole", info, err)
			}
			if err := begin(t, b, planted.key, data).Commit(t.Context(), describe(data), false); !errors.Is(err, pipeline.ErrExists) {
				t.Errorf("commit over it: %v, want ErrExists", err)
			}
			if err := begin(t, b, planted.key, data).Commit(t.Context(), describe(data), true); err != nil {
				t.Errorf("replace it: %v", err)
			}
			wantFile(t, b, planted.key, data)
		})
	}
	wantClean(t, h, b)
}

// testWrongLength: a description of other bytes than were written is noticed,
// when the file is committed or when it is asked for.
func testWrongLength(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	data := content(1, 5000)
	for _, wrong := range []int64{0, 4999, 5001} {
		meta := describe(data)
		meta.Bytes = wrong
		err := begin(t, b, aKey, data).Commit(t.Context(), meta, true)
		if err == nil {
			_, err = b.Stat(t.Context(), aKey)
		}
		if !errors.Is(err, pipeline.ErrNotWhole) {
			t.Errorf("5000 bytes described as %d: %v, want ErrNotWhole", wrong, err)
		}
	}
	wantClean(t, h, b)
}

func testFiles(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	files, ok := b.(jobs.Files)
	if !ok {
		t.Skip("CAN NOT RUN: the adapter is no jobs.Files")
	}
	data := content(1, 5000)
	put(t, b, aKey, data)
	right := jobs.Result{Path: aKey, Bytes: 5000, SHA256: describe(data).SHA256, Frames: 1234}
	otherSize, otherHash, otherPath, noPath := right, right, right, right
	otherSize.Bytes, otherHash.SHA256, otherPath.Path, noPath.Path = 4999, describe(nil).SHA256, "audio/other", "../x"
	check := func(what string, r jobs.Result, want bool) {
		t.Helper()
		if got, err := files.Exists(t.Context(), r); got != want || err != nil {
			t.Errorf("%s: exists = %v, %v; want %v", what, got, err, want)
		}
	}
	check("the result", right, true)
	check("another size", otherSize, false)
	check("another hash", otherHash, false)
	check("another path", otherPath, false)
	check("no path", noPath, false)
	if h.Plant != nil {
		h.Plant(t, b, aKey, data[:100])
		check("a damaged file", right, false)
	}
	if err := b.Remove(t.Context(), aKey); err != nil {
		t.Fatal(err)
	}
	check("a removed file", right, false)
}

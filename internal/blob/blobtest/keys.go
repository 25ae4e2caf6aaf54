package blobtest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// testKeys has no key that is also a folder of another one: a file system can not
// keep both, and the pipeline makes no such keys.
func testKeys(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	keys := []string{
		"a", "audio/Canción – «Ω» [dQw4w9WgXcQ].dca", "audio/\U0001F3B5 \U0001F468\u200D\U0001F469\u200D\U0001F467.dca", "audio/夜に駆ける.dca", "audio/\u202Eleft.dca",
		"audio/caf\u00e9", "audio/cafe\u0301", // the same to the eye
		"case/Song", "case/song", "a b/ c /d ", "dots/...", "dots/..a", "dots/a..", "dots/.hidden", ".hidden/x", "dots/a.", "-rf/--",
		`sign/\`, `sign/a\b`, "sign/%2e%2e", "sign/%2F", "sign/a+b c", "sign/?x=1&y#z", `sign/"'<>|*:;`, "sign/$(x)`y`~", "sign/~+", "sign/a~+", "sign/b~+/b", "wave/~+/~+/~+",
		".butakero", ".Butakero/records/x", "tmp/.tmp", "deep/" + strings.Repeat("d/", 200) + "x",
		strings.Repeat("n", 255), "long/" + strings.Repeat("s", 507), strings.Repeat("\U0001F3B5", 128), strings.Repeat("é", 256), "plus/" + strings.Repeat("~+", 253),
	}
	for i, key := range keys {
		put(t, b, key, content(uint64(i), 100+i))
	}
	for i, key := range keys {
		wantFile(t, b, key, content(uint64(i), 100+i))
	}
	found, err := b.List(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(found))
	for i, info := range found {
		got[i] = info.Key
	}
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		t.Errorf("listed\n%q\nwant\n%q", got, keys)
	}
	for _, key := range keys {
		if err := b.Remove(t.Context(), key); err != nil {
			t.Errorf("remove %q: %v", key, err)
		}
		if info, err := b.Stat(t.Context(), key); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("stat of the removed %q = %+v, %v", key, info, err)
		}
	}
	if found, err := b.List(t.Context(), "", "", 10); err != nil || len(found) > 0 {
		t.Errorf("after all were removed: %+v, %v", found, err)
	}
	wantClean(t, h, b)
}

func testBadKeys(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/..", "a/.", "a/../b", "a/./b", "/etc/passwd", "../../../../etc/x",
		"nul\x00", "line\nbreak", "tab\t", "esc\x1b[0m", "del\x7f", "c1\u0085", "\xff", "a/\xc3\x28", "\xed\xa0\x80", strings.Repeat("a", 513), strings.Repeat("é", 257),
	} {
		check := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, pipeline.ErrBadKey) {
				t.Errorf("%s %q: %v, want ErrBadKey", what, key, err)
			}
		}
		u, err := b.Create(t.Context(), key)
		check("create", err)
		if err == nil {
			_ = u.Abort()
		}
		_, err = b.Stat(t.Context(), key)
		check("stat", err)
		r, err := b.Open(t.Context(), key, 0)
		check("open", err)
		if err == nil {
			_ = r.Close()
		}
		check("remove", b.Remove(t.Context(), key))
	}
	wantClean(t, h, b)
}

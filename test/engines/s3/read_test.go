package s3

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
)

// TestBrokenReads: a download that breaks goes on where it broke.
func TestBrokenReads(t *testing.T) {
	t.Parallel()
	f := only("", 0, pass)
	s := open(t, f)
	data := content(1, 9*mib)
	if err := put(t.Context(), s, aKey, data, false); err != nil {
		t.Fatal(err)
	}
	f.do = only("GET", 3, cut).do
	for _, offset := range []int{0, 1, 5 * mib, len(data) - 1, len(data)} {
		f.mu.Lock()
		f.seen = nil
		f.mu.Unlock()
		got, err := read(t.Context(), s, aKey, int64(offset))
		if err != nil || !bytes.Equal(got, data[offset:]) {
			t.Errorf("from %d: %d bytes, %v; want %d", offset, len(got), err, len(data)-offset)
		}
	}
	f.do = only("GET", always, refuse).do
	if got, err := read(t.Context(), s, aKey, 0); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("%d bytes, %v; want ErrUnavailable", len(got), err)
	}
}

// TestReplacedWhileRead: a reader gets bytes of one file, or an error.
func TestReplacedWhileRead(t *testing.T) {
	t.Parallel()
	f := only("", 0, pass)
	s := open(t, f)
	if err := put(t.Context(), s, aKey, content(1, 4*mib), false); err != nil {
		t.Fatal(err)
	}
	f.do = only("GET", 1, cut).do
	r, err := s.Open(t.Context(), aKey, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), s, aKey, content(2, 4*mib), true); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err == nil || !bytes.HasPrefix(content(1, 4*mib), got) {
		t.Errorf("%d bytes, %v; want the beginning of the first file and an error", len(got), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestPublicURL: anybody gets the file by the URL, whole or a range of it, and
// nobody by one that was changed.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for _, key := range []string{aKey, "audio/Canción – «Ω» \U0001F3B5 100% + more? #1 & 夜 [dQw4w9WgXcQ] (lo-fi).dca", "audio/a+b c%20d~'(!)*.dca"} {
		data := content(1, 100_000)
		if err := put(t.Context(), s, key, data, false); err != nil {
			t.Fatal(err)
		}
		link, err := s.PublicURL(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		get := func(link, ranges string, want int) []byte {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
			if err != nil {
				t.Fatal(err)
			}
			if ranges != "" {
				r.Header.Set("Range", ranges)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if err = errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != want {
				t.Errorf("%s: %s, %v; want %d", link, answer.Status, err, want)
			}
			if answer.StatusCode < 300 && answer.Header.Get("Content-Type") != "audio/dca" {
				t.Errorf("content type %q", answer.Header.Get("Content-Type"))
			}
			return body
		}
		if got := get(link, "", http.StatusOK); !bytes.Equal(got, data) {
			t.Errorf("%q: %d bytes that were not written", key, len(got))
		}
		if got := get(link, "bytes=10-19", http.StatusPartialContent); !bytes.Equal(got, data[10:20]) {
			t.Errorf("%q: a range of %d bytes", key, len(got))
		}
		plain, _, _ := strings.Cut(link, "?")
		get(plain, "", http.StatusForbidden)
		get(strings.Replace(link, url.PathEscape("audio"), "other", 1), "", http.StatusForbidden)
		if strings.Contains(link, "testtest1") {
			t.Error("the URL holds the secret")
		}
	}
	if link, err := s.PublicURL(t.Context(), "../x"); err == nil {
		t.Errorf("a URL of no key: %s", link)
	}
}

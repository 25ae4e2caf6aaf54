package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// TestRace: of 32 that store different files under one key, one wins.
func TestRace(t *testing.T) {
	for name, size := range map[string]int{"small": 300_000, "multipart": 8*mib + 1} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			const racers = 32
			data := content(1, size)
			uploads := make([]pipeline.Upload, racers)
			metas := make([]pipeline.BlobMeta, racers)
			for i := range racers {
				u, err := s.Create(t.Context(), aKey)
				if err != nil {
					t.Fatal(err)
				}
				data[0] = byte(i)
				if _, err := u.Write(data); err != nil {
					t.Fatal(err)
				}
				uploads[i], metas[i] = u, describe(data)
			}
			errs := make([]error, racers)
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i := range racers {
				wg.Go(func() {
					<-start
					errs[i] = uploads[i].Commit(t.Context(), metas[i], false)
				})
			}
			close(start)
			wg.Wait()
			winners := 0
			for i, err := range errs {
				switch {
				case err == nil:
					winners++
					data[0] = byte(i)
				case !errors.Is(err, pipeline.ErrExists):
					t.Errorf("loser %d: %v, want ErrExists", i, err)
				}
			}
			if winners != 1 {
				t.Errorf("%d winners", winners)
			}
			wantFile(t, s, aKey, data)
			if left := leftovers(t, s.prefix); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestObjects: what other tools see of a file.
func TestObjects(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for name, size := range map[string]int{"small": 4 * mib, "exactly one part": 8 * mib, "multipart": 20*mib + 1} {
		t.Run(name, func(t *testing.T) {
			key, data := "audio/"+name, content(2, size)
			if err := put(t.Context(), s, key, data, false); err != nil {
				t.Fatal(err)
			}
			wantFile(t, s, key, data)
			h, err := raw(t).HeadObject(t.Context(), &s3.HeadObjectInput{
				Bucket: aws.String(run(t)), Key: aws.String(s.prefix + key), ChecksumMode: types.ChecksumModeEnabled,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := aws.ToString(h.ContentType); got != pipeline.ContentType {
				t.Errorf("content type %q", got)
			}
			large := size > 8*mib
			checksum := aws.ToString(h.ChecksumSHA256)
			if checksum == "" || strings.HasSuffix(checksum, "-3") != large {
				t.Errorf("checksum %q of %d bytes", checksum, size)
			}
			if _, recorded := h.Metadata["butakero-record"]; recorded != large {
				t.Errorf("metadata %v", h.Metadata)
			}
			if !large && (h.Metadata["song-id"] != "dQw4w9WgXcQ" || h.Metadata["sha256"] != sum(data) || h.Metadata["frames"] != "1234" || h.Metadata["duration"] != "24.68s") {
				t.Errorf("metadata %v", h.Metadata)
			}
		})
	}
}

// TestRecordsFollowTheirFiles: a description that has an object of its own goes
// with its file, whatever becomes of that.
func TestRecordsFollowTheirFiles(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	wordy := func(data []byte) pipeline.BlobMeta {
		m := describe(data)
		m.Title = strings.Repeat("\U0001F3B5", 1000) // does not fit an object's metadata
		return m
	}
	store := func(data []byte, meta pipeline.BlobMeta) {
		t.Helper()
		u, err := s.Create(t.Context(), aKey)
		if err == nil {
			_, err = u.Write(data)
		}
		if err == nil {
			err = u.Commit(t.Context(), meta, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := s.Stat(t.Context(), aKey); err != nil || info.Meta != meta {
			t.Errorf("stat = %+v, %v", info, err)
		}
		if left := leftovers(t, s.prefix); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	small, large := content(1, 1000), content(2, 9*mib)
	store(small, wordy(small))
	store(large, describe(large))
	store(large, wordy(large))
	store(small, describe(small))
	store(small, wordy(small))
	if err := s.Remove(t.Context(), aKey); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, s.prefix); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestRecordIsGone: a large file without its description is not whole, and can be
// made again.
func TestRecordIsGone(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	data := content(1, 9*mib)
	if err := put(t.Context(), s, aKey, data, false); err != nil {
		t.Fatal(err)
	}
	h, err := raw(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(run(t)), Key: aws.String(s.prefix + aKey)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = raw(t).DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String(run(t)), Key: aws.String(s.prefix + ".butakero/records/" + h.Metadata["butakero-record"] + ".json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(t.Context(), aKey); !errors.Is(err, pipeline.ErrNotWhole) {
		t.Errorf("stat = %+v, %v; want ErrNotWhole", info, err)
	}
	if err := put(t.Context(), s, aKey, data, true); err != nil {
		t.Fatal(err)
	}
	wantFile(t, s, aKey, data)
}

// TestForeignMetadata: an object that says it is a song and is not.
func TestForeignMetadata(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	data := content(1, 1000)
	right := map[string]string{"butakero-version": "1", "sha256": sum(data), "bytes": "1000", "frames": "1", "duration": "20ms"}
	check := func(name string, body []byte, change map[string]string, whole bool) {
		t.Helper()
		metadata := map[string]string{}
		for k, v := range right {
			metadata[k] = v
		}
		for k, v := range change {
			metadata[k] = v
		}
		plant(t, s.prefix+"audio/x", body, metadata)
		if _, err := s.Stat(t.Context(), "audio/x"); whole != (err == nil) || err != nil && !errors.Is(err, pipeline.ErrNotWhole) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("right", data, nil, true)
	check("other bytes", content(2, 1000), nil, false)
	check("fewer bytes", data[:999], nil, false)
	check("another version", data, map[string]string{"butakero-version": "2"}, false)
	check("no number", data, map[string]string{"frames": "many"}, false)
	check("no duration", data, map[string]string{"duration": "long"}, false)
	check("bad escape", data, map[string]string{"title": "%zz"}, false)
	check("no such record", data, map[string]string{"butakero-record": "nothing"}, false)
	check("a record elsewhere", data, map[string]string{"butakero-record": "../audio/x"}, false)
}

// TestAbort: whatever ends an upload early, nothing of it stays.
func TestAbort(t *testing.T) {
	t.Parallel()
	data := content(1, 20*mib)
	begun := func(ctx context.Context, t *testing.T, s place) pipeline.Upload {
		t.Helper()
		u, err := s.Create(ctx, aKey)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write(data); err != nil {
			t.Fatal(err)
		}
		if left := leftovers(t, s.prefix); len(left) != 1 {
			t.Fatalf("while it is uploaded, the server has %q: the test would see nothing", left)
		}
		return u
	}
	nothing := func(t *testing.T, s place) {
		t.Helper()
		if left := leftovers(t, s.prefix); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		if info, err := s.Stat(t.Context(), aKey); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("stat = %+v, %v; want not found", info, err)
		}
	}
	t.Run("Abort", func(t *testing.T) {
		s := open(t, nil)
		if err := begun(t.Context(), t, s).Abort(); err != nil {
			t.Error(err)
		}
		nothing(t, s)
	})
	t.Run("Cancelled", func(t *testing.T) {
		s := open(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		u := begun(ctx, t, s)
		cancel()
		if _, err := u.Write(data); !errors.Is(err, context.Canceled) {
			t.Errorf("write: %v", err)
		}
		if err := u.Commit(t.Context(), describe(data), false); !errors.Is(err, context.Canceled) {
			t.Errorf("commit: %v", err)
		}
		nothing(t, s)
	})
	t.Run("WrongHash", func(t *testing.T) {
		s := open(t, nil)
		meta := describe(data)
		meta.SHA256 = sum(nil)
		if err := begun(t.Context(), t, s).Commit(t.Context(), meta, false); !errors.Is(err, pipeline.ErrNotWhole) {
			t.Errorf("commit: %v, want ErrNotWhole", err)
		}
		nothing(t, s)
	})
	for _, operation := range []string{"Part", "PUTRecord", "Complete"} {
		t.Run(operation, func(t *testing.T) {
			f := only(operation, 0, pass)
			s := open(t, f)
			f.do = only(operation, always, refuse).do
			if err := put(t.Context(), s, aKey, data, false); !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("commit: %v, want ErrUnavailable", err)
			}
			nothing(t, s)
			f.do = only(operation, 0, pass).do
			if err := put(t.Context(), s, aKey, data, false); err != nil {
				t.Errorf("the key is not as good as new: %v", err)
			}
		})
	}
}

// TestLostAnswers: a write whose answer is lost is neither lost nor taken for
// somebody else's.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 100_000, "large": 9 * mib} {
		data, other := content(1, size), content(2, size)
		for _, operation := range []string{"Put", "Create", "Part", "PUTRecord", "Complete"} {
			for _, times := range []int{1, 2, always} {
				visible := operation == "Put" || operation == "Complete" // what makes the file visible
				if (operation == "Put") != (name == "small") || times > 1 && !visible {
					continue
				}
				for _, replace := range []bool{false, true} {
					if replace && !visible {
						continue
					}
					f := only(operation, 0, pass)
					s := open(t, f)
					f.do = only(operation, times, lose).do
					f.mu.Lock()
					f.seen = nil
					f.mu.Unlock()
					if err := put(t.Context(), s, aKey, data, replace); err != nil {
						t.Errorf("%s, %d answers to %s lost, replace %v: %v", name, times, operation, replace, err)
						continue
					}
					if f.count(operation) < 2 {
						t.Errorf("%s was asked %d times", operation, f.count(operation))
					}
					wantFile(t, s, aKey, data)
					if left := leftovers(t, s.prefix); len(left) > 0 && operation != "Create" {
						t.Errorf("%s: left behind: %q", operation, left)
					}
					f.do = only(operation, 1, lose).do
					f.mu.Lock()
					f.seen = nil
					f.mu.Unlock()
					if err := put(t.Context(), s, aKey, other, false); !errors.Is(err, pipeline.ErrExists) {
						t.Errorf("%s: a second file: %v, want ErrExists", operation, err)
					}
					wantFile(t, s, aKey, data)
				}
			}
		}
	}
}

// TestNothingIsKnown: when the server falls silent in the middle of a commit, the
// error says so; the file may be there, and is whole then.
func TestNothingIsKnown(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1000, 9 * mib} {
		f := only("", 0, pass)
		s := open(t, f)
		silent := false
		f.do = func(o string, _ int, _ *http.Request) what {
			f.mu.Lock()
			defer f.mu.Unlock()
			if o == "Complete" || o == "Put" || silent {
				silent = true
				return lose
			}
			return pass
		}
		data := content(1, size)
		if err := put(t.Context(), s, aKey, data, false); err == nil || errors.Is(err, pipeline.ErrExists) {
			t.Errorf("commit: %v; want an error that says that nothing is known", err)
		}
		f.do = only("", 0, pass).do
		wantFile(t, s, aKey, data) // it had been done
	}
}

// TestOverload: 503 is tried again, and told as unavailable when it does not end.
func TestOverload(t *testing.T) {
	t.Parallel()
	data := content(1, 9*mib)
	f := &faults{do: func(_ string, n int, _ *http.Request) what {
		if n%2 == 1 {
			return refuse
		}
		return pass
	}}
	s := open(t, f)
	if err := put(t.Context(), s, aKey, data, false); err != nil {
		t.Fatal(err)
	}
	wantFile(t, s, aKey, data)
	f.do = func(string, int, *http.Request) what { return refuse }
	if _, err := s.Stat(t.Context(), aKey); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("stat: %v", err)
	}
	if _, err := s.Exists(t.Context(), jobs.Result{Path: aKey}); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("exists: %v", err)
	}
	if _, err := s.Open(t.Context(), aKey, 0); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
	if _, err := s.List(t.Context(), "", "", 1); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("list: %v", err)
	}
	if err := s.Remove(t.Context(), aKey); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("remove: %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
	if err := put(t.Context(), s, "audio/other", data[:10], false); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("put: %v", err)
	}
}

package awss3

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// What needs a server is tested in the test module, test/engines/s3.

func TestKeys(t *testing.T) {
	t.Parallel()
	s := &Store{}
	for key, good := range map[string]bool{
		"audio/A Title [dQw4w9WgXcQ].dca": true, "a": true, ".butakero": true, ".butakero2/x": true, "a/.butakero/x": true, "dots/...": true, strings.Repeat("x", 512): true,
		"": false, "/a": false, "a/": false, "a//b": false, ".": false, "a/..": false, "../a": false, "a\x00": false, "a\n": false, "\xff": false,
		strings.Repeat("x", 513): false, ".butakero/x": false, ".butakero/records/x.json": false,
	} {
		if err := s.checkKey(key); good != (err == nil) || err != nil && !errors.Is(err, pipeline.ErrBadKey) {
			t.Errorf("%q: %v", key, err)
		}
	}
	for prefix, may := range map[string]bool{
		"": true, "a": true, "a/": true, "a/b/": true, "..": true, "a/..": true, ".": true, "a/..b": true,
		"/": false, "a//": false, "../": false, "a/../b": false, "./": false, "a\x01": false, strings.Repeat("x", 513): false,
	} {
		if mayStart(prefix) != may {
			t.Errorf("mayStart(%q) = %v", prefix, !may)
		}
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, path := range map[string]bool{
		"": false, "https://s3.eu-west-1.amazonaws.com": false, "https://minio.example:9000": false,
		"http://127.0.0.1:9000": true, "http://[::1]:9000": true, "http://localhost:9000": true, "http://s3.localhost": true, "https://10.0.0.7": true, "::": false,
	} {
		if needsPath(endpoint) != path {
			t.Errorf("needsPath(%q) = %v", endpoint, !path)
		}
	}
}

func someMeta() pipeline.BlobMeta {
	return pipeline.BlobMeta{
		Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}, Profile: "lo-fi", Title: "Canción – «Ω» 100% + a=b;\r\n\x00",
		Bytes: 1 << 40, SHA256: strings.Repeat("0f", 32), Frames: 1 << 41, Duration: 3*time.Hour + 1, Transcoded: true,
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	untitled := someMeta()
	untitled.Title, untitled.Transcoded = "", false
	for _, m := range []pipeline.BlobMeta{someMeta(), untitled, {}} {
		all, fits := metadata("upload", m)
		if !fits {
			t.Errorf("%+v does not fit", m)
		}
		for name, value := range all {
			for _, c := range []byte(name + value) {
				if c <= ' ' || c >= 0x7f {
					t.Errorf("%s: %q can not be a header", name, value)
				}
			}
		}
		if got, err := describe(all); err != nil || got != m {
			t.Errorf("%+v, %v; want %+v", got, err, m)
		}
	}
	long := someMeta()
	long.Title = strings.Repeat("é", 300)
	if all, fits := metadata("36 characters, as an upload's name has", long); fits {
		t.Errorf("%d bytes of title fit into %d", len(all[metaTitle]), maxMetadata)
	}
	for name := range map[string]bool{metaBytes: true, metaFrames: true, metaDuration: true} {
		all, _ := metadata("upload", someMeta())
		all[name] = "x"
		if _, err := describe(all); !errors.Is(err, pipeline.ErrNotWhole) {
			t.Errorf("%s = x: %v, want ErrNotWhole", name, err)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add("Canción", "10", "1s")
	f.Fuzz(func(t *testing.T, title, number, duration string) {
		m, err := describe(map[string]string{metaTitle: title, metaBytes: number, metaFrames: number, metaDuration: duration})
		if err != nil {
			return
		}
		if all, fits := metadata("u", m); fits {
			if again, err := describe(all); err != nil || again != m {
				t.Errorf("%+v became %+v, %v", m, again, err)
			}
		}
	})
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte("0123456789abcde"), 100_000)
	for _, size := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3*chunkSize + 7} {
		b := &buffer{limit: 3*chunkSize + 7}
		b.write([]byte("of an earlier part"))
		b.reset()
		for rest, piece := want[:size], 1; len(rest) > 0; piece = piece*3 + 1 {
			n := b.write(rest[:min(piece, len(rest))])
			rest = rest[n:]
		}
		if b.full() != (size == b.limit) {
			t.Errorf("%d bytes: full is %v", size, b.full())
		}
		if err := iotest.TestReader(b.reader(), want[:size]); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	b := &buffer{limit: 10}
	if n := b.write(want); n != 10 {
		t.Errorf("%d bytes were taken, there is room for 10", n)
	}
	if _, err := b.reader().Seek(11, io.SeekStart); err == nil {
		t.Error("a place behind the end can be sought")
	}
}

// TestCompositeChecksum: the checksum of parts is the hash of their hashes, and
// tells a damaged file from one that was copied.
func TestCompositeChecksum(t *testing.T) {
	t.Parallel()
	first, second := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	m := &multipart{sent: []*part{{number: 1, sum: first[:]}, {number: 2, sum: second[:]}}}
	both := sha256.Sum256(append(first[:], second[:]...))
	if got, want := m.checksum(), checksumOf(hex.EncodeToString(both[:]))+"-2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f := found{info: pipeline.BlobInfo{Bytes: 2, Meta: pipeline.BlobMeta{Bytes: 2, SHA256: hex.EncodeToString(both[:])}}}
	for checksum, whole := range map[string]bool{
		"": true, m.checksum(): true, "other-2": false, "other-3": true, // copied in other parts
		checksumOf(hex.EncodeToString(both[:])): true, checksumOf(hex.EncodeToString(first[:])): false,
	} {
		f.checksum = checksum
		if err := f.disagrees(m.checksum()); whole != (err == nil) {
			t.Errorf("checksum %q: %v", checksum, err)
		}
	}
}

// server is an S3 that says what it is told to say.
func server(t *testing.T, answer http.HandlerFunc) aws.Config {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider("key", "very secret", ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// TestMeaningOfErrors: what the rest of the system makes of the server's answers.
func TestMeaningOfErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchKey", jobs.ErrNotFound}, {404, "NoSuchBucket", jobs.ErrUnavailable}, {404, "NoSuchUpload", jobs.ErrUnavailable}, {412, "PreconditionFailed", pipeline.ErrExists},
		{403, "AccessDenied", jobs.ErrUnavailable}, {403, "InvalidAccessKeyId", jobs.ErrUnavailable}, {401, "Unauthorized", jobs.ErrUnavailable}, {429, "TooManyRequests", jobs.ErrUnavailable},
		{500, "InternalError", jobs.ErrUnavailable}, {503, "SlowDown", jobs.ErrUnavailable}, {400, "RequestTimeout", jobs.ErrUnavailable}, {409, "ConditionalRequestConflict", jobs.ErrUnavailable},
		{507, "XMinioStorageFull", pipeline.ErrNoSpace}, {403, "QuotaExceeded", pipeline.ErrNoSpace}, {400, "KeyTooLongError", pipeline.ErrBadKey}, {400, "BadDigest", pipeline.ErrNotWhole},
		{400, "InvalidArgument", nil},
	} {
		config := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				return
			}
			w.WriteHeader(c.status)
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", c.code)
		})
		s, err := Open(t.Context(), config, Options{Bucket: "songs", ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Open(t.Context(), "audio/x", 0)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("%d %s: %v, want %v", c.status, c.code, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "very secret") {
			t.Error("the error holds the secret")
		}
	}
}

// TestBucketAnswers: what Open makes of a bucket that it can not use.
func TestBucketAnswers(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct {
		says  string
		final bool
	}{404: {"does not exist", true}, 301: {"another region", true}, 403: {"may not be listed", false}, 503: {"", false}} {
		config := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, err := Open(t.Context(), config, Options{Bucket: "songs"})
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, jobs.ErrUnavailable) == c.final {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestConflicts: S3 answers 409 while somebody else writes the same key, and wants
// to be asked again.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conflicts int
		there     int // the answer to a look at the key
		want      error
	}{
		"for a moment": {2, http.StatusNotFound, nil}, "until the other is done": {100, http.StatusOK, pipeline.ErrExists}, "for ever": {100, http.StatusNotFound, jobs.ErrUnavailable},
	} {
		puts := 0
		config := server(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/x"):
				w.WriteHeader(c.there)
			case r.Method == http.MethodPut:
				if puts++; puts <= c.conflicts {
					w.WriteHeader(http.StatusConflict)
					_, _ = io.WriteString(w, "<Error><Code>ConditionalRequestConflict</Code></Error>")
				}
			}
		})
		s, err := Open(t.Context(), config, Options{Bucket: "songs", ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		s.conditions = conditions{put: true, complete: true}
		u, err := s.Create(t.Context(), "audio/x")
		if err != nil {
			t.Fatal(err)
		}
		empty := sha256.Sum256(nil)
		err = u.Commit(t.Context(), pipeline.BlobMeta{SHA256: hex.EncodeToString(empty[:])}, false)
		if !errors.Is(err, c.want) || puts < 2 || puts > conflictTries {
			t.Errorf("%s: %v after %d puts, want %v", name, err, puts, c.want)
		}
	}
}

// TestSweepUploads: unfinished uploads of songs are given up after a day; other
// people's are theirs. (The test server lists the uploads of single keys only.)
func TestSweepUploads(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	var aborted []string
	config := server(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.Method == http.MethodHead:
		case r.Method == http.MethodDelete:
			aborted = append(aborted, q.Get("uploadId"))
			w.WriteHeader(http.StatusNoContent)
		case q.Has("uploads") && q.Get("key-marker") == "":
			_, _ = io.WriteString(w, `<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>m</NextUploadIdMarker>
				<Upload><Key>audio/a.dca</Key><UploadId>old</UploadId><Initiated>2025-12-31T23:00:00Z</Initiated></Upload>
				<Upload><Key>audio/b.dca</Key><UploadId>young</UploadId><Initiated>2026-01-01T01:00:00Z</Initiated></Upload></ListMultipartUploadsResult>`)
		case q.Has("uploads"):
			_, _ = io.WriteString(w, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>
				<Upload><Key>backup.tar</Key><UploadId>foreign</UploadId><Initiated>2025-01-01T00:00:00Z</Initiated></Upload>
				<Upload><Key>audio/c.dca</Key><UploadId>older</UploadId><Initiated>2025-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>`)
		default:
			_, _ = io.WriteString(w, `<ListBucketResult></ListBucketResult>`)
		}
	})
	s, err := Open(t.Context(), config, Options{Bucket: "songs", ReadOnly: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(aborted, " "); got != "old older" {
		t.Errorf("given up: %q", got)
	}
}

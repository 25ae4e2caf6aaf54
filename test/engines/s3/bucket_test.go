package s3

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/butakero/butakero/internal/blob/awss3"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// TestConditionsAreTold: what the server does not heed is said in the log, and
// nothing where it heeds all.
func TestConditionsAreTold(t *testing.T) {
	t.Parallel()
	honest := only("", 0, pass)
	for name, c := range map[string]struct {
		transport http.RoundTripper
		want      []string
	}{
		"heeded":   {honest, nil},
		"ignored":  {stripped{http.MethodPut, http.MethodPost}, []string{"put=false", "multipart=false"}},
		"refused":  {notImplemented{}, []string{"put=false", "multipart=false"}},
		"put only": {stripped{http.MethodPost}, []string{"put=true", "multipart=false"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := openAt(t, c.transport, "test-"+strings.ToLower(rand.Text())+"/", slog.NewTextHandler(&log, nil))
			if (log.Len() > 0) != (c.want != nil) {
				t.Errorf("the log says %q", log.String())
			}
			for _, w := range c.want {
				if !strings.Contains(log.String(), w) {
					t.Errorf("the log says %q, want %s", log.String(), w)
				}
			}
			if left := leftovers(t, s.prefix); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// notImplemented is a server that refuses headers that it does not know.
type notImplemented struct{}

func (notImplemented) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("If-None-Match") == "" {
		return http.DefaultTransport.RoundTrip(r)
	}
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	body := `<Error><Code>NotImplemented</Code><Message>a header is not implemented</Message></Error>`
	return &http.Response{
		StatusCode: http.StatusNotImplemented, Status: "501 Not Implemented", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// TestWithoutConditions: on such a server a file is still never overwritten by
// somebody who comes later, and a race leaves one whole file.
func TestWithoutConditions(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10_000, 8*mib + 1} {
		s := open(t, stripped{http.MethodPut, http.MethodPost})
		first := content(1, size)
		if err := put(t.Context(), s, aKey, first, false); err != nil {
			t.Fatal(err)
		}
		if err := put(t.Context(), s, aKey, content(2, size), false); !errors.Is(err, pipeline.ErrExists) {
			t.Errorf("a second file: %v, want ErrExists", err)
		}
		wantFile(t, s, aKey, first)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				err := put(t.Context(), s, "audio/race", content(byte(i), size), false)
				if err != nil && !errors.Is(err, pipeline.ErrExists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := read(t.Context(), s, "audio/race", 0)
		if err != nil || !bytes.Equal(got, content(whose(got, size), size)) {
			t.Errorf("%d bytes, %v: nobody's", len(got), err)
		}
		wantFile(t, s, "audio/race", got)
	}
}

// whose tells which of the first eight contents begins as got does.
func whose(got []byte, size int) byte {
	for i := range byte(8) {
		if bytes.HasPrefix(got, content(i, min(size, 16))) {
			return i
		}
	}
	return 255
}

func TestBucketIsMissing(t *testing.T) {
	t.Parallel()
	name := "butakero-test-none-" + strings.ToLower(rand.Text()[:8])
	_, err := awss3.Open(t.Context(), config(t, nil), awss3.Options{Bucket: name})
	if err == nil || errors.Is(err, jobs.ErrUnavailable) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "BUTAKERO_CREATE_RESOURCES=true") {
		t.Errorf("%v; want a final error that says what to do", err)
	}
	var wg sync.WaitGroup
	for range 4 { // workers start together
		wg.Go(func() {
			s, err := awss3.Open(t.Context(), config(t, nil), awss3.Options{Bucket: name, CreateResources: true})
			if err == nil {
				err = s.Ping(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := raw(t).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &name}); err != nil {
		t.Errorf("the new bucket is not empty: %v", err)
	}
}

func TestServerIsMissing(t *testing.T) {
	t.Parallel()
	c := config(t, nil)
	c.BaseEndpoint = aws.String("http://127.0.0.1:1")
	impatient(&c)
	if _, err := awss3.Open(t.Context(), c, awss3.Options{Bucket: "songs"}); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	c = config(t, nil)
	c.Credentials = aws.CredentialsProviderFunc(config(t, nil).Credentials.Retrieve)
	for _, o := range []awss3.Options{{}, {Bucket: "songs", Prefix: "/x"}, {Bucket: "songs", Prefix: "a//"}, {Bucket: "songs", Prefix: strings.Repeat("x", 600)}} {
		if _, err := awss3.Open(t.Context(), c, o); err == nil || errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("%+v: %v, want a final error", o, err)
		}
	}
}

// TestReadOnly: a process that only reads asks for nothing that writes.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	if err := put(t.Context(), s, aKey, content(1, 1000), false); err != nil {
		t.Fatal(err)
	}
	f := &faults{do: func(o string, _ int, r *http.Request) what {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("%s: %s %s", o, r.Method, r.URL.Path)
		}
		return pass
	}}
	reader, err := awss3.Open(t.Context(), config(t, f), awss3.Options{Bucket: run(t), Prefix: s.prefix, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, reader, aKey, content(1, 1000))
}

// TestSweep: what crashes leave is removed when it is old enough, and nothing
// else.
func TestSweep(t *testing.T) {
	t.Parallel()
	now := time.Now()
	prefix := "test-" + strings.ToLower(rand.Text()) + "/"
	o := awss3.Options{Bucket: run(t), Prefix: prefix, Now: func() time.Time { return now }}
	s, err := awss3.Open(t.Context(), config(t, nil), o)
	if err != nil {
		t.Fatal(err)
	}
	data := content(1, 9*mib)
	if err := put(t.Context(), s, aKey, data, false); err != nil {
		t.Fatal(err)
	}
	// One whose upload was never completed, and one whose file was replaced.
	plant(t, prefix+".butakero/records/lost.json", []byte(`{"v":"1","key":"audio/lost","meta":{}}`), nil)
	plant(t, prefix+".butakero/records/old.json", []byte(`{"v":"1","key":"`+aKey+`","meta":{}}`), nil)
	plant(t, prefix+".butakero/records/strange.json", []byte(`not ours`), nil)
	left := func() string { return strings.Join(leftovers(t, prefix), " ") }
	for _, step := range []struct {
		age  time.Duration
		want string
	}{
		{0, "records/lost.json records/old.json records/strange.json"},
		{2 * time.Hour, "records/strange.json"},
	} {
		now = time.Now().Add(step.age)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := left(); got != step.want {
			t.Errorf("after %v: %q, want %q", step.age, got, step.want)
		}
		wantFile(t, s, aKey, data)
	}
}

package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// what is done to a request.
type what int

const (
	pass   what = iota
	lose        // it is done, and its answer is lost
	refuse      // it is not done: 503
	cut         // its answer ends in the middle
	drop        // it is not done, and nobody says so
)

var errLost = errors.New("the connection broke")

// faults is a transport that does to each request what do says. n counts the
// requests of the same operation from 1 on.
type faults struct {
	do func(operation string, n int, r *http.Request) what

	mu   sync.Mutex
	seen map[string]int
}

func (f *faults) count(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[operation]
}

// RoundTrip implements http.RoundTripper.
func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	operation := operationOf(r)
	f.mu.Lock()
	if f.seen == nil {
		f.seen = map[string]int{}
	}
	f.seen[operation]++
	n := f.seen[operation]
	f.mu.Unlock()
	todo := f.do(operation, n, r)
	if todo == refuse || todo == drop {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
		}
	}
	switch todo {
	case drop:
		return nil, errLost
	case refuse:
		body := `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>`
		return &http.Response{
			StatusCode: http.StatusServiceUnavailable, Status: "503 Slow Down", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		}, nil
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch todo {
	case lose:
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		return nil, errLost
	case cut:
		answer.Body = &half{ReadCloser: answer.Body, left: answer.ContentLength / 2}
	}
	return answer, nil
}

// half is a body whose connection breaks.
type half struct {
	io.ReadCloser
	left int64
}

func (h *half) Read(p []byte) (int, error) {
	if h.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := h.ReadCloser.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

// operationOf names what a request asks for.
func operationOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case strings.Contains(r.URL.Path, "/.butakero/probe/"):
		return "Probe"
	case strings.Contains(r.URL.Path, "/.butakero/records/"):
		return r.Method + "Record"
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "Create"
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return "Complete"
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return "Part"
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return "Abort"
	case r.Method == http.MethodPut:
		return "Put"
	case r.Method == http.MethodHead && strings.Count(strings.Trim(r.URL.Path, "/"), "/") > 0:
		return "Head"
	case r.Method == http.MethodGet && q.Has("list-type"):
		return "List"
	}
	return r.Method
}

// impatient makes the client try again at once.
func impatient(c *aws.Config) {
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxBackoff = 5 * time.Millisecond
			o.RateLimiter = ratelimit.None
		})
	}
}

// only does something to the first n requests of one operation.
func only(operation string, n int, todo what) *faults {
	return &faults{do: func(o string, i int, _ *http.Request) what {
		if o == operation && i <= n {
			return todo
		}
		return pass
	}}
}

const always = 1 << 30

// stripped stands for a server that does not know if-none-match on requests of
// these methods: the header is taken away before the request is signed. It goes
// where a transport goes.
type stripped []string

func (stripped) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("see config")
}

func (s stripped) strip(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("strip", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if r, yes := in.Request.(*smithyhttp.Request); yes && slices.Contains(s, r.Method) {
			r.Header.Del("If-None-Match")
		}
		return next.HandleFinalize(ctx, in)
	}), "Signing", middleware.Before)
}

// TestFaultsAreReal: the transport does what its name says.
func TestFaultsAreReal(t *testing.T) {
	t.Parallel()
	f := only("Put", 1, lose)
	s := open(t, f)
	if err := put(t.Context(), s, aKey, content(1, 100), false); err != nil {
		t.Fatal(err)
	}
	if n := f.count("Put"); n != 2 {
		t.Errorf("%d puts, want the lost one and another", n)
	}
	f.do = only("GET", 3, cut).do
	if got, err := read(t.Context(), s, aKey, 0); err != nil || !bytes.Equal(got, content(1, 100)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := f.count("GET"); n < 2 {
		t.Errorf("%d gets, want the cut one and another", n)
	}
}

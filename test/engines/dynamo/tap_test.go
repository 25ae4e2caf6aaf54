package dynamo_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tap stands between the SDK and the server: it counts requests and spoils them.
type tap struct {
	mu     sync.Mutex
	counts map[string]int
	spoil  func(operation string, n int) fault // n counts from 1, per operation
}

type fault int

const (
	none      fault = iota
	throttled       // refused, not applied
	lost            // applied, and the connection breaks before the answer
	broken          // 500, not applied
	silent          // no answer, not applied, until the client gives up
)

func newTap() *tap { return &tap{counts: map[string]int{}} }

func (t *tap) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	t.mu.Lock()
	t.counts[operation]++
	what := none
	if t.spoil != nil {
		what = t.spoil(operation, t.counts[operation])
	}
	t.mu.Unlock()
	switch what {
	case throttled:
		return refusal(r, http.StatusBadRequest, "ProvisionedThroughputExceededException"), nil
	case broken:
		return refusal(r, http.StatusInternalServerError, "InternalServerError"), nil
	case silent:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case none, lost:
	}
	answer, err := shared.Do(r)
	if what != lost || err != nil {
		return answer, err
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return nil, errors.New("read: connection reset by peer")
}

// shared keeps enough connections for the tests' racers.
var shared = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256}}

func refusal(r *http.Request, status int, code string) *http.Response {
	body := []byte(`{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"spoilt"}`)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// reset begins to count anew, and spoils as told (nil: nothing).
func (t *tap) reset(spoil func(operation string, n int) fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts, t.spoil = map[string]int{}, spoil
}

func (t *tap) count(operations ...string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for operation, k := range t.counts {
		for _, o := range operations {
			if o == operation {
				n += k
			}
		}
		if len(operations) == 0 {
			n += k
		}
	}
	return n
}

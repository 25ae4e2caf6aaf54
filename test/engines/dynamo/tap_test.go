package dynamo_test

import (
	"bytes"
	"encoding/json"
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

	// olds makes up for a server that does not return the item with a condition
	// that failed, as DynamoDB does.
	olds bool
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
	asked := []byte(nil)
	if t.olds && r.Body != nil {
		var err error
		if asked, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(asked))
	}
	answer, err := shared.Do(r)
	if err == nil && t.olds && answer.StatusCode == http.StatusBadRequest {
		return withOld(r, asked, answer)
	}
	if what != lost || err != nil {
		return answer, err
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return nil, errors.New("read: connection reset by peer")
}

// withOld adds the item to the answer that a condition failed.
func withOld(r *http.Request, asked []byte, answer *http.Response) (*http.Response, error) {
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(said))
	var in struct {
		TableName                           string
		Key, Item                           map[string]json.RawMessage
		ReturnValuesOnConditionCheckFailure string
	}
	if !bytes.Contains(said, []byte("ConditionalCheckFailedException")) || json.Unmarshal(asked, &in) != nil || in.ReturnValuesOnConditionCheckFailure != "ALL_OLD" {
		return answer, nil
	}
	if in.Key == nil {
		in.Key = map[string]json.RawMessage{"PK": in.Item["PK"], "SK": in.Item["SK"]}
	}
	read, err := json.Marshal(map[string]any{"TableName": in.TableName, "Key": in.Key, "ConsistentRead": true})
	if err != nil {
		return nil, err
	}
	get := r.Clone(r.Context())
	get.Header.Set("X-Amz-Target", "DynamoDB_20120810.GetItem")
	get.Body, get.ContentLength = io.NopCloser(bytes.NewReader(read)), int64(len(read))
	found, err := shared.Do(get)
	if err != nil {
		return nil, err
	}
	defer found.Body.Close() //nolint:errcheck // a test's
	var refused, old map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(said, &refused), json.NewDecoder(found.Body).Decode(&old)); err != nil {
		return nil, err
	}
	if old["Item"] != nil {
		refused["Item"] = old["Item"]
	}
	whole, err := reply(r, refused)
	if err == nil {
		whole.StatusCode = http.StatusBadRequest
	}
	return whole, err
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

package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// HTTP is a reverse proxy with faults, in front of a server that speaks one of AWS's
// protocols. Its methods may be called from any goroutine, at any time.
type HTTP struct {
	URL string // where clients go: http://127.0.0.1:PORT

	target *url.URL
	client *http.Transport

	mu    sync.Mutex
	rules []*Rule
	calls map[string]int
}

// Match says which requests a rule is for. What is empty matches all.
type Match struct {
	Operation string // as AWS names it: UpdateItem, SendMessageBatch, PutObject
	Method    string // of HTTP
	Path      string // that the path starts with
	Body      string // that the body of a request to SQS or DynamoDB holds
}

// Always is how often a rule applies that has no end.
const Always = -1

// Rule is a fault for some requests. It comes from [HTTP.Inject].
type Rule struct {
	match Match
	fault Fault

	proxy *HTTP
	skip  int // let through first
	left  int // Always, or how often still
	hits  int
}

// NewHTTP starts a proxy for one test in front of a URL. Without rules it changes
// nothing.
func NewHTTP(tb testing.TB, target string) *HTTP {
	tb.Helper()
	to, err := url.Parse(target)
	if err != nil || to.Host == "" {
		tb.Fatalf("no URL to stand in front of: %q, %v", target, err)
	}
	p := &HTTP{
		target: to,
		client: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, DialContext: (&net.Dialer{}).DialContext},
		calls:  map[string]int{},
	}
	s := httptest.NewServer(p)
	p.URL = s.URL
	tb.Cleanup(func() {
		s.CloseClientConnections() // long polls would be waited for
		s.Close()
		p.client.CloseIdleConnections()
	})
	return p
}

// Inject adds a rule: the next so many requests that match meet the fault. The first
// rule that matches a request is its only one.
func (p *HTTP) Inject(m Match, f Fault, times int) *Rule { return p.InjectAfter(m, 0, f, times) }

// InjectAfter is Inject that lets some matching requests through first.
func (p *HTTP) InjectAfter(m Match, skip int, f Fault, times int) *Rule {
	r := &Rule{match: m, fault: f, proxy: p, skip: skip, left: times}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return r
}

// Heal takes all rules back.
func (p *HTTP) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

// Calls is how often an operation was asked for so far, faults and a client's retries
// included; all operations together for "".
func (p *HTTP) Calls(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if operation != "" {
		return p.calls[operation]
	}
	n := 0
	for _, c := range p.calls {
		n += c
	}
	return n
}

// Hits is how many requests have met the rule's fault.
func (r *Rule) Hits() int {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	return r.hits
}

// ServeHTTP hands a request on, or to the fault that a rule has for it.
func (p *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &Exchange{w: w, Request: r, Operation: operation(r), proxy: p, source: r.Body, length: r.ContentLength}
	if target(r) != "" { // small, and rules look into it
		if x.buffer() != nil {
			return // the client is gone
		}
	}
	if rule := p.take(x); rule != nil {
		if rule.fault(x) {
			return
		}
		p.giveBack(rule)
	}
	if !x.done {
		x.Pass()
	}
}

// take counts a request and finds its rule.
func (p *HTTP) take(x *Exchange) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[x.Operation]++
	for _, r := range p.rules {
		switch {
		case r.left == 0 || !r.match.fits(x):
		case r.skip > 0:
			r.skip--
		default:
			r.hits++
			if r.left > 0 {
				r.left--
			}
			return r
		}
	}
	return nil
}

// giveBack is for a fault that found nothing to do in a request.
func (p *HTTP) giveBack(r *Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.hits--
	if r.left >= 0 {
		r.left++
	}
}

func (m Match) fits(x *Exchange) bool {
	return (m.Operation == "" || m.Operation == x.Operation) &&
		(m.Method == "" || m.Method == x.Request.Method) &&
		strings.HasPrefix(x.Request.URL.Path, m.Path) &&
		(m.Body == "" || bytes.Contains(x.Body, []byte(m.Body)))
}

// target is the header that names the operation of a JSON protocol:
// DynamoDB_20120810.UpdateItem.
func target(r *http.Request) string { return r.Header.Get("X-Amz-Target") }

// operation names what a request asks for. S3 has it in method and query.
func operation(r *http.Request) string {
	if _, name, ok := strings.Cut(target(r), "."); ok {
		return name
	}
	query := r.URL.Query()
	if id := query.Get("x-id"); id != "" { // the SDK says it for those that look alike
		return id
	}
	object := strings.Contains(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost && query.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return "AbortMultipartUpload"
	case r.Method == http.MethodPut && query.Has("uploadId"):
		return "UploadPart"
	case r.Method == http.MethodHead && object:
		return "HeadObject"
	case r.Method == http.MethodGet && query.Get("list-type") == "2":
		return "ListObjectsV2"
	case object:
		return map[string]string{http.MethodPut: "PutObject", http.MethodGet: "GetObject", http.MethodDelete: "DeleteObject"}[r.Method]
	}
	return map[string]string{http.MethodPut: "CreateBucket", http.MethodHead: "HeadBucket", http.MethodDelete: "DeleteBucket"}[r.Method]
}

// Exchange is one request on its way through the proxy.
type Exchange struct {
	Request   *http.Request
	Operation string
	Body      []byte // of requests to SQS and DynamoDB; Answer sends what it holds

	proxy  *HTTP
	w      http.ResponseWriter
	source io.Reader
	length int64
	done   bool // the client has been answered
}

// Answer is what the server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// buffer reads the request whole.
func (x *Exchange) buffer() (err error) {
	x.Body, err = io.ReadAll(x.source)
	x.source = nil
	return err
}

// take reads the request whole if that has not been done: only then a client that
// leaves is noticed.
func (x *Exchange) take() {
	if x.source != nil && x.buffer() != nil {
		x.Cut()
	}
}

// send has the server carry out the request.
func (x *Exchange) send(ctx context.Context) (*http.Response, error) {
	body, length := x.source, x.length
	if x.source == nil {
		body, length = bytes.NewReader(x.Body), int64(len(x.Body))
	}
	to := *x.Request.URL
	to.Scheme, to.Host = x.proxy.target.Scheme, x.proxy.target.Host
	out, err := http.NewRequestWithContext(ctx, x.Request.Method, to.String(), body)
	if err != nil {
		return nil, err
	}
	out.URL = &to // with the path as the client wrote it
	out.Header = x.Request.Header.Clone()
	for _, hop := range []string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		out.Header.Del(hop)
	}
	if len(out.Header["User-Agent"]) == 0 {
		out.Header.Set("User-Agent", "") // not Go's own
	}
	out.Host = x.Request.Host // it is signed
	out.ContentLength = length
	if length == 0 {
		out.Body = http.NoBody
	}
	return x.proxy.client.RoundTrip(out)
}

// Do has the server carry out the request, and waits for the whole answer even when
// the client has gone.
func (x *Exchange) Do() (*Answer, error) {
	response, err := x.send(context.WithoutCancel(x.Request.Context()))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	return &Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// Pass hands the request on and its answer back, as streams.
func (x *Exchange) Pass() {
	x.done = true
	response, err := x.send(x.Request.Context())
	if err != nil {
		x.Cut() // as if there were no proxy
		return
	}
	defer func() { _ = response.Body.Close() }() // read only
	for name, values := range response.Header {
		x.w.Header()[name] = values
	}
	x.w.WriteHeader(response.StatusCode)
	if _, err := io.Copy(x.w, response.Body); err != nil {
		x.Cut()
	}
}

// Reply answers the client.
func (x *Exchange) Reply(a *Answer) {
	x.done = true
	if x.source != nil {
		_, _ = io.Copy(io.Discard, x.source) // a client may not listen before it has said all
	}
	for name, values := range a.Header {
		x.w.Header()[name] = values
	}
	x.w.Header().Del("Content-Length") // the body may have changed
	if x.Request.Method == http.MethodHead {
		x.w.Header()["Content-Length"] = a.Header["Content-Length"]
	}
	x.w.WriteHeader(a.Status)
	_, _ = x.w.Write(a.Body) // the client may have gone
}

// Cut closes the client's connection in the middle of whatever it is in.
func (x *Exchange) Cut() {
	x.done = true
	panic(http.ErrAbortHandler) // net/http's own way to do this; nothing is logged
}

//go:build !apionly

package youtube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	kkdai "github.com/kkdai/youtube/v2"
)

// maxAnswer bounds the player call's answer, and base.js.
const maxAnswer = 8 << 20

// errAnswered ends what kkdai does after an answer that we have judged: it would
// ask again under another identity.
var errAnswered = errors.New("the player call has been answered")

// visitors keeps the visitor id that YouTube's home page gives, for all songs:
// asking for it each time would be one more request per song and look like what
// it is.
type visitors struct {
	mu   sync.Mutex
	id   string
	next time.Time // ask again
}

const (
	visitorKeep  = 8 * time.Hour
	visitorRetry = 10 * time.Minute // after a page without one
)

// player is one player call through kkdai/youtube. It is the library's
// http.RoundTripper: the requests that would only do harm are answered here, and
// the one that matters is made with our identity and read before the library
// reads it.
type player struct {
	ctx      context.Context
	id       string
	identity Identity
	limit    time.Duration
	out      http.RoundTripper
	clean    *redactor
	visitors *visitors
	now      func() time.Time

	mu      sync.Mutex
	asked   bool
	answer  *playerAnswer
	verdict error
}

// video makes the call. The library's client serves it alone: it is not safe for
// concurrent use and changes its identity for good after some answers.
func (p *player) video() (client *kkdai.Client, video *kkdai.Video, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fail(CodeUpstream, fmt.Errorf("the answer upsets the library: %s", p.clean.text(fmt.Sprint(r))))
		}
	}()
	client = &kkdai.Client{HTTPClient: &http.Client{Transport: p, CheckRedirect: redirects}}
	video, err = client.GetVideoContext(p.ctx, p.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.verdict != nil:
		return nil, nil, p.verdict
	case p.ctx.Err() != nil:
		return nil, nil, context.Cause(p.ctx)
	case p.answer == nil:
		return nil, nil, transportError(p.clean, err)
	case err != nil:
		return nil, nil, p.unread(err)
	}
	return client, video, nil
}

// unread explains why the library makes nothing of an answer that is in order.
func (p *player) unread(err error) error {
	if len(p.answer.Streaming.Adaptive) == 0 {
		return fail(CodeNoAudio, errors.New("there are no formats in the answer"))
	}
	return fail(CodeUpstream, p.clean.err(err))
}

// RoundTrip implements http.RoundTripper.
func (p *player) RoundTrip(r *http.Request) (*http.Response, error) {
	// Half of the library's requests know nothing of the job's context.
	r = r.WithContext(p.ctx)
	r.Header.Set("User-Agent", p.identity.UserAgent)
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodPost && path == "/youtubei/v1/player":
		return p.ask(r)
	case r.Method == http.MethodGet && path == "":
		return p.home(r), nil
	case r.Method == http.MethodGet && path == "/watch":
		// Wanted for the date of publishing alone, and its failure fails the song.
		return respond(r, watchPage), nil
	case r.Method == http.MethodGet && (strings.HasPrefix(path, "/embed/") || strings.HasPrefix(path, "/s/player/")):
		resp, err := p.out.RoundTrip(r)
		if err == nil {
			resp.Body = &limited{resp.Body, maxAnswer}
		}
		return resp, err
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, errAnswered
}

const watchPage = `<script>var ytInitialPlayerResponse = {"playabilityStatus":{"status":"OK"},"streamingData":{"formats":[{"itag":18}]}};</script>`

func respond(r *http.Request, body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

type limited struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the answer is too large")
	}
	n, err := l.ReadCloser.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}

// home answers the library's wish for a visitor id from what is kept.
func (p *player) home(r *http.Request) *http.Response {
	id, err := json.Marshal(url.PathEscape(p.visitors.get(p, r)))
	if err != nil {
		id = []byte(`""`)
	}
	return respond(r, "\nytcfg.set({\"INNERTUBE_CONTEXT\":{\"client\":{\"visitorData\":"+string(id)+"}}});")
}

// get returns the visitor id, asking the home page when it is time to. A page
// that fails costs no song: the library sends one that it made up.
func (v *visitors) get(p *player, r *http.Request) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.now().Before(v.next) {
		return v.id
	}
	id := visitorOf(p, r)
	v.next = p.now().Add(visitorRetry)
	if id != "" {
		v.id, v.next = id, p.now().Add(visitorKeep)
	}
	return v.id
}

func visitorOf(p *player, r *http.Request) string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	resp, err := p.out.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	for rest := string(page); ; {
		var found bool
		if _, rest, found = strings.Cut(rest, "ytcfg.set("); !found {
			return ""
		}
		var config struct {
			Context struct {
				Client struct {
					VisitorData string `json:"visitorData"`
				} `json:"client"`
			} `json:"INNERTUBE_CONTEXT"`
		}
		if json.NewDecoder(strings.NewReader(rest)).Decode(&config) == nil && config.Context.Client.VisitorData != "" {
			if id, err := url.PathUnescape(config.Context.Client.VisitorData); err == nil && len(id) < 1024 {
				return id
			}
		}
	}
}

// ask makes the player call with our identity and judges its answer.
func (p *player) ask(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked {
		_ = r.Body.Close()
		return nil, errAnswered
	}
	p.asked = true
	body, err := p.dress(r)
	if err != nil {
		p.verdict = err
		return nil, err
	}
	answer, err := p.send(r, body)
	if err != nil {
		p.verdict = err
		return nil, err
	}
	parsed, err := parsePlayer(answer)
	if err == nil {
		err = parsed.judge(p.id, p.limit, p.clean)
	}
	p.answer, p.verdict = parsed, err
	if err != nil {
		return nil, err
	}
	return respond(r, string(answer)), nil
}

// dress puts our identity into the library's request.
func (p *player) dress(r *http.Request) ([]byte, error) {
	var body map[string]any
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body)
	_ = r.Body.Close()
	if err != nil {
		return nil, fail(CodeUpstream, errors.New("the library's request can not be read"))
	}
	visitor := r.Header.Get("X-Goog-Visitor-Id")
	if visitor == "" {
		if c, ok := body["context"].(map[string]any)["client"].(map[string]any); ok {
			visitor, _ = c["visitorData"].(string)
		}
		r.Header.Del("X-Goog-Visitor-Id")
	}
	body["context"] = map[string]any{"client": p.identity.client(visitor)}
	r.Header.Set("X-Youtube-Client-Name", fmt.Sprint(p.identity.Number))
	r.Header.Set("X-Youtube-Client-Version", p.identity.Version)
	r.Header.Set("Origin", "https://www.youtube.com")
	dressed, err := json.Marshal(body)
	if err != nil {
		return nil, fail(CodeUpstream, errors.New("the request can not be written"))
	}
	return dressed, nil
}

// send posts the call and reads its whole answer.
func (p *player) send(r *http.Request, body []byte) ([]byte, error) {
	u := *r.URL
	u.RawQuery = "prettyPrint=false"
	out := r.Clone(p.ctx)
	out.URL = &u
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	resp, err := p.out.RoundTrip(out)
	if err != nil {
		return nil, p.broken(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, p.broken(err)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, fail(CodeUpstream, fmt.Errorf("a redirect (%d) instead of an answer", resp.StatusCode))
	case resp.StatusCode != http.StatusOK:
		return nil, judgeStatus(resp, answer, p.now())
	}
	return answer, nil
}

func (p *player) broken(err error) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	return transportError(p.clean, err)
}

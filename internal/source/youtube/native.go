package youtube

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// native gets songs in this process: kkdai/youtube makes the player call, stream
// fetches the media.
type native struct {
	*Source
	identities []Identity
	visitors   visitors

	mu   sync.Mutex
	dead map[string]time.Time // identity → when to try it again
}

const (
	playerTimeout = 30 * time.Second
	deadFor       = 10 * time.Minute
	playerTries   = 2 // for answers that are nobody's verdict
)

// found is a video that can be fetched.
type found struct {
	track    track
	duration time.Duration
	info     jobs.SongInfo
	host     string
}

// open tries the identities in order. rest is the way on should the media be
// refused in the middle; it may be nil.
func (n *native) open(ctx context.Context, id string, rest func(context.Context) (io.ReadCloser, int64, error)) (*pipeline.Media, error) {
	var first error
	for _, identity := range n.alive() {
		m, err := n.openAs(ctx, id, identity, rest)
		if err == nil {
			n.observe(ExtractorNative, identity.Name, "")
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n.observe(ExtractorNative, identity.Name, codeOf(err))
		first = worse(first, err)
		switch codeOf(err) {
		case CodeExpiredURL:
			n.bury(identity)
		case CodeUpstream, CodeNoAudio, CodeUnplayable, CodeIncomplete:
		default:
			return nil, first // the next identity would be told the same
		}
	}
	return nil, first
}

// alive lists the identities in order, those that were refused lately last.
func (n *native) alive() []Identity {
	n.mu.Lock()
	defer n.mu.Unlock()
	var up, down []Identity
	for _, id := range n.identities {
		if n.now().Before(n.dead[id.key()]) {
			down = append(down, id)
		} else {
			up = append(up, id)
		}
	}
	return append(up, down...)
}

func (n *native) bury(id Identity) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead[id.key()] = n.now().Add(deadFor)
}

// openAs resolves the video as one identity and fetches its first bytes: only
// then is it known whether the identity is worth anything.
func (n *native) openAs(ctx context.Context, id string, identity Identity, rest func(context.Context) (io.ReadCloser, int64, error)) (*pipeline.Media, error) {
	f, err := n.resolve(ctx, id, identity)
	if err != nil {
		return nil, err
	}
	s := newStream(ctx, fetchConfig{
		client: n.media, idle: n.Idle, pause: n.retryPause / 4, minRate: n.MinRate, window: n.rateWindow, clean: n.clean, now: n.now,
		resolve: func(ctx context.Context, t *track) (*track, error) {
			again, err := n.resolve(ctx, id, t.identity)
			if err != nil {
				return nil, err
			}
			return &again.track, nil
		},
		other:     func(ctx context.Context, t *track) (*track, error) { return n.another(ctx, id, t) },
		rest:      rest,
		throttled: func(err error) { n.health.report(context.WithoutCancel(ctx), ExtractorNative, err) },
	}, &f.track)
	head := make([]byte, 16)
	got, err := io.ReadFull(s, head)
	if err == nil && !isContainer(head) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = fail(CodeUpstream, errors.New("what came is no audio"))
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return &pipeline.Media{
		Body: &headed{bytes.NewReader(head[:got]), s}, Size: s.track.size, Duration: f.duration,
		Info: f.info, Host: f.host, Extractor: ExtractorNative,
	}, nil
}

// headed gives back what was read to look at it.
type headed struct {
	head *bytes.Reader
	*stream
}

// Read implements io.Reader.
func (h *headed) Read(b []byte) (int, error) {
	if h.head.Len() > 0 && h.ctx.Err() == nil {
		return h.head.Read(b)
	}
	return h.stream.Read(b)
}

// another resolves the same track under an identity that is not dead.
func (n *native) another(ctx context.Context, id string, t *track) (*track, error) {
	n.bury(t.identity)
	var last error = fail(CodeExpiredURL, errors.New("there is no other identity"))
	for _, identity := range n.alive() {
		if identity.key() == t.identity.key() {
			continue
		}
		f, err := n.resolve(ctx, id, identity)
		if err == nil && f.track.same(t) {
			return &f.track, nil
		}
		if err != nil {
			last = err
		}
	}
	return nil, last
}

// resolve makes the player call, once more when the first answer was nobody's
// verdict.
func (n *native) resolve(ctx context.Context, id string, identity Identity) (found, error) {
	for try := 1; ; try++ {
		f, err := n.call(ctx, id, identity)
		e := asError(err)
		if err == nil || e == nil || try == playerTries || e.Code != CodeUpstream && e.Code != CodeNetwork || e.RetryAfter > 0 {
			return f, err
		}
		if slept := sleep(ctx, n.retryPause); slept != nil {
			return f, slept
		}
	}
}

func watchURL(id string) string { return "https://www.youtube.com/watch?v=" + id }

// worse keeps the error that says more about why nothing worked.
func worse(a, b error) error {
	if a == nil || rank(b) > rank(a) {
		return b
	}
	return a
}

func rank(err error) int {
	switch codeOf(err) {
	case CodeConfig:
		return 0
	case CodeNoAudio, CodeUnplayable:
		return 1 // final only where nobody says otherwise
	case CodeNetwork, CodeUpstream, CodeIncomplete:
		return 2
	case CodeExpiredURL:
		return 3
	case CodeBotCheck:
		return 4
	case CodeRateLimited:
		return 5
	}
	return 6 // a verdict on the video
}

func newMediaClient(g *guard) *http.Client {
	return &http.Client{Transport: g, CheckRedirect: redirects}
}

// isContainer tells whether media of this type can begin with head.
func isContainer(head []byte) bool {
	return strings.HasPrefix(string(head), "\x1a\x45\xdf\xa3") || // EBML: WebM
		len(head) >= 8 && string(head[4:8]) == "ftyp" || // MP4
		strings.HasPrefix(string(head), "OggS") || strings.HasPrefix(string(head), "ID3")
}

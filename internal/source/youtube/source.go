package youtube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// The extractors.
const (
	ExtractorNative = "native"
	ExtractorYTDLP  = "yt-dlp"
)

// Options are the settings of a source. The zero value asks YouTube itself, as a
// guest, alone in the world.
type Options struct {
	BaseURL    string // scheme and host that stand in for YouTube's
	APIBaseURL string // scheme and host of the Data API; https://www.googleapis.com
	APIKey     string // of the Data API; "": titles are searched through yt-dlp
	Client     string // see [ParseIdentities]; VISIONOS
	Extractors []string
	YTDLPPath  string
	YTDLPArgs  []string // put before ours
	Cookies    string   // file in the Netscape format, for videos that need it
	Proxy      string   // for everything that goes to YouTube
	Egress     string   // name of the address that YouTube sees; processes that share it share pace and pauses
	TempDir    string

	MaxDuration time.Duration // 0: no limit
	MaxBytes    int64         // 0: no limit

	SongsEvery  time.Duration // one song per so long in the long run; 0: no pace
	Burst       int           // songs that may begin at once; 3
	Pause       time.Duration // first pause after a block, doubled up to 6 h; 1 min
	SearchQuota int           // searches a day; 100
	Idle        time.Duration // no byte for so long is a break; 15 s
	MinRate     int64         // bytes a second, below which a connection is given up; 4096

	Notes    jobs.Notes // shared by the fleet; nil: this process alone
	Observer Observer   // nil: nobody looks
	Now      func() time.Time
}

// Observer is told what happens, for metrics. It must be quick and safe for
// concurrent use.
type Observer interface {
	// Extracted tells of one try: code is "" for a song. identity is "" where
	// there is none.
	Extracted(extractor, identity, code string)
	// Circuit tells that an extractor's circuit has changed its state.
	Circuit(extractor, state string)
	// Searched tells of one search: how is cache, api or ytsearch; code is "" for
	// a hit.
	Searched(how, code string)
	// CookiesRotated tells that YouTube no longer accepts the cookies.
	CookiesRotated()
}

type nobody struct{}

func (nobody) Extracted(string, string, string) {}
func (nobody) Circuit(string, string)           {}
func (nobody) Searched(string, string)          {}
func (nobody) CookiesRotated()                  {}

// Source is YouTube. It implements pipeline.Source and jobs.Resolver; methods
// are safe for concurrent use.
type Source struct {
	Options
	now        func() time.Time
	clean      *redactor
	guard      *guard
	media      *http.Client
	board      *board
	health     *health
	native     *native
	ytdlp      *ytdlp
	search     *search
	rateWindow time.Duration
	retryPause time.Duration
}

var (
	_ pipeline.Source = (*Source)(nil)
	_ jobs.Resolver   = (*Source)(nil)
)

// New checks the options and builds a source. It asks nobody. All that is wrong
// is said at once.
func New(o Options) (*Source, error) {
	var problems []error
	if len(o.Extractors) == 0 {
		o.Extractors = []string{ExtractorNative, ExtractorYTDLP}
	}
	for i, name := range o.Extractors {
		if name != ExtractorNative && name != ExtractorYTDLP {
			problems = append(problems, fmt.Errorf("extractor %q is neither %s nor %s", name, ExtractorNative, ExtractorYTDLP))
		} else if slices.Contains(o.Extractors[:i], name) {
			problems = append(problems, fmt.Errorf("extractor %s is named twice", name))
		}
	}
	setDefault(&o.YTDLPPath, "yt-dlp")
	setDefault(&o.Burst, 3)
	setDefault(&o.Pause, time.Minute)
	setDefault(&o.SearchQuota, 100)
	setDefault(&o.Idle, 15*time.Second)
	setDefault(&o.MinRate, 4096)
	if o.Egress == "" {
		o.Egress = egressOf(o.Proxy)
	}
	if len(o.Egress) > 100 || strings.ContainsFunc(o.Egress, unicode.IsControl) {
		problems = append(problems, errors.New("egress: a name has up to 100 characters"))
	}
	if o.Burst < 1 || o.SongsEvery < 0 || o.Pause < 0 || o.SearchQuota < 0 || o.Idle < 0 || o.MinRate < 0 {
		problems = append(problems, errors.New("burst, pace, pause, searches, idle time and rate can not be negative"))
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	identities, err := ParseIdentities(o.Client)
	problems = append(problems, err)
	g, err := newGuard(o.BaseURL, o.APIBaseURL, o.Proxy)
	problems = append(problems, err)
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("youtube: %w", err)
	}
	s := &Source{Options: o, now: o.Now, guard: g, rateWindow: 20 * time.Second, retryPause: 500 * time.Millisecond}
	s.clean = newRedactor(append([]string{o.APIKey, o.Cookies}, proxySecrets(o.Proxy)...)...)
	s.media = newMediaClient(g)
	s.board = newBoard(o.Notes, o.Now)
	s.health = &health{
		board: s.board, egress: o.Egress, extractors: o.Extractors, every: o.SongsEvery, burst: o.Burst, pause: o.Pause,
		now: o.Now, observer: o.Observer, clean: s.clean,
	}
	s.native = &native{Source: s, identities: identities, dead: map[string]time.Time{}}
	s.ytdlp = &ytdlp{Source: s}
	s.search = newSearch(s)
	return s, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// egressOf names the way out when no setting does.
func egressOf(proxy string) string {
	u, err := url.Parse(proxy)
	if proxy == "" || err != nil {
		return "direct"
	}
	return u.Host
}

func proxySecrets(proxy string) []string {
	u, err := url.Parse(proxy)
	if err != nil || u.User == nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password, url.QueryEscape(password), u.User.String()}
}

func (s *Source) observe(extractor, identity, code string) {
	s.Observer.Extracted(extractor, identity, code)
}

// Open implements pipeline.Source: the extractors in their order, as far as the
// address may ask at all. While it may not, the error is throttled, so that the
// job waits without being charged.
func (s *Source) Open(ctx context.Context, song jobs.Song) (*pipeline.Media, error) {
	if song.Platform != jobs.PlatformYouTube || !jobs.ValidSongID(song.ID) {
		return nil, fail(CodeInvalidID, fmt.Errorf("%.60q", song.String()))
	}
	if ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	if err := s.gate(ctx); err != nil {
		return nil, err
	}
	err := s.health.take(ctx, song.ID)
	var m *pipeline.Media
	if err == nil {
		o := &opening{Source: s, id: song.ID}
		m, err = o.run(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	return m, err
}

// stopped is the verdict of a context that is done: nobody's fault here.
func stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	if e := asError(cause); e != nil {
		return e
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return jobs.Transient(jobs.CodeTimeout, "The attempt took too long.", cause)
	}
	return &jobs.Error{Class: jobs.ClassInterrupted, Code: jobs.CodeInterrupted, Message: "The work was stopped.", Err: cause}
}

// gate refuses when every extractor is paused.
func (s *Source) gate(ctx context.Context) error {
	var soonest *blocked
	for _, name := range s.Extractors {
		b := s.health.look(ctx, name)
		if b == nil {
			return nil
		}
		if soonest == nil || b.until.Before(soonest.until) {
			soonest = b
		}
	}
	return soonest.err(s.now())
}

// opening is one try of one song through all extractors.
type opening struct {
	*Source
	id      string
	cookies bool // the next yt-dlp may use them
	guest   bool // yt-dlp was tried, or paused, without
	worst   error
	paused  *blocked
}

func (o *opening) run(ctx context.Context) (*pipeline.Media, error) {
	order := o.Extractors
	for i := 0; i < len(order); i++ {
		m, on, err := o.step(ctx, order[i])
		if !on {
			return m, o.settle(ctx, err)
		}
		// Cookies are worth one try when nothing else helped.
		if i == len(o.Extractors)-1 && o.cookies && o.guest {
			order = append(slices.Clone(order), ExtractorYTDLP)
		}
	}
	if o.worst == nil {
		return nil, o.paused.err(o.now())
	}
	return nil, o.settle(ctx, o.worst)
}

// settle gives a throttled verdict its time: what the circuits say that it
// opened.
func (o *opening) settle(ctx context.Context, err error) error {
	e := asError(err)
	if e == nil || e.Class != jobs.ClassThrottled || e.RetryAfter > 0 {
		return err
	}
	if paused := o.gate(ctx); paused != nil {
		return by(e.Extractor, paused)
	}
	return by(e.Extractor, wait(e.Code, o.Pause, e.Err))
}

// step tries one extractor; on: the next may be tried.
func (o *opening) step(ctx context.Context, name string) (m *pipeline.Media, on bool, err error) {
	withCookies := o.cookies && name == ExtractorYTDLP
	if b := o.health.admit(ctx, name); b != nil && (!withCookies || b.code != CodeBotCheck) {
		// What is asked of guests is not asked of who is signed in.
		o.cookies = o.cookies || b.code == CodeBotCheck && o.ytdlp.hasCookies()
		if o.paused == nil || b.until.Before(o.paused.until) {
			o.paused = b
		}
		o.guest = o.guest || name == ExtractorYTDLP
		return nil, true, nil
	}
	if name == ExtractorNative {
		m, err = o.native.open(ctx, o.id, o.rest())
	} else {
		o.guest = !withCookies
		m, err = o.ytdlp.open(ctx, o.id, withCookies)
	}
	if err == nil {
		o.health.report(ctx, name, nil)
		m.Body = named{m.Body, name}
		return m, false, nil
	}
	err = by(name, err)
	if ctx.Err() != nil {
		o.health.report(ctx, name, context.Cause(ctx))
		return nil, false, err
	}
	o.worst = worse(o.worst, err)
	code := codeOf(err)
	again := (code == CodeAgeRestricted || code == CodeBotCheck) && !withCookies && o.ytdlp.hasCookies()
	if !again || name == ExtractorNative {
		o.health.report(ctx, name, err) // else with cookies first
	}
	if again {
		o.cookies = true
		return nil, true, nil
	}
	switch code {
	case CodeBotCheck, CodeExpiredURL, CodeUpstream, CodeNetwork, CodeIncomplete, CodeNoAudio, CodeUnplayable, CodeConfig:
		return nil, true, nil
	}
	return nil, false, err
}

// by says in an error which extractor it came from.
func by(extractor string, err error) error {
	e := asError(err)
	if e == nil || e.Extractor != "" {
		return err
	}
	c := *e
	c.Extractor = extractor
	return &c
}

// named is media whose errors say which extractor they came from.
type named struct {
	io.ReadCloser
	extractor string
}

// Read implements io.Reader.
func (n named) Read(p []byte) (int, error) {
	k, err := n.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = by(n.extractor, err)
	}
	return k, err
}

// Hosts names the hosts that a song of YouTube's needs, for pauses.
func (s *Source) Hosts() []string { return []string{"youtube", "googlevideo"} }

// rest is the way on when native's media is refused in the middle.
func (o *opening) rest() func(context.Context) (io.ReadCloser, int64, error) {
	if !slices.Contains(o.Extractors, ExtractorYTDLP) {
		return nil
	}
	return func(ctx context.Context) (io.ReadCloser, int64, error) {
		if b := o.health.admit(ctx, ExtractorYTDLP); b != nil {
			return nil, 0, b.err(o.now())
		}
		m, err := o.ytdlp.open(ctx, o.id, false)
		if ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), err)
			o.health.report(ctx, ExtractorYTDLP, context.Cause(ctx))
		} else {
			o.health.report(ctx, ExtractorYTDLP, err)
		}
		if err != nil {
			return nil, 0, err
		}
		return m.Body, m.Size, nil
	}
}

// Ping implements the wiring's health check of sources: an operator's mistakes,
// not YouTube's mood.
func (s *Source) Ping(context.Context) error {
	if !slices.Contains(s.Extractors, ExtractorNative) && s.ytdlp.missing() {
		return errors.New("yt-dlp is the only extractor, and it is not there")
	}
	return nil
}

// String names the extractors.
func (s *Source) String() string { return "youtube(" + strings.Join(s.Extractors, ",") + ")" }

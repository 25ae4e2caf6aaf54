package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// Intake accepts requests: jobs.Intake.
type Intake interface {
	Accept(ctx context.Context, r jobs.Request) (jobs.Accepted, error)
}

// Operator carries out what people wish: jobs.Operator.
type Operator interface {
	CancelOperation(ctx context.Context, id string) (jobs.Operation, error)
	CancelJob(ctx context.Context, key jobs.Key) (jobs.Job, error)
	Replay(ctx context.Context, key jobs.Key, force bool) (jobs.Job, error)
	Discard(ctx context.Context, key jobs.Key) error
}

// Records reads single records, consistently: jobs.Store.
type Records interface {
	Job(ctx context.Context, key jobs.Key) (jobs.Job, error)
	Operation(ctx context.Context, id string) (jobs.Operation, error)
	OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) ([]jobs.Operation, error)
}

// Lists reads many records: jobs.Desk.
type Lists interface {
	Jobs(ctx context.Context, filter jobs.JobFilter, cursor string, limit int) ([]jobs.Job, string, error)
	Groups(ctx context.Context, filter jobs.JobFilter, by jobs.Facet, limit int) ([]jobs.Group, error)
	Events(ctx context.Context, cursor string, limit int) ([]jobs.Operation, string, error)
	Stats(ctx context.Context, now time.Time) (jobs.Stats, error)
}

// Files reads finished files: pipeline.Blobs.
type Files interface {
	Stat(ctx context.Context, key string) (pipeline.BlobInfo, error)
	Open(ctx context.Context, key string, offset int64) (io.ReadCloser, error)
}

// Check is the answer of one part to the question whether it can do its work.
// Detail is for the log; clients see Name and OK.
type Check struct {
	Name   string
	OK     bool
	Detail string
}

// SourcePause is a source that begins nothing for now, by its own rules.
type SourcePause struct {
	Name   string
	Until  time.Time
	Code   string
	Reason string
	Text   string // one line for people: paused: youtube until …, because …
}

// Observation is what is known of an answered request, for metrics. Route is
// the pattern, never the path: it has few values.
type Observation struct {
	Route  string // "" when no route matched
	Method string
	Status int
	Took   time.Duration
}

// Config holds what a Handler needs. Intake, Operator, Records, Lists and Files
// must be set; the rest has legal zero values, given at each field.
type Config struct {
	Intake   Intake
	Operator Operator
	Records  Records
	Lists    Lists
	Files    Files

	// Sources tells of sources that are paused by their own rules, such as YouTube
	// after a block; nil: none ever is.
	Sources func(context.Context) []SourcePause

	// Spanish is the sentence for a code in the language of the original's error
	// member, "" where there is none; nil: that member is in English.
	Spanish func(code string) string

	Desk *Desk // nil: its routes are not there

	// OperatorToken lets operators in (Authorization: Bearer). "": who is on this
	// machine is an operator, and nobody else.
	OperatorToken string

	Ready   func(context.Context) []Check             // nil: always ready
	Metrics http.Handler                              // nil: /metrics is empty
	Depth   func(context.Context) (jobs.Depth, error) // nil: the queue's own counts are left out
	Observe func(Observation)                         // nil: nobody looks
	Log     *slog.Logger                              // nil: nothing is logged
	Now     func() time.Time                          // nil: time.Now

	// PublicURL is scheme and host (and perhaps a path) under which clients reach
	// the API; it goes into file URLs. "" takes what the request came to.
	PublicURL string

	// FileURL gives a file's address outside the API, such as a presigned one; nil:
	// files are served here.
	FileURL func(ctx context.Context, path string) (string, error)

	// Platforms are tried in this order when a song is named by its id alone;
	// youtube, then demo.
	Platforms []string

	// TrustedProxies may say whom they forward for (X-Forwarded-For and -Proto).
	TrustedProxies []netip.Prefix

	// Rate and Burst bound the requests of one client address: Burst at once,
	// Rate a second in the long run. A Rate of 0 or less sets no bound; a Burst
	// of 0 is one second's worth. MaxClients addresses are remembered; 10,000.
	Rate       float64
	Burst      int
	MaxClients int

	// Details puts causes and stacks into answers about jobs. For networks whose
	// every caller is an operator.
	Details bool

	RequestTimeout time.Duration // what is not a stream or a file ends after; 15 s
	PollInterval   time.Duration // streams look at the store every; 500 ms
	Heartbeat      time.Duration // silent streams say so every; 15 s
	MaxStreams     int           // streams open at once; 1,000
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) []Check { return nil }
	}
	if c.Metrics == nil {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = contentText })
	}
	if len(c.Platforms) == 0 {
		c.Platforms = []string{jobs.PlatformYouTube, jobs.PlatformDemo}
	}
	setDefault(&c.RequestTimeout, 15*time.Second)
	setDefault(&c.PollInterval, 500*time.Millisecond)
	setDefault(&c.Heartbeat, 15*time.Second)
	setDefault(&c.MaxStreams, 1000)
	setDefault(&c.MaxClients, 10_000)
	setDefault(&c.Burst, max(1, int(c.Rate)))
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Handler serves the API. It is made by [New] and safe for concurrent use.
type Handler struct {
	Config
	mux     *chi.Mux
	limit   *limiter // nil: no limit
	ids     requestIDs
	pool    sync.Pool // of *response
	stats   statsCache
	streams atomic.Int64
	stop    chan struct{} // closed by StopStreams
	stopped sync.Once
	ready   readyCache
}

// New returns the handler of all routes.
func New(c Config) *Handler {
	h := &Handler{Config: c.withDefaults(), stop: make(chan struct{}), ids: newRequestIDs()}
	h.pool.New = func() any { return new(response) }
	if h.Rate > 0 {
		h.limit = newLimiter(h.Rate, h.Burst, h.MaxClients)
	}
	h.mux = h.routes()
	return h
}

// StopStreams ends every event stream, so that a graceful shutdown need not wait
// for its clients to leave. New streams end at once. See [NewServer].
func (h *Handler) StopStreams() { h.stopped.Do(func() { close(h.stop) }) }

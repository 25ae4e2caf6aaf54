package double

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are the settings of a double. The zero value is one that answers as
// YouTube does, with nothing in its catalogue.
type Options struct {
	Songs  []Song
	Listen string // host:port; 127.0.0.1:0

	APIKey   string // the key that the Data API takes; "": any
	Searches int    // search.list calls a day; 100
	Units    int    // of quota a day, for all other calls; 10000

	LinkTTL    time.Duration       // how long media links are good; 6 h
	Rate       int64               // bytes a second for media; 0: no limit
	SlowOver   int64               // asking for more bytes than this at once …; 10 MiB
	SlowRate   int64               // … is served at so many bytes a second; 64 KiB
	Identities map[string]Identity // by clientName; see [Identities]
	Now        func() time.Time
}

// Double is a server that stands in for YouTube. Its methods are safe for
// concurrent use.
type Double struct {
	// URL is the base of everything, such as http://127.0.0.1:40001, and the
	// proxy's address too.
	URL string

	options Options
	now     func() time.Time
	secret  []byte
	visitor string
	journal *journal
	tunnel  *tunnel
	server  *http.Server
	trap    net.Listener
	closing chan struct{}
	serving sync.WaitGroup

	mu         sync.Mutex
	songs      map[string]Song
	order      []string
	faults     map[string][]*Fault
	identities map[string]Identity
	given      map[string]bool // secrets that were given out or received
	epoch      int
	rotated    bool
	spent      spent
}

// New starts a double. Close ends it.
func New(o Options) (*Double, error) {
	setDefault(&o.Listen, "127.0.0.1:0")
	setDefault(&o.Searches, 100)
	setDefault(&o.Units, 10_000)
	setDefault(&o.LinkTTL, 6*time.Hour)
	setDefault(&o.SlowOver, 10<<20)
	setDefault(&o.SlowRate, 64<<10)
	if o.Identities == nil {
		o.Identities = Identities()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Double{
		options: o, now: o.Now, secret: make([]byte, 32), journal: &journal{bytes: map[string]int64{}}, closing: make(chan struct{}),
		songs: map[string]Song{}, faults: map[string][]*Fault{}, identities: maps.Clone(o.Identities), given: map[string]bool{},
	}
	_, _ = rand.Read(d.secret) // never fails
	d.visitor = "Cgt" + base64.RawURLEncoding.EncodeToString(d.secret[:15]) + "%3D%3D"
	d.given[strings.TrimSuffix(d.visitor, "%3D%3D")] = true
	if err := d.Add(o.Songs...); err != nil {
		return nil, err
	}
	var err error
	if d.tunnel, err = newTunnel(); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("double of YouTube: %w", err)
	}
	d.URL = "http://" + listener.Addr().String()
	if d.trap, err = new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("double of YouTube: %w", err)
	}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: time.Minute, ErrorLog: silent(), ConnState: narrow}
	d.serving.Go(func() { _ = d.server.Serve(listener) }) // ends with Close
	d.serving.Go(func() { _ = d.server.Serve(d.tunnel) })
	d.serving.Go(func() { _ = d.server.Serve(d.trap) })
	return d, nil
}

// T is what Start needs of a test.
type T interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// Start is New for tests.
func Start(t T, o Options) *Double {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// sendBuffer bounds what the kernel takes of us while the client does not read,
// so that what was sent is close to what was received.
const sendBuffer = 64 << 10

func narrow(conn net.Conn, state http.ConnState) {
	if tcp, ok := conn.(*net.TCPConn); ok && state == http.StateNew {
		_ = tcp.SetWriteBuffer(sendBuffer) // a kernel that refuses only counts less well
	}
}

func setDefault[V comparable](field *V, value V) {
	var zero V
	if *field == zero {
		*field = value
	}
}

// Close ends the server and every request in hand.
func (d *Double) Close() error {
	select {
	case <-d.closing:
		return nil
	default:
	}
	close(d.closing)
	err := d.server.Close()
	d.tunnel.shut()
	d.serving.Wait()
	return err
}

// Add puts songs into the catalogue, in place of those with the same id.
func (d *Double) Add(songs ...Song) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range songs {
		if len(s.ID) != 11 || strings.Trim(s.ID, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return fmt.Errorf("double of YouTube: %q is no id of a video", s.ID)
		}
		if _, there := d.songs[s.ID]; !there {
			d.order = append(d.order, s.ID)
		}
		d.songs[s.ID] = s
	}
	return nil
}

// Songs returns the catalogue in the order in which it was filled.
func (d *Double) Songs() []Song {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]Song, 0, len(d.order))
	for _, id := range d.order {
		all = append(all, d.songs[id])
	}
	return all
}

func (d *Double) song(id string) (Song, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.songs[id]
	return s, ok
}

// YTDLPArgs are the arguments with which yt-dlp reaches the double.
func (d *Double) YTDLPArgs() []string {
	return []string{"--proxy", d.URL, "--no-check-certificates"}
}

// Settings are the settings with which Butakero reaches the double, as NAME=value.
func (d *Double) Settings() []string {
	return []string{
		"BUTAKERO_SOURCE=youtube",
		"BUTAKERO_YOUTUBE_BASE_URL=" + d.URL,
		"BUTAKERO_YOUTUBE_API_BASE_URL=" + d.URL,
		"BUTAKERO_YTDLP_ARGS=" + strings.Join(d.YTDLPArgs(), " "),
	}
}

// Trap is an internal address that nobody has a reason to ask: redirects lead
// there. It is on another port than YouTube, and answers who comes all the same.
func (d *Double) Trap() string {
	return "http://" + d.trap.Addr().String() + "/trap/latest/meta-data"
}

// hosts that are YouTube's, for the proxy.
func isYouTube(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.ToLower(name)
	for _, h := range []string{"youtube.com", "googlevideo.com", "ytimg.com", "googleapis.com", "youtube-nocookie.com"} {
		if name == h || strings.HasSuffix(name, "."+h) {
			return true
		}
	}
	return name == "youtu.be"
}

// ServeHTTP implements http.Handler.
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		d.serveConnect(w, r)
		return
	}
	path := r.URL.Path
	line := Request{
		At: time.Now(), Kind: KindOther, Method: r.Method, Host: r.Host, Path: path, Agent: r.UserAgent(),
		SignedIn: d.signedIn(r), Proxied: r.TLS != nil || r.URL.Host != "",
	}
	serve := func(x *exchange) { http.NotFound(x, r) }
	to := func(kind string, f func(*exchange, *http.Request)) {
		line.Kind, serve = kind, func(x *exchange) { f(x, r) }
	}
	switch {
	case r.URL.Host != "" && !isYouTube(r.URL.Host): // an ordinary request to a proxy
		to(KindRefused, func(x *exchange, _ *http.Request) { http.Error(x, "", http.StatusBadGateway) })
	case path == "/" || path == "" || path == "/tv":
		to(KindHome, d.serveHome)
	case path == "/watch":
		to(KindWatch, d.serveWatch)
	case strings.HasPrefix(path, "/embed/"):
		to(KindEmbed, func(x *exchange, r *http.Request) { d.serveEmbed(x, r, strings.TrimPrefix(path, "/embed/")) })
	case strings.HasPrefix(path, "/s/player/"), path == "/iframe_api":
		to(KindScript, d.serveScript)
	case path == "/youtubei/v1/player" && r.Method == http.MethodPost:
		to(KindPlayer, d.servePlayer)
	case path == "/youtubei/v1/search" && r.Method == http.MethodPost:
		to(KindFind, d.serveFind)
	case path == "/videoplayback":
		to(KindMedia, d.serveMedia)
	case strings.HasPrefix(path, "/api/manifest/"):
		to(KindOther, func(x *exchange, _ *http.Request) { d.serveManifest(x) })
	case strings.HasPrefix(path, "/vi/"), strings.HasPrefix(path, "/vi_webp/"):
		to(KindPicture, d.servePicture)
	case path == "/youtube/v3/search":
		to(KindSearch, d.serveSearch)
	case path == "/youtube/v3/videos":
		to(KindVideos, d.serveVideos)
	case strings.HasPrefix(path, "/trap/"):
		to(KindTrap, func(x *exchange, _ *http.Request) { writeJSON(x, http.StatusOK, object{"secret": "of the machine"}) })
	case strings.HasPrefix(path, "/_double/"):
		d.serveControl(w, r)
		return
	}
	d.endSession(w, r)
	x := d.journal.open(w, line)
	defer x.done()
	serve(x)
}

// find returns the songs that fit a text, the best first.
func (d *Double) find(query string) []Song {
	type scored struct {
		Song
		points int
	}
	var found []scored
	words := strings.FieldsFunc(strings.ToLower(query), func(r rune) bool { return !isWord(r) })
	for _, s := range d.Songs() {
		points := 0
		text := strings.ToLower(s.Title + " " + s.Channel)
		for _, w := range words {
			if strings.Contains(text, w) {
				points += len(w)
			}
		}
		if points > 0 {
			found = append(found, scored{s, points})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int { return b.points - a.points })
	songs := make([]Song, len(found))
	for i, f := range found {
		songs[i] = f.Song
	}
	return songs
}

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127
}

var errClosed = errors.New("the double of YouTube is closed")

package double

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// The kinds of requests in the log.
const (
	KindHome    = "home"
	KindWatch   = "watch"
	KindEmbed   = "embed"
	KindScript  = "script"
	KindPlayer  = "player"
	KindFind    = "find"   // the page's own search
	KindMedia   = "media"  //
	KindSearch  = "search" // Data API
	KindVideos  = "videos" // Data API
	KindPicture = "picture"
	KindTrap    = "trap"    // an address that nobody has a reason to ask
	KindRefused = "refused" // a host that the proxy does not reach
	KindOther   = "other"
)

// Request is a line of the log.
type Request struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Method   string    `json:"method"`
	Host     string    `json:"host"` // as the client meant it; the double's own for clients with another base
	Path     string    `json:"path"`
	ID       string    `json:"id,omitempty"`       // of the video
	Identity string    `json:"identity,omitempty"` // clientName
	Itag     int       `json:"itag,omitempty"`
	From     int64     `json:"from,omitempty"` // media: first byte
	To       int64     `json:"to,omitempty"`   // media: byte after the last
	Fault    Kind      `json:"fault,omitempty"`
	Status   int       `json:"status,omitempty"` // 0: none was sent
	Bytes    int64     `json:"bytes,omitempty"`  // of the body, that were sent
	SignedIn bool      `json:"signed_in,omitempty"`
	Proxied  bool      `json:"proxied,omitempty"`
	Agent    string    `json:"agent,omitempty"`
	Key      string    `json:"key,omitempty"`      // how the Data API's key came: header or url
	LastByte time.Time `json:"last_byte,omitzero"` // when it was handed to the kernel
	Ended    time.Time `json:"ended,omitzero"`
}

// journal keeps what was asked.
type journal struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	all     []*Request
	bytes   map[string]int64 // media by video
}

// exchange is a request on its way; its line of the log may be edited with note.
type exchange struct {
	http.ResponseWriter
	j     *journal
	line  *Request
	media bool // what is written is a song's
}

func (j *journal) open(w http.ResponseWriter, line Request) *exchange {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, &line)
	j.tell()
	return &exchange{ResponseWriter: w, j: j, line: &line}
}

// tell wakes who waits. The lock is held.
func (j *journal) tell() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

func (x *exchange) note(edit func(*Request)) {
	x.j.mu.Lock()
	defer x.j.mu.Unlock()
	edit(x.line)
	x.j.tell()
}

func (x *exchange) done() { x.note(func(r *Request) { r.Ended = time.Now() }) }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	x.note(func(r *Request) { r.Status = status })
	x.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer. Bytes are counted before the client can have them.
func (x *exchange) Write(b []byte) (int, error) {
	x.count(len(b))
	n, err := x.ResponseWriter.Write(b)
	x.count(n - len(b))
	x.note(func(r *Request) { r.LastByte = time.Now() })
	return n, err
}

func (x *exchange) count(n int) {
	if n == 0 {
		return
	}
	x.note(func(r *Request) {
		if r.Status == 0 {
			r.Status = http.StatusOK
		}
		r.Bytes += int64(n)
		if x.media {
			x.j.bytes[r.ID] += int64(n)
		}
	})
}

// Unwrap lets http.ResponseController find what is below.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Requests returns the log so far, in the order in which requests came.
func (d *Double) Requests() []Request {
	d.journal.mu.Lock()
	defer d.journal.mu.Unlock()
	all := make([]Request, len(d.journal.all))
	for i, r := range d.journal.all {
		all[i] = *r
	}
	return all
}

// Count counts the requests of a kind for a video; "" stands for any.
func (d *Double) Count(kind, id string) int {
	n := 0
	for _, r := range d.Requests() {
		if (kind == "" || r.Kind == kind) && (id == "" || r.ID == id) {
			n++
		}
	}
	return n
}

// MediaBytes returns how many bytes of a video's media were sent, of all for "".
// What a connection has lost on the way counts too.
func (d *Double) MediaBytes(id string) int64 {
	d.journal.mu.Lock()
	defer d.journal.mu.Unlock()
	if id != "" {
		return d.journal.bytes[id]
	}
	var all int64
	for _, n := range d.journal.bytes {
		all += n
	}
	return all
}

// IdentitiesSeen returns who asked for a video, in the order of their first
// player call.
func (d *Double) IdentitiesSeen(id string) []string {
	var seen []string
	for _, r := range d.Requests() {
		if r.Kind == KindPlayer && (id == "" || r.ID == id) && !slices.Contains(seen, r.Identity) {
			seen = append(seen, r.Identity)
		}
	}
	return seen
}

// Forget empties the log.
func (d *Double) Forget() {
	d.journal.mu.Lock()
	defer d.journal.mu.Unlock()
	d.journal.all, d.journal.bytes = nil, map[string]int64{}
}

// Await waits until something holds of the log, or done is closed; it tells
// which.
func (d *Double) Await(done <-chan struct{}, holds func(*Double) bool) bool {
	for {
		d.journal.mu.Lock()
		if d.journal.changed == nil {
			d.journal.changed = make(chan struct{})
		}
		changed := d.journal.changed
		d.journal.mu.Unlock()
		if holds(d) {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}

package double

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// piece is how much is written at once.
const piece = 32 << 10

// serveMedia answers GET /videoplayback.
func (d *Double) serveMedia(x *exchange, r *http.Request) {
	q := r.URL.Query()
	id := ""
	if b, err := hex.DecodeString(strings.TrimPrefix(q.Get("id"), "o-")); err == nil {
		id = string(b)
	}
	itag, _ := strconv.Atoi(q.Get("itag")) // 0 is none
	song, _ := d.song(id)
	f := song.pick(itag, q.Get("xtags"))
	size := int64(len(f.Data))
	from, to, ranged := wanted(r, size)
	identity := q.Get("c")
	fault := d.fault(asked{stage: atMedia, id: id, identity: identity, signedIn: d.signedIn(r), from: from, to: to})
	if fault.Kind == MediaShort {
		size = min(size, fault.At)
		f.Data, to = f.Data[:size], min(to, size)
	}
	x.note(func(l *Request) {
		l.ID, l.Itag, l.Identity, l.From, l.To, l.Fault = id, itag, identity, from, to, fault.Kind
	})
	who := d.identity(identity)
	switch {
	case !d.valid(q), who.Media == Dead, who.Media == SABR, who.Media == Token && q.Get("pot") == "", who.Media == Challenge && !turned(q.Get("n")):
		http.Error(x, "", http.StatusForbidden)
		return
	case size == 0:
		http.NotFound(x, r)
		return
	case d.refuseMedia(x, fault):
		return
	case from >= size || from < 0 || to <= from:
		x.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		x.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	if fault.Kind == MediaWhole {
		from, to, ranged = 0, size, false
	}
	d.sendMedia(x, r, f, from, to, ranged, fault)
}

// pick finds a format by what its link says.
func (s Song) pick(itag int, xtags string) Format {
	for _, f := range s.Formats {
		if f.Itag == itag && f.xtags() == xtags {
			return f
		}
	}
	return Format{}
}

// wanted reads the range that is asked for, to excluded. ranged: by the header,
// which is answered with 206; range= in the query is with 200.
func wanted(r *http.Request, size int64) (from, to int64, ranged bool) {
	text := r.URL.Query().Get("range")
	if h, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		text, ranged = h, true
	}
	to = size
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return 0, size, false
	}
	if n, err := strconv.ParseInt(first, 10, 64); err == nil {
		from = n
	}
	if n, err := strconv.ParseInt(last, 10, 64); err == nil {
		to = min(n+1, size)
	}
	return from, to, ranged
}

// refuseMedia deals with faults that send no media.
func (d *Double) refuseMedia(x *exchange, f Fault) bool {
	retryAfter(x, f)
	switch f.Kind {
	case Media403:
		http.Error(x, "", http.StatusForbidden)
	case Media410:
		http.Error(x, "", http.StatusGone)
	case Media404:
		http.Error(x, "", http.StatusNotFound)
	case Media429:
		http.Error(x, "", http.StatusTooManyRequests)
	case Media503:
		http.Error(x, "", http.StatusServiceUnavailable)
	case MediaHTML:
		writePage(x, http.StatusOK, consentPage)
	case MediaBot:
		writePage(x, http.StatusOK, sorryPage)
	case MediaEmpty:
		x.Header().Set("Content-Type", "audio/webm")
		x.Header().Set("Content-Length", "0")
		x.WriteHeader(http.StatusOK)
	case MediaRedirect:
		x.Header().Set("Location", f.Location)
		x.WriteHeader(http.StatusFound)
	default:
		return false
	}
	return true
}

func (d *Double) sendMedia(x *exchange, r *http.Request, f Format, from, to int64, ranged bool, fault Fault) {
	data := f.Data[from:to]
	if fault.Kind == MediaMore {
		data = append(data[:len(data):len(data)], make([]byte, 1000)...)
	}
	h := x.Header()
	h.Set("Content-Type", strings.SplitN(f.Mime, ";", 2)[0])
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Accept-Ranges", "bytes")
	h.Set("Last-Modified", "Fri, 01 Mar 2024 15:00:00 GMT")
	h.Set("Cache-Control", "private, max-age=21295")
	if ranged {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(f.Data)))
		x.WriteHeader(http.StatusPartialContent)
	} else {
		x.WriteHeader(http.StatusOK)
	}
	if r.Method == http.MethodHead {
		return
	}
	x.media = true
	rate := d.options.Rate
	if to-from > d.options.SlowOver {
		rate = d.options.SlowRate
	}
	if !atByte[fault.Kind] {
		d.pour(x, r, data, rate)
		return
	}
	if !d.pour(x, r, data[:fault.At-from], rate) {
		return
	}
	switch fault.Kind {
	case MediaReset:
		d.reset(x)
	case MediaCut:
		d.cut()
	case MediaStall:
		d.hang(r)
	case MediaDrip:
		d.pour(x, r, data[fault.At-from:], dripRate)
	}
}

// dripRate is in bytes a second.
const dripRate = 200

// pour writes at a rate, 0 for as fast as it goes; false if the client has gone.
func (d *Double) pour(x *exchange, r *http.Request, data []byte, rate int64) bool {
	size := piece
	if rate > 0 {
		size = int(min(piece, max(1, rate/20)))
	}
	out := http.NewResponseController(x)
	for len(data) > 0 {
		n := min(size, len(data))
		if _, err := x.Write(data[:n]); err != nil {
			return false
		}
		data = data[n:]
		if rate <= 0 {
			continue
		}
		if out.Flush() != nil || !d.pause(r, time.Duration(float64(n)/float64(rate)*float64(time.Second))) {
			return false
		}
	}
	return out.Flush() == nil
}

func (d *Double) pause(r *http.Request, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-d.closing:
	}
	return false
}

// hang keeps a request until the client is tired of it.
func (d *Double) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-d.closing:
	}
}

// cut ends the connection in the middle of an answer.
func (d *Double) cut() { panic(http.ErrAbortHandler) }

// reset ends it as a crash would.
func (d *Double) reset(x *exchange) {
	conn, _, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		d.cut()
	}
	below := conn
	if t, ok := below.(interface{ NetConn() net.Conn }); ok { // TLS
		below = t.NetConn()
	}
	if t, ok := below.(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0) // else it is closed in the ordinary way
	}
	_ = below.Close()
	_ = conn.Close()
}

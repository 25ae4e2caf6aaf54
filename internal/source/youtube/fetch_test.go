package youtube

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Whatever breaks where, the bytes are right and few are fetched twice.
func TestResumeAtAnyByte(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	const size = 40_000
	audio := d.song(anID, size)
	var at atomic.Int64
	d.media = func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
		from, to := wanted(r, len(audio))
		cut := int(at.Swap(-1))
		if cut < from || cut >= to {
			return false
		}
		w.Header().Set("Content-Type", "audio/webm")
		w.Header().Set("Content-Length", strconv.Itoa(to-from))
		_, _ = w.Write(audio[from:cut])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	s := d.source(nil)
	for _, cut := range []int{0, 1, 15, 16, 17, 4095, 4096, 20_000, size - 1} {
		before := d.bytes()
		at.Store(int64(cut))
		got, err := get(t, s, anID)
		want(t, got, err, audio)
		if fetched := d.bytes() - before; fetched > size+1 {
			t.Errorf("cut at %d: %d bytes fetched", cut, fetched)
		}
	}
}

func TestManyChunks(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := d.song(anID, 2*chunkBytes+12345)
	var largest atomic.Int64
	d.media = func(_ http.ResponseWriter, r *http.Request, audio []byte) bool {
		from, to := wanted(r, len(audio))
		largest.Store(max(largest.Load(), int64(to-from)))
		return false
	}
	got, err := get(t, d.source(nil), anID)
	want(t, got, err, audio)
	if d.count("videoplayback") != 3 || largest.Load() != chunkBytes || d.bytes() != int64(len(audio)) {
		t.Errorf("%d requests, largest %d, %d bytes", d.count("videoplayback"), largest.Load(), d.bytes())
	}
}

// Servers that know only one way to ask for a part, or none.
func TestRangeHeaderAlone(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := d.song(anID, 2*chunkBytes)
	d.media = func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
		q := r.URL.Query()
		q.Del("range")
		r.URL.RawQuery = q.Encode()
		if d.count("videoplayback") == 1 {
			w.Header().Set("Content-Type", "audio/webm")
			w.Header().Set("Content-Length", strconv.Itoa(len(audio)))
			_, _ = w.Write(audio[:100_000])
			panic(http.ErrAbortHandler)
		}
		return false
	}
	got, err := get(t, d.source(nil), anID)
	want(t, got, err, audio)
}

func TestMediaFailures(t *testing.T) {
	t.Parallel()
	text := func(kind, body string) func(http.ResponseWriter, *http.Request, []byte) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	code := func(n int) func(http.ResponseWriter, *http.Request, []byte) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { w.WriteHeader(n); return true }
	}
	for _, tt := range []struct {
		name  string
		media func(http.ResponseWriter, *http.Request, []byte) bool
		class jobs.Class
		code  string
	}{
		{"page", text("text/html", "<html>sorry</html>"), jobs.ClassTransient, CodeUpstream},
		{"page with a check", text("text/html", "<html>unusual traffic from your network</html>"), jobs.ClassThrottled, CodeBotCheck},
		{"page that calls itself audio", func(w http.ResponseWriter, _ *http.Request, audio []byte) bool {
			w.Header().Set("Content-Type", "audio/webm")
			_, _ = io.WriteString(w, strings.Repeat("<html>", len(audio))[:len(audio)])
			return true
		}, jobs.ClassTransient, CodeUpstream},
		{"429", code(429), jobs.ClassThrottled, CodeRateLimited},
		{"500", code(500), jobs.ClassTransient, CodeUpstream},
		{"403", code(403), jobs.ClassExtractor, CodeExpiredURL},
		{"410", code(410), jobs.ClassExtractor, CodeExpiredURL},
		{"416", code(416), jobs.ClassTransient, CodeIncomplete},
		{"shorter than announced", func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
			serveRange(w, r, audio[:len(audio)/2])
			return true
		}, jobs.ClassTransient, CodeIncomplete},
		{"longer than announced", func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
			q := r.URL.Query()
			q.Del("range")
			r.URL.RawQuery = q.Encode()
			serveRange(w, r, append(audio, audio...))
			return true
		}, jobs.ClassTransient, CodeIncomplete},
		{"always broken at byte 100", func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
			if from, to := wanted(r, len(audio)); from < 100 {
				w.Header().Set("Content-Length", strconv.Itoa(to-from))
				_, _ = w.Write(audio[from:100])
				w.(http.Flusher).Flush()
			}
			panic(http.ErrAbortHandler)
		}, jobs.ClassTransient, CodeNetwork},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			d.song(anID, 5000)
			d.media = tt.media
			_, err := get(t, d.source(nil), anID)
			wantCode(t, err, tt.class, tt.code)
		})
	}
}

func TestStallAndDrip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		serve func(w http.ResponseWriter, r *http.Request, audio []byte)
	}{
		{"stall", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		{"drip", func(w http.ResponseWriter, r *http.Request, audio []byte) {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for i := range audio {
				if _, err := w.Write(audio[i : i+1]); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-tick.C:
				case <-r.Context().Done():
					return
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			audio := d.song(anID, 50_000)
			d.media = func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
				if d.count("videoplayback") != 1 {
					return false
				}
				w.Header().Set("Content-Type", "audio/webm")
				w.Header().Set("Content-Length", strconv.Itoa(len(audio)))
				_, _ = w.Write(audio[:1000])
				tt.serve(w, r, audio[1000:])
				return true
			}
			s := d.source(func(o *Options) { o.Idle = 100 * time.Millisecond })
			s.rateWindow = 50 * time.Millisecond
			got, err := get(t, s, anID)
			want(t, got, err, audio)
		})
	}
	t.Run("for ever", func(t *testing.T) {
		t.Parallel()
		d := newDouble(t)
		d.song(anID, 50_000)
		d.media = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool { <-r.Context().Done(); return true }
		_, err := get(t, d.source(func(o *Options) { o.Idle = 50 * time.Millisecond }), anID)
		wantCode(t, err, jobs.ClassTransient, CodeNetwork)
	})
}

// A link that dies in the middle is replaced, twice at most.
func TestExpiredLinkInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		deaths, resolves int
		ok               bool
	}{{1, 2, true}, {2, 3, true}, {3, 3, false}} {
		t.Run(strconv.Itoa(tt.deaths), func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			audio := d.song(anID, 40_000)
			var generation, deaths atomic.Int64
			d.player[anID] = func(c call) any {
				generation.Store(int64(c.N))
				return d.playable(anID, func(a object) { formats(a)[2]["url"] = mediaLink(anID, 251) + "&g=" + strconv.Itoa(c.N) })
			}
			d.media = func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
				g, _ := strconv.ParseInt(r.URL.Query().Get("g"), 10, 64)
				if g <= deaths.Load() {
					w.WriteHeader(http.StatusForbidden)
					return true
				}
				if deaths.Load() < int64(tt.deaths) {
					from, to := wanted(r, len(audio))
					w.Header().Set("Content-Length", strconv.Itoa(to-from))
					_, _ = w.Write(audio[from : from+1000])
					w.(http.Flusher).Flush()
					deaths.Store(g)
					panic(http.ErrAbortHandler)
				}
				return false
			}
			got, err := get(t, d.source(nil), anID)
			if tt.ok {
				want(t, got, err, audio)
			} else {
				wantCode(t, err, jobs.ClassExtractor, CodeExpiredURL)
			}
			if n := d.count("youtubei/v1/player"); n != tt.resolves {
				t.Errorf("%d player calls, want %d", n, tt.resolves)
			}
		})
	}
}

// A song that was changed between two parts is not glued together.
func TestChangedFileIsNotGlued(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.song(anID, 40_000)
	d.media = func(w http.ResponseWriter, _ *http.Request, audio []byte) bool {
		n := d.count("videoplayback")
		w.Header().Set("ETag", `"`+strconv.Itoa(n)+`"`)
		if n == 1 {
			w.Header().Set("Content-Length", strconv.Itoa(len(audio)))
			_, _ = w.Write(audio[:1000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	_, err := get(t, d.source(nil), anID)
	wantCode(t, err, jobs.ClassTransient, CodeIncomplete)
}

func TestDeadIdentityThenTheNextThenYTDLP(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := d.song(anID, 20_000)
	d.player[anID] = func(c call) any {
		return d.playable(anID, func(a object) { formats(a)[2]["url"] = mediaLink(anID, 251) + "&c=" + c.Client })
	}
	dead := "VISIONOS"
	d.media = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.Contains(dead, r.URL.Query().Get("c")) {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	ytdlp := d.withYTDLP("found; cp " + d.file(audio) + ` "$out"; done_ 20000`)
	two := func(o *Options) { ytdlp(o); o.Client = "VISIONOS,IOS" }
	s := d.source(two)
	got, err := get(t, s, anID)
	want(t, got, err, audio)
	if len(d.calls) != 2 || d.calls[1].Client != "IOS" {
		t.Fatalf("calls %+v", d.calls)
	}
	got, err = get(t, s, anID)
	want(t, got, err, audio)
	if len(d.calls) != 3 || d.calls[2].Client != "IOS" {
		t.Errorf("the dead identity was asked again: %+v", d.calls)
	}
	dead = "VISIONOS IOS"
	m, err := s.Open(t.Context(), song(anID))
	if err != nil || m.Extractor != ExtractorYTDLP {
		t.Fatalf("%+v, %v; want yt-dlp's", m, err)
	}
	got, err = io.ReadAll(m.Body)
	want(t, got, err, audio)
	if err := m.Body.Close(); err != nil {
		t.Error(err)
	}
}

// YouTube gives some identities only the first megabyte.
func TestRefusedInTheMiddleGoesOnWithYTDLP(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{true, false} {
		d := newDouble(t)
		audio := d.song(anID, 40_000)
		d.media = func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
			from, to := wanted(r, len(audio))
			if from > 0 {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			w.Header().Set("Content-Length", strconv.Itoa(to-from))
			_, _ = w.Write(audio[:10_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		other := append([]byte(nil), audio...)
		if !same {
			other[5000] ^= 1
		}
		s := d.source(d.withYTDLP("found; cp " + d.file(other) + ` "$out"; done_`))
		got, err := get(t, s, anID)
		if same {
			want(t, got, err, audio)
		} else {
			wantCode(t, err, jobs.ClassTransient, CodeIncomplete)
		}
	}
}

// Nobody reads: hardly anything is fetched.
func TestSlowConsumerSlowsTheSender(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := d.song(anID, 8<<20)
	stuck := make(chan struct{})
	var once atomic.Bool
	d.media = func(w http.ResponseWriter, _ *http.Request, audio []byte) bool {
		if c, _, err := w.(*counter).ResponseWriter.(http.Hijacker).Hijack(); err == nil {
			if tcp, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
				_ = tcp.SetWriteBuffer(64 << 10) // the sender's own is not ours to answer for
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: audio/webm\r\nContent-Length: %d\r\n\r\n", len(audio))
			for rest := audio; len(rest) > 0; rest = rest[min(len(rest), 16<<10):] {
				_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
				n, err := c.Write(rest[:min(len(rest), 16<<10)])
				d.mu.Lock()
				d.served += int64(n)
				d.mu.Unlock()
				if errors.Is(err, errTimeoutOf(err)) && once.CompareAndSwap(false, true) {
					close(stuck)
				}
				if err != nil {
					break
				}
			}
			_ = c.Close()
		}
		return true
	}
	m, err := d.source(nil).Open(t.Context(), song(anID))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-stuck:
	case <-time.After(20 * time.Second):
		t.Fatal("the sender was never held back")
	}
	if got := d.bytes(); got > 768<<10 {
		t.Errorf("%d KiB were sent while nobody read", got>>10)
	}
	t.Logf("%d KiB in flight", d.bytes()>>10)
	d.mu.Lock()
	d.media = nil
	d.mu.Unlock()
	got, err := io.ReadAll(m.Body) // and all of it comes when somebody does
	want(t, got, err, audio)
	if err := m.Body.Close(); err != nil {
		t.Error(err)
	}
}

// errTimeoutOf returns err if it is a timeout.
func errTimeoutOf(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return errClosed
}

// Servers at their worst: whatever comes, it is the song or an error.
func TestNeverWrongBytes(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := d.song(anID, 30_000)
	var seed atomic.Uint64
	var n atomic.Uint64
	d.media = func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
		random := rand.New(rand.NewPCG(seed.Load(), n.Add(1)))
		from, to := wanted(r, len(audio))
		w.Header().Set("Content-Type", "audio/webm")
		switch random.IntN(12) {
		case 0:
			w.WriteHeader(http.StatusForbidden)
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2: // the whole file, as if no part had been asked for
			_, _ = w.Write(audio)
		case 3: // another part
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from/2, to-1, len(audio)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(audio[from/2 : to])
		case 4: // less than asked for
			serveRange(w, r, audio[:from+(to-from+1)/2])
		case 5:
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		case 6, 7, 8:
			w.Header().Set("Content-Length", strconv.Itoa(to-from))
			_, _ = w.Write(audio[from : from+random.IntN(to-from)])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	}
	whole := 0
	for i := range 150 {
		seed.Store(uint64(i))
		s := d.source(nil)
		s.retryPause = 4 * time.Microsecond
		got, err := get(t, s, anID)
		if err == nil {
			whole++
			want(t, got, err, audio)
		} else if asError(err) == nil {
			t.Errorf("error without a verdict: %v", err)
		}
	}
	if whole < 15 {
		t.Errorf("only %d of 150 songs came", whole)
	}
	t.Logf("%d of 150 songs came whole, the others with a verdict", whole)
}

package youtube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Planted secrets: none of them may come out anywhere.
const (
	secretKey    = "AIzaPLANTEDKEY0123456789"
	secretSig    = "PLANTEDSIGNATURE987654"
	secretCookie = "PLANTEDCOOKIEVALUE42"
	secretProxy  = "PLANTEDPROXYPASSWORD"
)

// double stands in for YouTube: player call, home page, ranged media, Data API.
// Handlers that a test sets come first.
type double struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	player  map[string]func(call) any // by video id; what is returned is the JSON
	answers map[string]http.HandlerFunc
	media   func(w http.ResponseWriter, r *http.Request, audio []byte) bool // true: answered
	audio   map[string][]byte
	seen    map[string]int // requests by kind
	served  int64          // media bytes
	calls   []call
}

// call is one player call as the double saw it.
type call struct {
	ID, Client, Version, Visitor, Agent, Number string
	N                                           int // of this video, from 1
}

func newDouble(t *testing.T) *double {
	t.Helper()
	d := &double{
		t: t, player: map[string]func(call) any{}, answers: map[string]http.HandlerFunc{}, audio: map[string][]byte{}, seen: map[string]int{},
	}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

// webm makes bytes that begin as WebM does.
func webm(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	copy(b, "\x1a\x45\xdf\xa3")
	return b
}

// song adds a video that can be played.
func (d *double) song(id string, size int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.audio[id] = webm(size)
	return d.audio[id]
}

func (d *double) count(kind string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[kind]
}

func (d *double) bytes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.served
}

// ServeHTTP implements http.Handler.
func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := strings.Trim(r.URL.Path, "/")
	d.mu.Lock()
	d.seen[kind]++
	answer := d.answers[kind]
	d.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case kind == "":
		_, _ = io.WriteString(w, "<html>\nytcfg.set({\"A\":1});\nytcfg.set({\"INNERTUBE_CONTEXT\":{\"client\":{\"visitorData\":\"Vis%3D\"}}});</html>")
	case kind == "youtubei/v1/player":
		d.servePlayer(w, r)
	case kind == "videoplayback":
		d.serveMedia(w, r)
	default:
		http.Error(w, "the double does not know "+kind, http.StatusTeapot)
	}
}

func (d *double) servePlayer(w http.ResponseWriter, r *http.Request) {
	var body struct {
		VideoID string `json:"videoId"`
		Context struct {
			Client struct {
				Name    string `json:"clientName"`
				Version string `json:"clientVersion"`
				Visitor string `json:"visitorData"`
			} `json:"client"`
		} `json:"context"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := call{
		ID: body.VideoID, Client: body.Context.Client.Name, Version: body.Context.Client.Version,
		Visitor: body.Context.Client.Visitor, Agent: r.UserAgent(), Number: r.Header.Get("X-Youtube-Client-Name"),
	}
	d.mu.Lock()
	for _, old := range d.calls {
		if old.ID == c.ID {
			c.N++
		}
	}
	c.N++
	d.calls = append(d.calls, c)
	answers := d.player[c.ID]
	d.mu.Unlock()
	var answer any
	if answers != nil {
		answer = answers(c)
	} else {
		answer = d.playable(c.ID, nil)
	}
	switch a := answer.(type) {
	case status:
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.code)
		_, _ = io.WriteString(w, a.body)
	default:
		_ = json.NewEncoder(w).Encode(a)
	}
}

// status is an answer that is no JSON.
type status struct {
	code   int
	header http.Header
	body   string
}

type object = map[string]any

// playable is a player answer; edit changes it.
func (d *double) playable(id string, edit func(answer object)) object {
	d.mu.Lock()
	audio, ok := d.audio[id]
	d.mu.Unlock()
	if !ok {
		return unplayable("ERROR", "This video is unavailable")
	}
	answer := object{
		"playabilityStatus": object{"status": "OK"},
		"videoDetails": object{
			"videoId": id, "title": "Song };" + id, "author": "Band", "lengthSeconds": "120",
			"thumbnail": object{"thumbnails": []object{{"url": "https://i.ytimg.com/vi/x/a.jpg?rs=" + secretSig, "width": 120}}},
		},
		"streamingData": object{
			"adaptiveFormats": []object{
				{"itag": 137, "url": mediaLink(id, 137), "mimeType": "video/mp4", "bitrate": 4000000, "contentLength": "999999999"},
				audioFormat(id, 140, len(audio)), audioFormat(id, 251, len(audio)), audioFormat(id, 250, len(audio)),
			},
		},
	}
	if edit != nil {
		edit(answer)
	}
	return answer
}

func audioFormat(id string, itag, size int) object {
	return object{
		"itag": itag, "url": mediaLink(id, itag), "mimeType": `audio/webm; codecs="opus"`, "bitrate": 128000,
		"contentLength": strconv.Itoa(size), "lastModified": "1700000000000000", "approxDurationMs": "120021",
	}
}

func mediaLink(id string, itag int) string {
	q := url.Values{"id": {id}, "itag": {strconv.Itoa(itag)}, "expire": {"1999999999"}, "sig": {secretSig}}
	return "https://rr1---sn-test.googlevideo.com/videoplayback?" + q.Encode()
}

func unplayable(status, reason string) object {
	return object{"playabilityStatus": object{"status": status, "reason": reason}}
}

func formats(answer object) []object {
	return answer["streamingData"].(object)["adaptiveFormats"].([]object)
}

func (d *double) serveMedia(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	audio, media := d.audio[r.URL.Query().Get("id")], d.media
	d.mu.Unlock()
	counting := &counter{w, d}
	if media == nil || !media(counting, r, audio) {
		serveRange(counting, r, audio)
	}
}

// serveRange answers as the media servers do: range= in the query with 200, a
// Range header with 206.
func serveRange(w http.ResponseWriter, r *http.Request, audio []byte) {
	from, to := wanted(r, len(audio))
	if from >= len(audio) {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	w.Header().Set("Content-Type", "audio/webm")
	w.Header().Set("Content-Length", strconv.Itoa(to-from))
	if r.Header.Get("Range") != "" {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(audio)))
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(audio[from:to])
}

func wanted(r *http.Request, size int) (from, to int) {
	text := r.URL.Query().Get("range")
	if h := r.Header.Get("Range"); h != "" {
		text = strings.TrimPrefix(h, "bytes=")
	}
	to = size - 1
	if first, last, ok := strings.Cut(text, "-"); ok {
		from, _ = strconv.Atoi(first)
		if n, err := strconv.Atoi(last); err == nil {
			to = n
		}
	}
	return from, min(to+1, size)
}

type counter struct {
	http.ResponseWriter
	d *double
}

// Write implements io.Writer. It counts before the client can have the bytes.
func (c *counter) Write(b []byte) (int, error) {
	c.count(len(b))
	n, err := c.ResponseWriter.Write(b)
	c.count(n - len(b))
	return n, err
}

func (c *counter) count(n int) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.served += int64(n)
}

// Flush implements http.Flusher.
func (c *counter) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

// source opens a source over the double.
func (d *double) source(edit func(*Options)) *Source {
	d.t.Helper()
	o := Options{
		BaseURL: d.URL, APIBaseURL: d.URL, TempDir: d.t.TempDir(), Extractors: []string{ExtractorNative},
		YTDLPPath: "yt-dlp-that-is-not-there", Idle: 5 * time.Second,
	}
	if edit != nil {
		edit(&o)
	}
	s, err := New(o)
	if err != nil {
		d.t.Fatal(err)
	}
	s.retryPause = time.Millisecond
	d.t.Cleanup(s.guard.transport.CloseIdleConnections)
	return s
}

// withYTDLP makes a shell script stand in for yt-dlp. In it, $out is the file
// to write, $id the video, and found and done print our lines.
func (d *double) withYTDLP(script string) func(*Options) {
	path := filepath.Join(d.t.TempDir(), "fake")
	text := `log=` + path + `.log
printf '%s\n' "$@" > $log; env >> $log
for a in "$@"; do
  case "$prev" in -o) out="${a%.*}.webm";; --cookies) cookies="$a";; esac
  prev="$a"; last="$a"
done
id="${last#*v=}"
found() { printf 'FOUND\t"%s"\t%s\t%s\t"A title"\t"A band"\n' "$id" "${1:-120}" "${2:-false}"; }
done_() { printf 'DONE\t"%s"\t120\t"251"\t%s\t"A title"\t"A band"\n' "$id" "${1:-NA}"; }
` + script + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return func(o *Options) {
		o.Extractors = []string{ExtractorNative, ExtractorYTDLP}
		o.YTDLPPath, o.YTDLPArgs = "/bin/sh", []string{path}
	}
}

// file writes bytes that a fake yt-dlp may copy.
func (d *double) file(b []byte) string {
	path := filepath.Join(d.t.TempDir(), "bytes")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// get opens and reads a song.
func get(t *testing.T, s *Source, id string) ([]byte, error) {
	t.Helper()
	m, err := s.Open(t.Context(), song(id))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(m.Body)
	if err := m.Body.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return b, err
}

func want(t *testing.T, got []byte, err error, audio []byte) {
	t.Helper()
	if err != nil || !bytes.Equal(got, audio) {
		t.Errorf("%d bytes, %v; want the %d of the song", len(got), err, len(audio))
	}
}

func wantCode(t *testing.T, err error, class jobs.Class, code string) {
	t.Helper()
	_ = verdict(t, err, class, code)
}

// verdict is wantCode for whoever wants to see more of it.
func verdict(t *testing.T, err error, class jobs.Class, code string) *jobs.Error {
	t.Helper()
	e := asError(err)
	if e == nil || e.Class != class || e.Code != code {
		t.Fatalf("error %v, want %s %s", err, class, code)
	}
	clean(t, err)
	return e
}

// clean fails if an error shows a secret, however it is printed or unwrapped.
func clean(t *testing.T, err error) {
	t.Helper()
	for err != nil {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
			for _, secret := range []string{secretKey, secretSig, secretCookie, secretProxy, "videoplayback?", "/cookies"} {
				if strings.Contains(text, secret) {
					t.Errorf("the error shows %q: %s", secret, text)
				}
			}
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return
		}
		err = u.Unwrap()
	}
}

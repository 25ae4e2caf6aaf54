package double

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	kkdai "github.com/kkdai/youtube/v2"
)

var (
	tracks    *Tracks
	loadOnce  sync.Once
	errTracks error
)

// start runs a double with one song.
func start(t *testing.T, o Options) (*Double, Song) {
	t.Helper()
	loadOnce.Do(func() {
		tracks, errTracks = LoadTracks(context.Background(), func(s string) { fmt.Println(s) })
	})
	if errTracks != nil {
		t.Fatal(errTracks)
	}
	song := NewSong("-kNoLLs_001", tracks.Short[0])
	o.Songs = append(o.Songs, song)
	return Start(t, o), song
}

// site is a client for which the double is YouTube: through the proxy, with its
// authority.
func site(t *testing.T, d *Double) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(d.CA()) {
		t.Fatal("the authority's certificate can not be read")
	}
	proxy, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func get(t *testing.T, c *http.Client, address string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

// TestKkdai has the real library get a song, as an identity with plain links and
// as one whose links the player's script completes.
func TestKkdai(t *testing.T) { //nolint:paralleltest // the library's identity is a variable of its package
	before := kkdai.DefaultClient
	t.Cleanup(func() { kkdai.DefaultClient = before })
	for _, identity := range []string{"VISIONOS", "WEB_EMBEDDED_PLAYER"} {
		t.Run(identity, func(t *testing.T) {
			kkdai.DefaultClient = kkdai.ClientInfo{Name: identity, Version: "1.02", UserAgent: "test"}
			d, song := start(t, Options{})
			client := kkdai.Client{HTTPClient: site(t, d)}
			video, err := client.GetVideoContext(t.Context(), song.ID)
			if err != nil {
				t.Fatal(err)
			}
			if video.Title != song.Title || video.Author != song.Channel || video.Duration != song.Length {
				t.Errorf("%q %q %s", video.Title, video.Author, video.Duration)
			}
			formats := video.Formats.Itag(251)
			if len(formats) != 1 {
				t.Fatalf("%d formats", len(formats))
			}
			body, _, err := client.GetStreamContext(t.Context(), video, &formats[0])
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, song.Format(251).Data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// TestKkdaiFails shows what the library makes of refusals.
func TestKkdaiFails(t *testing.T) { //nolint:paralleltest // the library's identity is a variable of its package
	before := kkdai.DefaultClient
	kkdai.DefaultClient = kkdai.ClientInfo{Name: "VISIONOS", Version: "1.02", UserAgent: "test"}
	t.Cleanup(func() { kkdai.DefaultClient = before })
	d, song := start(t, Options{})
	for kind, want := range map[Kind]error{PrivateApp: kkdai.ErrVideoPrivate, Private: kkdai.ErrLoginRequired, Bot: kkdai.ErrLoginRequired} {
		d.Fail(song.ID, Fault{Kind: kind})
		_, err := (&kkdai.Client{HTTPClient: site(t, d)}).GetVideoContext(t.Context(), song.ID)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", kind, err, want)
		}
		d.Heal(song.ID)
	}
}

// TestYTDLP has the real yt-dlp get a song, and search for it.
func TestYTDLP(t *testing.T) {
	t.Parallel()
	cache, err := CacheFolder()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(cache, "ytdlp", "bin")
	if _, err := os.Stat(filepath.Join(bin, "yt-dlp")); err != nil {
		t.Skipf("CAN NOT RUN %s: yt-dlp is not installed; scripts/setup.sh ytdlp installs it", t.Name())
	}
	d, song := start(t, Options{})
	ytdlp := func(args ...string) (string, error) {
		home := t.TempDir()
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "yt-dlp"), append(append(d.YTDLPArgs(), "--ignore-config", "--no-cache-dir"), args...)...)
		cmd.Env = []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + home}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	file := filepath.Join(t.TempDir(), "audio.webm")
	if said, err := ytdlp("-f", "bestaudio[acodec=opus]", "-o", file, "--", song.ID); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, song.Format(251).Data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// With its JavaScript runtime it solves what the player's script sets.
	file = filepath.Join(t.TempDir(), "solved.webm")
	if said, err := ytdlp("-f", "bestaudio[acodec=opus]", "-o", file, "--extractor-args", "youtube:player_client=tv_samsung", "--", song.ID); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, song.Format(251).Data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for _, r := range d.Requests() {
		if !r.Proxied {
			t.Errorf("a request did not come through the proxy: %+v", r)
		}
	}
	said, err := ytdlp("--flat-playlist", "--print", "%(id)s %(title)s", "ytsearch3:lanterns")
	if err != nil || !strings.Contains(said, song.ID+" "+song.Title) {
		t.Errorf("%v: %s", err, said)
	}
	d.Fail(song.ID, Fault{Kind: Geo})
	if said, err = ytdlp("--", song.ID); err == nil || !strings.Contains(said, "not made this video available in your country") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestRanges asks for parts in every way: range= is answered with 200, the header
// with 206.
func TestRanges(t *testing.T) {
	t.Parallel()
	d, song := start(t, Options{})
	data := song.Format(251).Data
	link := d.Link(song.ID, 251, "VISIONOS")
	n := len(data)
	for _, c := range []struct {
		query, header string
		status        int
		from, to      int
		part          string
	}{
		{"", "", 200, 0, n, ""},
		{"&range=0-99", "", 200, 0, 100, ""},
		{"&range=100-", "", 200, 100, n, ""},
		{"", "bytes=0-99", 206, 0, 100, fmt.Sprintf("bytes 0-99/%d", n)},
		{"", fmt.Sprintf("bytes=%d-%d", n-10, n+1000), 206, n - 10, n, fmt.Sprintf("bytes %d-%d/%d", n-10, n-1, n)},
		{fmt.Sprintf("&range=%d-", n), "", 416, 0, 0, fmt.Sprintf("bytes */%d", n)},
		{"", fmt.Sprintf("bytes=%d-", n), 416, 0, 0, fmt.Sprintf("bytes */%d", n)},
	} {
		var header []string
		if c.header != "" {
			header = []string{"Range", c.header}
		}
		a := get(t, http.DefaultClient, link+c.query, header...)
		if a.status != c.status || !bytes.Equal(a.body, data[c.from:c.to]) || a.header.Get("Content-Range") != c.part {
			t.Errorf("%q %q: %d, %d bytes, %q", c.query, c.header, a.status, len(a.body), a.header.Get("Content-Range"))
		}
	}
}

// TestLinks has links that are signed, expire and belong to an identity.
func TestLinks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	d, song := start(t, Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	want := func(name, link string, status int) {
		t.Helper()
		if a := get(t, http.DefaultClient, link); a.status != status {
			t.Errorf("%s: %d, want %d", name, a.status, status)
		}
	}
	link := d.Link(song.ID, 251, "VISIONOS")
	want("a link", link, 200)
	want("another format's", strings.Replace(link, "itag=251", "itag=250", 1), 403)
	want("a longer life", strings.Replace(link, "expire=1", "expire=2", 1), 403)
	unsigned, _, _ := strings.Cut(link, "&sig=")
	want("no signature", unsigned, 403)
	want("another identity's", strings.Replace(link, "c=VISIONOS", "c=TVHTML5", 1), 403)
	want("a dead identity's", d.Link(song.ID, 251, "ANDROID_VR"), 403)
	want("without a token", d.Link(song.ID, 251, "IOS"), 403)
	want("with a token", d.Link(song.ID, 251, "IOS")+"&pot=abc", 200)
	d.ExpireLinks()
	want("expired by hand", link, 403)
	link = d.Link(song.ID, 251, "VISIONOS")
	mu.Lock()
	now = now.Add(6 * time.Hour)
	mu.Unlock()
	want("six hours later", link, 403)
}

// TestSlow serves who asks for too much at once slowly.
func TestSlow(t *testing.T) {
	t.Parallel()
	d, song := start(t, Options{SlowOver: 10_000, SlowRate: 40_000})
	link := d.Link(song.ID, 251, "VISIONOS")
	clock := func(span string) time.Duration {
		began := time.Now()
		get(t, http.DefaultClient, link+"&range="+span)
		return time.Since(began)
	}
	quick, slow := clock("0-9999"), clock("0-10000")
	if slow < 200*time.Millisecond || quick > slow/2 {
		t.Errorf("10,000 bytes took %s, one more %s", quick, slow)
	}
}

// TestByteFaults breaks answers at a byte.
func TestByteFaults(t *testing.T) {
	t.Parallel()
	d, song := start(t, Options{})
	link := d.Link(song.ID, 251, "VISIONOS")
	n := len(song.Format(251).Data)
	for _, kind := range []Kind{MediaReset, MediaCut, MediaShort} {
		d.Fail(song.ID, Fault{Kind: kind, At: 50_000, Times: 1})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		switch {
		case kind == MediaShort && (err != nil || len(body) != 50_000),
			kind == MediaCut && (!errors.Is(err, io.ErrUnexpectedEOF) || len(body) != 50_000),
			kind == MediaReset && (err == nil || len(body) > 50_000):
			t.Errorf("%s: %d bytes, %v", kind, len(body), err)
		}
		// Once, and then no more; and not where the byte is not asked for.
		if a := get(t, http.DefaultClient, link); len(a.body) != n {
			t.Errorf("after %s: %d bytes", kind, len(a.body))
		}
		d.Fail(song.ID, Fault{Kind: kind, At: 50_000})
		if a := get(t, http.DefaultClient, link+"&range=0-49999"); len(a.body) != 50_000 {
			t.Errorf("before the byte of %s: %d bytes", kind, len(a.body))
		}
		d.Heal(song.ID)
	}
}

// TestFaultCounts counts, skips, and tells who is meant.
func TestFaultCounts(t *testing.T) {
	t.Parallel()
	d, song := start(t, Options{})
	ask := func(identity string) string {
		t.Helper()
		body := fmt.Sprintf(`{"videoId":%q,"context":{"client":{"clientName":%q}}}`, song.ID, identity)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+"/youtubei/v1/player", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var answer struct {
			Playability struct {
				Status string `json:"status"`
			} `json:"playabilityStatus"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer.Playability.Status
	}
	d.Fail(song.ID, Fault{Kind: Private, Skip: 1, Times: 2}, Fault{Kind: Geo, Identity: "WEB"})
	var got []string
	for range 4 {
		got = append(got, ask("VISIONOS"))
	}
	got = append(got, ask("WEB"))
	if want := "OK LOGIN_REQUIRED LOGIN_REQUIRED OK UNPLAYABLE"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	if n := d.Count(KindPlayer, song.ID); n != 5 {
		t.Errorf("%d calls are in the log", n)
	}
}

// TestProxy reaches YouTube's hosts and no other.
func TestProxy(t *testing.T) {
	t.Parallel()
	d, song := start(t, Options{})
	c := site(t, d)
	a := get(t, c, "https://i.ytimg.com/vi/"+song.ID+"/hqdefault.jpg")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "image/jpeg" || !bytes.HasPrefix(a.body, []byte{0xff, 0xd8}) {
		t.Errorf("a picture: %d %q", a.status, a.header.Get("Content-Type"))
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := c.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Error("the proxy reaches example.com")
	}
	if d.Count(KindRefused, "") != 1 {
		t.Error("the refusal is not in the log")
	}
}

// TestFill has an id for every kind, and finds the kind by the id.
func TestFill(t *testing.T) {
	t.Parallel()
	d, _ := start(t, Options{})
	if err := d.Fill(tracks); err != nil {
		t.Fatal(err)
	}
	for _, k := range Kinds() {
		if !k.OfVideos() {
			continue
		}
		id := Pad(string(k))
		if _, ok := d.song(id); !ok || KindOf(id) != k {
			t.Errorf("%s: there %v, found as %q", id, ok, KindOf(id))
		}
	}
	for _, id := range songIDs {
		if k := KindOf(id); k != "" {
			t.Errorf("%s is found as %s", id, k)
		}
	}
	if k := KindOf("limit-----3"); k != Limit {
		t.Errorf("limit-----3 is found as %q", k)
	}
}

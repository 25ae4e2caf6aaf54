package youtube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/sourcetest"
)

func TestGuardTargets(t *testing.T) {
	t.Parallel()
	plain, err := newGuard("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	based, err := newGuard("http://127.0.0.1:9000", "https://api.example", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		g          *guard
		link, want string // "": refused
	}{
		{plain, "https://www.youtube.com/x?a=b", "https://www.youtube.com/x?a=b"},
		{plain, "http://youtube.com/x", "https://youtube.com/x"},
		{plain, "https://rr3---sn-abc.googlevideo.com/videoplayback?x=1", "https://rr3---sn-abc.googlevideo.com/videoplayback?x=1"},
		{plain, "https://www.googleapis.com/youtube/v3/search", "https://www.googleapis.com/youtube/v3/search"},
		{plain, "https://youtube.com.evil.example/", ""},
		{plain, "https://notyoutube.com/", ""},
		{plain, "https://evilgooglevideo.com/", ""},
		{plain, "https://googlevideo.com.evil.example/", ""},
		{plain, "https://user@www.youtube.com/", ""},
		{plain, "https://www.youtube.com:8080/", ""},
		{plain, "ftp://www.youtube.com/", ""},
		{plain, "http://127.0.0.1:9000/", ""},
		{plain, "http://169.254.169.254/latest", ""},
		{based, "https://www.youtube.com/x?a=b", "http://127.0.0.1:9000/x?a=b"},
		{based, "https://r1.googlevideo.com/videoplayback", "http://127.0.0.1:9000/videoplayback"},
		{based, "http://127.0.0.1:9000/y", "http://127.0.0.1:9000/y"},
		{based, "http://127.0.0.1:9001/y", ""},
		{based, "http://localhost:9000/y", ""},
		{based, "https://api.example/youtube/v3/search", "https://api.example/youtube/v3/search"},
		{based, "http://api.example/youtube/v3/search", ""},
	} {
		u, err := url.Parse(tt.link)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tt.g.target(u)
		if tt.want == "" {
			if !errors.Is(err, errForbiddenHost) {
				t.Errorf("%s goes to %v", tt.link, got)
			}
		} else if err != nil || got.String() != tt.want {
			t.Errorf("%s goes to %v, %v; want %s", tt.link, got, err, tt.want)
		}
	}
}

func TestPublicOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"8.8.8.8:443", "[2607:f8b0::1]:443"} {
		if err := publicOnly(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{
		"127.0.0.1:80", "10.0.0.5:80", "172.16.0.1:80", "192.168.1.1:80", "169.254.169.254:80", "0.0.0.0:80", "100.64.0.1:80", "224.0.0.1:80",
		"255.255.255.255:80", "[::1]:80", "[::]:80", "[fe80::1]:80", "[fc00::1]:80", "[::ffff:127.0.0.1]:80", "[64:ff9b::a00:5]:80", "198.18.0.1:80", "nonsense",
	} {
		if publicOnly(address) == nil {
			t.Errorf("%s is taken for public", address)
		}
	}
}

// A public name that leads inside is never dialed.
func TestDialGuard(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer inside.Close()
	g, err := newGuard("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := g.dial(t.Context(), "tcp", inside.Listener.Addr().String()); !errors.Is(err, errForbiddenHost) {
		t.Errorf("%v, %v", conn, err)
	}
	if reached.Load() {
		t.Error("the internal address was reached")
	}
}

// Redirects to internal addresses are never followed, by any request.
func TestRedirectInside(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	for _, path := range []string{"", "youtubei/v1/player", "videoplayback"} {
		d := newDouble(t)
		d.song(anID, 1000)
		d.answers[path] = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL+"/latest/meta-data?token="+secretSig, http.StatusTemporaryRedirect)
		}
		_, err := get(t, d.source(nil), anID)
		if path != "" { // the home page's failure costs nothing
			wantCode(t, err, jobs.ClassTransient, CodeUpstream)
		} else if err != nil {
			t.Error(err)
		}
	}
	d := newDouble(t)
	d.song(anID, 1000)
	d.player[anID] = func(call) any {
		return d.playable(anID, func(a object) { formats(a)[2]["url"] = inside.URL + "/videoplayback?sig=" + secretSig })
	}
	_, err := get(t, d.source(nil), anID)
	wantCode(t, err, jobs.ClassTransient, CodeUpstream)
	if reached.Load() != 0 {
		t.Errorf("the internal address was asked %d times", reached.Load())
	}
}

func TestOptionsAreCheckedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Options{
		BaseURL: "ftp://x", APIBaseURL: "http://x/path", Proxy: "http://user:" + secretProxy + "@ho st", Client: "NOBODY", Extractors: []string{"native", "native", "magic"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"magic", "twice", "NOBODY", "base URL"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no word of %s: %v", part, err)
		}
	}
	clean(t, err)
}

func TestParseIdentities(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "VISIONOS 1.02", "visionos, IOS": "VISIONOS 1.02,IOS 21.03.2", `{"name":"VISIONOS","version":"1.04"}`: "VISIONOS 1.04",
		`["IOS",{"name":"TV","version":"7","user_agent":"tv"}]`: "IOS 21.03.2,TV 7",
	} {
		all, err := ParseIdentities(text)
		var got []string
		for _, id := range all {
			got = append(got, id.Name+" "+id.Version)
		}
		if err != nil || strings.Join(got, ",") != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"NOBODY", "VISIONOS,", "[]", "{", `{"name":"TV"}`, `{"name":"TV","version":"1","user_agent":"a\nb"}`, "[1]"} {
		if all, err := ParseIdentities(text); err == nil {
			t.Errorf("%s: %v", text, all)
		}
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	r := newRedactor(secretKey, secretProxy, "")
	for text, want := range map[string]string{
		"Get \"https://r1.googlevideo.com/videoplayback?sig=abc&key=x\": EOF": "Get \"r1.googlevideo.com/videoplayback\": EOF",
		"proxy http://u:" + secretProxy + "@h:1/":                             "proxy h:1/",
		"key " + secretKey + " refused":                                       "key *** refused",
		"Cookie: SID=abc; next":                                               "Cookie: ***; next",
		"Authorization: Bearer abc.def":                                       "Authorization: ***",
		"see /videoplayback?sig=abc now":                                      "see /videoplayback?*** now",
		"HTTP Error 403: Forbidden":                                           "HTTP Error 403: Forbidden",
		"two\nlines\x1b[31m":                                                  "two lines [31m",
	} {
		if got := r.text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if long := r.text(strings.Repeat("ñ", 1000)); len(long) > textLimit+3 {
		t.Errorf("%d bytes", len(long))
	}
}

// Secrets are planted everywhere, everything fails in every way, and nothing of
// them is seen in errors, answers, status or logs.
func TestNoSecretComesOut(t *testing.T) { //nolint:paralleltest // it replaces the process's logger
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(old)
	d := newDouble(t)
	d.song(anID, 5000)
	leak := "https://r1.googlevideo.com/videoplayback?sig=" + secretSig + "&key=" + secretKey + " Cookie: SID=" + secretCookie + " proxy http://u:" + secretProxy + "@h/"
	fake := d.withYTDLP(`echo "ERROR: [youtube] ` + leak + ` $cookies $(cat $cookies /dev/null)" >&2; exit 1`)
	path := cookiesAt(t, cookieFile)
	s := d.source(func(o *Options) { fake(o); withKey(o); o.Cookies = path })
	s.clean = newRedactor(append([]string{secretKey, path}, proxySecrets("http://u:"+secretProxy+"@h/")...)...)
	s.health.clean = s.clean
	errs := []error{}
	for _, answer := range []any{
		unplayable("UNPLAYABLE", leak), unplayable("LOGIN_REQUIRED", "not a bot "+leak), unplayable("NEW", leak), status{500, nil, leak}, status{429, nil, leak}, status{200, nil, leak},
	} {
		d.mu.Lock()
		d.player[anID] = func(call) any { return answer }
		d.mu.Unlock()
		s.board.local.kept = map[string]jobs.Note{} // no circuit stands in the way
		_, err := get(t, s, anID)
		errs = append(errs, err)
		st := s.Status(t.Context())
		errs = append(errs, fmt.Errorf("%+v %s", st, st))
	}
	d.answers["youtube/v3/search"] = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"`+leak+`"}}`)
	}
	s.board.local.kept = map[string]jobs.Note{}
	_, _, err := s.Resolve(t.Context(), "a title")
	errs = append(errs, err)
	d.Close() // connection refused: the client's own errors quote the address
	s.board.local.kept = map[string]jobs.Note{}
	_, err = get(t, s, anID)
	errs = append(errs, err)
	for _, err := range errs {
		if err == nil {
			t.Error("no error")
		}
		clean(t, err)
	}
	for _, secret := range []string{secretKey, secretSig, secretCookie, secretProxy} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %s:\n%s", secret, log.String())
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for code, class := range Codes() {
		if Message(code) == "" || MessageES(code) == "" || Message(code) == MessageES(code) || class == "" {
			t.Errorf("%s: %q, %q, %s", code, Message(code), MessageES(code), class)
		}
		if (class == jobs.ClassPermanent) != (fail(code, nil).Remember > 0) {
			t.Errorf("%s is %s and remembered for %v", code, class, fail(code, nil).Remember)
		}
	}
	if MessageES("nonsense") != "" {
		t.Error("a message for a code of others")
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	const gone = "goneGoneGon"
	double := func(t *testing.T) (*double, []byte) {
		d := newDouble(t)
		d.api(apiVideo{anID, "Paper lights in the rain", "Band", "none", "PT2M", ""})
		return d, d.song(anID, 400_000)
	}
	d, audio := double(t)
	d.player["privatePriv"] = func(call) any { return unplayable("LOGIN_REQUIRED", "This video is private") }
	sourcetest.Run(t, sourcetest.Harness{
		New: func(*testing.T) sourcetest.Source { return d.source(withKey) },
		Song: sourcetest.Sample{
			Song: song(anID), Title: "paper lights in the rain", Links: []string{watchURL(anID), "<https://youtu.be/" + anID + "?t=4>"}, Bytes: audio, Duration: 2 * time.Minute,
		},
		Unknown: []string{"nothing at all"}, UnknownSong: song(gone), NotFound: CodeNotFound,
		Invalid: []string{"https://www.youtube.com/playlist?list=PLx", "https://evil.example/watch?v=" + anID, ""},
		Failing: map[jobs.Song]sourcetest.Verdict{song("privatePriv"): {Class: jobs.ClassPermanent, Code: CodePrivate}},
		Slow: func(t *testing.T) sourcetest.Source {
			d, _ := double(t)
			d.media = func(w http.ResponseWriter, r *http.Request, audio []byte) bool {
				w.Header().Set("Content-Type", "audio/webm")
				w.Header().Set("Content-Length", fmt.Sprint(len(audio)))
				_, _ = w.Write(audio[:1000])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return true
			}
			return d.source(nil)
		},
	})
}

func FuzzPlayer(f *testing.F) {
	f.Add([]byte(`{"playabilityStatus":{"status":"OK","errorScreen":{"playerErrorMessageRenderer":{"reason":{"runs":[{"text":"x"}]}}}},"videoDetails":{"videoId":"dQw4w9WgXcQ","lengthSeconds":"1"}}`))
	f.Add([]byte("<html>"))
	clean := newRedactor()
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parsePlayer(body)
		if err == nil {
			err = p.judge(anID, time.Hour, clean)
		}
		if err != nil && (asError(err) == nil || asError(err).Message == "") {
			t.Errorf("no verdict: %v", err)
		}
	})
}

func FuzzCookies(f *testing.F) {
	f.Add([]byte(cookieFile))
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, text []byte) {
		kept, c, err := parseCookies(text, now)
		if err != nil {
			return
		}
		again, c2, err := parseCookies(kept, now)
		if err != nil || !bytes.Equal(again, kept) || c2 != c {
			t.Errorf("the copy of %q reads as %+v, %v; want %+v", text, c2, err, c)
		}
	})
}

func ExampleNew() {
	s, err := New(Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	song, _, err := s.Resolve(context.Background(), "https://youtu.be/dQw4w9WgXcQ?t=42")
	fmt.Println(song, err)
	_, _, err = s.Resolve(context.Background(), "https://www.youtube.com/playlist?list=PL1")
	fmt.Println(jobs.AsError(err).Code)
	// Output:
	// youtube:dQw4w9WgXcQ <nil>
	// playlist_only
}

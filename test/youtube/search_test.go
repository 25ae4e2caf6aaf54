package youtube_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/double"
)

// catalogue fills a double with songs that can be searched for.
func catalogue(t *testing.T, d *double.Double) (lanterns, crossroads double.Song) {
	t.Helper()
	lanterns = addTrack(t, d, "Lanterns001", tracks.Short[0])
	addTrack(t, d, "Rio-Claro02", tracks.Short[1])
	addTrack(t, d, "Quoted--003", tracks.Short[2])
	live := addTrack(t, d, "LanternLive", double.Track{Title: "Lanterns & Rain Lanterns Rain (live now)", Artist: "The Cartographers", Files: tracks.Short[0].Files})
	d.Fail(live.ID, double.Fault{Kind: double.Live})
	soon := addTrack(t, d, "LanternSoon", double.Track{Title: "Lanterns & Rain (premiere)", Artist: "The Cartographers", Files: tracks.Short[0].Files})
	d.Fail(soon.ID, double.Fault{Kind: double.Premiere})
	return lanterns, addTrack(t, d, "Crossroads4", tracks.Song)
}

// TestSearch asks for titles: one search call, with the key in a header, finds
// the song; asking again costs nothing; live ones are passed over.
func TestSearch(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{APIKey: plantedKey})
	lanterns, _ := catalogue(t, d)
	s := run(t, d, "BUTAKERO_EXTRACTORS=native")
	for range 3 {
		o := finish(t, s, "lanterns & rain")
		wantSong(t, s, o, lanterns.Format(251))
		if o.SongID != lanterns.ID || o.Title != "Lanterns & Rain" {
			t.Errorf("found %s %q", o.SongID, o.Title)
		}
	}
	searches, units := d.Quota()
	if searches != 1 || units > 1 || d.Count(double.KindSearch, "") != 1 {
		t.Errorf("%d searches and %d units were spent, one of each would do", searches, units)
	}
	for _, r := range d.Requests() {
		if (r.Kind == double.KindSearch || r.Kind == double.KindVideos) && r.Key != "header" {
			t.Errorf("the key came in %q", r.Key)
		}
	}
	// A link costs no search and, in the request, no network at all.
	d.Forget()
	submitted := submit(t, s.base, watch(lanterns.ID))
	if n := d.Count("", ""); n != 0 {
		t.Errorf("a link to a song that is there made %d requests", n)
	}
	if o := look(t, s.base, submitted); o.State != "succeeded" {
		t.Errorf("it is %+v", o)
	}
	// Nothing found is an answer of its own, remembered too.
	for range 2 {
		status, body := call(t, http.MethodPost, s.base+"/api/v1/audio/start?song="+url.QueryEscape("zzzz qqqq"))
		wantProblem(t, status, body, "not_found")
	}
	if n := d.Count(double.KindSearch, ""); n != 1 {
		t.Errorf("%d searches for what is not there", n)
	}
}

func wantProblem(t *testing.T, status int, body []byte, code string) {
	t.Helper()
	var p struct {
		Code  string `json:"code"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &p); err != nil || status < 400 || p.Code != code {
		t.Errorf("%d %s, want code %s", status, body, code)
	}
}

// TestSearchFails has the Data API fail in each of its ways: titles are found
// through yt-dlp, links need no search.
func TestSearchFails(t *testing.T) {
	t.Parallel()
	needYTDLP(t)
	for _, kind := range []double.Kind{
		double.APIQuota, double.APISearch, double.APIKey, double.APIDenied, double.APIOff, double.APIError, double.APIHTML, double.APICut,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := double.Start(t, double.Options{})
			lanterns, crossroads := catalogue(t, d)
			d.Fail("", double.Fault{Kind: kind})
			s := run(t, d)
			o := finish(t, s, "lanterns & rain cartographers")
			wantSong(t, s, o, lanterns.Format(251))
			if d.Count(double.KindFind, "") != 1 {
				t.Errorf("YouTube's own search was asked %d times", d.Count(double.KindFind, ""))
			}
			// A quota that is used up is not asked again the same day.
			before := d.Count(double.KindSearch, "")
			o = finish(t, s, "crossroads midnight")
			wantSong(t, s, o, crossroads.Format(251))
			if again := d.Count(double.KindSearch, "") - before; (kind == double.APIQuota || kind == double.APISearch) && again != 0 {
				t.Errorf("the API was asked %d times after it had said that the quota is used up", again)
			}
		})
	}
}

// TestSearchRefused has neither the API nor yt-dlp: the answer says why, and links
// still work.
func TestSearchRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind double.Kind
		code string
	}{{double.APISearch, "quota"}, {double.APIQuota, "quota"}, {double.APIKey, "config"}} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			d := double.Start(t, double.Options{})
			lanterns, _ := catalogue(t, d)
			d.Fail("", double.Fault{Kind: c.kind})
			s := run(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_YTDLP_PATH="+filepath.Join(t.TempDir(), "none"))
			status, body := call(t, http.MethodPost, s.base+"/api/v1/audio/start?song="+url.QueryEscape("lanterns & rain"))
			wantProblem(t, status, body, c.code)
			noSecrets(t, d, map[string]string{"the answer": string(body)})
			wantSong(t, s, finish(t, s, watch(lanterns.ID)), lanterns.Format(251))
		})
	}
}

// TestWithoutKey searches through yt-dlp alone.
func TestWithoutKey(t *testing.T) {
	t.Parallel()
	needYTDLP(t)
	d := double.Start(t, double.Options{})
	lanterns, _ := catalogue(t, d)
	s := run(t, d, "YOUTUBE_API_KEY=")
	for range 2 {
		wantSong(t, s, finish(t, s, "lanterns & rain cartographers"), lanterns.Format(251))
	}
	if d.Count(double.KindFind, "") != 1 || d.Count(double.KindSearch, "") != 0 {
		t.Errorf("%d and %d searches", d.Count(double.KindFind, ""), d.Count(double.KindSearch, ""))
	}
}

// cookieFile writes a session as a browser's extension exports it.
func cookieFile(t *testing.T) string {
	t.Helper()
	lines := []string{"# Netscape HTTP Cookie File", ""}
	for _, name := range []string{"LOGIN_INFO", "SAPISID", "__Secure-1PAPISID", "SID", "HSID", "SSID", "__Secure-1PSID"} {
		prefix := ""
		if name != "SAPISID" {
			prefix = "#HttpOnly_"
		}
		lines = append(lines, prefix+".youtube.com\tTRUE\t/\tTRUE\t4102444800\t"+name+"\t"+plantedCookie+name)
	}
	path := filepath.Join(t.TempDir(), "cookies.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCookies uses a session for what guests do not get, through yt-dlp alone, and
// for nothing else.
func TestCookies(t *testing.T) {
	t.Parallel()
	needYTDLP(t)
	for _, kind := range []double.Kind{double.Age, double.Bot} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := double.Start(t, double.Options{})
			path := cookieFile(t)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := run(t, d, "COOKIES_YOUTUBE="+path)
			plain, guarded := add(t, d, "plain"), add(t, d, "guarded")
			d.Fail(guarded.ID, double.Fault{Kind: kind, Guests: true})
			wantSong(t, s, finish(t, s, watch(plain.ID)), plain.Format(251))
			for _, r := range d.Requests() {
				if r.SignedIn {
					t.Errorf("a session was used for a song that needs none: %+v", r)
				}
			}
			o := finish(t, s, watch(guarded.ID))
			wantSong(t, s, o, guarded.Format(251))
			signedIn := 0
			for _, r := range d.Requests() {
				if r.SignedIn {
					signedIn++
				}
				if r.SignedIn && !r.Proxied {
					t.Errorf("the session was used without yt-dlp: %+v", r)
				}
			}
			if signedIn == 0 {
				t.Error("the session was not used")
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the file of cookies was changed, %v", err)
			}
		})
	}
}

// TestRotatedCookies has YouTube end the session: the song fails for what it is,
// operators are told, and the dead session is not tried again.
func TestRotatedCookies(t *testing.T) {
	t.Parallel()
	needYTDLP(t)
	d := double.Start(t, double.Options{})
	s := run(t, d, "COOKIES_YOUTUBE="+cookieFile(t))
	d.RotateCookies()
	for i, id := range []string{"rotated-1", "rotated-2"} {
		song := add(t, d, id)
		d.Fail(song.ID, double.Fault{Kind: double.Age, Guests: true})
		if o := finish(t, s, watch(song.ID)); o.State != "failed" || o.code() != "age_restricted" {
			t.Errorf("%+v %+v", o, o.Job.Error)
		}
		// The adapter asks once with the session that it believes in, then never.
		if _, fallback := players(d, song.ID); fallback > 0 != (i == 0) {
			t.Errorf("song %d: %d player calls of yt-dlp", i+1, fallback)
		}
	}
	var all string
	if err := tryGet(s.base+"/metrics", &all); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(all, "butakero_youtube_cookies_rotated_total 1\n") {
		t.Error("the metrics do not tell of the cookies")
	}
}

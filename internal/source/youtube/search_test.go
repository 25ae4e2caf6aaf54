package youtube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/memory"
)

// api gives the double a Data API with these videos, in the order in which the
// search finds them.
type apiVideo struct{ id, title, channel, live, duration, rating string }

func (d *double) api(videos ...apiVideo) {
	snip := func(v apiVideo) object {
		return object{"title": v.title, "channelTitle": v.channel, "liveBroadcastContent": v.live, "thumbnails": object{
			"default": object{"url": "https://i.ytimg.com/a.jpg", "width": 120}, "high": object{"url": "https://i.ytimg.com/b.jpg", "width": 480},
		}}
	}
	answer := func(items func(r *http.Request) []object) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Goog-Api-Key") != secretKey || strings.Contains(r.URL.String(), secretKey) {
				http.Error(w, `{"error":{"code":403,"message":"no key"}}`, http.StatusForbidden)
				return
			}
			_ = json.NewEncoder(w).Encode(object{"items": items(r)})
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers["youtube/v3/search"] = answer(func(r *http.Request) (items []object) {
		if r.URL.Query().Get("type") != "video" || r.URL.Query().Get("q") == "nothing at all" {
			return []object{{"id": object{"channelId": "UCx"}}}
		}
		for _, v := range videos {
			items = append(items, object{"id": object{"videoId": v.id}, "snippet": snip(v)})
		}
		return items
	})
	d.answers["youtube/v3/videos"] = answer(func(r *http.Request) (items []object) {
		for _, v := range videos {
			if v.duration != "" && strings.Contains(r.URL.Query().Get("id"), v.id) {
				items = append(items, object{"id": v.id, "snippet": snip(v), "contentDetails": object{
					"duration": v.duration, "contentRating": object{"ytRating": v.rating},
				}})
			}
		}
		return items
	})
}

func withKey(o *Options) { o.APIKey = secretKey; o.MaxDuration = 3 * time.Hour }

var thunder = []apiVideo{
	{"liveliveliv", "AC/DC - Thunderstruck LIVE NOW", "AC/DC", "live", "P0D", ""},
	{"goneGoneGon", "AC/DC - Thunderstruck", "AC/DC", "none", "", ""},
	{"ageAgeAgeAg", "AC/DC - Thunderstruck", "AC/DC", "none", "PT4M", "ytAgeRestricted"},
	{"tenTenTenTe", "AC/DC - Thunderstruck", "AC/DC", "none", "PT10H", ""},
	{"coverCoverC", "AC/DC - Thunderstruck (cello cover)", "2Cellos", "none", "PT5M", ""},
	{"rightRightR", "AC/DC - Thunderstruck (Official Video) &amp; &#39;more&#39;", "AC/DC", "none", "PT4M52S", ""},
}

func TestSearch(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.api(thunder...)
	notes := memory.New()
	s := d.source(func(o *Options) { withKey(o); o.Notes = notes })
	other := d.source(func(o *Options) { withKey(o); o.Notes = notes })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got, info, err := s.Resolve(t.Context(), "AC/DC   thunderstruck")
			if err != nil || got.ID != "rightRightR" || info.Title != "AC/DC - Thunderstruck (Official Video) & 'more'" ||
				info.Duration != 4*time.Minute+52*time.Second || info.Thumbnail != "https://i.ytimg.com/b.jpg" || info.Artist != "AC/DC" {
				t.Errorf("%v %+v %v", got, info, err)
			}
		})
	}
	wg.Wait()
	if got, _, err := other.Resolve(t.Context(), "ac/dc Thunderstruck"); err != nil || got.ID != "rightRightR" {
		t.Error(got, err)
	}
	if n := d.count("youtube/v3/search"); n != 1 {
		t.Errorf("%d searches for one text", n)
	}
	for range 2 {
		_, _, err := s.Resolve(t.Context(), "nothing at all")
		wantCode(t, err, jobs.ClassPermanent, CodeNotFound)
	}
	if n := d.count("youtube/v3/search"); n != 2 {
		t.Errorf("%d searches, want a miss to be kept", n)
	}
	if st := other.Status(t.Context()); st.Searches.Used != 2 || st.Searches.Exhausted || !st.Searches.Key {
		t.Errorf("status %+v", st.Searches)
	}
}

func TestLinksCostNothing(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := d.source(withKey)
	for _, text := range []string{"https://youtu.be/" + anID, "www.youtube.com/watch?list=PLx&v=" + anID} {
		got, info, err := s.Resolve(t.Context(), text)
		if err != nil || got != song(anID) || info.URL != watchURL(anID) {
			t.Error(got, info, err)
		}
	}
	for text, code := range map[string]string{
		"https://www.youtube.com/playlist?list=PLx": "playlist_only", "https://open.spotify.com/track/1": "unsupported_host",
	} {
		_, _, err := s.Resolve(t.Context(), text)
		wantCode(t, err, jobs.ClassPermanent, code)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.seen) != 0 {
		t.Errorf("requests: %v", d.seen)
	}
}

const searchScript = `printf 'FOUND\t"liveliveliv"\tnull\t"is_live"\t"paper lights"\t"b"\nFOUND\t"paperLights"\t200.0\tnull\t"Paper Lights"\t"Band"\n'`

func TestQuotaFallsBackToYTDLP(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.api(thunder...)
	time0 := newClock()
	time0.at = time.Date(2026, 7, 1, 6, 59, 0, 0, time.UTC) // a minute before midnight, daylight saving time
	fake := d.withYTDLP(searchScript)
	s := d.source(func(o *Options) { fake(o); withKey(o); o.SearchQuota, o.Now = 2, time0.now })
	resolve := func(text, id string, searches int) {
		t.Helper()
		got, _, err := s.Resolve(t.Context(), text)
		if err != nil || got.ID != id || d.count("youtube/v3/search") != searches {
			t.Errorf("%q: %v, %v, %d searches; want %s, %d", text, got, err, d.count("youtube/v3/search"), id, searches)
		}
	}
	resolve("thunderstruck one", "rightRightR", 1)
	resolve("thunderstruck two", "rightRightR", 2)
	resolve("thunderstruck three", "paperLights", 2)
	if st := s.Status(t.Context()); !st.Searches.Exhausted {
		t.Errorf("status %+v", st.Searches)
	}
	time0.pass(time.Minute)
	resolve("thunderstruck four", "rightRightR", 3)
}

func TestAPIRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		class  jobs.Class
		code   string
		calls  int
	}{
		{"quota", 403, `{"error":{"code":403,"message":"The request cannot be completed because you have exceeded your <a href=\"/x?key=` + secretKey + `\">quota</a>.","errors":[{"reason":"quotaExceeded","domain":"youtube.quota"}]}}`, jobs.ClassThrottled, CodeQuota, 1},
		{"search bucket", 429, `{"error":{"code":429,"message":"Quota exceeded for quota metric 'Search Queries' and limit 'Search Queries per day'"}}`, jobs.ClassThrottled, CodeQuota, 1},
		{"bad key", 400, `{"error":{"code":400,"message":"API key not valid. key=` + secretKey + `","errors":[{"reason":"badRequest"}],"details":[{"reason":"API_KEY_INVALID"}]}}`, jobs.ClassEnvironment, CodeConfig, 2},
		{"off", 403, `{"error":{"code":403,"message":"x","errors":[{"reason":"accessNotConfigured"}]}}`, jobs.ClassEnvironment, CodeConfig, 2},
		{"trouble", 503, `oops`, jobs.ClassTransient, CodeUpstream, 4},
		{"redirect", 302, ``, jobs.ClassEnvironment, CodeConfig, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			d.answers["youtube/v3/search"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				_, _ = fmt.Fprint(w, tt.body)
			}
			s := d.source(withKey) // no yt-dlp to fall back to
			for i := range 2 {
				_, _, err := s.Resolve(t.Context(), fmt.Sprintf("text %d", i))
				e := verdict(t, err, tt.class, tt.code)
				if tt.code == CodeQuota && (e.RetryAfter <= 0 || e.RetryAfter > 25*time.Hour) {
					t.Errorf("retry after %v", e.RetryAfter)
				}
			}
			if n := d.count("youtube/v3/search"); n != tt.calls || d.count("elsewhere") != 0 {
				t.Errorf("%d calls, want %d; %d redirects followed", n, tt.calls, d.count("elsewhere"))
			}
		})
	}
}

func TestSearchWithoutAKey(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	fake := d.withYTDLP(searchScript)
	s := d.source(fake)
	got, info, err := s.Resolve(t.Context(), "-rf --exec id")
	if err != nil || got.ID != "paperLights" || info.Duration != 200*time.Second {
		t.Error(got, info, err)
	}
	log, err := os.ReadFile(s.YTDLPArgs[0] + ".log")
	if err != nil || !strings.Contains(string(log), "\n--\nytsearch5:-rf --exec id\n") || !strings.Contains(string(log), "youtube:search,youtube\n") {
		t.Errorf("arguments:\n%s", log)
	}
	leaves(t, s)
	missing := d.source(nil)
	_, _, err = missing.Resolve(t.Context(), "anything")
	wantCode(t, err, jobs.ClassEnvironment, CodeConfig)
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"PT3M21S": 201 * time.Second, "PT1H": time.Hour, "PT45S": 45 * time.Second, "P1DT2H3M4S": 26*time.Hour + 184*time.Second,
		"P3W3DT20H31M21S": 24*24*time.Hour + 20*time.Hour + 31*time.Minute + 21*time.Second, "PT0S": 0, "P0D": 0, "PT1.5S": 1500 * time.Millisecond, "P2W": 14 * 24 * time.Hour,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "3M", "PT3", "P1Y", "P1M", "PT1S2M", "PTM", "PT-3S", "P1DT", "PT1..5S", "PT99999999999H", "P1H", "PT1D"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%s = %v", text, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	f.Add("P3W3DT20H31M21S")
	f.Add("PT1.5S")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseDuration(text); err == nil && d < 0 {
			t.Errorf("%q = %v", text, d)
		}
	})
}

func TestClosest(t *testing.T) {
	t.Parallel()
	list := func(titles ...string) (all []candidate) {
		for _, title := range titles {
			all = append(all, candidate{hit{Title: title}})
		}
		return all
	}
	for _, tt := range []struct {
		query string
		all   []candidate
		want  string
	}{
		{"la canción del río", list("Otra cosa", "La Cancion del Rio (letra)"), "La Cancion del Rio (letra)"},
		{"thunderstruck", list("Thunderstruck cover", "Thunderstruck"), "Thunderstruck"},
		{"thunderstruck cover", list("Thunderstruck", "Thunderstruck cover"), "Thunderstruck cover"},
		{"!!!", list("first", "second"), "first"},
		{"artist song", list("artist song (lyrics)", "artist song"), "artist song (lyrics)"},
	} {
		if got := closest(tt.query, tt.all); got.Title != tt.want {
			t.Errorf("%q: %q, want %q", tt.query, got.Title, tt.want)
		}
	}
}

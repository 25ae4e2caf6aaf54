package youtube_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/double"
)

// TestLinks asks the API with every form of link: those that name a video find
// the same song, those that do not are refused with a code, and none makes a
// request.
func TestLinks(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{})
	s := run(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_LOG_LEVEL=info")
	song := addTrack(t, d, "dQw4w9WgXcQ", tracks.Short[0])
	const v = "dQw4w9WgXcQ"
	wantSong(t, s, finish(t, s, watch(v)), song.Format(251))
	d.Forget()
	accepted := []string{
		"https://youtu.be/V", "youtu.be/V", "https://youtu.be/V?si=ab&t=42", "https://youtu.be/V/", "https://youtu.be/V?list=PL1",
		"https://www.youtube.com/shorts/V", "https://www.youtube.com/shorts/V?feature=share", "https://www.youtube.com/live/V",
		"https://www.youtube.com/live/V?si=k3&t=10s", "https://www.youtube.com/embed/V", "https://www.youtube.com/embed/V?start=30",
		"https://www.youtube.com/embed/V?list=PL1", "https://www.youtube.com/v/V", "https://www.youtube.com/v/V?version=3", "https://www.youtube.com/e/V",
		"https://www.youtube-nocookie.com/embed/V", "https://youtube-nocookie.com/embed/V", "https://www.youtube.com/watch?list=PL1&v=V",
		"https://www.youtube.com/watch?v=V&list=RD1&index=2", "https://music.youtube.com/watch?v=V&list=RDAM1", "https://www.youtube.com/watch?v=V&t=1m30s",
		"https://www.youtube.com/watch?feature=youtu.be&v=V#t=30", "https://www.youtube.com/watch?app=desktop&v=V&ab_channel=Rick",
		"https://www.youtube.com/watch?v=V&pp=ygU%3D", "https://www.youtube.com/watch?v=V&", "HTTPS://WWW.YOUTUBE.COM/watch?v=V", "https://YouTu.Be/V",
		"www.youtube.com/watch?v=V", "youtube.com/watch?v=V", "m.youtube.com/watch?v=V", "music.youtube.com/watch?v=V", "//www.youtube.com/watch?v=V",
		"https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3DV%26feature%3Dshare", "https://www.youtube.com:443/watch?v=V", "<https://youtu.be/V>",
		"  https://youtu.be/V  ",
	}
	for _, scheme := range []string{"https://", "http://"} {
		for _, host := range []string{"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"} {
			accepted = append(accepted, scheme+host+"/watch?v=V")
		}
	}
	for _, form := range accepted {
		text := strings.ReplaceAll(form, "V", v)
		if o := look(t, s.base, submit(t, s.base, text)); o.SongID != v || o.State != "succeeded" {
			t.Errorf("%q: %+v", text, o)
		}
	}
	refused := []string{
		"https://www.youtube.com/", "https://www.youtube.com/@handle", "https://www.youtube.com/channel/UC123", "https://www.youtube.com/playlist?list=PL1",
		"https://www.youtube.com/watch?list=PL1", "https://www.youtube.com/watch", "https://www.youtube.com/watch?v=", "https://www.youtube.com/watch?v=dQw4w9WgXc",
		"https://www.youtube.com/watch?v=dQw4w9WgXcQQ", "https://www.youtube.com/watch?v=dQw4w9WgXc!", "https://www.youtube.com/watch?v=../../../x",
		"https://youtu.be/", "https://youtu.be/V+extra", "https://www.youtube.com/results?search_query=x", "https://www.youtube.com/embed/videoseries?list=PL1",
		"https://www.youtube.com/embed/live_stream?channel=UC1", "https://www.youtube.com/redirect?q=https%3A%2F%2Fyoutu.be%2FV", "https://youtube.com@evil.example/watch?v=V",
		"https://user:pass@www.youtube.com/watch?v=V", "https://youtu.be:80@127.0.0.1/V", "https://evil.example/watch?v=V", "https://youtube.com.evil.example/watch?v=V",
		"https://notyoutube.com/watch?v=V", "https://evil.example/https://www.youtube.com/watch?v=V", "https://www.google.com/url?q=https://youtu.be/V",
		"https://www.yo\u0443tube.com/watch?v=V", "https://xn--youtub-4of.com/watch?v=V", "javascript:alert(1)", "file:///etc/passwd", "ftp://youtu.be/V",
		"http://127.0.0.1/watch?v=V", "http://169.254.169.254/latest/meta-data", "http://[::1]/watch?v=V", "http://localhost/watch?v=V", "http://2130706433/watch?v=V",
		"http://metadata.google.internal/watch?v=V", "https://www.youtube.com:8080/watch?v=V", "https://youtu.be/V\r\nHost: x", "https://youtu.be/V https://youtu.be/V",
		"https://i.ytimg.com/vi/V/hq.jpg", "https://studio.youtube.com/video/V", "https://open.spotify.com/track/1", "https://vimeo.com/1", "https://", d.Trap(),
	}
	codes := map[string]int{}
	for _, form := range refused {
		text := strings.ReplaceAll(form, "V", v)
		status, body := call(t, http.MethodPost, s.base+"/api/v1/audio/start?song="+url.QueryEscape(text))
		var p struct {
			Code  string `json:"code"`
			Error string `json:"error"`
		}
		if err := json.Unmarshal(body, &p); err != nil || status < 400 || status >= 500 || p.Code == "" || p.Error == "" {
			t.Errorf("%q: %d %s", text, status, body)
		}
		codes[p.Code]++
	}
	if codes["playlist_only"] != 3 || codes["channel_only"] != 3 {
		t.Errorf("playlists and channels have codes of their own: %v", codes)
	}
	if n := d.Count("", ""); n != 0 {
		t.Errorf("%d requests were made for links: %+v", n, d.Requests())
	}
	t.Logf("%d forms accepted, %d refused: %v", len(accepted), len(refused), codes)
}

// TestRefusals are the refusals that are the settings' doing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, setting, code, class string
		attempts                   int
	}{
		{"large", "BUTAKERO_MAX_BYTES=1000", "too_large", "permanent", 1},
		{"long", "BUTAKERO_MAX_DURATION_SECONDS=3", "too_long", "permanent", 1},
		{"no-ytdlp", "BUTAKERO_EXTRACTORS=yt-dlp", "config", "environment", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := double.Start(t, double.Options{})
			s := run(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_YTDLP_PATH="+filepath.Join(t.TempDir(), "none"), c.setting)
			song := add(t, d, c.name)
			o := finish(t, s, watch(song.ID))
			if o.State != "failed" || o.code() != c.code || o.Job.Error.Class != c.class || o.Job.Attempt != c.attempts {
				t.Errorf("%+v %+v", o, o.Job.Error)
			}
			wantTold(t, s.base, o)
			if n := d.MediaBytes(""); n != 0 {
				t.Errorf("%d bytes of it were fetched", n)
			}
		})
	}
}

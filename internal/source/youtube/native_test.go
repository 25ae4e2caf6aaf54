package youtube

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

const anID = "dQw4w9WgXcQ"

func TestSongComesWhole(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := d.song(anID, 300_000)
	s := d.source(nil)
	m, err := s.Open(t.Context(), song(anID))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(m.Body)
	want(t, got, err, audio)
	if m.Size != int64(len(audio)) || m.Duration != 120021*time.Millisecond || m.Extractor != ExtractorNative ||
		m.Info.Title != "Song };"+anID || m.Info.Artist != "Band" || m.Info.Thumbnail != "https://i.ytimg.com/vi/x/a.jpg" {
		t.Errorf("media %+v", m)
	}
	if err := m.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.Body.Read(make([]byte, 1)); err == nil {
		t.Error("read after close gave no error")
	}
	c := d.calls[0]
	if c.Client != "VISIONOS" || c.Number != "101" || c.Visitor != "Vis=" || !strings.Contains(c.Agent, "Macintosh") {
		t.Errorf("player call %+v", c)
	}
	if b, err := get(t, s, anID); err != nil || len(b) != len(audio) {
		t.Error(len(b), err)
	}
	if d.count("") != 1 || d.count("watch") != 0 || d.bytes() != 2*int64(len(audio)) {
		t.Errorf("home %d times, watch %d, %d media bytes: want 1, 0 and twice the song", d.count(""), d.count("watch"), d.bytes())
	}
}

func TestPlayerVerdicts(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	retry := http.Header{"Retry-After": {"90"}}
	screen := func(status, sub string) object {
		return object{"playabilityStatus": object{"status": status, "reason": "Video unavailable", "errorScreen": object{
			"playerErrorMessageRenderer": object{"subreason": object{"runs": []object{{"text": sub}}}},
		}}}
	}
	edited := func(edit func(object)) func(call) any {
		return func(c call) any { d.song(c.ID, 100); return d.playable(c.ID, edit) }
	}
	details := func(name string, value any) func(call) any {
		return edited(func(a object) { a["videoDetails"].(object)[name] = value })
	}
	fixed := func(a any) func(call) any { return func(call) any { return a } }
	for i, tt := range []struct {
		name  string
		give  func(call) any
		class jobs.Class
		code  string
		calls int
	}{
		{"private", fixed(unplayable("LOGIN_REQUIRED", "This video is private")), jobs.ClassPermanent, CodePrivate, 1},
		{"private in web words", fixed(unplayable("LOGIN_REQUIRED", "Private video. Sign in if you've been granted access")), jobs.ClassPermanent, CodePrivate, 1},
		{"removed", fixed(unplayable("ERROR", "This video has been removed by the uploader")), jobs.ClassPermanent, CodeNotFound, 1},
		{"unavailable", fixed(unplayable("ERROR", "Video unavailable")), jobs.ClassPermanent, CodeNotFound, 1},
		{"terminated", fixed(screen("ERROR", "This video is no longer available because the YouTube account associated with it has been terminated.")), jobs.ClassPermanent, CodeNotFound, 1},
		{"age", fixed(unplayable("LOGIN_REQUIRED", "Sign in to confirm your age")), jobs.ClassPermanent, CodeAgeRestricted, 1},
		{"age by status", fixed(unplayable("AGE_VERIFICATION_REQUIRED", "")), jobs.ClassPermanent, CodeAgeRestricted, 1},
		{"geo", fixed(screen("UNPLAYABLE", "The uploader has not made this video available in your country")), jobs.ClassPermanent, CodeGeoBlocked, 1},
		{"members", fixed(unplayable("UNPLAYABLE", "Join this channel to get access to members-only content")), jobs.ClassPermanent, CodeMembersOnly, 1},
		{"upcoming", fixed(unplayable("LIVE_STREAM_OFFLINE", "Premieres in 3 hours")), jobs.ClassPermanent, CodeUpcoming, 1},
		{"bot", fixed(unplayable("LOGIN_REQUIRED", "Sign in to confirm you\u2019re not a bot")), jobs.ClassThrottled, CodeBotCheck, 1},
		{"throttled", fixed(unplayable("UNPLAYABLE", "This content isn\u2019t available, try again later.")), jobs.ClassThrottled, CodeRateLimited, 1},
		{"429", fixed(status{429, retry, ""}), jobs.ClassThrottled, CodeRateLimited, 1},
		{"500", fixed(status{500, nil, "oops"}), jobs.ClassTransient, CodeUpstream, 2},
		{"503 with a time", fixed(status{503, retry, ""}), jobs.ClassThrottled, CodeUpstream, 1},
		{"page with a check", fixed(status{200, nil, "<html>Our systems have detected unusual traffic</html>"}), jobs.ClassThrottled, CodeBotCheck, 1},
		{"page", fixed(status{200, nil, "<html>hello</html>"}), jobs.ClassTransient, CodeUpstream, 2},
		{"cut", fixed(status{200, nil, `{"playabilityStatus":{"sta`}), jobs.ClassTransient, CodeUpstream, 2},
		{"empty answer", fixed(status{200, nil, ""}), jobs.ClassTransient, CodeUpstream, 2},
		{"no status", fixed(object{}), jobs.ClassTransient, CodeUpstream, 2},
		{"unknown status", fixed(unplayable("SOMETHING_NEW", "New")), jobs.ClassTransient, CodeUpstream, 2},
		{"reload", fixed(unplayable("UNPLAYABLE", "The page needs to be reloaded.")), jobs.ClassTransient, CodeUpstream, 2},
		{"unknown reason", fixed(unplayable("UNPLAYABLE", "A reason from next year")), jobs.ClassPermanent, CodeUnplayable, 1},
		{"another video", details("videoId", "aaaaaaaaaaa"), jobs.ClassTransient, CodeUpstream, 2},
		{"live", details("isLive", true), jobs.ClassPermanent, CodeLive, 1},
		{"upcoming details", details("isUpcoming", true), jobs.ClassPermanent, CodeUpcoming, 1},
		{"empty", details("lengthSeconds", "0"), jobs.ClassPermanent, CodeEmpty, 1},
		{"too long", details("lengthSeconds", "7200"), jobs.ClassPermanent, CodeTooLong, 1},
		{"protected", edited(func(a object) { a["streamingData"].(object)["licenseInfos"] = []object{{}} }), jobs.ClassPermanent, CodeNoAudio, 1},
		{"no formats", edited(func(a object) { delete(a["streamingData"].(object), "adaptiveFormats") }), jobs.ClassPermanent, CodeNoAudio, 1},
		{"video alone", edited(func(a object) { a["streamingData"].(object)["adaptiveFormats"] = formats(a)[:1] }), jobs.ClassPermanent, CodeNoAudio, 1},
		{"too large", edited(func(a object) { formats(a)[2]["contentLength"] = "9999999999" }), jobs.ClassPermanent, CodeTooLarge, 1},
	} {
		id := fmt.Sprintf("verdict_%03d", i)
		d.mu.Lock()
		d.player[id] = tt.give
		d.mu.Unlock()
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := d.source(func(o *Options) { o.MaxDuration, o.MaxBytes = time.Hour, 1<<30 })
			_, err := s.Open(t.Context(), song(id))
			e := verdict(t, err, tt.class, tt.code)
			if e.Message == "" || e.Err == nil {
				t.Errorf("message %q, cause %v", e.Message, e.Err)
			}
			if tt.class == jobs.ClassPermanent && e.Remember == 0 {
				t.Error("a permanent verdict is not remembered")
			}
			if tt.class == jobs.ClassThrottled && (e.RetryAfter <= 0 || tt.name == "429" && (e.RetryAfter < 85*time.Second || e.RetryAfter > 90*time.Second)) {
				t.Errorf("retry after %v", e.RetryAfter)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			calls := 0
			for _, c := range d.calls {
				if c.ID == id {
					calls++
				}
			}
			if calls != tt.calls {
				t.Errorf("%d player calls, want %d", calls, tt.calls)
			}
		})
	}
}

func TestFormatChoice(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.song(anID, 1000)
	track := func(f object, original bool, more object) object {
		f["audioTrack"] = object{"displayName": "x", "audioIsDefault": original}
		for k, v := range more {
			f[k] = v
		}
		return f
	}
	link := func(n int) object { return object{"url": mediaLink(anID, n) + "&n=" + strconv.Itoa(n)} }
	d.player[anID] = func(call) any {
		return d.playable(anID, func(a object) {
			a["streamingData"].(object)["adaptiveFormats"] = []object{
				track(audioFormat(anID, 251, 1000), false, object{"bitrate": 200000}),
				track(audioFormat(anID, 251, 1000), true, object{"url": mediaLink(anID, 251) + "&drc", "isDrc": true}),
				track(audioFormat(anID, 140, 1000), true, nil),
				track(audioFormat(anID, 249, 1000), true, link(249)),
				track(audioFormat(anID, 250, 1000), true, link(250)),
			}
		})
	}
	var asked atomic.Value
	d.media = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		asked.Store(r.URL.Query().Get("itag"))
		return false
	}
	if _, err := get(t, d.source(nil), anID); err != nil || asked.Load() != "250" {
		t.Errorf("asked for %v, %v; want the original's plain 250", asked.Load(), err)
	}
}

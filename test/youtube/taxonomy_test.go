package youtube_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/double"
)

// TestVerdicts asks for videos that can never be played, and for some that only
// YouTube's bad day keeps from being played: each ends with the right code in the
// operation, the original's answer and the event, after so many attempts, and
// YouTube was not asked more often than needed.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	needYTDLP(t)
	d := double.Start(t, double.Options{})
	s := run(t, d)
	const never, always = false, true
	codes := map[string]bool{}
	for _, c := range []struct {
		kind     double.Kind
		code     string
		class    string
		attempts int
		native   int  // player calls of ours
		fallback bool // yt-dlp was asked
	}{
		{double.Private, "private", "permanent", 1, 1, never},
		{double.PrivateApp, "private", "permanent", 1, 1, never},
		{double.Age, "age_restricted", "permanent", 1, 1, never},
		{double.AgeCheck, "age_restricted", "permanent", 1, 1, never},
		{double.AgeVerify, "age_restricted", "permanent", 1, 1, never},
		{double.AgeContent, "age_restricted", "permanent", 1, 1, never},
		{double.Geo, "geo_blocked", "permanent", 1, 1, never},
		{double.GeoClaim, "geo_blocked", "permanent", 1, 1, never},
		{double.Members, "members_only", "permanent", 1, 1, never},
		{double.MemberTier, "members_only", "permanent", 1, 1, never},
		{double.Premium, "members_only", "permanent", 1, 1, never},
		{double.Paid, "members_only", "permanent", 1, 1, never},
		{double.Removed, "not_found", "permanent", 1, 1, never},
		{double.Terminated, "not_found", "permanent", 1, 1, never},
		{double.Unavailable, "not_found", "permanent", 1, 1, never},
		{double.Upcoming, "upcoming", "permanent", 1, 1, never},
		{double.Premiere, "upcoming", "permanent", 1, 1, never},
		{double.Live, "live", "permanent", 1, 1, never},
		{double.Empty, "empty", "permanent", 1, 1, never},
		{double.TooLong, "too_long", "permanent", 1, 1, never},
		{double.DRM, "no_audio", "permanent", 1, 1, always},
		{double.NoAudio, "no_audio", "permanent", 1, 1, always},
		{double.Unknown, "unplayable", "permanent", 1, 1, always},

		{double.OddStatus, "upstream", "transient", 2, 4, always},
		{double.NoStatus, "upstream", "transient", 2, 4, always},
		{double.Reload, "upstream", "transient", 2, 4, always},
		{double.Error, "upstream", "transient", 2, 4, always},
		{double.HTML, "upstream", "transient", 2, 4, always},
		{double.CutJSON, "upstream", "transient", 2, 4, always},
		{double.NoAnswer, "upstream", "transient", 2, 4, always},
		{double.WrongVideo, "upstream", "transient", 2, 4, always},
		{double.Redirect, "upstream", "transient", 2, 4, always},
		{double.Reset, "network", "transient", 2, 4, always},

		{double.Media503, "upstream", "transient", 2, 2, always},
		{double.MediaHTML, "upstream", "transient", 2, 2, always},
		{double.MediaRedirect, "upstream", "transient", 2, 2, always},
		{double.MediaMore, "incomplete", "transient", 2, 2, always},
		{double.MediaShort, "incomplete", "transient", 2, 2, never},
		{double.Length, "incomplete", "transient", 2, 2, never},
		{double.MediaReset, "network", "transient", 2, 2, never},
		{double.MediaCut, "network", "transient", 2, 2, never},
	} {
		// What comes after the beginning is the pipeline's to count.
		if c.fallback || c.class == "permanent" {
			codes[c.code] = true
		}
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			song := add(t, d, string(c.kind))
			f := double.Fault{Kind: c.kind, Location: d.Trap()}
			f.At = int64(len(song.Format(251).Data) / 2)
			d.Fail(song.ID, f)
			o := finish(t, s, watch(song.ID))
			if o.State != "failed" || o.code() != c.code || o.Job.Error.Class != c.class || o.Job.Attempt != c.attempts {
				t.Errorf("%s after %d attempts with %+v; want failed after %d with %s, %s", o.State, o.Job.Attempt, o.Job.Error, c.attempts, c.class, c.code)
			}
			native, fallback := players(d, song.ID)
			if native != c.native || fallback > 0 != c.fallback {
				t.Errorf("%d player calls of ours and %d of yt-dlp; want %d and %v", native, fallback, c.native, c.fallback)
			}
			wantTold(t, s.base, o)
		})
	}
	t.Cleanup(func() {
		if n := d.Count(double.KindTrap, ""); n > 0 {
			t.Errorf("a redirect to an internal address was followed %d times", n)
		}
		// Operators see the codes too.
		var all string
		if err := tryGet(s.base+"/metrics", &all); err != nil {
			t.Error(err)
		}
		for code := range codes {
			if !strings.Contains(all, `butakero_youtube_extractions_total{code="`+code+`"`) {
				t.Errorf("no metric counts %s", code)
			}
		}
	})
}

// wantTold checks that a failure is told alike in the event and by the original's
// status.
func wantTold(t *testing.T, base string, o operation) {
	t.Helper()
	e := event(t, base, o.ID)
	if e.State != o.State || e.code() != o.code() || e.Job.Attempt != o.Job.Attempt {
		t.Errorf("the event says %+v %+v, the operation %+v %+v", e, e.Job.Error, o, o.Job.Error)
	}
	var status struct {
		Status struct {
			Status  string `json:"status"`
			Success bool   `json:"success"`
		} `json:"status"`
		Error string `json:"error"`
		Code  string `json:"code"`
	}
	code, body := call(t, http.MethodGet, base+"/api/v1/audio/status?operation_id="+url.QueryEscape(o.ID)+"&song_id="+o.SongID)
	if err := json.Unmarshal(body, &status); err != nil {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	if status.Status.Status != "failed" || status.Status.Success || status.Code != o.code() || status.Error == "" {
		t.Errorf("the original's status says %d %s", code, body)
	}
}

// TestUnknownVideo asks for an id that nobody has.
func TestUnknownVideo(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{})
	s := run(t, d)
	o := finish(t, s, watch("nobody_has0"))
	if o.State != "failed" || o.code() != "not_found" || o.Job.Attempt != 1 {
		t.Errorf("%+v %+v", o, o.Job.Error)
	}
	// The answer is remembered: asking again costs no request.
	if o = finish(t, s, watch("nobody_has0")); o.code() != "not_found" {
		t.Errorf("again: %+v %+v", o, o.Job.Error)
	}
	if native, _ := players(d, "nobody_has0"); native != 1 {
		t.Errorf("%d player calls, one would do", native)
	}
}

// TestPauses has YouTube ask for a pause: the job waits, says why, is not
// charged, and is made when YouTube is kind again.
func TestPauses(t *testing.T) {
	t.Parallel()
	needYTDLP(t)
	for _, c := range []struct {
		kind double.Kind
		code string
		more double.Fault
	}{
		{double.Limit, "rate_limited", double.Fault{RetryAfter: "1"}},
		{double.TryLater, "rate_limited", double.Fault{}},
		{double.Media429, "rate_limited", double.Fault{RetryAfter: "1"}},
		{double.Bot, "bot_check", double.Fault{}},
		{double.Captcha, "bot_check", double.Fault{}},
		{double.BotPage, "rate_limited", double.Fault{}},
		{double.MediaBot, "bot_check", double.Fault{}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			d := double.Start(t, double.Options{})
			s := run(t, d) // a system of its own: it pauses as a whole
			song := add(t, d, string(c.kind))
			f := c.more
			f.Kind = c.kind
			d.Fail(song.ID, f)
			id := submit(t, s.base, watch(song.ID))
			o := await(t, s.base, id, 30*time.Second, func(o operation) bool { return o.code() != "" })
			if o.State != "waiting" || o.code() != c.code || o.Job.Error.Class != "throttled" || o.Job.Attempt != 0 || o.Job.Error.RetryAt.IsZero() {
				t.Errorf("%s after %d attempts with %+v; want waiting, uncharged, throttled, %s", o.State, o.Job.Attempt, o.Job.Error, c.code)
			}
			d.Heal(song.ID)
			o = await(t, s.base, id, 60*time.Second, ended)
			wantSong(t, s, o, song.Format(251))
			if o.Job.Attempt != 1 {
				t.Errorf("%d attempts were charged, one was made that counts", o.Job.Attempt)
			}
			if e := event(t, s.base, id); e.State != "succeeded" {
				t.Errorf("the event says %+v", e)
			}
		})
	}
}

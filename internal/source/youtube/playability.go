package youtube

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// playerAnswer is what we read of the player call's JSON ourselves. Unknown
// shapes are left empty, never an error of the whole.
type playerAnswer struct {
	Playability struct {
		Status      string          `json:"status"`
		Reason      string          `json:"reason"`
		Messages    []string        `json:"messages"`
		ErrorScreen json.RawMessage `json:"errorScreen"`
		AgeGate     json.RawMessage `json:"desktopLegacyAgeGateReason"`
	} `json:"playabilityStatus"`
	Details struct {
		VideoID       string `json:"videoId"`
		Title         string `json:"title"`
		Author        string `json:"author"`
		LengthSeconds string `json:"lengthSeconds"`
		IsLive        bool   `json:"isLive"`
		IsUpcoming    bool   `json:"isUpcoming"`
		Thumbnail     struct {
			Thumbnails []struct {
				URL   string `json:"url"`
				Width int    `json:"width"`
			} `json:"thumbnails"`
		} `json:"thumbnail"`
	} `json:"videoDetails"`
	Streaming struct {
		HLS          string            `json:"hlsManifestUrl"`
		LicenseInfos []json.RawMessage `json:"licenseInfos"`
		Adaptive     []extraFormat     `json:"adaptiveFormats"`
	} `json:"streamingData"`
}

// extraFormat is what kkdai does not read of a format.
type extraFormat struct {
	Itag   int    `json:"itag"`
	URL    string `json:"url"`
	Cipher string `json:"signatureCipher"`
	IsDRC  bool   `json:"isDrc"`
	XTags  string `json:"xtags"`
}

// reasons returns everything that the answer says to the viewer.
func (p *playerAnswer) reasons() string {
	parts := append([]string{p.Playability.Reason}, p.Playability.Messages...)
	var screen struct {
		Message struct {
			Reason    words `json:"reason"`
			Subreason words `json:"subreason"`
		} `json:"playerErrorMessageRenderer"`
		Captcha json.RawMessage `json:"playerCaptchaViewModel"`
	}
	if json.Unmarshal(p.Playability.ErrorScreen, &screen) == nil {
		parts = append(parts, string(screen.Message.Reason), string(screen.Message.Subreason))
		if len(screen.Captcha) > 0 {
			parts = append(parts, "captcha")
		}
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// words is a text of the API: {"simpleText":…} or {"runs":[{"text":…}]}.
type words string

// UnmarshalJSON implements json.Unmarshaler; what it does not know is empty.
func (w *words) UnmarshalJSON(b []byte) error {
	var t struct {
		Simple string `json:"simpleText"`
		Runs   []struct {
			Text string `json:"text"`
		} `json:"runs"`
	}
	if json.Unmarshal(b, &t) != nil {
		return nil //nolint:nilerr // see above
	}
	for _, r := range t.Runs {
		t.Simple += r.Text
	}
	*w = words(t.Simple)
	return nil
}

// plain makes texts comparable.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.ToLower(strings.NewReplacer("\u2019", "'", "\u2018", "'", "\u00a0", " ").Replace(s))), " ")
}

func has(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// signal is one line of the taxonomy: words, in their order of precedence.
type signal struct {
	code  string
	words []string
}

// signals hold for the player call's reasons and for yt-dlp's errors alike.
var signals = []signal{
	{CodeBotCheck, []string{"not a bot", "captcha", "unusual traffic", "automated queries"}},
	{CodeRateLimited, []string{"try again later", "request limit", "too many requests", "rate-limited", "http error 429"}},
	{CodeUpstream, []string{"page needs to be reloaded"}},
	{CodeAgeRestricted, []string{"confirm your age", "age-restricted", "age restricted", "inappropriate for some"}},
	{CodePrivate, []string{"private video", "video is private", "this video is private"}},
	{CodeMembersOnly, []string{"members-only", "members only", "channel's members", "premium members", "requires payment", "join this channel"}},
	{CodeGeoBlocked, []string{"in your country", "in your region"}},
	{CodeUpcoming, []string{"will begin in", "premieres in", "premiere will begin", "live event will begin", "has not started"}},
	{CodeNotFound, []string{"video unavailable", "video is unavailable", "is no longer available", "removed", "been terminated", "does not exist", "isn't available anymore", "video is not available", "video isn't available"}},
}

func findSignal(text string) string {
	for _, s := range signals {
		if has(text, s.words...) {
			return s.code
		}
	}
	return ""
}

// parsePlayer reads the body of the player call.
func parsePlayer(body []byte) (*playerAnswer, error) {
	var p playerAnswer
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, notJSON(body)
	}
	return &p, nil
}

// notJSON judges an answer that should have been JSON.
func notJSON(body []byte) error {
	text := plain(string(body[:min(len(body), 64<<10)]))
	switch {
	case len(body) == 0:
		return fail(CodeUpstream, errors.New("the answer is empty"))
	case findSignal(text) == CodeBotCheck:
		return fail(CodeBotCheck, errors.New("a page with a check came instead of the answer"))
	case strings.HasPrefix(text, "<"):
		return fail(CodeUpstream, errors.New("a page came instead of the answer"))
	}
	return fail(CodeUpstream, errors.New("the answer is cut off or no JSON"))
}

// judge returns why the video can not be played, nil if it can.
func (p *playerAnswer) judge(id string, limit time.Duration, clean *redactor) error {
	status := strings.ToUpper(p.Playability.Status)
	if status == "OK" {
		return p.judgeDetails(id, limit)
	}
	why := p.reasons()
	text := plain(why)
	cause := fmt.Errorf("%s: %s", clean.text(status), clean.text(why))
	code := findSignal(text)
	switch {
	case code == CodeBotCheck, code == CodeRateLimited, code == CodeUpstream:
		return fail(code, cause)
	case status == "":
		return fail(CodeUpstream, errors.New("no playability in the answer"))
	case status == "AGE_CHECK_REQUIRED", status == "AGE_VERIFICATION_REQUIRED", status == "CONTENT_CHECK_REQUIRED",
		code == CodeAgeRestricted, status == "LOGIN_REQUIRED" && (len(p.Playability.AgeGate) > 0 || has(text, "inappropriate")):
		return fail(CodeAgeRestricted, cause)
	case status == "LOGIN_REQUIRED" && has(text, "private"):
		return fail(CodePrivate, cause)
	case status == "LIVE_STREAM_OFFLINE":
		return fail(CodeUpcoming, cause)
	case code == CodeNotFound && status == "UNPLAYABLE":
		// Some videos (made for kids) are kept from some identities in the words of
		// those that are gone: the other extractor will tell.
		return fail(CodeUnplayable, cause)
	case code != "":
		return fail(code, cause)
	case status == "ERROR" && has(text, "unavailable"):
		return fail(CodeNotFound, cause)
	case status == "UNPLAYABLE", status == "ERROR", status == "LOGIN_REQUIRED":
		return fail(CodeUnplayable, cause)
	}
	return fail(CodeUpstream, fmt.Errorf("unknown status %w", cause))
}

// judgeDetails looks at a video that YouTube would play.
func (p *playerAnswer) judgeDetails(id string, limit time.Duration) error {
	d := p.Details
	length := p.duration()
	switch {
	case d.VideoID != id:
		return fail(CodeUpstream, errors.New("the answer is of another video"))
	case d.IsUpcoming:
		return fail(CodeUpcoming, errors.New("isUpcoming"))
	case d.IsLive, length == 0 && p.Streaming.HLS != "":
		return fail(CodeLive, errors.New("isLive or endless"))
	case length == 0:
		return fail(CodeEmpty, errors.New("lengthSeconds is 0"))
	case limit > 0 && length > limit:
		return tooLong(limit, fmt.Errorf("it lasts %v", length))
	case len(p.Streaming.LicenseInfos) > 0:
		return fail(CodeNoAudio, errors.New("protected (DRM)"))
	}
	return nil
}

func (p *playerAnswer) duration() time.Duration {
	n, err := strconv.ParseInt(p.Details.LengthSeconds, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// thumbnail is the largest.
func (p *playerAnswer) thumbnail() string {
	best, width := "", -1
	for _, t := range p.Details.Thumbnail.Thumbnails {
		if t.Width > width {
			best, width = t.URL, t.Width
		}
	}
	return best
}

// judgeStatus turns an HTTP status that is not 200 into a verdict.
func judgeStatus(r *http.Response, body []byte, now time.Time) error {
	cause := fmt.Errorf("HTTP status %d", r.StatusCode)
	after := retryAfter(r.Header, now)
	text := plain(string(body[:min(len(body), 64<<10)]))
	switch {
	case r.StatusCode == http.StatusTooManyRequests:
		return wait(CodeRateLimited, after, cause)
	case findSignal(text) == CodeBotCheck:
		return fail(CodeBotCheck, cause)
	case r.StatusCode >= 500 && after > 0:
		return wait(CodeUpstream, after, cause)
	}
	return fail(CodeUpstream, cause)
}

// maxRetryAfter bounds what others can make us wait.
const maxRetryAfter = 6 * time.Hour

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3), 0 if there is
// none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(max(time.Duration(n)*time.Second, 0), maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

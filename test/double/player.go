package double

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

// playerCall is what programs send.
type playerCall struct {
	VideoID string `json:"videoId"`
	Context struct {
		Client struct {
			Name    string `json:"clientName"`
			Version string `json:"clientVersion"`
			Visitor string `json:"visitorData"`
		} `json:"client"`
	} `json:"context"`
}

// servePlayer answers POST /youtubei/v1/player.
func (d *Double) servePlayer(x *exchange, r *http.Request) {
	var call playerCall
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&call); err != nil {
		apiError(x, http.StatusBadRequest, "INVALID_ARGUMENT", "Request contains an invalid argument.", "badRequest")
		return
	}
	client := call.Context.Client
	d.keepSecret(client.Visitor)
	d.keepSecret(r.Header.Get("X-Goog-Visitor-Id"))
	x.note(func(l *Request) { l.ID, l.Identity = call.VideoID, client.Name })
	signedIn := d.signedIn(r) && d.identity(client.Name).Cookies
	f := d.fault(asked{stage: atPlayer, id: call.VideoID, identity: client.Name, signedIn: signedIn})
	x.note(func(l *Request) { l.Fault = f.Kind })
	if d.noAnswer(x, r, f) {
		return
	}
	if f.Kind == CutJSON {
		whole := encode(d.player(call.VideoID, client.Name, signedIn, Fault{}))
		x.Header().Set("Content-Type", "application/json; charset=UTF-8")
		// In the middle of a string, which gives the least helpful messages.
		half := len(whole) / 2
		half += bytes.Index(whole[half:], []byte(`:"`)) + 3
		_, _ = x.Write(whole[:half]) // the client's problem
		return
	}
	writeJSON(x, http.StatusOK, d.player(call.VideoID, client.Name, signedIn, f))
}

// noAnswer deals with faults that are none of the player call's alone.
func (d *Double) noAnswer(x *exchange, r *http.Request, f Fault) bool {
	switch f.Kind {
	case Limit:
		retryAfter(x, f)
		apiError(x, http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", "rateLimitExceeded")
	case Error:
		retryAfter(x, f)
		apiError(x, http.StatusServiceUnavailable, "UNAVAILABLE", "The service is currently unavailable.", "backendError")
	case HTML:
		writePage(x, http.StatusOK, consentPage)
	case BotPage:
		retryAfter(x, f)
		writePage(x, http.StatusTooManyRequests, sorryPage)
	case NoAnswer:
		x.Header().Set("Content-Type", "application/json; charset=UTF-8")
		x.Header().Set("Content-Length", "0")
		x.WriteHeader(http.StatusOK)
	case Reset:
		d.reset(x)
	case Stall:
		d.hang(r)
	case Redirect:
		x.Header().Set("Location", f.Location)
		x.WriteHeader(http.StatusTemporaryRedirect)
	default:
		return false
	}
	return true
}

func retryAfter(w http.ResponseWriter, f Fault) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
}

// player is the answer to a player call, with a fault.
func (d *Double) player(id, identity string, signedIn bool, f Fault) object {
	song, ok := d.song(id)
	who := d.identity(identity)
	if v, refused := verdicts[f.Kind]; refused || !ok {
		if !refused {
			v = verdicts[Unavailable]
		}
		answer := object{"responseContext": d.responseContext(), "playabilityStatus": v.playability(f.Reason)}
		if ok && !v.login {
			answer["videoDetails"] = d.details(song)
		}
		if v.upcoming {
			answer["videoDetails"].(object)["isUpcoming"] = true
			answer["videoDetails"].(object)["isLiveContent"] = f.Kind == Upcoming
			answer["videoDetails"].(object)["lengthSeconds"] = "0"
		}
		return answer
	}
	if who.SignIn && !signedIn {
		return object{"responseContext": d.responseContext(), "playabilityStatus": object{"status": "LOGIN_REQUIRED", "reason": "Please sign in"}}
	}
	if f.Kind == WrongVideo {
		song.ID = "aQvGIIdgFDM"
	}
	answer := object{
		"responseContext":   d.responseContext(),
		"playabilityStatus": object{"status": "OK", "playableInEmbed": true, "contextParams": "Q0FFU0FnZ0I="},
		"streamingData":     d.streaming(song, identity, who, f),
		"videoDetails":      d.details(song),
		"microformat": object{"playerMicroformatRenderer": object{
			"title": object{"simpleText": song.Title}, "lengthSeconds": seconds(song.Length), "ownerChannelName": song.Channel,
			"externalChannelId": channelID(song.Channel), "isFamilySafe": true, "category": "Music",
			"publishDate": "2024-03-01T07:00:00-08:00", "uploadDate": "2024-03-01T07:00:00-08:00", "viewCount": "12345",
		}},
	}
	details := answer["videoDetails"].(object)
	streaming := answer["streamingData"].(object)
	switch f.Kind {
	case Live:
		details["isLive"], details["isLiveContent"], details["lengthSeconds"] = true, true, "0"
		streaming["hlsManifestUrl"] = "https://manifest.googlevideo.com/api/manifest/hls_variant/id/" + id + "/file/index.m3u8"
	case DRM:
		streaming["licenseInfos"] = []object{{"drmFamily": "WIDEVINE", "url": "https://www.youtube.com/api/drm/widevine"}}
	case Empty:
		details["lengthSeconds"] = "0"
	case TooLong:
		details["lengthSeconds"] = "86400"
	}
	return answer
}

func (d *Double) responseContext() object {
	return object{"visitorData": d.visitor, "serviceTrackingParams": []object{}}
}

func (d *Double) details(s Song) object {
	return object{
		"videoId": s.ID, "title": s.Title, "lengthSeconds": seconds(s.Length), "channelId": channelID(s.Channel),
		"isOwnerViewing": false, "shortDescription": "A song for tests.", "isCrawlable": true,
		"thumbnail":    object{"thumbnails": thumbnails(s.ID)},
		"allowRatings": true, "viewCount": "12345", "author": s.Channel, "isPrivate": false, "isUnpluggedCorpus": false, "isLiveContent": false,
	}
}

func thumbnails(id string) []object {
	var all []object
	for _, t := range []struct {
		name          string
		width, height int
	}{{"default", 120, 90}, {"mqdefault", 320, 180}, {"hqdefault", 480, 360}, {"sddefault", 640, 480}} {
		all = append(all, object{"url": "https://i.ytimg.com/vi/" + id + "/" + t.name + ".jpg", "width": t.width, "height": t.height})
	}
	return all
}

// streaming lists the formats, those of video that nobody wants first.
func (d *Double) streaming(s Song, identity string, who Identity, f Fault) object {
	expire := d.now().Add(d.options.LinkTTL)
	if f.Kind == Expired {
		expire = d.now().Add(-time.Minute)
	}
	formats := []object{d.video(s, identity, expire)}
	for _, format := range s.Formats {
		length := int64(len(format.Data))
		if f.Kind == Length {
			length += 1000
		}
		o := describe(s, format, length)
		d.addLink(o, d.challenged(d.link(s, format, identity, expire, length), who), who)
		if f.Kind == DRM {
			o["drmFamilies"] = []string{"WIDEVINE"}
		}
		if f.Kind != NoAudio {
			formats = append(formats, o)
		}
	}
	answer := object{"expiresInSeconds": seconds(d.options.LinkTTL), "adaptiveFormats": formats}
	if who.Media == SABR {
		answer["serverAbrStreamingUrl"] = "https://" + mediaHost + "/videoplayback?sabr=1&id=" + s.ID
		for _, o := range formats {
			delete(o, "url")
		}
	}
	return answer
}

// addLink puts a link where this identity gets it.
func (d *Double) addLink(o object, link string, who Identity) {
	switch who.Media {
	case SABR:
	case Cipher, Challenge:
		plain, sig, _ := strings.Cut(link, "&sig=")
		o["signatureCipher"] = "s=" + url.QueryEscape(scramble(sig)) + "&sp=sig&url=" + url.QueryEscape(plain)
	default:
		o["url"] = link
	}
}

func describe(s Song, f Format, length int64) object {
	kind := itags[f.Itag]
	o := object{
		"itag": f.Itag, "mimeType": f.Mime, "bitrate": f.Bitrate, "averageBitrate": averageBitrate(f), "lastModified": s.modified(),
		"contentLength": strconv.FormatInt(length, 10), "quality": "tiny", "projectionType": "RECTANGULAR", "audioQuality": kind.quality,
		"approxDurationMs": strconv.FormatInt(f.Duration.Milliseconds(), 10), "audioSampleRate": strconv.Itoa(kind.rate), "audioChannels": 2,
		"loudnessDb": -3.2,
	}
	if f.DRC {
		o["isDrc"] = true
	}
	if f.Language != "" {
		name := f.Language
		if f.Original {
			name += " original"
		}
		o["audioTrack"] = object{"displayName": name, "id": f.Language + ".4", "audioIsDefault": f.Original}
	}
	if f.xtags() != "" {
		o["xtags"] = f.xtags()
	}
	return o
}

func averageBitrate(f Format) int {
	if f.Duration <= 0 {
		return f.Bitrate
	}
	return int(float64(len(f.Data)) * 8 / f.Duration.Seconds())
}

// video is a format of pictures, which is of no use here.
func (d *Double) video(s Song, identity string, expire time.Time) object {
	f := Format{Itag: 137, Mime: `video/mp4; codecs="avc1.640028"`, Duration: s.Length}
	return object{
		"itag": 137, "mimeType": f.Mime, "bitrate": 4_000_000, "width": 1920, "height": 1080, "fps": 25, "quality": "hd1080", "qualityLabel": "1080p",
		"contentLength": "99999999", "lastModified": s.modified(), "approxDurationMs": strconv.FormatInt(s.Length.Milliseconds(), 10),
		"url": d.link(s, f, identity, expire, 99_999_999),
	}
}

func seconds(t time.Duration) string { return strconv.Itoa(int(t.Seconds())) }

// signedIn tells whether a request carries a session that we know.
func (d *Double) signedIn(r *http.Request) bool {
	var names []string
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
		if c.Name != "CONSENT" && c.Name != "SOCS" && c.Name != "PREF" {
			d.keepSecret(c.Value)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	has := func(name string) bool { return slices.Contains(names, name) }
	return !d.rotated && has("LOGIN_INFO") && (has("SAPISID") || has("__Secure-1PAPISID") || has("__Secure-3PAPISID"))
}

// endSession takes the session away from whom it is no longer valid for, as
// YouTube does.
func (d *Double) endSession(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	rotated := d.rotated
	d.mu.Unlock()
	if _, err := r.Cookie("LOGIN_INFO"); err == nil && rotated {
		http.SetCookie(w, &http.Cookie{Name: "LOGIN_INFO", Value: "EXPIRED", Domain: "youtube.com", Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
	}
}

// RotateCookies ends every session: cookies are no longer valid.
func (d *Double) RotateCookies() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rotated = true
}

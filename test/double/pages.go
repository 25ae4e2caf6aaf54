package double

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
)

const (
	playerPath = "/s/player/f0e1d2c3/player_ias.vflset/en_US/base.js"
	webVersion = "2.20261120.01.00"
	pageKey    = "AIzaSyAO_FJ2SlqU8Q4STEHLGCilw_Y9_11qcW8" // is on every page, and no secret
)

// consentPage is what comes instead of anything else in some countries.
const consentPage = `<!DOCTYPE html><html lang="en"><head><title>Before you continue to YouTube</title></head>` +
	`<body><form action="https://consent.youtube.com/save" method="POST"><button>Accept all</button></form></body></html>`

// sorryPage is what robots get.
const sorryPage = `<!DOCTYPE html><html><head><title>Sorry...</title></head><body><h1>Sorry...</h1>` +
	`<p>Our systems have detected unusual traffic from your computer network. This page checks to see if it's really you ` +
	`sending the requests, and not a robot.</p><form action="https://www.google.com/sorry/index"></form></body></html>`

// playerScript is the player's script as far as programs read it: how the
// signature of a link is put in order (Xa) and the parameter n is turned (nx).
// Old programs look for Mt and Xa by their shape; yt-dlp runs the function that
// says "alr" and, on what that returns, the method that is none of a URL's own.
const playerScript = `var _yt_player={};(function(g){var window=this;
var Mt={sp:function(a,b){a.splice(0,b)},
rv:function(a){a.reverse()},
sw:function(a,b){var c=a[0];a[0]=a[b%a.length];a[b%a.length]=c}};
var Xa=function(a){a=a.split("");Mt.sp(a,2);Mt.rv(a,11);Mt.sw(a,17);return a.join("")};
var Ka={signatureTimestamp:20772};
g.Ur=function(a){this.h=new URL(a)};
g.Ur.prototype.get=function(a){return this.h.searchParams.get(a)};
g.Ur.prototype.set=function(a,b){this.h.searchParams.set(a,b)};
g.Ur.prototype.clone=function(){return new g.Ur(this.h.href)};
g.Ur.prototype.nx=function(){var a=this.get("n");a&&this.set("n","w"+a.split("").reverse().join(""))};
var Zq=function(a,b,c){var d=new g.Ur(a);d.set("alr","yes");c&&d.set(b,encodeURIComponent(Xa(decodeURIComponent(c))));return d};
})(_yt_player);
`

func (d *Double) config(client string, signedIn bool) object {
	return object{
		"INNERTUBE_API_KEY": pageKey, "INNERTUBE_API_VERSION": "v1", "INNERTUBE_CLIENT_NAME": client, "INNERTUBE_CLIENT_VERSION": webVersion,
		"INNERTUBE_CONTEXT_CLIENT_NAME": 1, "INNERTUBE_CONTEXT_CLIENT_VERSION": webVersion,
		"INNERTUBE_CONTEXT": object{"client": object{
			"hl": "en", "gl": "US", "clientName": client, "clientVersion": webVersion, "visitorData": d.visitor, "userAgent": "",
			"utcOffsetMinutes": 0,
		}},
		"VISITOR_DATA": d.visitor, "PLAYER_JS_URL": playerPath, "STS": 20772, "LOGGED_IN": signedIn,
	}
}

func (d *Double) serveHome(x *exchange, r *http.Request) {
	f := d.fault(asked{stage: atHome})
	x.note(func(l *Request) { l.Fault = f.Kind })
	switch f.Kind {
	case HomeBare:
		writePage(x, http.StatusOK, consentPage)
	case Home429:
		retryAfter(x, f)
		writePage(x, http.StatusTooManyRequests, sorryPage)
	default:
		writePage(x, http.StatusOK, fmt.Sprintf("<!DOCTYPE html><html><head><title>YouTube</title><script nonce=\"a\">\nytcfg.set(%s);\n</script></head><body></body></html>",
			encode(d.config("WEB", d.signedIn(r)))))
	}
}

func (d *Double) serveWatch(x *exchange, r *http.Request) {
	id := r.URL.Query().Get("v")
	in := d.signedIn(r)
	f := d.fault(asked{stage: atWatch, id: id, signedIn: in})
	x.note(func(l *Request) { l.ID, l.Fault = id, f.Kind })
	switch f.Kind {
	case Watch429:
		retryAfter(x, f)
		writePage(x, http.StatusTooManyRequests, sorryPage)
		return
	case WatchHTML:
		writePage(x, http.StatusOK, consentPage)
		return
	}
	shown := d.peek(asked{stage: atPlayer, id: id, identity: "WEB", signedIn: in})
	switch _, refused := verdicts[shown.Kind]; {
	case refused, shown.Kind == Live, shown.Kind == TooLong, shown.Kind == Empty:
	default:
		shown = Fault{}
	}
	kids := ""
	if d.peek(asked{stage: atPlayer, id: id, identity: "VISIONOS"}).Kind == Kids {
		kids = "<!-- made for kids -->"
	}
	song, _ := d.song(id)
	data := object{"contents": object{"twoColumnWatchNextResults": object{"results": object{"results": object{"contents": []object{}}}}}}
	writePage(x, http.StatusOK, fmt.Sprintf("<!DOCTYPE html><html><head><meta name=\"title\" content=%q><script nonce=\"a\">\nytcfg.set(%s);\n</script>%s</head><body>"+
		"<script nonce=\"a\">var ytInitialPlayerResponse = %s;</script><script nonce=\"a\">var ytInitialData = %s;</script></body></html>",
		song.Title, encode(d.config("WEB", in)), kids, encode(d.player(id, "WEB", in, shown)), encode(data)))
}

func (d *Double) serveEmbed(x *exchange, r *http.Request, id string) {
	x.note(func(l *Request) { l.ID = id })
	config := d.config("WEB_EMBEDDED_PLAYER", d.signedIn(r))
	config["INNERTUBE_CONTEXT_CLIENT_NAME"] = 56
	writePage(x, http.StatusOK, fmt.Sprintf("<!DOCTYPE html><html><head><script src=%q></script><script>\nytcfg.set(%s);\n</script></head><body></body></html>",
		playerPath, encode(config)))
}

func (d *Double) serveScript(x *exchange, r *http.Request) {
	f := d.fault(asked{stage: atScript})
	x.note(func(l *Request) { l.Fault = f.Kind })
	if f.Kind == Script404 {
		http.NotFound(x, r)
		return
	}
	x.Header().Set("Content-Type", "text/javascript")
	if strings.HasSuffix(r.URL.Path, "base.js") {
		_, _ = io.WriteString(x, playerScript) // the client's problem
		return
	}
	_, _ = io.WriteString(x, `var scriptUrl = 'https:\/\/www.youtube.com\/s\/player\/f0e1d2c3\/www-widgetapi.vflset\/www-widgetapi.js';`)
}

// serveFind answers the page's own search, POST /youtubei/v1/search.
func (d *Double) serveFind(x *exchange, r *http.Request) {
	var call struct {
		Query string `json:"query"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&call); err != nil {
		apiError(x, http.StatusBadRequest, "INVALID_ARGUMENT", "Request contains an invalid argument.", "badRequest")
		return
	}
	f := d.fault(asked{stage: atPlayer, id: KindFind, identity: "WEB"})
	x.note(func(l *Request) { l.Fault = f.Kind })
	if d.noAnswer(x, r, f) {
		return
	}
	items := []object{}
	for _, s := range d.find(call.Query) {
		v := object{
			"videoId": s.ID, "title": text(s.Title), "longBylineText": text(s.Channel), "ownerText": text(s.Channel), "shortBylineText": text(s.Channel),
			"lengthText":    object{"simpleText": clock(s)},
			"viewCountText": object{"simpleText": "12,345 views"}, "thumbnail": object{"thumbnails": thumbnails(s.ID)},
			"navigationEndpoint": object{"watchEndpoint": object{"videoId": s.ID}},
		}
		switch d.peek(asked{stage: atPlayer, id: s.ID, identity: "WEB"}).Kind {
		case Live:
			v["badges"] = []object{{"metadataBadgeRenderer": object{"style": "BADGE_STYLE_TYPE_LIVE_NOW", "label": "LIVE"}}}
			delete(v, "lengthText")
		case Upcoming, Premiere:
			v["upcomingEventData"] = object{"startTime": fmt.Sprint(d.now().Unix() + 10_000)}
			delete(v, "lengthText")
		}
		items = append(items, object{"videoRenderer": v})
	}
	writeJSON(x, http.StatusOK, object{
		"responseContext": d.responseContext(), "estimatedResults": fmt.Sprint(len(items)),
		"contents": object{"twoColumnSearchResultsRenderer": object{"primaryContents": object{"sectionListRenderer": object{
			"contents": []object{{"itemSectionRenderer": object{"contents": items}}},
		}}}},
	})
}

func text(s string) object { return object{"runs": []object{{"text": s}}} }

func clock(s Song) string {
	n := int(s.Length.Seconds())
	if n >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", n/3600, n/60%60, n%60)
	}
	return fmt.Sprintf("%d:%02d", n/60, n%60)
}

// serveManifest is a live stream's list of streams: one, that never comes.
func (d *Double) serveManifest(x *exchange) {
	x.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
	_, _ = io.WriteString(x, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=290288,CODECS=\"mp4a.40.5,avc1.42c00b\",RESOLUTION=256x144\n"+
		"https://manifest.googlevideo.com/api/manifest/hls_playlist/index.m3u8\n") // the client's problem
}

// servePicture paints a thumbnail: a colour for each video.
func (d *Double) servePicture(x *exchange, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) < 4 {
		http.NotFound(x, r)
		return
	}
	x.note(func(l *Request) { l.ID = parts[2] })
	h := fnv.New32a()
	_, _ = io.WriteString(h, parts[2]) // never fails
	n := h.Sum32()
	picture := image.NewRGBA(image.Rect(0, 0, 480, 360))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.RGBA{byte(n), byte(n >> 8), byte(n >> 16), 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		http.Error(x, "", http.StatusInternalServerError)
		return
	}
	x.Header().Set("Content-Type", "image/jpeg")
	_, _ = x.Write(b.Bytes()) // the client's problem
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("{}")
	}
	return b
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(encode(v), '\n')) // the client's problem
}

func writePage(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, page) // the client's problem
}

// apiError is an error as Google's APIs write it.
func apiError(w http.ResponseWriter, code int, status, message, reason string) {
	writeJSON(w, code, object{"error": object{
		"code": code, "message": message, "status": status,
		"errors": []object{{"message": message, "domain": "global", "reason": reason}},
	}})
}

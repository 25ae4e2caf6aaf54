package double

import (
	"maps"
	"slices"
)

// Kind names something that can go wrong. Up to eleven characters, so that
// [Pad] makes the id of a video out of each.
type Kind string

// The player call's verdicts; verdicts.go has the words.
const (
	Private     Kind = "private"
	PrivateApp  Kind = "private-app" // as apps are told
	Age         Kind = "age"
	AgeCheck    Kind = "age-check"
	AgeVerify   Kind = "age-verify"
	AgeContent  Kind = "age-content"
	Bot         Kind = "bot"
	Captcha     Kind = "captcha"
	Geo         Kind = "geo"
	GeoClaim    Kind = "geo-claim"
	Members     Kind = "members"
	MemberTier  Kind = "member-tier"
	Premium     Kind = "premium"
	Paid        Kind = "paid"
	Removed     Kind = "removed"
	Terminated  Kind = "terminated"
	Unavailable Kind = "unavailable"
	Upcoming    Kind = "upcoming"
	Premiere    Kind = "premiere"
	TryLater    Kind = "try-later"
	Reload      Kind = "reload"
	Unknown     Kind = "unknown"    // a reason that nobody has seen
	OddStatus   Kind = "odd-status" // a status that nobody has seen
	NoStatus    Kind = "no-status"
	Kids        Kind = "kids" // made for kids: not for headsets
)

// The player call's answers that look all right.
const (
	Live       Kind = "live"
	DRM        Kind = "drm"
	NoAudio    Kind = "no-audio"
	Empty      Kind = "empty"       // of length 0
	TooLong    Kind = "too-long"    // a day
	WrongVideo Kind = "wrong-video" // another one than asked for
	Length     Kind = "length"      // contentLength says 1000 bytes more than there are
	Expired    Kind = "expired"     // links that are too old already
)

// The player call without a proper answer.
const (
	Limit    Kind = "limit" // 429
	Error    Kind = "error" // 503
	HTML     Kind = "html"
	BotPage  Kind = "bot-page" // 429 with the page that asks for a check
	CutJSON  Kind = "cut-json"
	NoAnswer Kind = "no-answer" // 200 and not a byte
	Reset    Kind = "reset"
	Stall    Kind = "stall"
	Redirect Kind = "redirect" // to Fault.Location
)

// Media. Those that happen at a byte do so in the answer that contains it.
const (
	Media403      Kind = "m-403"
	Media410      Kind = "m-410"
	Media404      Kind = "m-404"
	Media429      Kind = "m-429"
	Media503      Kind = "m-503"
	MediaHTML     Kind = "m-html"
	MediaBot      Kind = "m-bot"
	MediaEmpty    Kind = "m-empty" // 200, of length 0
	MediaRedirect Kind = "m-redirect"
	MediaWhole    Kind = "m-whole" // ranges are not heeded
	MediaMore     Kind = "m-more"  // more bytes than announced
	MediaReset    Kind = "m-reset" // RST at a byte
	MediaCut      Kind = "m-cut"   // the connection ends at a byte
	MediaShort    Kind = "m-short" // as if the file were to end at a byte
	MediaStall    Kind = "m-stall" // nothing more from a byte on
	MediaDrip     Kind = "m-drip"  // hardly anything from a byte on
)

// Pages and the Data API. These concern all videos: their id is "".
const (
	HomeBare  Kind = "home-bare" // without settings in it
	Home429   Kind = "home-429"
	Watch429  Kind = "watch-429"
	WatchHTML Kind = "watch-html" // the page that asks for consent
	Script404 Kind = "script-404"

	APIQuota  Kind = "api-quota"  // 403 quotaExceeded
	APISearch Kind = "api-search" // 429, the searches of the day are used up
	APIKey    Kind = "api-key"    // 400 API_KEY_INVALID
	APIDenied Kind = "api-denied" // 403, the key is not for this API
	APIOff    Kind = "api-off"    // 403 accessNotConfigured
	APIError  Kind = "api-error"  // 500 backendError
	APIHTML   Kind = "api-html"
	APICut    Kind = "api-cut"
)

// stage is where a fault shows.
type stage int

const (
	atPlayer stage = iota
	atMedia
	atHome
	atWatch
	atScript
	atAPI
)

var stages = func() map[Kind]stage {
	all := map[Kind]stage{}
	for kind := range verdicts {
		all[kind] = atPlayer
	}
	put := func(s stage, kinds ...Kind) {
		for _, k := range kinds {
			all[k] = s
		}
	}
	put(atPlayer, Live, DRM, NoAudio, Empty, TooLong, WrongVideo, Length, Expired)
	put(atPlayer, Limit, Error, HTML, BotPage, CutJSON, NoAnswer, Reset, Stall, Redirect)
	put(atMedia, Media403, Media410, Media404, Media429, Media503, MediaHTML, MediaBot, MediaEmpty, MediaRedirect)
	put(atMedia, MediaWhole, MediaMore, MediaReset, MediaCut, MediaShort, MediaStall, MediaDrip)
	put(atHome, HomeBare, Home429)
	put(atWatch, Watch429, WatchHTML)
	put(atScript, Script404)
	put(atAPI, APIQuota, APISearch, APIKey, APIDenied, APIOff, APIError, APIHTML, APICut)
	return all
}()

// atByte are the faults that happen at Fault.At.
var atByte = map[Kind]bool{MediaReset: true, MediaCut: true, MediaStall: true, MediaDrip: true}

// Kinds lists every kind by name.
func Kinds() []Kind { return slices.Sorted(maps.Keys(stages)) }

// OfVideos tells whether a kind belongs to a video, and so to its id.
func (k Kind) OfVideos() bool { return stages[k] == atPlayer || stages[k] == atMedia }

// Known tells whether there is such a kind.
func (k Kind) Known() bool { _, ok := stages[k]; return ok }

// Fault is something that goes wrong. The zero value of all but Kind: each
// time, for everybody.
type Fault struct {
	Kind     Kind   `json:"kind"`
	Times    int    `json:"times,omitempty"`    // so often, then no more; 0: always
	Skip     int    `json:"skip,omitempty"`     // not the first so many times
	Identity string `json:"identity,omitempty"` // only for programs that call themselves so
	Guests   bool   `json:"guests,omitempty"`   // only for whom is not signed in
	At       int64  `json:"at,omitempty"`       // the byte of the file at which it happens

	RetryAfter string `json:"retry_after,omitempty"` // header of 429 and 503
	Reason     string `json:"reason,omitempty"`      // other words than the usual
	Location   string `json:"location,omitempty"`    // of redirects
}

// asked describes a request to the faults.
type asked struct {
	stage    stage
	id       string
	identity string
	signedIn bool
	from, to int64 // bytes of media, to excluded
}

// Fail makes requests for a video fail, for all videos and pages if id is "".
// Faults that were added first come first.
func (d *Double) Fail(id string, faults ...Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range faults {
		d.faults[id] = append(d.faults[id], &f)
	}
}

// Heal ends all faults of a video, those for all if id is "".
func (d *Double) Heal(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.faults, id)
}

// fault returns what goes wrong with a request, and counts it; the zero value
// if nothing does.
func (d *Double) fault(a asked) Fault { return d.findFault(a, true) }

// peek is fault for whoever only shows what the next one would be told.
func (d *Double) peek(a asked) Fault { return d.findFault(a, false) }

func (d *Double) findFault(a asked, count bool) Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range slices.Compact([]string{a.id, ""}) {
		for i, f := range d.faults[id] {
			if !f.concerns(a) {
				continue
			}
			if f.Skip > 0 {
				if count {
					f.Skip--
				}
				continue
			}
			found := *f
			if count && f.Times > 0 {
				if f.Times--; f.Times == 0 {
					d.faults[id] = slices.Delete(d.faults[id], i, i+1)
				}
			}
			return found
		}
	}
	return Fault{}
}

func (f *Fault) concerns(a asked) bool {
	switch {
	case stages[f.Kind] != a.stage, f.Identity != "" && f.Identity != a.identity, f.Guests && a.signedIn:
		return false
	case atByte[f.Kind]:
		return a.from <= f.At && f.At < a.to
	case f.Kind == MediaShort:
		return f.At < a.to
	case f.Kind == Kids:
		return a.identity == "VISIONOS" || a.identity == "ANDROID_VR"
	}
	return true
}

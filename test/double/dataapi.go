package double

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// spent is a day's use of the Data API. Since June 2026 searches have a bucket
// of their own.
type spent struct {
	day             string
	searches, units int
}

// use takes from the day's quota; false when it is used up. The day is the
// Pacific's.
func (d *Double) use(searches, units int) bool {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		zone = time.FixedZone("PST", -8*60*60)
	}
	day := d.now().In(zone).Format(time.DateOnly)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spent.day != day {
		d.spent = spent{day: day}
	}
	d.spent.searches += searches
	d.spent.units += units
	return (searches == 0 || d.spent.searches <= d.options.Searches) && (units == 0 || d.spent.units <= d.options.Units)
}

// Quota returns what was used of today's quota: searches and units.
func (d *Double) Quota() (searches, units int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.spent.searches, d.spent.units
}

// refuseAPI checks key, faults and quota; true when the request is answered.
func (d *Double) refuseAPI(x *exchange, r *http.Request, searches, units int) bool {
	key, way := r.Header.Get("X-Goog-Api-Key"), "header"
	if inURL := r.URL.Query().Get("key"); inURL != "" {
		key, way = inURL, "url"
	}
	if key != "" {
		x.note(func(l *Request) { l.Key = way })
	}
	d.keepSecret(key)
	f := d.fault(asked{stage: atAPI})
	x.note(func(l *Request) { l.Fault = f.Kind })
	quota := d.use(searches, units) // invalid calls cost too
	switch {
	case f.Kind == APIHTML:
		writePage(x, http.StatusOK, consentPage)
	case f.Kind == APICut:
		x.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = x.Write([]byte(`{"kind":"youtube#searchListResponse","items":[{"id":{"vid`)) // the client's problem
	case f.Kind == APIError:
		apiError(x, http.StatusInternalServerError, "INTERNAL", "Internal error encountered.", "backendError")
	case f.Kind == APIOff:
		apiError(x, http.StatusForbidden, "PERMISSION_DENIED", "YouTube Data API v3 has not been used in project 1234 before or it is disabled.", "accessNotConfigured")
	case f.Kind == APIDenied, key == "":
		d.denied(x, key)
	case f.Kind == APIKey, d.options.APIKey != "" && key != d.options.APIKey:
		badKey(x)
	case f.Kind == APISearch, searches > 0 && !quota:
		apiError(x, http.StatusTooManyRequests, "RESOURCE_EXHAUSTED",
			"Quota exceeded for quota metric 'Search Queries' and limit 'Search Queries per day' of service 'youtube.googleapis.com' for consumer 'project_number:1234'.", "rateLimitExceeded")
	case f.Kind == APIQuota, !quota:
		message := `The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">quota</a>.`
		writeJSON(x, http.StatusForbidden, object{"error": object{
			"code": http.StatusForbidden, "message": message,
			"errors": []object{{"message": message, "domain": "youtube.quota", "reason": "quotaExceeded"}},
		}})
	default:
		return false
	}
	return true
}

func (d *Double) denied(x *exchange, key string) {
	message := "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API."
	details := []object{}
	if key != "" {
		message = "Requests to this API youtube method youtube.api.v3.V3DataSearchService.List are blocked."
		details = append(details, object{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_SERVICE_BLOCKED", "domain": "googleapis.com"})
	}
	writeJSON(x, http.StatusForbidden, object{"error": object{
		"code": http.StatusForbidden, "message": message, "status": "PERMISSION_DENIED",
		"errors": []object{{"message": message, "domain": "global", "reason": "forbidden"}}, "details": details,
	}})
}

func badKey(x *exchange) {
	message := "API key not valid. Please pass a valid API key."
	writeJSON(x, http.StatusBadRequest, object{"error": object{
		"code": http.StatusBadRequest, "message": message, "status": "INVALID_ARGUMENT",
		"errors": []object{{"message": message, "domain": "global", "reason": "badRequest"}},
		"details": []object{{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com",
			"metadata": object{"service": "youtube.googleapis.com"},
		}},
	}})
}

// serveSearch answers search.list.
func (d *Double) serveSearch(x *exchange, r *http.Request) {
	if d.refuseAPI(x, r, 1, 0) {
		return
	}
	q := r.URL.Query()
	if !strings.Contains(q.Get("part"), "snippet") {
		apiError(x, http.StatusBadRequest, "INVALID_ARGUMENT", "No filter selected. Expected one of: part", "missingRequiredParameter")
		return
	}
	limit, err := strconv.Atoi(q.Get("maxResults"))
	if q.Get("maxResults") == "" {
		limit, err = 5, nil
	}
	if err != nil || limit < 0 || limit > 50 {
		apiError(x, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid value for maxResults. Values must be within the range: [0, 50]", "invalidParameter")
		return
	}
	found := d.find(q.Get("q"))
	skip := 0
	if token := q.Get("pageToken"); token != "" {
		if _, err := fmt.Sscanf(token, "CA%d", &skip); err != nil || skip < 0 || skip > len(found) {
			apiError(x, http.StatusBadRequest, "INVALID_ARGUMENT", "The request specifies an invalid page token.", "invalidPageToken")
			return
		}
	}
	items := []object{}
	if q.Get("type") != "video" && skip == 0 && len(found) > 0 {
		// Without the filter channels come along.
		items = append(items, object{
			"kind": "youtube#searchResult", "etag": "c", "id": object{"kind": "youtube#channel", "channelId": channelID(found[0].Channel)},
			"snippet": object{"title": found[0].Channel, "channelTitle": found[0].Channel, "liveBroadcastContent": "none"},
		})
	}
	next := skip
	for ; next < len(found) && len(items) < limit; next++ {
		s := found[next]
		items = append(items, object{
			"kind": "youtube#searchResult", "etag": "e" + s.ID, "id": object{"kind": "youtube#video", "videoId": s.ID}, "snippet": d.snippet(s, true),
		})
	}
	answer := object{
		"kind": "youtube#searchListResponse", "etag": "s", "regionCode": "US", "items": items,
		"pageInfo": object{"totalResults": len(found), "resultsPerPage": limit},
	}
	if next < len(found) {
		answer["nextPageToken"] = fmt.Sprintf("CA%dQAA", next)
	}
	writeJSON(x, http.StatusOK, answer)
}

// snippet describes a song; search.list escapes its texts.
func (d *Double) snippet(s Song, escaped bool) object {
	title, channel := s.Title, s.Channel
	if escaped {
		title, channel = html.EscapeString(title), html.EscapeString(channel)
	}
	live := "none"
	switch d.peek(asked{stage: atPlayer, id: s.ID, identity: "WEB"}).Kind {
	case Live:
		live = "live"
	case Upcoming, Premiere:
		live = "upcoming"
	}
	pictures := object{}
	for _, t := range thumbnails(s.ID) {
		url, _ := t["url"].(string)
		name := map[string]string{"default": "default", "mqdefault": "medium", "hqdefault": "high", "sddefault": "standard"}[strings.TrimSuffix(url[strings.LastIndex(url, "/")+1:], ".jpg")]
		pictures[name] = t
	}
	return object{
		"publishedAt": "2024-03-01T15:00:00Z", "publishTime": "2024-03-01T15:00:00Z", "channelId": channelID(s.Channel), "title": title,
		"description": "A song for tests.", "thumbnails": pictures, "channelTitle": channel, "liveBroadcastContent": live,
	}
}

// gone are the faults with which a video is absent from videos.list.
var gone = []Kind{Private, PrivateApp, Removed, Terminated, Unavailable}

// serveVideos answers videos.list.
func (d *Double) serveVideos(x *exchange, r *http.Request) {
	if d.refuseAPI(x, r, 0, 1) {
		return
	}
	ids := strings.Split(r.URL.Query().Get("id"), ",")
	if len(ids) > 50 {
		apiError(x, http.StatusBadRequest, "INVALID_ARGUMENT", "The request specifies too many ids.", "invalidFilters")
		return
	}
	items := []object{}
	for _, id := range ids {
		s, ok := d.song(id)
		f := d.peek(asked{stage: atPlayer, id: id, identity: "WEB"})
		if !ok || slices.Contains(gone, f.Kind) {
			continue
		}
		details := object{
			"duration": ISODuration(s.Length), "dimension": "2d", "definition": "hd", "caption": "false", "licensedContent": true, "projection": "rectangular",
			"contentRating": object{},
		}
		switch f.Kind {
		case Age, AgeCheck, AgeVerify, AgeContent:
			details["contentRating"] = object{"ytRating": "ytAgeRestricted"}
		case Geo, GeoClaim:
			details["regionRestriction"] = object{"blocked": []string{"US"}}
		case Live, Upcoming, Premiere:
			details["duration"] = "P0D"
		case TooLong:
			details["duration"] = "P1D"
		case Empty:
			details["duration"] = "PT0S"
		}
		items = append(items, object{
			"kind": "youtube#video", "etag": "v" + id, "id": id, "snippet": d.snippet(s, false), "contentDetails": details,
			"status": object{"uploadStatus": "processed", "privacyStatus": "public", "license": "youtube", "embeddable": true, "madeForKids": f.Kind == Kids},
		})
	}
	writeJSON(x, http.StatusOK, object{
		"kind": "youtube#videoListResponse", "etag": "l", "items": items,
		"pageInfo": object{"totalResults": len(items), "resultsPerPage": len(items)},
	})
}

// ISODuration writes a length as the Data API does: PT3M21S, P1DT2H, P3W.
func ISODuration(t time.Duration) string {
	n := int64(t.Seconds())
	if n == 0 {
		return "PT0S"
	}
	var b strings.Builder
	b.WriteByte('P')
	put := func(unit int64, letter byte) {
		if v := n / unit; v > 0 {
			b.WriteString(strconv.FormatInt(v, 10))
			b.WriteByte(letter)
			n %= unit
		}
	}
	put(7*24*3600, 'W')
	put(24*3600, 'D')
	if n > 0 {
		b.WriteByte('T')
		put(3600, 'H')
		put(60, 'M')
		put(1, 'S')
	}
	return b.String()
}

package youtube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// dataAPI is the YouTube Data API v3: search.list, then videos.list for what
// that does not tell. The key travels in a header, never in an address.
type dataAPI struct {
	*Source
	base   string
	client *http.Client
	zone   *time.Location
}

const (
	apiHost       = "https://www.googleapis.com"
	apiTimeout    = 10 * time.Second
	apiCandidates = 8
	apiTries      = 2
)

func newDataAPI(s *Source) *dataAPI {
	a := &dataAPI{Source: s, base: apiHost, zone: pacific()}
	if s.APIBaseURL != "" {
		a.base = strings.TrimSuffix(s.APIBaseURL, "/")
	}
	// A redirect would carry the key along.
	a.client = &http.Client{Transport: s.guard, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return a
}

// pacific is the zone of the quota's days. Without the system's time zones it is
// standard time: an hour too late in summer.
func pacific() *time.Location {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		return time.FixedZone("PST", -8*60*60)
	}
	return zone
}

// quota is the shared record of one day's searches.
type quota struct {
	Used   int    `json:"used"`
	Closed bool   `json:"closed,omitempty"` // the API itself said that it is used up
	Reason string `json:"reason,omitempty"`
}

func (a *dataAPI) quotaKey() string {
	return "youtube/quota/" + a.now().In(a.zone).Format(time.DateOnly)
}

// reset is when the quota's next day begins.
func (a *dataAPI) reset() time.Duration {
	now := a.now().In(a.zone)
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, a.zone).Sub(now)
}

// spend takes one search from the day's, or says that there are none left.
func (a *dataAPI) spend(ctx context.Context) error {
	left := true
	_, err := change(ctx, a.board, a.quotaKey(), 2*day, func(q *quota) bool {
		left = !q.Closed && q.Used < a.SearchQuota
		q.Used++
		return left
	})
	if err == nil && !left {
		return wait(CodeQuota, a.reset(), fmt.Errorf("%d searches a day", a.SearchQuota))
	}
	return nil
}

func (a *dataAPI) exhausted(ctx context.Context, reason string) error {
	_, _ = change(ctx, a.board, a.quotaKey(), 2*day, func(q *quota) bool {
		q.Closed, q.Reason = true, reason
		return true
	}) // else the API says it again
	return wait(CodeQuota, a.reset(), errors.New(reason))
}

// search asks for candidates and returns the closest that can be played.
func (a *dataAPI) search(ctx context.Context, query string) (hit, error) {
	if err := a.spend(ctx); err != nil {
		return hit{}, err
	}
	var found struct {
		Items []struct {
			ID struct {
				VideoID string `json:"videoId"`
			} `json:"id"`
			Snippet snippet `json:"snippet"`
		} `json:"items"`
	}
	err := a.get(ctx, "search", url.Values{
		"part": {"snippet"}, "type": {"video"}, "maxResults": {strconv.Itoa(apiCandidates)}, "q": {query},
	}, &found)
	if err != nil {
		return hit{}, err
	}
	var all []candidate
	var ids []string
	for _, item := range found.Items {
		live := item.Snippet.Live
		if !jobs.ValidSongID(item.ID.VideoID) || live == "live" || live == "upcoming" {
			continue
		}
		all = append(all, candidate{item.Snippet.hit(item.ID.VideoID)})
		ids = append(ids, item.ID.VideoID)
	}
	if len(all) == 0 {
		return hit{}, noResult(fmt.Errorf("%d results, no video among them", len(found.Items)))
	}
	return a.narrow(ctx, query, all, ids)
}

// narrow drops what videos.list knows to be unplayable. If that call fails, the
// candidates stay as they are: the download will tell.
func (a *dataAPI) narrow(ctx context.Context, query string, all []candidate, ids []string) (hit, error) {
	var known struct {
		Items []struct {
			ID      string  `json:"id"`
			Snippet snippet `json:"snippet"`
			Content struct {
				Duration string `json:"duration"`
				Rating   struct {
					YT string `json:"ytRating"`
				} `json:"contentRating"`
				Region struct {
					Allowed *[]string `json:"allowed"`
				} `json:"regionRestriction"`
			} `json:"contentDetails"`
		} `json:"items"`
	}
	err := a.get(ctx, "videos", url.Values{"part": {"snippet,contentDetails,status"}, "id": {strings.Join(ids, ",")}}, &known)
	if err != nil {
		return a.Source.search.pick(query, all)
	}
	details := map[string]hit{}
	for _, item := range known.Items {
		d, err := parseDuration(item.Content.Duration)
		live := item.Snippet.Live
		switch {
		case err != nil, d == 0, live == "live", live == "upcoming":
		case item.Content.Region.Allowed != nil && len(*item.Content.Region.Allowed) == 0:
		case item.Content.Rating.YT == "ytAgeRestricted" && !a.ytdlp.hasCookies():
		default:
			h := item.Snippet.hit(item.ID)
			h.Duration = d
			details[item.ID] = h
		}
	}
	var kept []candidate
	for _, c := range all {
		if h, ok := details[c.ID]; ok {
			kept = append(kept, candidate{h})
		}
	}
	return a.Source.search.pick(query, kept)
}

type snippet struct {
	Title      string `json:"title"`
	Channel    string `json:"channelTitle"`
	Live       string `json:"liveBroadcastContent"`
	Thumbnails map[string]struct {
		URL   string `json:"url"`
		Width int    `json:"width"`
	} `json:"thumbnails"`
}

// hit unescapes what the API escapes and takes the largest picture.
func (s snippet) hit(id string) hit {
	h := hit{ID: id, Title: html.UnescapeString(s.Title), Artist: html.UnescapeString(s.Channel)}
	width := -1
	for _, t := range s.Thumbnails {
		if t.Width > width {
			h.Thumbnail, width = t.URL, t.Width
		}
	}
	h.Thumbnail, _, _ = strings.Cut(h.Thumbnail, "?")
	return h
}

// get makes one call, once more if the API is in trouble.
func (a *dataAPI) get(ctx context.Context, method string, query url.Values, into any) error {
	for try := 1; ; try++ {
		err := a.call(ctx, method, query, into)
		if c := codeOrNone(err); try == apiTries || c != CodeUpstream && c != CodeNetwork {
			return err
		}
		if err := sleep(ctx, a.retryPause); err != nil {
			return err
		}
	}
}

func (a *dataAPI) call(ctx context.Context, method string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/youtube/v3/"+method+"?"+query.Encode(), nil)
	if err != nil {
		return fail(CodeConfig, errors.New("the base URL of the Data API can not be used"))
	}
	r.Header.Set("X-Goog-Api-Key", a.APIKey)
	resp, err := a.client.Do(r)
	if err != nil {
		return transportError(a.clean, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return fail(CodeNetwork, a.clean.err(err))
	}
	if resp.StatusCode != http.StatusOK {
		return a.refused(ctx, resp.StatusCode, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fail(CodeUpstream, errors.New("the Data API's answer can not be read"))
	}
	return nil
}

// refused reads the API's error.
func (a *dataAPI) refused(ctx context.Context, status int, body []byte) error {
	var e struct {
		Error struct {
			Message string `json:"message"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
			Details []struct {
				Reason string `json:"reason"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil {
		e.Error.Message = "an answer that is no JSON"
	}
	var reasons []string
	for _, r := range append(e.Error.Errors, e.Error.Details...) {
		reasons = append(reasons, r.Reason)
	}
	why := a.clean.text(fmt.Sprintf("Data API %d %s: %s", status, strings.Join(reasons, " "), e.Error.Message))
	said := plain(why)
	switch {
	case has(said, "quotaexceeded", "dailylimitexceeded", "quota exceeded", "exceeded your quota"), status == http.StatusTooManyRequests && !has(said, "per minute"):
		return a.exhausted(ctx, why)
	case status == http.StatusTooManyRequests:
		return wait(CodeQuota, time.Minute, errors.New(why))
	case status >= 500:
		return fail(CodeUpstream, errors.New(why))
	}
	return fail(CodeConfig, errors.New(why))
}

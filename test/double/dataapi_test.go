package double

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestDataAPI checks shapes, pages, key and quota.
func TestDataAPI(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 2, 7, 0, 0, 0, time.UTC) // 23:00 of the day before in the Pacific
	var mu sync.Mutex
	d, song := start(t, Options{APIKey: "right", Searches: 4, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return day }})
	var more []Song
	for i := range 7 {
		more = append(more, NewSong(Pad(fmt.Sprintf("lantern%d", i)), tracks.Short[0]))
	}
	if err := d.Add(more...); err != nil {
		t.Fatal(err)
	}
	type list struct {
		Items []struct {
			ID      json.RawMessage `json:"id"`
			Snippet struct {
				Title string `json:"title"`
			} `json:"snippet"`
			Content struct {
				Duration string `json:"duration"`
			} `json:"contentDetails"`
		} `json:"items"`
		Next  string `json:"nextPageToken"`
		Error struct {
			Code   int `json:"code"`
			Errors []struct {
				Reason string `json:"reason"`
				Domain string `json:"domain"`
			} `json:"errors"`
			Details []struct {
				Reason string `json:"reason"`
			} `json:"details"`
		} `json:"error"`
	}
	ask := func(path, key string) (int, list) {
		t.Helper()
		a := get(t, http.DefaultClient, d.URL+"/youtube/v3/"+path, "X-Goog-Api-Key", key)
		var l list
		if err := json.Unmarshal(a.body, &l); err != nil {
			t.Fatalf("%s: %s", path, a.body)
		}
		return a.status, l
	}
	seen := map[string]bool{}
	token, pages := "", 0
	for pages == 0 || token != "" {
		status, l := ask("search?part=snippet&type=video&maxResults=3&q=lanterns&pageToken="+token, "right")
		if status != 200 || len(l.Items) > 3 {
			t.Fatalf("page %d: %d, %d items", pages, status, len(l.Items))
		}
		for _, item := range l.Items {
			seen[string(item.ID)] = true
			if item.Snippet.Title != "Lanterns &amp; Rain" {
				t.Errorf("title %q", item.Snippet.Title)
			}
		}
		token = l.Next
		pages++
	}
	if len(seen) != 8 || pages != 3 {
		t.Errorf("%d songs on %d pages", len(seen), pages)
	}
	if _, l := ask("search?part=snippet&q=lanterns&maxResults=2", "right"); !strings.Contains(string(l.Items[0].ID), "channelId") {
		t.Errorf("without a type the first is %s", l.Items[0].ID)
	}
	if status, l := ask("search?part=snippet&q=x", "right"); status != 429 || l.Error.Code != 429 {
		t.Errorf("the fifth search: %d %+v", status, l.Error)
	}
	if status, l := ask("videos?part=contentDetails&id=nobody_has0,"+song.ID, "right"); status != 200 || len(l.Items) != 1 || l.Items[0].Content.Duration != "PT12S" {
		t.Errorf("videos: %d %+v", status, l)
	}
	if status, l := ask("videos?part=contentDetails&id="+song.ID, "wrong"); status != 400 || l.Error.Details[0].Reason != "API_KEY_INVALID" {
		t.Errorf("a wrong key: %d %+v", status, l.Error)
	}
	mu.Lock()
	day = day.Add(2 * time.Hour) // midnight in the Pacific has passed
	mu.Unlock()
	if status, _ := ask("search?part=snippet&q=lanterns", "right"); status != 200 {
		t.Errorf("the next day: %d", status)
	}
	d.Fail("", Fault{Kind: APIQuota, Times: 1})
	if status, l := ask("videos?part=snippet&id=x", "right"); status != 403 || l.Error.Errors[0].Reason != "quotaExceeded" || l.Error.Errors[0].Domain != "youtube.quota" {
		t.Errorf("quota: %d %+v", status, l.Error)
	}
}

func TestISODuration(t *testing.T) {
	t.Parallel()
	for want, length := range map[string]time.Duration{
		"PT0S": 0, "PT45S": 45 * time.Second, "PT3M21S": 201 * time.Second, "PT1H": time.Hour,
		"P1DT2H3M4S": 26*time.Hour + 184*time.Second, "P3W3DT20H31M21S": 24*24*time.Hour + 20*time.Hour + 31*time.Minute + 21*time.Second,
	} {
		if got := ISODuration(length); got != want {
			t.Errorf("%s: %s, want %s", length, got, want)
		}
	}
}

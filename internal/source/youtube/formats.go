//go:build !apionly

package youtube

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	kkdai "github.com/kkdai/youtube/v2"
)

// preferred are the audio formats in the order in which they are wanted: Opus in
// WebM, which passes into DCA untouched, then AAC in MP4.
var preferred = []int{251, 250, 249, 140, 139}

// chooseFormat returns the audio to fetch, nil if there is none: the original
// language before dubs, the plain one before its compressed double, then by
// preference.
func chooseFormat(formats kkdai.FormatList, drc map[string]bool) *kkdai.Format {
	var best *kkdai.Format
	var bestRank []int
	for i := range formats {
		f := &formats[i]
		place := slices.Index(preferred, f.ItagNo)
		if place < 0 || f.URL == "" && f.Cipher == "" {
			continue
		}
		rank := []int{flag(isDub(f)), flag(drc[f.URL+f.Cipher] || isDRC(f)), flag(f.URL == ""), place}
		if best == nil || slices.Compare(rank, bestRank) < 0 {
			best, bestRank = f, rank
		}
	}
	return best
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func isDub(f *kkdai.Format) bool { return f.AudioTrack != nil && !f.AudioTrack.AudioIsDefault }

// isDRC tells from the link, where the answer does not say it.
func isDRC(f *kkdai.Format) bool {
	link := f.URL
	if link == "" {
		q, err := url.ParseQuery(f.Cipher)
		if err != nil {
			return false
		}
		link = q.Get("url")
	}
	u, err := url.Parse(link)
	return err == nil && strings.Contains(u.Query().Get("xtags"), "drc=1")
}

// drcLinks finds the formats with dynamic range compression.
func drcLinks(extra []extraFormat) map[string]bool {
	found := map[string]bool{}
	for _, f := range extra {
		if f.IsDRC {
			found[f.URL+f.Cipher] = true
		}
	}
	return found
}

// formatDuration prefers the format's own length, which has milliseconds.
func formatDuration(f *kkdai.Format, announced time.Duration) time.Duration {
	ms, err := strconv.ParseInt(f.ApproxDurationMs, 10, 64)
	if err != nil || ms <= 0 {
		return announced
	}
	d := time.Duration(ms) * time.Millisecond
	if diff := (d - announced).Abs(); announced > 0 && diff > 2*time.Second && diff > announced/50 {
		return announced
	}
	return d
}

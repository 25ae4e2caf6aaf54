package youtube

import (
	"errors"
	"strings"
	"time"
)

var errDuration = errors.New("not an ISO 8601 duration")

// parseDuration reads an ISO 8601 duration as the Data API writes it: weeks,
// days, hours, minutes, seconds with decimals. Years and months have no fixed
// length and are refused.
func parseDuration(text string) (time.Duration, error) {
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || rest == "" || strings.HasSuffix(rest, "T") {
		return 0, errDuration
	}
	var total float64
	units, clock := "WD", false
	for rest != "" {
		if rest[0] == 'T' && !clock {
			units, clock, rest = "HMS", true, rest[1:]
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != ',' })
		if end <= 0 || end > 12 {
			return 0, errDuration
		}
		at := strings.IndexByte(units, rest[end])
		if at < 0 {
			return 0, errDuration
		}
		n, err := decimal(rest[:end])
		if err != nil {
			return 0, err
		}
		total += n * map[byte]float64{'W': 604800, 'D': 86400, 'H': 3600, 'M': 60, 'S': 1}[rest[end]]
		units, rest = units[at+1:], rest[end+1:]
	}
	if total > 1e9 {
		return 0, errDuration
	}
	return time.Duration(total * float64(time.Second)), nil
}

func decimal(s string) (float64, error) {
	var n, scale float64
	for i := range len(s) {
		switch {
		case s[i] >= '0' && s[i] <= '9':
			n = n*10 + float64(s[i]-'0')
			scale *= 10
		case scale == 0 && i > 0 && i < len(s)-1:
			scale = 1
		default:
			return 0, errDuration
		}
	}
	if scale > 1 {
		n /= scale
	}
	return n, nil
}

package app

import (
	"fmt"
	"time"

	"github.com/butakero/butakero/internal/source/youtube"
)

// Cookies judges the file of COOKIES_YOUTUBE, in a line for people; "" without one.
// The error says why it can not be used. No cookie is in either.
func (c *Config) Cookies(now time.Time) (string, error) {
	if c.YouTube.Cookies == "" {
		return "", nil
	}
	state, err := youtube.ReadCookies(c.YouTube.Cookies, now)
	if err != nil {
		return "", fmt.Errorf("COOKIES_YOUTUBE: %w", err)
	}
	text := fmt.Sprintf("%d cookies of YouTube's, signed in, exported %s ago", state.Count, now.Sub(state.Modified).Round(time.Minute))
	if !state.Expires.IsZero() {
		text += fmt.Sprintf(", the session ends in %s (%s)", state.Expires.Sub(now).Round(time.Hour), state.Expires.UTC().Format(time.DateOnly))
	}
	return text, nil
}

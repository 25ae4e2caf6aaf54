// Package cookies tries filter_youtube_cookies.sh with what people give it, and holds
// docs/youtube.md against the code.
package cookies

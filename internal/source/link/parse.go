package link

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
)

// hosts says which paths a host has.
var hosts = map[string]func(path string, query url.Values) (string, error){
	"youtube.com":              sitePath,
	"www.youtube.com":          sitePath,
	"m.youtube.com":            sitePath,
	"music.youtube.com":        sitePath,
	"youtu.be":                 shortPath,
	"youtube-nocookie.com":     embedPath,
	"www.youtube-nocookie.com": embedPath,
}

// isHost reports whether name is one of YouTube's, in ASCII letters of any case.
func isHost(name string) bool {
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return false // ToLower would turn some of them into ASCII letters
	}
	_, ok := hosts[strings.ToLower(name)]
	return ok
}

// parseLink reads what looks like a link.
func parseLink(text string) (Link, error) {
	if len(text) > MaxLinkBytes {
		return Link{}, refuse(CodeTooLong, fmt.Sprintf("The link is too long: at most %d characters.", MaxLinkBytes))
	}
	if strings.Contains(text, " ") {
		return Link{}, refuse(CodeInvalidLink, "Send one YouTube link, and nothing else with it.")
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, `\`) {
		return Link{}, noLink()
	}
	if host, _, _ := strings.Cut(text, "//"); host == "" {
		text = "https:" + text
	} else if before, _, ok := strings.Cut(text, "://"); !ok || !isScheme(before) {
		if scheme, _, ok := strings.Cut(text, ":"); !ok || !schemes[strings.ToLower(scheme)] {
			text = "https://" + text
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Link{}, noLink()
	}
	host := strings.TrimSuffix(u.Host, ":443")
	if !isHost(host) {
		return Link{}, refuse(CodeHost, "Only links to YouTube videos are understood. Send one of those, or a title.")
	}
	query, _ := url.ParseQuery(u.RawQuery) // pairs that are not well formed are left out
	id, err := hosts[strings.ToLower(host)](u.EscapedPath(), query)
	if err != nil {
		return Link{}, err
	}
	return Link{Kind: KindVideo, ID: id}, nil
}

// sitePath reads the paths of youtube.com.
func sitePath(path string, query url.Values) (string, error) {
	if path != "/attribution_link" {
		return videoPath(path, query)
	}
	// The link inside has no host of its own.
	inner, err := url.Parse(query.Get("u"))
	if err != nil || inner.Scheme != "" || inner.Host != "" || inner.User != nil || strings.Contains(query.Get("u"), `\`) {
		return "", noLink()
	}
	values, _ := url.ParseQuery(inner.RawQuery)
	return videoPath(inner.EscapedPath(), values)
}

func videoPath(path string, query url.Values) (string, error) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "watch":
		if rest != "" {
			return "", noLink()
		}
		return watch(query)
	case "shorts", "live":
		return checkID(rest)
	case "embed", "v", "e":
		return embedPath("/embed/"+rest, query)
	case "playlist":
		return "", playlistOnly()
	case "channel", "c", "user":
		return "", channelOnly()
	}
	if strings.HasPrefix(first, "@") {
		return "", channelOnly()
	}
	return "", noLink()
}

func watch(query url.Values) (string, error) {
	ids := query["v"]
	for _, id := range ids {
		if id != ids[0] {
			return "", noLink() // which one?
		}
	}
	switch {
	case len(ids) > 0:
		return checkID(ids[0])
	case query.Has("list"):
		return "", playlistOnly()
	}
	return "", noLink()
}

// embedPath reads the paths of players. Two words there have the form of an id
// and are none.
func embedPath(path string, _ url.Values) (string, error) {
	id, ok := strings.CutPrefix(path, "/embed/")
	switch strings.TrimSuffix(id, "/") {
	case "videoseries":
		return "", playlistOnly()
	case "live_stream":
		return "", channelOnly()
	}
	if !ok {
		return "", noLink()
	}
	return checkID(id)
}

// shortPath reads the paths of youtu.be.
func shortPath(path string, _ url.Values) (string, error) {
	return checkID(strings.TrimPrefix(path, "/"))
}

// checkID takes a path's last part, which may end in a slash.
func checkID(id string) (string, error) {
	id = strings.TrimSuffix(id, "/")
	if !jobs.ValidSongID(id) {
		return "", refuse(CodeInvalidLink, fmt.Sprintf("That link has no video id of %d characters. Copy it again, or send a title.", jobs.SongIDLength))
	}
	return id, nil
}

func noLink() error {
	return refuse(CodeInvalidLink, "That is not a link to a YouTube video. Send one like https://youtu.be/dQw4w9WgXcQ, or a title.")
}

func playlistOnly() error {
	return refuse(CodePlaylist, "That is a link to a playlist. Send the link to one of its videos, or a title.")
}

func channelOnly() error {
	return refuse(CodeChannel, "That is a link to a channel. Send the link to one of its videos, or a title.")
}

package youtube

import (
	"errors"
	"fmt"
	"strings"
)

// Exit codes of yt-dlp.
const (
	exitUsage    = 2
	exitFiltered = 101 // by --break-match-filters
)

// ytdlpSignals are what yt-dlp says beside the reasons of YouTube, which
// [signals] know.
var ytdlpSignals = []signal{
	{CodeExpiredURL, []string{"http error 403", "http error 410"}},
	{CodeUpstream, []string{"http error 5", "unable to extract", "failed to parse json", "failed to extract any player response", "unable to download api page", "unable to download webpage"}},
	{CodeNetwork, []string{
		"more expected", "timed out", "unable to connect", "connection refused", "connection reset", "connection aborted",
		"incompleteread", "remote end closed", "name resolution", "network is unreachable", "name or service not known",
		"certificate verify failed", "tunnel connection failed", "proxy",
	}},
	{CodeUpstream, []string{"skipping player responses"}},
	{CodeNoAudio, []string{"requested format is not available", "no video formats found", "drm protected", "only images are available"}},
	{CodeLive, []string{"is live", "live event has ended"}},
}

// classify gives a failed run its verdict. The last ERROR line decides unless
// it only says that there is nothing to play: then a warning tells why.
func (y *ytdlp) classify(r ran) error {
	var last string
	var warnings []string
	for line := range strings.SplitSeq(r.stderr, "\n") {
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(text, "ERROR:"):
			last = strings.TrimSpace(strings.TrimPrefix(text, "ERROR:"))
		case strings.HasPrefix(text, "WARNING:"):
			warnings = append(warnings, text)
		}
	}
	cause := fmt.Errorf("yt-dlp exit %d: %s", r.code, y.clean.text(last))
	if last == "" {
		cause = fmt.Errorf("yt-dlp exit %d: %s", r.code, y.clean.text(lastLine(r.stderr)))
	}
	code := ytdlpCode(plain(last))
	if code == CodeNoAudio || code == CodeUpstream || code == "" {
		for _, w := range warnings {
			if hint := ytdlpCode(plain(w)); hint != "" && hint != CodeNoAudio && (code != CodeUpstream || rank(fail(hint, nil)) > rank(fail(code, nil))) {
				code, cause = hint, fmt.Errorf("%w (%s)", cause, y.clean.text(w))
				break
			}
		}
	}
	switch {
	case r.code == exitUsage:
		return fail(CodeConfig, cause)
	case r.code < 0:
		return fail(CodeConfig, errors.New("yt-dlp was killed"))
	case code == CodeRateLimited:
		return wait(code, 0, cause)
	case code == "" && last == "":
		return fail(CodeConfig, cause)
	case code == "":
		return fail(CodeUnplayable, cause)
	}
	return fail(code, cause)
}

func ytdlpCode(text string) string {
	if text == "" {
		return ""
	}
	if code := findSignal(text); code != "" {
		return code
	}
	for _, s := range ytdlpSignals {
		if has(text, s.words...) {
			return s.code
		}
	}
	return ""
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}

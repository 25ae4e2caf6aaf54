// Package link tells what a user's text asks for: a YouTube video, by any of the
// forms that its links come in, or a search.
//
// [Parse] is pure and strict: a link counts only if its host is one of YouTube's
// own, written out, and its id is well formed. What looks like a link and is
// none of these is refused with a message that says what to send instead; it
// never becomes a search.
package link

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
)

// Kind is what a text asks for.
type Kind string

// The kinds. A text that is neither is an error.
const (
	KindVideo Kind = "video"
	KindQuery Kind = "query"
)

// Link is what a text asks for.
type Link struct {
	Kind  Kind
	ID    string // of the video: jobs.SongIDLength characters of A-Z a-z 0-9 _ -
	Query string // the words to search, separated by single blanks
}

// Canonical returns the text that Parse reads as exactly this link.
func (l Link) Canonical() string {
	if l.Kind == KindVideo {
		return "https://www.youtube.com/watch?v=" + l.ID
	}
	return l.Query
}

// Limits of a text.
const (
	MaxLinkBytes  = 2048
	MaxQueryRunes = 500
)

// Codes of Parse's errors.
const (
	CodeEmpty       = "empty_text"       // nothing but blanks
	CodeTooLong     = "text_too_long"    // over the limit of its kind
	CodeInvalidText = "invalid_text"     // not UTF-8, or control characters
	CodeInvalidLink = "invalid_link"     // a link that names no video, or no proper one
	CodePlaylist    = "playlist_only"    // a list and no video of it
	CodeChannel     = "channel_only"     // a channel or user
	CodeHost        = "unsupported_host" // a link to somewhere else
)

// Parse reads a text of any form and size. Errors are *jobs.Error, permanent,
// with one of the codes above.
func Parse(text string) (Link, error) {
	// Blanks are trimmed and folded first, so that a query is its own canonical
	// text.
	plain := strings.Join(strings.Fields(text), " ")
	if plain == "" {
		return Link{}, refuse(CodeEmpty, "Send a title or a YouTube link.")
	}
	if inner, ok := unwrap(plain); ok {
		return parseLink(inner)
	}
	if looksLikeLink(plain) {
		return parseLink(plain)
	}
	if !utf8.ValidString(plain) || strings.ContainsFunc(plain, unicode.IsControl) {
		return Link{}, refuse(CodeInvalidText, "The text has characters that can not be searched for. Send a title or a YouTube link.")
	}
	if utf8.RuneCountInString(plain) > MaxQueryRunes {
		return Link{}, refuse(CodeTooLong, fmt.Sprintf("The text is too long: a title may have %d characters.", MaxQueryRunes))
	}
	return Link{Kind: KindQuery, Query: plain}, nil
}

// unwrap takes the angle brackets off a link that was written so that Discord
// shows no preview of it.
func unwrap(text string) (string, bool) {
	inner, opened := strings.CutPrefix(text, "<")
	inner, closed := strings.CutSuffix(inner, ">")
	inner = strings.TrimSpace(inner)
	return inner, opened && closed && looksLikeLink(inner)
}

func refuse(code, message string) *jobs.Error {
	return jobs.Permanent(code, message, nil)
}

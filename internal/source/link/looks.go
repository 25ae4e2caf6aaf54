package link

import (
	"strings"
	"unicode"
)

// schemes are those that make a link of what follows their colon, without
// slashes. Others may be part of a title ("Re:Zero").
var schemes = map[string]bool{
	"about": true, "blob": true, "data": true, "file": true, "ftp": true, "ftps": true, "gopher": true, "http": true,
	"https": true, "intent": true, "jar": true, "javascript": true, "ldap": true, "magnet": true, "mailto": true,
	"sftp": true, "smb": true, "spotify": true, "ssh": true, "tel": true, "vbscript": true, "view-source": true,
	"vnd.youtube": true, "ws": true, "wss": true,
}

// endings are those that make a link of a single word with dots and no path.
// Others may be an artist ("will.i.am").
var endings = map[string]bool{
	"app": true, "be": true, "co": true, "com": true, "dev": true, "edu": true, "example": true, "gov": true, "info": true,
	"internal": true, "invalid": true, "io": true, "local": true, "localhost": true, "net": true, "org": true, "test": true, "tv": true,
}

// looksLikeLink tells links, also broken and hostile ones, from titles. text has
// no blanks at its ends. To take a link for a title would do no harm (it would
// be searched for), but would surprise whoever sent it; to take a title for a
// link would refuse it.
func looksLikeLink(text string) bool {
	if isLinkWord(text, true) {
		return true
	}
	// A link among words, or several: the whole is a link that is not proper.
	for word := range strings.FieldsSeq(text) {
		if word != text && isLinkWord(word, false) {
			return true
		}
	}
	return false
}

// isLinkWord judges one word. alone: it is the whole text.
func isLinkWord(word string, alone bool) bool {
	if strings.Contains(word, "://") || strings.Contains(word, ":\\\\") || strings.Contains(word, "watch?v=") {
		return true
	}
	host := word
	if i := strings.IndexAny(word, "/?#:\\@"); i >= 0 {
		host = word[:i]
	}
	rest := word[len(host):]
	if isHost(host) && (alone || len(rest) > 1) {
		return true
	}
	if !alone {
		return false
	}
	if after, ok := strings.CutPrefix(rest, ":"); ok && after != "" {
		if schemes[strings.ToLower(host)] && !strings.HasPrefix(after, " ") {
			return true
		}
		if isScheme(host) && strings.ContainsAny(after[:1], "/\\") {
			return true
		}
	}
	for _, start := range []string{"//", `\\`, `/\`, `\/`} {
		if strings.HasPrefix(word, start) {
			return true
		}
	}
	return !strings.Contains(word, " ") && looksLikeAddress(word, host, rest)
}

// looksLikeAddress judges a single word by its part before the path.
func looksLikeAddress(word, host, rest string) bool {
	if inner, ok := strings.CutPrefix(word, "["); ok {
		address, _, closed := strings.Cut(inner, "]")
		return closed && strings.Contains(address, ":") && strings.Trim(address, "0123456789abcdefABCDEF:.") == ""
	}
	if strings.EqualFold(host, "localhost") {
		return rest != ""
	}
	labels := strings.FieldsFunc(host, isDot)
	if len(labels) < 2 || isDot(rune(host[len(host)-1])) {
		return false
	}
	last := labels[len(labels)-1]
	if endings[strings.ToLower(last)] {
		return true
	}
	if strings.Trim(host, "0123456789.") == "" && len(labels) == 4 {
		return true
	}
	digits := strings.Trim(last, "0123456789") == ""
	letters := len([]rune(last)) > 1 && !strings.ContainsFunc(last, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' })
	return rest != "" && rest != "!" && (digits || letters)
}

// isDot knows the other characters that some software takes for the dot between
// two parts of a host's name.
func isDot(r rune) bool {
	switch r {
	case '.', '\u3002', '\uff0e', '\uff61', '\u00b7':
		return true
	}
	return false
}

func isScheme(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789+.-") == ""
}

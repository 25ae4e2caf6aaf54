package pipeline

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
)

const (
	keyFolder    = "audio/"
	maxSegment   = 200 // bytes; file systems allow 255, and adapters add endings for their temporary files
	maxMarks     = 4   // combining marks on one character
	noTitle      = "untitled"
	keyExtension = ".dca"
)

// SafeKey is the key under which a song is stored:
//
//	audio/<title> [<song id>].dca            default profile
//	audio/<title> [<song id>] (<profile>).dca
//
// The title is kept readable and made harmless for file systems, object stores,
// terminals and shells' globbing: what separates paths becomes "-", quotes and
// brackets that Windows forbids get lookalikes, controls, direction marks and
// other invisible characters go, white space is one space, and the whole
// segment has at most 200 bytes, cut between characters. Same arguments, same
// key; different songs or profiles, different keys, whatever their titles.
func SafeKey(song jobs.Song, profile, title string) string {
	suffix := " [" + safeName(song.ID) + "]"
	if profile != "" && profile != jobs.DefaultProfile {
		suffix += " (" + safeName(profile) + ")"
	}
	suffix += keyExtension
	return keyFolder + safeTitle(title, maxSegment-len(suffix)) + suffix
}

// safeName is for ids and profile names, which are harmless already unless
// somebody forgot to validate them.
func safeName(name string) string {
	const limit = 64
	b := []byte(name)
	b = b[:min(len(b), limit)]
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			b[i] = '_'
		}
	}
	return string(b)
}

func safeTitle(title string, limit int) string {
	var b strings.Builder
	space, marks := false, maxMarks // a mark needs something to sit on
	for _, r := range title {
		r = safeRune(r)
		switch {
		case r < 0:
			continue
		case r == ' ':
			space, marks = b.Len() > 0, maxMarks
			continue
		case unicode.Is(unicode.M, r):
			if marks >= maxMarks {
				continue
			}
			marks++
		default:
			if b.Len() == 0 && strings.ContainsRune(".-~_", r) {
				continue // hidden files, options, home folders
			}
			marks = 0
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		if b.Len() > limit+utf8.UTFMax*(maxMarks+1) {
			break
		}
	}
	safe := strings.TrimRight(cut(b.String(), limit), " .")
	if safe == "" {
		return noTitle
	}
	if isDevice(safe) {
		safe = "_" + cut(safe, limit-1)
	}
	return safe
}

// safeRune returns what stands for r, -1 for nothing.
func safeRune(r rune) rune {
	switch r {
	case utf8.RuneError:
		return -1
	case '/', '\\', '|', ':', '\u2044', '\u2215', '\uff0f', '\uff3c':
		return '-'
	case '"':
		return '\''
	case '<':
		return '('
	case '>':
		return ')'
	case '?', '*':
		return -1
	}
	switch {
	case unicode.IsSpace(r), unicode.Is(unicode.Z, r):
		return ' '
	case unicode.Is(unicode.C, r): // controls, formats (direction marks, joiners), private use
		return -1
	case r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE: // no characters
		return -1
	}
	return r
}

// cut shortens s to at most limit bytes, between characters and not between a
// character and its marks.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > 0 {
		r, _ := utf8.DecodeRuneInString(s[end:])
		if utf8.RuneStart(s[end]) && !unicode.Is(unicode.M, r) {
			break
		}
		end--
	}
	return s[:end]
}

// isDevice tells whether Windows takes a file of this name for a device.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) &&
		stem[3] >= '0' && stem[3] <= '9'
}

package youtube

import (
	"strings"
	"unicode"
)

// candidate is a search's result before one is picked.
type candidate struct{ hit }

// versions are words that tell another recording from the one that was asked
// for; they count against a title that has them unasked.
var versions = []string{
	"cover", "karaoke", "instrumental", "remix", "reaction", "tutorial", "lesson", "nightcore", "slowed", "reverb",
	"sped", "8d", "hour", "hours", "loop", "live", "vivo", "parody", "acoustic", "mashup",
}

// closest returns the candidate whose title and channel have most of the words
// that were asked for. YouTube's own order decides between near equals.
func closest(query string, all []candidate) candidate {
	asked := wordSet(query)
	best, score := all[0], -1e9
	for i, c := range all {
		if s := similarity(asked, c) - 0.06*float64(i); s > score {
			best, score = c, s
		}
	}
	return best
}

// similarity is between -1 and 1.
func similarity(asked map[string]bool, c candidate) float64 {
	has := wordSet(c.Title + " " + c.Artist)
	found := 0
	for w := range asked {
		if has[w] {
			found++
		}
	}
	s := 0.0
	if len(asked) > 0 {
		s = float64(found) / float64(len(asked))
	}
	for _, v := range versions {
		if has[v] && !asked[v] {
			s -= 0.25
		}
	}
	return max(s, -1)
}

// wordSet splits a text into its words, in lower case and without the commonest
// accents, which people leave out.
func wordSet(s string) map[string]bool {
	s = strings.Map(func(r rune) rune {
		r = unicode.ToLower(r)
		if i := strings.IndexRune("áàâäãåéèêëíìîïóòôöõúùûüñç", r); i >= 0 {
			return []rune("aaaaaaeeeeiiiiooooouuuunc")[len([]rune("áàâäãåéèêëíìîïóòôöõúùûüñç"[:i]))]
		}
		return r
	}, s)
	set := map[string]bool{}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		set[w] = true
	}
	return set
}

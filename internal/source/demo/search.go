package demo

import (
	"slices"
	"strings"
	"unicode"
)

// words is a title and what else can be searched, in a form that makes
// differences of case, accents and punctuation go away.
type words struct {
	title  []string
	others []string // artist, folders
	plain  string   // the title with nothing taken away but case
}

func wordsOf(title string, others ...string) words {
	return words{title: split(title), others: split(strings.Join(others, " ")), plain: strings.ToLower(title)}
}

// split folds a text and cuts it into its words: runs of letters and digits.
func split(text string) []string {
	var folded strings.Builder
	for _, r := range strings.ToLower(text) {
		if plain, ok := plainLetters[r]; ok {
			folded.WriteString(plain)
			continue
		}
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r):
			folded.WriteRune(r)
		case unicode.Is(unicode.Mn, r), r == '\'', r == '\u2019': // combining accents; "don't" is one word
		default:
			folded.WriteByte(' ')
		}
	}
	return strings.Fields(folded.String())
}

// plainLetters maps the accented letters of Europe's languages, in lower case,
// to those that people type instead.
var plainLetters = func() map[rune]string {
	m := map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ĳ': "ij"}
	for plain, accented := range map[string]string{
		"a": "àáâãäåāăąǎ", "c": "çćĉċč", "d": "ďđð", "e": "èéêëēĕėęěẽ", "g": "ĝğġģ", "h": "ĥħ", "i": "ìíîïĩīĭįıǐ", "j": "ĵ", "k": "ķ",
		"l": "ĺļľŀł", "n": "ñńņňŉ", "o": "òóôõöøōŏőǒ", "r": "ŕŗř", "s": "śŝşšș", "t": "ţťŧț", "u": "ùúûüũūŭůűųǔ", "w": "ŵ", "y": "ýÿŷ", "z": "źżž",
	} {
		for _, r := range accented {
			m[r] = plain
		}
	}
	return m
}()

// score says how well words fit a query, 0: not at all. At least half of the
// query's words have to be found.
func (w words) score(query words) int {
	if len(query.title) == 0 { // nothing but signs, such as "!!!"
		if query.plain == w.plain {
			return 1
		}
		return 0
	}
	if slices.Equal(query.title, w.title) {
		return 1 << 20
	}
	score, found := 0, 0
	for _, word := range query.title {
		if points := w.points(word); points > 0 {
			score, found = score+points, found+1
		}
	}
	if 2*found < len(query.title) {
		return 0
	}
	return score * 16
}

func (w words) points(word string) int {
	switch {
	case slices.Contains(w.title, word):
		return 4
	case slices.Contains(w.others, word):
		return 3
	}
	// The beginning of a word will do if it is more than a letter or two; where
	// words are not separated, any part will.
	ascii := !strings.ContainsFunc(word, func(r rune) bool { return r > unicode.MaxASCII })
	for _, candidate := range w.title {
		if ascii && len(word) >= 3 && strings.HasPrefix(candidate, word) || !ascii && strings.Contains(candidate, word) {
			return 2
		}
	}
	return 0
}

// best returns the entry with the highest score; of equals the one with the
// shortest title, then the first by title and id.
func best(entries []entry, query string) (entry, bool) {
	asked := wordsOf(query)
	var winner entry
	top := 0
	for _, e := range entries {
		score := e.words.score(asked)
		if score > top || score > 0 && score == top && before(e, winner) {
			winner, top = e, score
		}
	}
	return winner, top > 0
}

func before(a, b entry) bool {
	if len(a.words.title) != len(b.words.title) {
		return len(a.words.title) < len(b.words.title)
	}
	if a.Title != b.Title {
		return a.Title < b.Title
	}
	return a.ID < b.ID
}

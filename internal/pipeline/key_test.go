package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

var keySong = jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}

func ExampleSafeKey() {
	song := jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}
	fmt.Println(pipeline.SafeKey(song, "default", "AC/DC: Who Made Who?"))
	fmt.Println(pipeline.SafeKey(song, "low", "../../etc/passwd"))
	// Output:
	// audio/AC-DC- Who Made Who [dQw4w9WgXcQ].dca
	// audio/etc-passwd [dQw4w9WgXcQ] (low).dca
}

func TestSafeKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 300)
	for name, c := range map[string]struct{ title, want string }{
		"plain":                  {"Never Gonna Give You Up", "Never Gonna Give You Up"},
		"slash":                  {"AC/DC", "AC-DC"},
		"backslash":              {`a\b`, "a-b"},
		"lookalike slashes":      {"a\u2215b\uff0fc", "a-b-c"},
		"up":                     {"..", "untitled"},
		"path":                   {"../../x", "x"},
		"hidden":                 {".bashrc", "bashrc"},
		"option":                 {"-rf *", "rf"},
		"home":                   {"~root", "root"},
		"controls":               {"a\x00b\x1b[31mc\x7fd\u0085e", "ab[31mcd e"},
		"lines":                  {"a\r\nb\tc", "a b c"},
		"spaces":                 {"  a \u00a0\u2003 b\u3000", "a b"},
		"trailing dots":          {"Wait...", "Wait"},
		"trailing dots, spaces":  {"Wait. . .", "Wait"},
		"Windows":                {`a:b*c?d"e<f>g|h`, "a-bcd'e(f)g-h"},
		"device":                 {"CON", "_CON"},
		"device with ending":     {"nul.txt", "_nul.txt"},
		"device with number":     {"COM1.x", "_COM1.x"},
		"no device":              {"CONcert", "CONcert"},
		"right-to-left marks":    {"abc\u202egpj.exe\u202c\u200f", "abcgpj.exe"},
		"isolates":               {"\u2066a\u2069\u200e", "a"},
		"right-to-left script":   {"שלום עולם", "שלום עולם"},
		"invisible":              {"a\u200bb\ufeffc\u00add", "abcd"},
		"only invisible":         {"\u200b\u202e\u2060", "untitled"},
		"emoji":                  {"Fire 🔥🎸", "Fire 🔥🎸"},
		"emoji with variation":   {"I ❤️ it", "I ❤️ it"},
		"family":                 {"👨\u200d👩\u200d👧", "👨👩👧"},
		"combining":              {"e\u0301a", "e\u0301a"},
		"combining alone":        {"\u0301a", "a"},
		"combining after space":  {"a \u0301b", "a b"},
		"combining heap":         {"a" + strings.Repeat("\u0310", 50), "a" + strings.Repeat("\u0310", 4)},
		"Devanagari":             {"क्षत्रिय", "क्षत्रिय"},
		"invalid UTF-8":          {"a\xff\xfeb\xc3", "ab"},
		"replacement":            {"a\ufffdb", "ab"},
		"private use":            {"a\ue000b", "ab"},
		"no characters":          {"a\uffffb\ufdd0c", "abc"},
		"empty":                  {"", "untitled"},
		"only what goes":         {"???", "untitled"},
		"only dashes":            {"- - -", "untitled"},
		"long":                   {long, long[:200-len(" [dQw4w9WgXcQ].dca")]},
		"long, two bytes a rune": {strings.Repeat("é", 300), strings.Repeat("é", 91)},
		"long, with marks":       {strings.Repeat("a", 181) + "e\u0301", strings.Repeat("a", 181)},
		"long, ends with spaces": {strings.Repeat("a", 180) + "  . . " + long, strings.Repeat("a", 180)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := "audio/" + c.want + " [dQw4w9WgXcQ].dca"
			got := pipeline.SafeKey(keySong, "default", c.title)
			if got != want {
				t.Errorf("%q becomes\n%q, want\n%q", c.title, got, want)
			}
			safe(t, got)
		})
	}
}

// The same title in another profile or of another song is another key, whatever
// the titles are.
func TestSafeKeyIsUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, id := range []string{"dQw4w9WgXcQ", "dQw4w9WgXcq", "-----------", "___________"} {
		for _, profile := range []string{"default", "low", "high"} {
			key := pipeline.SafeKey(jobs.Song{ID: id}, profile, strings.Repeat("x", 500))
			if other := seen[key]; other != "" {
				t.Errorf("%s %s and %s have one key", id, profile, other)
			}
			seen[key] = id + " " + profile
		}
	}
	if a, b := pipeline.SafeKey(keySong, "", "x"), pipeline.SafeKey(keySong, "default", "x"); a != b {
		t.Errorf("no profile is %q, the default one %q", a, b)
	}
	for _, title := range []string{"x [dQw4w9WgXcQ] (low)", "x [dQw4w9WgXcQ] (low).dca"} {
		if a, b := pipeline.SafeKey(keySong, "default", title), pipeline.SafeKey(keySong, "low", "x"); a == b {
			t.Errorf("a title can pass for a profile: %q", a)
		}
	}
	safe(t, pipeline.SafeKey(jobs.Song{ID: "../../../x"}, "a/b", "x"))
}

// safe is what every key has to be.
func safe(t testing.TB, key string) {
	t.Helper()
	segment, ok := strings.CutPrefix(key, "audio/")
	switch {
	case !ok || strings.ContainsAny(segment, "/\\\x00"):
		t.Errorf("%q leaves its folder", key)
	case !utf8.ValidString(key):
		t.Errorf("%q is not UTF-8", key)
	case len(segment) > 200:
		t.Errorf("%q has %d bytes", segment, len(segment))
	case !strings.HasSuffix(segment, ".dca") || strings.HasPrefix(segment, ".") || strings.HasPrefix(segment, " "):
		t.Errorf("%q begins or ends badly", segment)
	}
	for _, r := range key {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r != ' ' && unicode.IsSpace(r) {
			t.Errorf("%q contains %U", key, r)
		}
	}
}

func FuzzSafeKey(f *testing.F) {
	for _, title := range []string{"", "a/b", "..", "e\u0301", "\u202e", "\xff", strings.Repeat("🔥", 99), "CON.", "a \u0301"} {
		f.Add(title, "low")
	}
	f.Fuzz(func(t *testing.T, title, profile string) {
		key := pipeline.SafeKey(keySong, profile, title)
		safe(t, key)
		if again := pipeline.SafeKey(keySong, profile, title); again != key {
			t.Errorf("%q, then %q", key, again)
		}
		// What is safe stays as it is.
		cut := strings.TrimSuffix(strings.TrimPrefix(pipeline.SafeKey(keySong, "", title), "audio/"), " [dQw4w9WgXcQ].dca")
		if again := pipeline.SafeKey(keySong, "", cut); again != "audio/"+cut+" [dQw4w9WgXcQ].dca" && !strings.HasPrefix(cut, "_") {
			t.Errorf("%q is not stable: %q", cut, again)
		}
	})
}

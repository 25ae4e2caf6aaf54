package corpus_test

import (
	"os"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/corpus"
)

// Every row of the table has entries, and every entry is what it says.
func TestCorpusIsWhole(t *testing.T) {
	t.Parallel()
	entries := corpus.Load(t)
	seen := map[int]int{}
	for _, e := range entries {
		seen[e.Row]++
		info, err := os.Stat(e.Path)
		if err != nil || info.Size() != e.Size {
			t.Errorf("%s: %v", e.ID(), err)
		}
		switch e.Want {
		case corpus.OK:
			if e.Frames == 0 || e.Duration == 0 {
				t.Errorf("%s is to be copied, and nothing says how long it is", e.ID())
			}
		case corpus.TranscodeOK:
			if e.Duration == 0 {
				t.Errorf("%s is to be transcoded, and nothing says how long it is", e.ID())
			}
		case corpus.Err, corpus.Any:
		default:
			t.Errorf("%s: want %q", e.ID(), e.Want)
		}
		if e.Absent != "" {
			b, err := os.ReadFile(e.Path)
			if err != nil || !strings.Contains(string(b), e.Absent) {
				t.Errorf("%s does not contain what must not come out of it: %v", e.ID(), err)
			}
		}
	}
	for row, what := range corpus.Rows {
		if seen[row] == 0 {
			t.Errorf("row %d has no entry: %s", row, what)
		}
	}
	if len(seen) != len(corpus.Rows) {
		t.Errorf("%d rows have entries, %d have a description", len(seen), len(corpus.Rows))
	}
}

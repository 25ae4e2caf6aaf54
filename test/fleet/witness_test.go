package fleet

import (
	"strings"
	"testing"
)

// The ledger of witnesses is itself held: what is promised passes, each breach is told.
func TestTestify(t *testing.T) {
	t.Parallel()
	claim := func(at, fence, until int64, pid int) deed { return deed{at, "claim", "a", 1, fence, until, pid} }
	commit := func(at, generation, fence int64, pid int) deed {
		return deed{at: at, what: "commit", key: "a", generation: generation, fence: fence, pid: pid}
	}
	cases := map[string]struct {
		all  []deed
		want string
	}{
		"a life":                {[]deed{claim(0, 1, 100, 1), commit(50, 1, 1, 1)}, ""},
		"a stolen lease":        {[]deed{claim(0, 1, 100, 1), claim(105, 2, 200, 2), commit(150, 1, 2, 2)}, ""},
		"given back":            {[]deed{claim(0, 1, 100, 1), {10, "fail", "a", 1, 1, 0, 1}, claim(20, 2, 200, 2)}, ""},
		"renewed, then stolen":  {[]deed{claim(0, 1, 100, 1), {50, "renew", "a", 1, 1, 300, 1}, claim(105, 2, 200, 2)}, "while 1 had it for another 195 ms"},
		"stolen too early":      {[]deed{claim(0, 1, 100, 1), claim(90, 2, 200, 2)}, "while 1 had it"},
		"one fence for two":     {[]deed{claim(0, 1, 100, 1), claim(200, 1, 300, 2)}, "given to process 1 and to 2"},
		"two commits":           {[]deed{commit(0, 1, 1, 1), commit(1, 1, 2, 2)}, "generation 1: process 1 committed"},
		"an older fence commit": {[]deed{commit(0, 1, 5, 1), commit(1, 2, 4, 2)}, "a commit under fence 4 after one under 5"},
		"a replay":              {[]deed{commit(0, 1, 1, 1), commit(1, 2, 2, 2)}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(testify(c.all).wrong, "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

package fleet

import (
	"bufio"
	"fmt"
	"os"
	"testing"
)

// A line of the witnesses' ledger: what the processes themselves have seen done. They
// write it after the store's answer, and may die before they do.
type deed struct {
	at         int64 // when, ms
	what       string
	key        string
	generation int64
	fence      int64
	until      int64 // end of the lease, ms
	pid        int
}

// testimony is what a ledger of witnesses comes to.
type testimony struct {
	downloads, commits int
	wrong              []string
}

// witnesses holds the ledger against the promises: one commit for each job and
// generation, commits' fences grow, and nobody claims a job whose lease another still
// had.
func witnesses(tb testing.TB, name string) testimony {
	tb.Helper()
	f, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	var all []deed
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var d deed
		if _, err := fmt.Sscan(lines.Text(), &d.at, &d.what, &d.key, &d.generation, &d.fence, &d.until, &d.pid); err != nil {
			tb.Errorf("witness %q: %v", lines.Text(), err)
			continue
		}
		all = append(all, d)
	}
	return testify(all)
}

// hold is somebody's claim on a job.
type hold struct {
	until int64
	ended bool
	pid   int
}

func testify(all []deed) (t testimony) {
	type generation struct {
		key string
		n   int64
	}
	commits := map[generation]deed{}
	last := map[string]int64{}                // fence of a job's last commit
	holds := map[string]map[int64]*hold{}     // by key and fence
	held := func(d deed) (h *hold, ok bool) { // by its own fence
		if holds[d.key] == nil {
			holds[d.key] = map[int64]*hold{}
		}
		h, ok = holds[d.key][d.fence]
		return h, ok
	}
	bad := func(format string, arguments ...any) { t.wrong = append(t.wrong, fmt.Sprintf(format, arguments...)) }
	for _, d := range all {
		h, known := held(d)
		switch d.what {
		case "download":
			t.downloads++
		case "claim":
			if known {
				bad("%s: fence %d was given to process %d and to %d", d.key, d.fence, h.pid, d.pid)
			}
			if before := holds[d.key][d.fence-1]; before != nil && !before.ended && d.at < before.until {
				bad("%s: process %d claimed it under fence %d while %d had it for another %d ms", d.key, d.pid, d.fence, before.pid, before.until-d.at)
			}
			holds[d.key][d.fence] = &hold{until: d.until, pid: d.pid}
		case "renew":
			if known {
				h.until = max(h.until, d.until)
			}
		case "fail", "commit":
			if known {
				h.ended = true
			}
			if d.what == "fail" {
				continue
			}
			t.commits++
			g := generation{d.key, d.generation}
			if before, ok := commits[g]; ok {
				bad("%s, generation %d: process %d committed it under fence %d, and %d under %d", d.key, d.generation, before.pid, before.fence, d.pid, d.fence)
			}
			commits[g] = d
			if d.fence <= last[d.key] {
				bad("%s: a commit under fence %d after one under %d", d.key, d.fence, last[d.key])
			}
			last[d.key] = d.fence
		}
	}
	return t
}

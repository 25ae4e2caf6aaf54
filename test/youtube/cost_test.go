package youtube_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/double"
)

// memory reads how much anonymous memory a process holds, in bytes.
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("CAN NOT RUN %s: no /proc to read memory from: %v", t.Name(), err)
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "RssAnon:" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no RssAnon")
	return 0
}

// TestManyAtOnce makes 64 songs at the same time and watches the memory of the
// process: a song may cost 1 MiB.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const songs = 64
	d := double.Start(t, double.Options{Rate: 400 << 10})
	up := start(t, "butakero", settings(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_WORKER_SLOTS="+strconv.Itoa(songs), "BUTAKERO_LOG_LEVEL=info"), "up")
	s := &system{t: t, base: up.base}
	first := add(t, d, "first")
	wantSong(t, s, finish(t, s, watch(first.ID)), first.Format(251))
	before := memory(t, up.cmd.Process.Pid)

	ids := make([]string, songs)
	var f double.Format
	for i := range ids {
		song := addTrack(t, d, fmt.Sprintf("many-%03d", i), tracks.Song)
		f = song.Format(251)
		ids[i] = submit(t, up.base, watch(song.ID))
	}
	most, together := before, 0
	waiting := slices.Clone(ids)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(90 * time.Second); len(waiting) > 0; <-tick.C {
		most = max(most, memory(t, up.cmd.Process.Pid))
		open := 0
		for _, r := range d.Requests() {
			if r.Kind == double.KindMedia && r.Ended.IsZero() {
				open++
			}
		}
		together = max(together, open)
		// One is enough to know whether to go on waiting.
		if o := look(t, up.base, waiting[0]); ended(o) {
			waiting = waiting[1:]
			if o.State != "succeeded" {
				t.Errorf("%+v %+v", o, o.Job.Error)
			}
		}
		for len(waiting) > 0 && open == 0 {
			o := await(t, up.base, waiting[0], time.Minute, ended)
			if o.State != "succeeded" {
				t.Errorf("%+v %+v", o, o.Job.Error)
			}
			waiting = waiting[1:]
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d songs are not made yet", len(waiting))
		}
	}
	grown := most - before
	t.Logf("%d songs of %d KiB, %d at once: memory grew from %d to %d KiB, %d KiB a song", songs, len(f.Data)>>10, together, before>>10, most>>10, grown>>10/songs)
	if together < songs {
		t.Errorf("only %d songs were fetched at once", together)
	}
	if grown > songs<<20 {
		t.Errorf("memory grew by %d KiB a song", grown>>10/songs)
	}
}

// TestOverhead measures what a song costs beside its bytes: the time from the
// last byte of media to the end of the operation, and the whole against curl.
func TestOverhead(t *testing.T) {
	// Alone, as it looks at the clock.
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skipf("CAN NOT RUN %s: there is no curl", t.Name())
	}
	d := double.Start(t, double.Options{Rate: 2 << 20})
	up := start(t, "butakero", settings(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_LOG_LEVEL=info"), "up")
	s := &system{t: t, base: up.base}
	warm := add(t, d, "warm")
	wantSong(t, s, finish(t, s, watch(warm.ID)), warm.Format(251))

	var tails, wholes []time.Duration
	link := ""
	for i := range 3 {
		song := addTrack(t, d, fmt.Sprintf("cost-%d", i), tracks.Song)
		f := song.Format(251)
		link = d.Link(song.ID, 251, "VISIONOS")
		began := time.Now()
		id := submit(t, up.base, watch(song.ID))
		o := await(t, up.base, id, time.Minute, ended)
		wantSong(t, s, o, f)
		for _, r := range d.Requests() {
			if r.Kind == double.KindMedia && r.ID == song.ID {
				tails = append(tails, o.EndedAt.Sub(r.LastByte))
				wholes = append(wholes, o.EndedAt.Sub(began))
			}
		}
	}
	out := filepath.Join(t.TempDir(), "media")
	began := time.Now()
	if said, err := exec.CommandContext(t.Context(), curl, "-sS", "-f", "-o", out, link).CombinedOutput(); err != nil {
		t.Fatalf("curl: %v %s", err, said)
	}
	bare := time.Since(began)
	if b, err := os.ReadFile(out); err != nil || !bytes.Equal(b, tracks.Song.Files[251]) {
		t.Fatalf("curl got %d bytes, %v", len(b), err)
	}
	tail, whole := slices.Min(tails), slices.Min(wholes)
	t.Logf("last byte to the end of the operation: %s (%s); the whole song: %s, curl: %s, %.3f times", tail, tails, whole, bare, whole.Seconds()/bare.Seconds())
	if tail > 50*time.Millisecond {
		t.Errorf("%s from the last byte to the end", tail)
	}
	if whole > bare*11/10 {
		t.Errorf("%.3f times as long as curl", whole.Seconds()/bare.Seconds())
	}
}

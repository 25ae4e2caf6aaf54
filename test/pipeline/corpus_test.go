package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/opus"
	"github.com/butakero/butakero/test/corpus"
)

// entryLimit is what one entry may take on a busy machine; the longest ones, whole
// songs to transcode, take a twentieth of it.
const entryLimit = 2 * time.Minute

// tally counts what became of the entries.
type tally struct {
	entries, ok, refused, wrong, compared atomic.Int64
}

// Every entry of the corpus goes through a real Pipeline into a real folder: what is
// a song becomes a whole file, and of everything else nothing is stored.
func TestCorpus(t *testing.T) {
	t.Parallel()
	entries := corpus.Load(t)
	f := newFolder(t)
	bait := newCanary(t, entries)
	var (
		count  tally
		mu     sync.Mutex
		stored []string
	)
	slots := make(chan struct{}, 4)
	t.Run("entries", func(t *testing.T) {
		for i, e := range entries {
			t.Run(e.ID(), func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				count.entries.Add(1)
				defer func() {
					if t.Failed() {
						count.wrong.Add(1)
					}
				}()
				path := e.Path
				if e.Row == 4 || e.Row == 5 {
					path = bait.in(t, e)
				}
				result, err := f.try(t, i, one{path, e.ID()})
				if err != nil {
					count.refused.Add(1)
					refusal(t, e, err)
					return
				}
				count.ok.Add(1)
				mu.Lock()
				stored = append(stored, result.Path)
				mu.Unlock()
				if f.judge(t, e, result) {
					count.compared.Add(1)
				}
			})
		}
	})
	bait.check(t)
	slices.Sort(stored)
	if got := f.songs(t); !slices.Equal(got, stored) {
		count.wrong.Add(1)
		t.Errorf("%d files are stored, %d were reported", len(got), len(stored))
	}
	if n := count.compared.Load(); count.wrong.Load() == 0 && n < 80 {
		t.Errorf("only %d copies could be compared with ffmpeg's", n)
	}
	// A line of its own for people and scripts; go test -v and -json show it.
	fmt.Printf("corpus: %d files, %d ok, %d refused, %d wrong\n",
		count.entries.Load(), count.ok.Load(), count.refused.Load(), count.wrong.Load())
}

// try makes a song of a file, within the time for an entry.
func (f *folder) try(t *testing.T, number int, o one) (jobs.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), entryLimit)
	defer cancel()
	p := pipeline.New(pipeline.Config{Source: o, Blobs: f.store, TempDir: f.temp, MaxDuration: -1})
	song := jobs.Song{Platform: jobs.PlatformDemo, ID: fmt.Sprintf("corpus%05d", number)}
	type outcome struct {
		result jobs.Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := p.Process(ctx, jobs.Job{Key: jobs.Key{Song: song, Profile: jobs.DefaultProfile}},
			func(jobs.Stage, jobs.Progress, jobs.SongInfo) {})
		done <- outcome{r, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-time.After(entryLimit + 20*time.Second):
		t.Fatal("it hangs, even when it is told to stop")
		return jobs.Result{}, nil
	}
}

// refusal judges the error of an entry.
func refusal(t *testing.T, e corpus.Entry, err error) {
	t.Helper()
	if e.Want == corpus.OK || e.Want == corpus.TranscodeOK {
		t.Errorf("refused: %v", err)
		return
	}
	var verdict *jobs.Error
	if !errors.As(err, &verdict) {
		t.Errorf("no verdict: %v", err)
		return
	}
	codes := []string{pipeline.CodeNotAudio, pipeline.CodeNoAudio, pipeline.CodeUnreadable, pipeline.CodeTruncated}
	if verdict.Class != jobs.ClassPermanent || !slices.Contains(codes, verdict.Code) || verdict.Message == "" {
		t.Errorf("the verdict is %s %s: %v", verdict.Class, verdict.Code, err)
	}
}

// judge judges the file that was made of an entry, and tells whether its packets
// could be compared with ffmpeg's.
func (f *folder) judge(t *testing.T, e corpus.Entry, r jobs.Result) (compared bool) {
	t.Helper()
	frames := f.whole(t, r)
	switch e.Want {
	case corpus.Err:
		t.Errorf("became a song of %s", r.Duration)
		return false
	case corpus.OK, corpus.TranscodeOK:
		if r.Transcoded != (e.Want == corpus.TranscodeOK) {
			t.Errorf("transcoded: %t", r.Transcoded)
		}
	case corpus.Any:
	}
	if e.Duration > 0 && (r.Duration-e.Duration).Abs() > e.Slack() {
		t.Errorf("lasts %s instead of %s (transcoded %t)", r.Duration, e.Duration, r.Transcoded)
	}
	if e.MaxDuration > 0 && r.Duration > e.MaxDuration {
		t.Errorf("lasts %s, at most it may %s", r.Duration, e.MaxDuration)
	}
	if e.Want == corpus.OK && e.Frames > 0 && len(frames) != e.Frames {
		t.Errorf("%d frames instead of %d", len(frames), e.Frames)
	}
	if e.Absent != "" {
		data, err := os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(r.Path)))
		check(t, err)
		if bytes.Contains(data, []byte(e.Absent)) {
			t.Errorf("%q is in the result", e.Absent)
		}
	}
	if e.Want != corpus.OK {
		return false
	}
	want, same := ffmpegCopy(t, e.Path)
	switch {
	case len(want) == 0:
		return false
	case same && !slices.EqualFunc(frames, want, bytes.Equal):
		t.Errorf("the %d frames are not the %d of ffmpeg's copy", len(frames), len(want))
	case !same && e.Row != 66: // ten hours
		sameSound(t, want, frames)
	}
	return true
}

// ffmpegCopy returns the packets of ffmpeg's own copy, none if it can not make one,
// and whether they can be frames of DCA as they are: others are cut, joined, or
// lose their padding.
func ffmpegCopy(t *testing.T, path string) (packets [][]byte, same bool) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "copy.opus")
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", "file:"+path, "-map", "0:a:0", "-c:a", "copy", "-f", "ogg", out)
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		t.Logf("ffmpeg can not copy it: %v %s", err, said.Bytes())
		return nil, false
	}
	packets, same = packetsOf(t, out), true
	for _, p := range packets {
		n, err := opus.Samples(p)
		padded := err == nil && p[0]&3 == 3 && p[1]&0x40 != 0
		same = same && err == nil && n == opus.FrameSamples && !padded
	}
	return packets, same
}

// sameSound decodes two streams: the second must be the first, and at most less
// than a frame longer.
func sameSound(t *testing.T, want, got [][]byte) {
	t.Helper()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "want.opus"), filepath.Join(dir, "got.opus")
	writeOgg(t, a, want)
	writeOgg(t, b, got)
	const frameBytes = opus.FrameSamples * 2 * 2
	x, y := decode(t, a), decode(t, b)
	if len(y) < len(x) || len(y)-len(x) >= frameBytes || !bytes.Equal(x, y[:len(x)]) {
		t.Errorf("%d bytes of sound became %d, or other ones", len(x), len(y))
	}
}

// What lies about its size or goes on for hours takes no memory for that. These
// run alone: memory is counted for the whole process.
func TestCorpusMemory(t *testing.T) { //nolint:paralleltest // see above
	f := newFolder(t)
	tried := 0
	for i, e := range corpus.Load(t) {
		if e.Row != 25 && e.Row != 66 {
			continue
		}
		tried++
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := f.try(t, i, one{e.Path, e.ID()})
		runtime.ReadMemStats(&after)
		if (err == nil) != (e.Row == 66) {
			t.Errorf("%s: %v, %+v", e.ID(), err, r)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: %d bytes were allocated", e.ID(), n)
		}
	}
	if tried < 8 {
		t.Errorf("only %d entries were there to try", tried)
	}
}

// canary is a file and an address that playlists name, and that nobody may open.
type canary struct {
	victim  string // what the corpus' playlists name
	path    string // what ours name instead
	watch   *watch
	address string
	calls   atomic.Int64
}

const corpusAddress = "127.0.0.1:9/"

func newCanary(t *testing.T, entries []corpus.Entry) *canary {
	t.Helper()
	c := &canary{path: filepath.Join(t.TempDir(), "canary.mp3")}
	for _, e := range entries {
		if e.Row == 65 && e.Name == "song.mp3" {
			c.victim = e.Path
		}
	}
	data, err := os.ReadFile(c.victim)
	check(t, err)
	check(t, os.WriteFile(c.path, data, 0o600))
	c.watch = newWatch(t, c.path)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	c.address = listener.Addr().String() + "/"
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.calls.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		check(t, listener.Close())
		<-ended
	})
	return c
}

// in puts the canary into a playlist's copy.
func (c *canary) in(t *testing.T, e corpus.Entry) string {
	t.Helper()
	data, err := os.ReadFile(e.Path)
	check(t, err)
	text := strings.NewReplacer(c.victim, c.path, corpusAddress, c.address).Replace(string(data))
	if text == string(data) && filepath.Ext(e.Name) != ".sdp" {
		t.Errorf("it names neither %s nor %s", c.victim, corpusAddress)
	}
	path := filepath.Join(t.TempDir(), "playlist")
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// check reports whoever came, after a proof that it would be noticed.
func (c *canary) check(t *testing.T) {
	t.Helper()
	if n := c.watch.opened(t); n > 0 {
		t.Errorf("the file that playlists name was opened %d times", n)
	}
	// Calls are answered in turn: after this one all others have been counted.
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimSuffix(c.address, "/"))
	check(t, err)
	_, err = io.Copy(io.Discard, conn)
	check(t, errors.Join(err, conn.Close()))
	if n := c.calls.Load(); n != 1 {
		t.Errorf("the address that playlists name was called %d times", n-1)
	}
	_, err = os.ReadFile(c.path)
	check(t, err)
	if c.watch.opened(t) == 0 {
		t.Error("an opened file is not noticed")
	}
}

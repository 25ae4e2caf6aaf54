package youtube_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/youtube"
	"github.com/butakero/butakero/test/double"
)

// source opens the source alone.
func source(t *testing.T, d *double.Double) *youtube.Source {
	t.Helper()
	s, err := youtube.New(youtube.Options{BaseURL: d.URL, APIBaseURL: d.URL, Extractors: []string{youtube.ExtractorNative}, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOneDownload has 100 operations ask two processes for one song at once: its
// bytes are fetched once.
func TestOneDownload(t *testing.T) {
	t.Parallel()
	const operations = 100
	d := double.Start(t, double.Options{Rate: 1 << 20})
	song := addTrack(t, d, "hundred", tracks.Song)
	env := settings(t, d, "BUTAKERO_WORKER_SLOTS=4")
	up := start(t, "butakero", env, "up")
	start(t, "worker", append(env, "BUTAKERO_LISTEN=127.0.0.1:0"))
	ids := make([]string, operations)
	forms := []string{watch(song.ID), "https://youtu.be/" + song.ID + "?si=abc", "<https://music.youtube.com/watch?v=" + song.ID + "&list=RDAMVM>", "youtube.com/shorts/" + song.ID}
	var asking sync.WaitGroup
	for i := range ids {
		asking.Go(func() {
			var accepted struct {
				Operation string `json:"operation_id"`
			}
			if err := tryJSON(http.MethodPost, up.base+"/api/v1/audio/start?song="+url.QueryEscape(forms[i%len(forms)]), &accepted); err != nil {
				t.Error(err)
			}
			ids[i] = accepted.Operation
		})
	}
	asking.Wait()
	if t.Failed() {
		t.FailNow()
	}
	s := &system{t: t, base: up.base}
	for i, id := range ids {
		o := await(t, up.base, id, time.Minute, ended)
		if i == 0 {
			wantSong(t, s, o, song.Format(251))
		} else if o.State != "succeeded" {
			t.Errorf("operation %d is %+v", i, o)
		}
		event(t, up.base, id)
	}
	size := int64(len(song.Format(251).Data))
	native, fallback := players(d, song.ID)
	if got := d.MediaBytes(song.ID); got != size || native != 1 || fallback != 0 {
		t.Errorf("%d bytes were fetched of a song of %d, with %d+%d player calls", got, size, native, fallback)
	}
	// Once it is made, nobody is asked any more.
	if o := finish(t, s, watch(song.ID)); o.State != "succeeded" || d.MediaBytes(song.ID) != size {
		t.Errorf("afterwards: %s, %d bytes fetched", o.State, d.MediaBytes(song.ID))
	}
	noSecrets(t, d, map[string]string{"the log": up.output.String()})
	t.Logf("%d operations, %d bytes fetched of %d: %.3f times", operations, d.MediaBytes(song.ID), size, float64(d.MediaBytes(song.ID))/float64(size))
}

// TestBreakAnywhere breaks the connection at bytes of every region of a file: what
// is read is the file, and no byte was asked for twice. A reset may destroy what
// was on its way.
func TestBreakAnywhere(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{})
	s := source(t, d)
	small, large := tracks.Short[2].Files[251], tracks.Large.Files[251]
	r := rand.New(rand.NewPCG(4, 251))
	type spot struct {
		data  []byte
		track double.Track
		at    int
	}
	var spots []spot
	for _, at := range []int{0, 1, 2, 15, 16, 17, 258, 4096, len(small) / 2, len(small) - 2, len(small) - 1} {
		spots = append(spots, spot{small, tracks.Short[2], at})
	}
	for range 100 {
		spots = append(spots, spot{small, tracks.Short[2], r.IntN(len(small))})
	}
	for _, at := range []int{10<<20 - 1, 10 << 20, 10<<20 + 1, len(large) - 1} {
		spots = append(spots, spot{large, tracks.Large, at})
	}
	n := 0
	for i, p := range spots {
		for _, kind := range []double.Kind{double.MediaCut, double.MediaReset} {
			song := addTrack(t, d, fmt.Sprintf("b%d%s", i, kind[2:]), p.track)
			d.Fail(song.ID, double.Fault{Kind: kind, At: int64(p.at), Times: 1})
			m, err := s.Open(t.Context(), jobs.Song{Platform: jobs.PlatformYouTube, ID: song.ID})
			if err != nil {
				t.Fatalf("%s at %d: open: %v", kind, p.at, err)
			}
			got, err := io.ReadAll(m.Body)
			_ = m.Body.Close()
			if err != nil || !bytes.Equal(got, p.data) {
				t.Errorf("%s at %d: %d bytes of %d, %v", kind, p.at, len(got), len(p.data), err)
			}
			limit := int64(len(p.data))
			if kind == double.MediaReset {
				limit += 512 << 10 // what was in the buffers of the connection
			}
			if fetched := d.MediaBytes(song.ID); fetched > limit {
				t.Errorf("%s at %d: %d bytes were fetched of %d", kind, p.at, fetched, len(p.data))
			}
			n++
		}
	}
	t.Logf("%d breaks", n)
}

// TestManyBreaks breaks it again and again.
func TestManyBreaks(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{})
	song := addTrack(t, d, "breaks", tracks.Song)
	data := song.Format(251).Data
	for at := 40_000; at < len(data); at += 80_000 {
		d.Fail(song.ID, double.Fault{Kind: double.MediaCut, At: int64(at), Times: 1})
	}
	s := run(t, d, "BUTAKERO_EXTRACTORS=native")
	o := finish(t, s, watch(song.ID))
	wantSong(t, s, o, song.Format(251))
	if got := d.MediaBytes(song.ID); got != int64(len(data)) || o.Job.Attempt != 1 {
		t.Errorf("%d bytes fetched of %d, %d attempts", got, len(data), o.Job.Attempt)
	}
}

// TestChunks fetches a song that is larger than what may be asked for at once:
// nobody asks for more, and links that expire in the middle are renewed.
func TestChunks(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{Rate: 16 << 20})
	song := addTrack(t, d, "chunks", tracks.Large)
	f := song.Format(251)
	s := run(t, d, "BUTAKERO_EXTRACTORS=native")
	id := submit(t, s.base, watch(song.ID))
	if !d.Await(t.Context().Done(), func(d *double.Double) bool { return d.MediaBytes(song.ID) > 1<<20 }) {
		t.Fatal("nothing was fetched")
	}
	d.ExpireLinks()
	o := await(t, s.base, id, time.Minute, ended)
	wantSong(t, s, o, f)
	for _, r := range d.Requests() {
		if r.Kind == double.KindMedia && r.To-r.From > 10<<20 {
			t.Errorf("%d bytes were asked for at once", r.To-r.From)
		}
	}
	native, _ := players(d, song.ID)
	if got := d.MediaBytes(song.ID); got != int64(len(f.Data)) || native != 2 || o.Job.Attempt != 1 {
		t.Errorf("%d bytes of %d, %d player calls, %d attempts; want the song once, two calls, one attempt", got, len(f.Data), native, o.Job.Attempt)
	}
}

// TestSlowReader reads a little and then nothing: what was sent by then is little
// more than what was read.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{})
	song := addTrack(t, d, "slow", tracks.Large)
	s := source(t, d)
	m, err := s.Open(t.Context(), jobs.Song{Platform: jobs.PlatformYouTube, ID: song.ID})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Body.Close() }()
	read := int64(100_000)
	if _, err := io.CopyN(io.Discard, m.Body, read); err != nil {
		t.Fatal(err)
	}
	// It is sent until every buffer is full; then the count stands still.
	last, still := int64(-1), 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for still < 10 {
		<-tick.C
		if n := d.MediaBytes(song.ID); n == last {
			still++
		} else {
			last, still = n, 0
		}
	}
	if ahead := last - read; ahead > 700<<10 {
		t.Errorf("%d KiB were fetched ahead of the reader", ahead>>10)
	} else {
		t.Logf("%d KiB ahead, the connection's buffers at both ends included", ahead>>10)
	}
	rest, err := io.ReadAll(m.Body)
	if err != nil || int64(len(rest))+read != int64(len(song.Format(251).Data)) {
		t.Errorf("the rest: %d bytes, %v", len(rest), err)
	}
}

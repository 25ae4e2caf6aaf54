package youtube_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/double"
)

// TestPaused has YouTube block the address for long: songs that are made are
// served, new ones wait without being charged and without a request, and the
// metrics say why.
func TestPaused(t *testing.T) {
	t.Parallel()
	d := double.Start(t, double.Options{})
	s := run(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_YOUTUBE_PAUSE_SECONDS=600")
	made, blocked, late := add(t, d, "made"), add(t, d, "blocked"), add(t, d, "late")
	wantSong(t, s, finish(t, s, watch(made.ID)), made.Format(251))
	d.Fail(blocked.ID, double.Fault{Kind: double.Bot})
	id := submit(t, s.base, watch(blocked.ID))
	await(t, s.base, id, 20*time.Second, func(o operation) bool { return o.code() == "bot_check" })
	d.Forget()

	next := submit(t, s.base, watch(late.ID))
	o := await(t, s.base, next, 20*time.Second, func(o operation) bool { return o.code() != "" })
	if left := time.Until(o.Job.Error.RetryAt); o.State != "waiting" || o.code() != "bot_check" || o.Job.Attempt != 0 || left < 5*time.Minute {
		t.Errorf("a song that came later is %+v with %+v", o, o.Job.Error)
	}
	if o := finish(t, s, watch(made.ID)); o.State != "succeeded" {
		t.Errorf("a song that was made is %+v", o)
	}
	if n := d.Count("", ""); n != 0 {
		t.Errorf("YouTube was asked %d times during the pause", n)
	}
	var queue string
	if err := tryGet(s.base+"/api/v1/queue", &queue); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(queue, `"target":"source:youtube","text":"paused: youtube until `) || !strings.Contains(queue, `, because bot_check`) {
		t.Errorf("the queue does not say that YouTube is paused, and why: %s", queue)
	}
	var all string
	if err := tryGet(s.base+"/metrics", &all); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"butakero_youtube_paused 1", `butakero_youtube_circuit_open{extractor="native"} 1`} {
		if !strings.Contains(all, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// TestPace asks for more songs than may begin at once: they begin one by one, and
// the wait is not charged.
func TestPace(t *testing.T) {
	t.Parallel()
	const songs, burst, every = 6, 2, time.Second
	d := double.Start(t, double.Options{})
	s := run(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_YOUTUBE_EVERY_SECONDS=1", "BUTAKERO_YOUTUBE_BURST=2")
	ids := map[string]double.Song{}
	for i := range songs {
		song := add(t, d, "pace-"+string(rune('a'+i)))
		ids[submit(t, s.base, watch(song.ID))] = song
	}
	for id, song := range ids {
		o := await(t, s.base, id, time.Minute, ended)
		wantSong(t, s, o, song.Format(251))
		if o.Job.Attempt != 1 {
			t.Errorf("%d attempts were charged", o.Job.Attempt)
		}
	}
	var begun []time.Time
	for _, r := range d.Requests() {
		if r.Kind == double.KindPlayer {
			begun = append(begun, r.At)
		}
	}
	slices.SortFunc(begun, time.Time.Compare)
	for i := burst; i < len(begun); i++ {
		// The burst's part of the time is the first's; a half is for a busy machine.
		if least := time.Duration(i-burst+1)*every - every/2; begun[i].Sub(begun[0]) < least {
			t.Errorf("song %d began %s after the first, want %s", i+1, begun[i].Sub(begun[0]), least)
		}
	}
	if len(begun) != songs {
		t.Errorf("%d player calls for %d songs", len(begun), songs)
	}
}

package youtube_test

import (
	"testing"

	"github.com/butakero/butakero/test/double"
)

// TestPassing has things go wrong for a while: the song is made all the same,
// packet for packet, and no more bytes are fetched than the case allows.
func TestPassing(t *testing.T) {
	t.Parallel()
	needYTDLP(t)
	d := double.Start(t, double.Options{})
	s := run(t, d)
	const never, always = false, true
	const once, most, some = 1.0, 1.001, 2.1 // times the size of the song
	type fault = double.Fault
	for _, c := range []struct {
		name     string
		fault    fault
		attempts int
		fallback bool // yt-dlp was needed
		bytes    float64
		refused  bool // media
	}{
		{"error", fault{Kind: double.Error, Times: 1}, 1, never, once, false},
		{"error-3", fault{Kind: double.Error, Times: 3}, 1, always, once, false},
		{"error-6", fault{Kind: double.Error, Times: 6}, 2, always, once, false},
		{"html", fault{Kind: double.HTML, Times: 1}, 1, never, once, false},
		{"cut-json", fault{Kind: double.CutJSON, Times: 1}, 1, never, once, false},
		{"no-answer", fault{Kind: double.NoAnswer, Times: 1}, 1, never, once, false},
		{"reset", fault{Kind: double.Reset, Times: 1}, 1, never, once, false},
		{"reload", fault{Kind: double.Reload, Times: 1}, 1, never, once, false},
		{"no-status", fault{Kind: double.NoStatus, Times: 1}, 1, never, once, false},
		{"odd-status", fault{Kind: double.OddStatus, Times: 1}, 1, never, once, false},
		{"wrong-video", fault{Kind: double.WrongVideo, Times: 1}, 1, never, once, false},
		{"redirect", fault{Kind: double.Redirect, Times: 1, Location: d.Trap()}, 1, never, once, false},
		{"kids", fault{Kind: double.Kids}, 1, always, once, false},

		{"m-403", fault{Kind: double.Media403, Times: 1}, 1, always, once, true},
		{"m-410", fault{Kind: double.Media410, Times: 1}, 1, always, once, true},
		{"m-404", fault{Kind: double.Media404, Times: 1}, 1, always, once, true},
		{"expired", fault{Kind: double.Expired, Times: 1}, 1, always, once, true},
		{"m-503", fault{Kind: double.Media503, Times: 2}, 1, never, once, false},
		{"m-html", fault{Kind: double.MediaHTML, Times: 1}, 1, never, once, false},
		{"m-redirect", fault{Kind: double.MediaRedirect, Times: 1, Location: d.Trap()}, 1, never, once, false},
		{"m-empty", fault{Kind: double.MediaEmpty, Times: 1}, 1, always, once, false},
		{"m-whole", fault{Kind: double.MediaWhole}, 1, never, once, false},
		{"m-more", fault{Kind: double.MediaMore, Times: 1}, 1, always, some, false},
		{"m-reset", fault{Kind: double.MediaReset, Times: 1}, 1, never, some, false},
		{"m-cut", fault{Kind: double.MediaCut, Times: 1}, 1, never, once, false},
		{"m-cut-3", fault{Kind: double.MediaCut, Times: 3}, 1, never, once, false},
		{"m-short", fault{Kind: double.MediaShort, Times: 2}, 2, never, some, false},
		{"m-stall", fault{Kind: double.MediaStall, Times: 1}, 1, never, once, false},
		{"m-drip", fault{Kind: double.MediaDrip, Times: 1}, 1, never, most, false},
		{"length", fault{Kind: double.Length, Times: 1}, 2, never, some, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			song := add(t, d, "p-"+c.name)
			f := song.Format(251)
			c.fault.At = int64(len(f.Data) / 2)
			d.Fail(song.ID, c.fault)
			s := s
			if c.refused {
				s = run(t, d) // several in a row would close the way for the others too
			}
			o := finish(t, s, watch(song.ID))
			wantSong(t, s, o, f)
			if o.Job.Attempt != c.attempts {
				t.Errorf("%d attempts, want %d", o.Job.Attempt, c.attempts)
			}
			if _, fallback := players(d, song.ID); fallback > 0 != c.fallback {
				t.Errorf("%d player calls of yt-dlp, want any: %v", fallback, c.fallback)
			}
			if got := float64(d.MediaBytes(song.ID)) / float64(len(f.Data)); got > c.bytes {
				t.Errorf("%.5f times the song was fetched, want %.3f at most", got, c.bytes)
			}
			if e := event(t, s.base, o.ID); e.State != "succeeded" || e.File == nil || e.File.SHA256 != o.File.SHA256 {
				t.Errorf("the event says %+v", e)
			}
		})
	}
	t.Cleanup(func() {
		if n := d.Count(double.KindTrap, ""); n > 0 {
			t.Errorf("a redirect to an internal address was followed %d times", n)
		}
	})
}

// TestPages breaks the pages around the player call: none is needed for a song.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, kind := range []double.Kind{double.HomeBare, double.Home429, double.Watch429, double.WatchHTML, double.Script404} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := double.Start(t, double.Options{})
			s := run(t, d, "BUTAKERO_EXTRACTORS=native")
			song := add(t, d, string(kind))
			d.Fail("", double.Fault{Kind: kind})
			o := finish(t, s, watch(song.ID))
			wantSong(t, s, o, song.Format(251))
		})
	}
}

// TestIdentities takes identities for what they are worth on the day.
func TestIdentities(t *testing.T) {
	t.Parallel()
	t.Run("dead", func(t *testing.T) {
		t.Parallel()
		d := double.Start(t, double.Options{})
		s := run(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_YOUTUBE_CLIENT=ANDROID_VR,VISIONOS")
		for i, id := range []string{"dead-1", "dead-2"} {
			song := add(t, d, id)
			o := finish(t, s, watch(song.ID))
			wantSong(t, s, o, song.Format(251))
			seen := d.IdentitiesSeen(song.ID)
			// The dead one is found out with the first song.
			if want := 2 - i; len(seen) != want || seen[len(seen)-1] != "VISIONOS" {
				t.Errorf("song %d: asked as %v, want %d identities", i+1, seen, want)
			}
		}
	})
	t.Run("dead-alone", func(t *testing.T) {
		t.Parallel()
		needYTDLP(t)
		d := double.Start(t, double.Options{})
		d.SetIdentity("VISIONOS", double.Identity{Media: double.Dead})
		s := run(t, d)
		song := add(t, d, "dead-3")
		o := finish(t, s, watch(song.ID))
		wantSong(t, s, o, song.Format(251))
		if seen := d.IdentitiesSeen(song.ID); seen[0] != "VISIONOS" || seen[1] != "TVHTML5" {
			t.Errorf("asked as %v", seen)
		}
	})
	t.Run("all-dead", func(t *testing.T) {
		t.Parallel()
		needYTDLP(t)
		d := double.Start(t, double.Options{})
		for name := range double.Identities() {
			d.SetIdentity(name, double.Identity{Media: double.Dead})
		}
		s := run(t, d)
		song := add(t, d, "dead-4")
		o := finish(t, s, watch(song.ID))
		if o.State != "failed" || o.code() != "expired_url" || o.Job.Error.Class != "extractor" || o.Job.Attempt != 2 {
			t.Errorf("%+v %+v", o, o.Job.Error)
		}
		wantTold(t, s.base, o)
	})
	t.Run("cipher", func(t *testing.T) {
		t.Parallel()
		d := double.Start(t, double.Options{})
		s := run(t, d, "BUTAKERO_EXTRACTORS=native", "BUTAKERO_YOUTUBE_CLIENT=WEB_EMBEDDED_PLAYER")
		song := add(t, d, "cipher")
		o := finish(t, s, watch(song.ID))
		wantSong(t, s, o, song.Format(251))
		if d.Count(double.KindScript, "") == 0 {
			t.Error("the player's script was not read")
		}
	})
	t.Run("language", func(t *testing.T) {
		t.Parallel()
		d := double.Start(t, double.Options{})
		s := run(t, d, "BUTAKERO_EXTRACTORS=native")
		// A dub at a higher bitrate, the double with compressed dynamics, and the
		// song itself.
		song := addTrack(t, d, "language", tracks.Short[0])
		own, dub := song.Format(251), song.Format(251)
		own.Language, own.Original = "es", true
		dub.Language, dub.Data, dub.Bitrate = "en", tracks.Short[1].Files[251], 190_000
		drc := own
		drc.DRC, drc.Data = true, tracks.Short[2].Files[251]
		song.Formats = []double.Format{dub, drc, own}
		if err := d.Add(song); err != nil {
			t.Fatal(err)
		}
		o := finish(t, s, watch(song.ID))
		wantSong(t, s, o, own)
	})
	t.Run("formats", func(t *testing.T) {
		t.Parallel()
		d := double.Start(t, double.Options{})
		s := run(t, d, "BUTAKERO_EXTRACTORS=native")
		for _, itag := range []int{250, 249, 140, 139} {
			song := double.NewSong(double.Pad("only-"+string(rune('a'+itag%26))), tracks.Short[1]).Only(itag)
			if err := d.Add(song); err != nil {
				t.Fatal(err)
			}
			o := finish(t, s, watch(song.ID))
			if itag > 200 {
				wantSong(t, s, o, song.Format(itag))
			} else if o.State != "succeeded" || o.File.Frames < 440 || o.File.Frames > 460 { // 9 s, transcoded
				t.Errorf("itag %d: %+v %+v %+v", itag, o, o.File, o.Job.Error)
			}
		}
	})
}

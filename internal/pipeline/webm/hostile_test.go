package webm_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline/webm"
)

// Less usual ways to write a valid file.
func TestUnusualButValid(t *testing.T) {
	t.Parallel()
	three := packets(3)
	other := func(parts ...[]byte) []byte {
		return el(0xA0, append([][]byte{el(0xA1, join([]byte{0x82, 0, 0, 0}, three[2]))}, parts...)...)
	}
	padding := el(0x75A2, num(13_500_000))
	laced256 := make([]byte, 256*3)
	cases := map[string]struct {
		in      []byte
		packets int
		padding time.Duration
	}{
		"codec and document end in zeros": {join(el(0x1A45DFA3, el(0x4282, []byte("webm\x00\x00"))),
			segment(tracks(track(1, 2, "A_OPUS\x00\x00")), cluster(simple(three[0])))), 1, 0},
		"empty elements mean the default": {join(ebml(),
			segment(tracks(track(1, 2, "A_OPUS", el(0xB9), el(0x88))), cluster(simple(three[0])))), 1, 0},
		"padding before its block": {join(ebml(), segment(opusTrack(),
			cluster(el(0xA0, padding, el(0xA1, block(0, three[0])))))), 1, 13_500 * time.Microsecond},
		"another track's group comes last": {join(ebml(), segment(opusTrack(),
			cluster(el(0xA0, el(0xA1, block(0, three[0])), padding), other()))), 1, 13_500 * time.Microsecond},
		"the padding of another track": {join(ebml(), segment(opusTrack(),
			cluster(simple(three[0]), other(padding)))), 1, 0},
		"padding in mid-stream does not stay": {join(ebml(), segment(opusTrack(),
			cluster(el(0xA0, el(0xA1, block(0, three[0])), padding), simple(three[1])))), 2, 0},
		"negative padding": {join(ebml(), segment(opusTrack(),
			cluster(el(0xA0, el(0xA1, block(0, three[0])), el(0x75A2, num(1<<64-1)))))), 1, 0},
		"256 frames in a block": {join(ebml(), segment(opusTrack(),
			cluster(el(0xA3, block(4, []byte{255}, laced256))))), 256, 0},
		"any timestamps": {join(ebml(), segment(opusTrack(),
			el(0x1F43B675, el(0xE7, num(1<<63)), el(0xA3, join([]byte{0x81, 0x80, 0, 0x80}, three[0]))),
			el(0x1F43B675, el(0xE7), el(0xA3, join([]byte{0x81, 0x7f, 0xff, 0x80}, three[1]))))), 2, 0},
		"track number in eight bytes": {join(ebml(), segment(opusTrack(),
			cluster(el(0xA3, join(vint(1, 8), []byte{0, 0, 0x80}, three[0]))))), 1, 0},
		"Void before the Segment": {join(ebml(), el(0xEC, make([]byte, 100_000)),
			segment(el(0x7ABC, []byte("?")), opusTrack(), cluster(simple(three[0])))), 1, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, r, err := readAll(bytes.NewReader(c.in))
			if err != nil || len(got) != c.packets || r.DiscardPadding() != c.padding {
				t.Errorf("%d packets, padding %s, %v; want %d, %s", len(got), r.DiscardPadding(), err, c.packets, c.padding)
			}
		})
	}
}

// Info may stand behind the Tracks, and behind the audio.
func TestLateInfo(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][]byte{
		"behind the tracks": join(ebml(), segment(opusTrack(), info(5000), cluster(simple([]byte("x"))))),
		"at the end":        join(ebml(), segment(opusTrack(), cluster(simple([]byte("x"))), info(5000))),
		"twice":             join(ebml(), segment(info(5000), opusTrack(), cluster(simple([]byte("x"))), info(1))),
	} {
		if _, r, err := readAll(bytes.NewReader(in)); err != nil || r.Duration() != 5*time.Second {
			t.Errorf("%s: %s, %v", name, r.Duration(), err)
		}
	}
}

// What is not where it belongs is never stepped over as if it were unknown: audio
// would be lost, or a second file taken for the end of the first.
func TestMisplaced(t *testing.T) {
	t.Parallel()
	one := simple([]byte("one"))
	group := el(0xA0, el(0xA1, block(0, []byte("two"))))
	whole := file(packets(4)...)
	live := join(ebml(), open(0x18538067), opusTrack(), open(0x1F43B675), one)
	for name, in := range map[string][]byte{
		"block in Segment":              join(ebml(), segment(opusTrack(), one)),
		"group in Segment":              join(ebml(), segment(opusTrack(), group)),
		"timestamp in Segment":          join(ebml(), segment(opusTrack(), el(0xE7, num(1)))),
		"bare Block in Cluster":         join(ebml(), segment(opusTrack(), cluster(el(0xA1, block(0, []byte("two")))))),
		"SimpleBlock in group":          join(ebml(), segment(opusTrack(), cluster(el(0xA0, one)))),
		"Cluster in Cluster":            join(ebml(), segment(opusTrack(), cluster(one, cluster(one)))),
		"Cluster of unknown size in it": join(ebml(), segment(opusTrack(), cluster(one, open(0x1F43B675), one))),
		"Cues in Cluster":               join(ebml(), segment(opusTrack(), cluster(one, el(0x1C53BB6B)))),
		"Segment in Segment":            join(ebml(), segment(opusTrack(), cluster(one), segment(cluster(one)))),
		"live, then a whole file":       join(live, whole),
		"live, then another live":       join(live, live),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, _, err := readAll(bytes.NewReader(in)); !errors.Is(err, webm.ErrMalformed) {
				t.Errorf("%d packets, %v", len(got), err)
			}
		})
	}
}

// A file whose Segment is of unknown size still shows a cut inside of whatever has
// a size: every element's, and the Clusters' if they have one.
func TestTruncatedLive(t *testing.T) {
	t.Parallel()
	head := join(ebml(), open(0x18538067), opusTrack())
	one, two := cluster(simple([]byte("one"))), cluster(simple([]byte("two")))
	whole := join(head, one, two)
	legal := map[int]bool{len(head): true, len(head) + len(one): true, len(whole): true}
	for n := len(ebml()) + 5; n <= len(whole); n++ {
		_, _, err := readAll(bytes.NewReader(whole[:n]))
		if legal[n] != (err == nil) {
			t.Errorf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
}

// Nesting, numbers and sizes that cost a careless reader its stack or memory.
func TestHostileSizes(t *testing.T) {
	nested := func(v uint32, n int) []byte { return bytes.Repeat(open(v), n) }
	sized := func(v uint32, size uint64) []byte { return join(id(v), vint(size, 8)) }
	live := join(ebml(), open(0x18538067))
	var entries [][]byte
	for i := range 20_000 {
		entries = append(entries, el(0xAE, el(0xD7, num(uint64(i+1)))))
	}
	for name, in := range map[string][]byte{
		"100,000 clusters of unknown size": join(live, opusTrack(), nested(0x1F43B675, 100_000)),
		"100,000 segments":                 join(ebml(), nested(0x18538067, 100_000)),
		"100,000 groups":                   join(live, opusTrack(), open(0x1F43B675), nested(0xA0, 100_000)),
		"20,000 tracks":                    join(live, tracks(entries...)),
		"300,000 Voids":                    join(live, bytes.Repeat(el(0xEC), 300_000), opusTrack(), open(0x1F43B675), bytes.Repeat(el(0xEC), 300_000)),
		"EBML header of 1 GiB":             join(sized(0x1A45DFA3, 1<<30), make([]byte, 100)),
		"Tracks of 1 GiB":                  join(live, sized(0x1654AE6B, 1<<30), make([]byte, 100)),
		"Info of 1 GiB":                    join(live, sized(0x1549A966, 1<<30), make([]byte, 100)),
		"CodecPrivate of 1 GiB":            join(live, el(0x1654AE6B, el(0xAE, sized(0x63A2, 1<<30)))),
		"block of 900 MiB":                 join(live, opusTrack(), open(0x1F43B675), sized(0xA3, 900<<20), block(0, make([]byte, 99))),
		"padding of 1 GiB":                 join(live, opusTrack(), open(0x1F43B675), sized(0xA0, 1<<31), sized(0x75A2, 1<<30)),
		"tag of 100 MiB":                   join(live, opusTrack(), sized(0x1254C367, 100<<20), make([]byte, 1000)),
		"sizes near 2^56":                  join(live, opusTrack(), sized(0x1F43B675, 1<<56-2), sized(0xA3, 1<<56-3)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, _, err := readAll(bytes.NewReader(in))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 || len(got) > 0 {
			t.Errorf("%s: %d bytes allocated, %d packets, %v", name, used, len(got), err)
		}
	}
}

// endless yields the same bytes for as long as it is asked.
type endless struct {
	unit []byte
	left int
	at   int
}

func (e *endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if e.left == 0 {
			return n, io.EOF
		}
		m := copy(b[n:], e.unit[e.at:])
		n += m
		if e.at += m; e.at == len(e.unit) {
			e.at = 0
			e.left--
		}
	}
	return n, nil
}

// However long a file is, and however large the blocks of its video, the reader
// keeps to its window.
func TestConstantMemory(t *testing.T) {
	video := el(0xA3, join([]byte{0x82, 0, 0, 0x80}, make([]byte, 3<<20)))
	unit := join(cluster(video, simple(make([]byte, 400))), el(0x1254C367, make([]byte, 2<<20)))
	in := io.MultiReader(bytes.NewReader(join(ebml(), open(0x18538067), tracks(track(2, 1, "V_VP9"), track(1, 2, "A_OPUS")))),
		&endless{unit: unit, left: 60})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := webm.NewReader(in)
	n := 0
	for {
		if _, err := r.Next(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		n++
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; n != 60 || used > 256<<10 {
		t.Errorf("%d packets, %d bytes allocated for an input of %d", n, used, 60*len(unit))
	}
}

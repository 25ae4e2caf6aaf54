package ogg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// The checksum bit by bit, as RFC 3533 describes it.
func slowChecksum(page []byte) uint32 {
	var sum uint32
	for i, v := range page {
		if i >= 22 && i < 26 {
			v = 0
		}
		sum ^= uint32(v) << 24
		for range 8 {
			if sum&0x80000000 != 0 {
				sum = sum<<1 ^ 0x04c11db7
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- repeatable on purpose
	for size := range 3000 {
		page := make([]byte, headerSize+size)
		for i := range page {
			page[i] = byte(rng.Uint32())
		}
		Seal(page)
		if got, want := binary.LittleEndian.Uint32(page[22:]), slowChecksum(page); got != want {
			t.Fatalf("%d bytes: %08x, want %08x", len(page), got, want)
		}
	}
}

// Any cut of packets into pages, whatever the source's read sizes.
func TestReadAnyLayout(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- repeatable on purpose
		want := randomPackets(rng)
		l := pageList{serial: rng.Uint32(), sequence: rng.Uint32()}
		l.headers()
		l.cut(rng, want, []int{1, 3, 20, 255}[rng.IntN(4)])
		var src io.Reader = bytes.NewReader(l.bytes())
		switch rng.IntN(4) {
		case 0:
			src = iotest.OneByteReader(src)
		case 1:
			src = iotest.HalfReader(src)
		case 2:
			src = iotest.DataErrReader(src)
		}
		if got := mustRead(t, src); !equalPackets(got, want) {
			t.Fatalf("seed %d: %d packets in, %d out, or other ones", seed, len(want), len(got))
		}
	}
}

func TestWriterReader(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2)) // #nosec G404 -- repeatable on purpose
		want := randomPackets(rng)
		var file bytes.Buffer
		w := NewWriter(&file, rng.Uint32())
		w.PageSamples = []int{0, 1, 2000, math.MaxInt}[rng.IntN(4)]
		if err := w.WriteHeaders(testHead, nil); err != nil {
			t.Fatal(err)
		}
		for _, packet := range want {
			if err := w.WritePacket(packet, 960); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(20) == 0 {
				if err := w.EndPage(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(100); err != nil {
			t.Fatal(err)
		}
		r := NewReader(&file)
		head, err := r.Head()
		if err != nil || !bytes.Equal(head, testHead) {
			t.Fatalf("head %x, error %v", head, err)
		}
		links, err := readAll(r)
		if !errors.Is(err, io.EOF) || !equalPackets(links[0], want) {
			t.Fatalf("seed %d: error %v, %d packets in, %d out, or other ones", seed, err, len(want), len(links[0]))
		}
		if got, want := r.Granule(), int64(960*len(want)-100); got != want {
			t.Errorf("granule %d, want %d", got, want)
		}
		if got, want := r.Duration(), max(int64(960*len(want)-100-312), 0); got != want {
			t.Errorf("duration %d, want %d", got, want)
		}
	}
}

// A stream cut at any byte is never taken for a whole one, and what was
// delivered before is right.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 1)) // #nosec G404 -- repeatable on purpose
	var want [][]byte
	for i := range 12 {
		want = append(want, bytes.Repeat([]byte{byte(i)}, []int{3, 255, 700, 0}[i%4]))
	}
	l := pageList{serial: 5}
	l.headers()
	l.cut(rng, want, 4)
	file := l.bytes()
	borders := map[int]bool{} // where a page ends and no packet is open
	at := 0
	for i, page := range l.pages {
		at += len(page)
		next := i + 1
		for next < len(l.pages) && l.pages[next][26] == 0 { // pages without segments
			next++
		}
		borders[at] = i >= 2 && next < len(l.pages) && l.pages[next][5]&FlagContinued == 0
	}
	for n := range file {
		links, err := readAll(NewReader(bytes.NewReader(file[:n])))
		var got [][]byte
		if len(links) > 0 {
			got = links[0]
		}
		kind := ErrTruncated
		if borders[n] && len(got) > 0 {
			kind = ErrNoEOS
		}
		var fault *Error
		if !errors.Is(err, kind) || !errors.As(err, &fault) || fault.Offset > int64(n) {
			t.Fatalf("cut at %d of %d: %v, want %v", n, len(file), err, kind)
		}
		if len(got) > len(want) || !equalPackets(got, want[:len(got)]) {
			t.Fatalf("cut at %d: wrong packets", n)
		}
	}
}

// A source that fails is not a stream that ends.
func TestSourceError(t *testing.T) {
	t.Parallel()
	l := pageList{}
	l.headers()
	l.packet(FlagEOS, 960, []byte{1})
	broken := errors.New("connection reset")
	for n := range len(l.bytes()) + 1 {
		src := io.MultiReader(bytes.NewReader(l.bytes()[:n]), iotest.ErrReader(broken))
		if _, err := readAll(NewReader(src)); !errors.Is(err, broken) {
			t.Fatalf("error after %d bytes: %v", n, err)
		}
	}
	if _, err := readAll(NewReader(idle{})); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("source that returns nothing: %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// Tags of any size, in bounded memory. Not parallel, because it measures.
func TestLargeTags(t *testing.T) {
	audio := []byte{0xF8, 1, 2}
	lying := append([]byte("OpusTags"), 0xFF, 0xFF, 0xFF, 0xFF) // a vendor of 4 GiB
	for name, tags := range map[string][]byte{
		"290 kB":            Tags("v", "COVER="+strings.Repeat("x", 290<<10)),
		"600 kB":            Tags("v", "COVER="+strings.Repeat("y", 600<<10)),
		"4 MiB":             Tags("v", "COVER="+strings.Repeat("z", 4<<20)),
		"multiple of 255":   Tags("v", "A="+strings.Repeat("x", 255*300-27)),
		"vendor length lie": lying,
		"magic alone":       []byte("OpusTags"),
	} {
		var file bytes.Buffer
		w := NewWriter(&file, 1)
		if err := errors.Join(w.WriteHeaders(testHead, tags), w.WritePacket(audio, 960), w.Close(0)); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := NewReader(&file)
		packet, err := r.Next()
		if err != nil || !bytes.Equal(packet, audio) {
			t.Errorf("%s: packet %x, error %v", name, packet, err)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: end %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > windowBytes+16<<10 {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

// Granules are reported and never judged.
func TestGranule(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		granules          []int64 // of the audio pages
		granule, duration int64
	}{
		{"plain", []int64{960, 1920}, 1920, 1608},
		{"end trim", []int64{960, 1500}, 1500, 1188},
		{"shorter than the pre-skip", []int64{100}, 100, 0},
		{"no packet ends on the last page", []int64{960, NoGranule}, 960, 648},
		{"goes back", []int64{1920, 960}, 960, 648},
		{"starts at an hour", []int64{3600*48000 + 960}, 3600*48000 + 960, 3600*48000 + 648},
		{"largest", []int64{math.MaxInt64}, math.MaxInt64, math.MaxInt64 - 312},
		{"smallest", []int64{math.MinInt64}, math.MinInt64, -1},
		{"negative", []int64{-5}, -5, -1},
	}
	for _, test := range tests {
		l := pageList{}
		l.headers()
		for i, granule := range test.granules {
			var flags byte
			if i == len(test.granules)-1 {
				flags = FlagEOS
			}
			l.packet(flags, granule, []byte{0xF8, byte(i)})
		}
		r := NewReader(bytes.NewReader(l.bytes()))
		if r.Granule() != NoGranule || r.Duration() != -1 {
			t.Errorf("%s: granule %d, duration %d before reading", test.name, r.Granule(), r.Duration())
		}
		links, err := readAll(r)
		if !errors.Is(err, io.EOF) || len(links[0]) != len(test.granules) {
			t.Errorf("%s: error %v", test.name, err)
		}
		if r.Granule() != test.granule || r.Duration() != test.duration {
			t.Errorf("%s: granule %d, duration %d, want %d, %d", test.name, r.Granule(), r.Duration(), test.granule, test.duration)
		}
	}
}

// An end mark on a page without segments is one, too.
func TestEmptyLastPage(t *testing.T) {
	t.Parallel()
	l := pageList{}
	l.headers()
	l.packet(0, 960, []byte{1})
	l.add(FlagEOS, 700, nil, nil)
	r := NewReader(bytes.NewReader(l.bytes()))
	links, err := readAll(r)
	if !errors.Is(err, io.EOF) || !equalPackets(links[0], [][]byte{{1}}) || r.Granule() != 700 {
		t.Errorf("links %v, error %v, granule %d", links, err, r.Granule())
	}
}

// Pages of other streams are never mixed in, wherever they stand.
func TestMultiplexed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3)) // #nosec G404 -- repeatable on purpose
		want := randomPackets(rng)
		ours := pageList{serial: 1}
		ours.headers()
		ours.cut(rng, want, 20)
		vorbis := pageList{serial: 2}
		vorbis.packet(FlagBOS, 0, []byte("\x01vorbis"))
		vorbis.cut(rng, randomPackets(rng), 20)
		second := pageList{serial: 3} // Opus as well, but not the first
		second.headers()
		second.cut(rng, randomPackets(rng), 20)

		file := slices.Concat(vorbis.pages[0], ours.pages[0], second.pages[0])
		rest := [][][]byte{ours.pages[1:], vorbis.pages[1:], second.pages[1:]}
		for len(rest) > 0 {
			i := rng.IntN(len(rest))
			file = append(file, rest[i][0]...)
			if rest[i] = rest[i][1:]; len(rest[i]) == 0 {
				rest = slices.Delete(rest, i, i+1)
			}
		}
		if got := mustRead(t, bytes.NewReader(file)); !equalPackets(got, want) {
			t.Fatalf("seed %d: wrong packets", seed)
		}
	}
}

// Every link of a chain is surfaced, and none taken for the whole.
func TestChained(t *testing.T) {
	t.Parallel()
	mono := bytes.Clone(testHead)
	mono[9] = 1
	link := func(serial uint32, head []byte, packets ...[]byte) []byte {
		var file bytes.Buffer
		w := NewWriter(&file, serial)
		errs := []error{w.WriteHeaders(head, nil)}
		for _, packet := range packets {
			errs = append(errs, w.WritePacket(packet, 960))
		}
		if err := errors.Join(append(errs, w.Close(0))...); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	withoutEnd := pageList{serial: 1}
	withoutEnd.headers()
	withoutEnd.packet(0, 960, []byte("a"))
	for name, first := range map[string][]byte{
		"other serial": link(2, testHead, []byte("a")),
		"same serial":  link(7, testHead, []byte("a")),
		"no end mark":  withoutEnd.bytes(),
	} {
		r := NewReader(bytes.NewReader(slices.Concat(first, link(7, mono, []byte("b"), []byte("c")), link(9, testHead))))
		if packet, err := r.Next(); string(packet) != "a" || err != nil {
			t.Fatalf("%s: %q, %v", name, packet, err)
		}
		if head, err := r.Head(); err != nil || head[9] != 2 {
			t.Errorf("%s: first head %x, %v", name, head, err)
		}
		if _, err := r.Next(); !errors.Is(err, ErrChained) {
			t.Fatalf("%s: %v, want ErrChained", name, err)
		}
		if head, err := r.Head(); err != nil || head[9] != 1 {
			t.Errorf("%s: second head %x, %v", name, head, err)
		}
		if r.Granule() != NoGranule || r.Duration() != -1 {
			t.Errorf("%s: the second link begins with granule %d of the first", name, r.Granule())
		}
		links, err := readAll(r)
		if !errors.Is(err, io.EOF) || len(links) != 2 || !equalPackets(links[0], [][]byte{[]byte("b"), []byte("c")}) || len(links[1]) != 0 {
			t.Errorf("%s: links %q, error %v", name, links, err)
		}
	}

	vorbis := pageList{serial: 4}
	vorbis.packet(FlagBOS, 0, []byte("\x01vorbis"))
	vorbis.packet(FlagEOS, 0, []byte("audio"))
	for name, second := range map[string][]byte{"vorbis": vorbis.bytes(), "only its first page": vorbis.pages[0]} {
		if _, err := readAll(NewReader(bytes.NewReader(append(link(1, testHead, []byte("a")), second...)))); !errors.Is(err, ErrNoOpus) {
			t.Errorf("chain with a link of %s: %v, want ErrNoOpus", name, err)
		}
	}
	full := link(8, testHead, []byte("b"))
	if _, err := readAll(NewReader(bytes.NewReader(append(link(1, testHead, []byte("a")), full[:len(full)-1]...)))); !errors.Is(err, ErrTruncated) {
		t.Errorf("second link cut: %v", err)
	}
}

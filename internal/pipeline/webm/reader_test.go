package webm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/butakero/butakero/internal/pipeline/webm"
)

func packets(n int) (all [][]byte) {
	for i := range n {
		all = append(all, bytes.Repeat([]byte{byte(i + 1)}, 3+i*7%200))
	}
	return all
}

func readAll(r io.Reader) (all [][]byte, reader *webm.Reader, err error) {
	reader = webm.NewReader(r)
	for {
		p, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all, reader, nil
		}
		if err != nil {
			return all, reader, err
		}
		all = append(all, bytes.Clone(p))
	}
}

func same(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, []byte("|")), bytes.Join(b, []byte("|")))
}

func ExampleReader() {
	r := webm.NewReader(bytes.NewReader(file([]byte("one"), []byte("two"))))
	t, err := r.Track()
	fmt.Println(t.Codec, t.Channels, r.Duration(), err)
	for {
		packet, err := r.Next()
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(len(packet))
	}
	// Output:
	// A_OPUS 2 1s <nil>
	// 3
	// 3
	// EOF
}

// What whole files look like, and what must come out of them.
func TestLayouts(t *testing.T) {
	t.Parallel()
	three := packets(3)
	video := join([]byte{0x82, 0, 0, 0x80}, make([]byte, 3<<20))
	head := join(ebml())
	cases := map[string]struct {
		in   []byte
		want [][]byte
	}{
		"plain":             {file(packets(20)...), packets(20)},
		"no blocks":         {join(head, segment(opusTrack(), cluster())), nil},
		"no clusters":       {join(head, segment(opusTrack())), nil},
		"unknown segment":   {join(head, open(0x18538067), opusTrack(), cluster(simple(three[0]))), three[:1]},
		"unknown cluster":   {join(head, open(0x18538067), opusTrack(), open(0x1F43B675), simple(three[0]), open(0x1F43B675), simple(three[1])), three[:2]},
		"unknown in known":  {join(head, segment(opusTrack(), open(0x1F43B675), simple(three[0]), el(0x1254C367), open(0x1F43B675), simple(three[1]))), three[:2]},
		"void everywhere":   {join(head, el(0xEC, []byte{1}), segment(el(0xEC, make([]byte, 70000)), el(0xBF, num(1)), opusTrack(), el(0x7FFF, []byte("?")), cluster(el(0xEC), simple(three[0]), el(0x4DBB, make([]byte, 5))))), three[:1]},
		"group":             {join(head, segment(opusTrack(), cluster(simple(three[0]), el(0xA0, el(0xA1, block(0, three[1])), el(0x75A2, num(13_500_000)))))), three[:2]},
		"xiph lacing":       {join(head, segment(opusTrack(), cluster(el(0xA3, block(2, []byte{2, 3, 10}, three[0], three[1], three[2]))))), three},
		"xiph long":         {join(head, segment(opusTrack(), cluster(el(0xA3, block(2, []byte{1, 255, 45}, make([]byte, 300), three[0]))))), [][]byte{make([]byte, 300), three[0]}},
		"fixed lacing":      {join(head, segment(opusTrack(), cluster(el(0xA3, block(4, []byte{2}, []byte("aaabbbccc")))))), [][]byte{[]byte("aaa"), []byte("bbb"), []byte("ccc")}},
		"ebml lacing":       {join(head, segment(opusTrack(), cluster(el(0xA3, block(6, []byte{2, 0x83, 0xC6}, three[0], three[1], three[2]))))), three},
		"video beside":      {join(head, segment(tracks(track(2, 1, "V_VP9"), track(1, 2, "A_OPUS")), cluster(el(0xA3, video), simple(three[0]), el(0xA3, video)))), three[:1]},
		"undeclared track":  {join(head, segment(opusTrack(), cluster(el(0xA3, join([]byte{0x89, 0, 0, 0}, three[1])), simple(three[0])))), three[:1]},
		"second is default": {join(head, segment(tracks(track(2, 2, "A_OPUS", el(0x88, num(0))), track(1, 2, "A_OPUS")), cluster(simple(three[0]), el(0xA3, []byte{0x82, 0, 0, 0, 9})))), three[:1]},
		"big block":         {join(head, segment(opusTrack(), cluster(simple(make([]byte, 900<<10)), simple(three[0])))), [][]byte{make([]byte, 900<<10), three[0]}},
	}
	for name, c := range cases {
		for kind, wrap := range map[string]func(io.Reader) io.Reader{
			"": func(r io.Reader) io.Reader { return r }, " a byte at a time": iotest.OneByteReader, " data with EOF": iotest.DataErrReader,
		} {
			if kind == " a byte at a time" && len(c.in) > 1<<20 {
				continue
			}
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				got, _, err := readAll(wrap(bytes.NewReader(c.in)))
				if err != nil || !same(got, c.want) {
					t.Errorf("%d packets, %v; want %d", len(got), err, len(c.want))
				}
			})
		}
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	_, r, err := readAll(bytes.NewReader(join(ebml(), segment(info(203_900), opusTrack(),
		cluster(simple([]byte("x")), el(0xA0, el(0xA1, block(0, []byte("y"))), el(0x75A2, num(13_500_000))))))))
	if err != nil {
		t.Fatal(err)
	}
	track, err := r.Track()
	if err != nil || track.Number != 1 || !bytes.Equal(track.CodecPrivate, opusHead) || track.SamplingRate != 48000 ||
		track.CodecDelay != 6500*time.Microsecond {
		t.Errorf("%+v, %v", track, err)
	}
	if r.Duration() != 203_900*time.Millisecond || r.Title() != "a title" || r.DiscardPadding() != 13_500*time.Microsecond {
		t.Errorf("%s %q %s", r.Duration(), r.Title(), r.DiscardPadding())
	}
}

// Every way to be bad, and how the reader says so.
func TestFaults(t *testing.T) {
	t.Parallel()
	one := []byte("one")
	encoding := func(content ...[]byte) []byte { return el(0x6D80, el(0x6240, content...)) }
	cases := map[string]struct {
		in   []byte
		kind error
	}{
		"empty":             {nil, webm.ErrNotWebM},
		"one byte":          {[]byte{0x1A}, webm.ErrNotWebM},
		"magic alone":       {[]byte{0x1A, 0x45, 0xDF, 0xA3}, webm.ErrNotWebM},
		"text":              {[]byte("<html>not found</html>"), webm.ErrNotWebM},
		"zeros":             {make([]byte, 4096), webm.ErrNotWebM},
		"ones":              {bytes.Repeat([]byte{0xff}, 4096), webm.ErrNotWebM},
		"other document":    {join(el(0x1A45DFA3, el(0x4282, []byte("other")))), webm.ErrNotWebM},
		"huge EBML header":  {join(id(0x1A45DFA3), vint(1<<30, 8), make([]byte, 100)), webm.ErrTooLarge},
		"no segment":        {ebml(), webm.ErrTruncated},
		"no tracks":         {join(ebml(), segment(info(1))), webm.ErrNoOpus},
		"video only":        {join(ebml(), segment(tracks(track(1, 1, "V_VP9")), cluster())), webm.ErrNoOpus},
		"vorbis":            {join(ebml(), segment(tracks(track(1, 2, "A_VORBIS")), cluster())), webm.ErrNoOpus},
		"disabled":          {join(ebml(), segment(tracks(track(1, 2, "A_OPUS", el(0xB9, num(0)))), cluster())), webm.ErrNoOpus},
		"cluster first":     {join(ebml(), segment(cluster(simple(one)), opusTrack())), webm.ErrMalformed},
		"encrypted":         {join(ebml(), segment(tracks(track(1, 2, "A_OPUS", encoding(el(0x5033, num(1))))), cluster())), webm.ErrEncrypted},
		"header stripping":  {join(ebml(), segment(tracks(track(1, 2, "A_OPUS", encoding(el(0x5034, el(0x4254, num(3)))))), cluster())), webm.ErrCompressed},
		"block of 900 MiB":  {join(ebml(), open(0x18538067), opusTrack(), open(0x1F43B675), id(0xA3), vint(900<<20, 8), block(0x80, make([]byte, 20))), webm.ErrTooLarge},
		"unknown block":     {join(ebml(), segment(opusTrack(), cluster(id(0xA3), []byte{0xff}, block(0x80, one)))), webm.ErrMalformed},
		"child too large":   {join(ebml(), segment(opusTrack(), cluster(join(id(0xA3), vint(500, 8), block(0x80, one))))), webm.ErrMalformed},
		"size near 2^56":    {join(ebml(), open(0x18538067), opusTrack(), id(0x1254C367), vint(1<<56-2, 8)), webm.ErrTruncated},
		"xiph overflow":     {join(ebml(), segment(opusTrack(), cluster(el(0xA3, block(2, []byte{1, 255, 255, 255}))))), webm.ErrMalformed},
		"xiph too much":     {join(ebml(), segment(opusTrack(), cluster(el(0xA3, block(2, []byte{1, 200}, one))))), webm.ErrMalformed},
		"ebml negative":     {join(ebml(), segment(opusTrack(), cluster(el(0xA3, block(6, []byte{2, 0x81, 0x80}, one))))), webm.ErrMalformed},
		"fixed indivisible": {join(ebml(), segment(opusTrack(), cluster(el(0xA3, block(4, []byte{1}, one))))), webm.ErrMalformed},
		"lacing of nothing": {join(ebml(), segment(opusTrack(), cluster(el(0xA3, block(2))))), webm.ErrMalformed},
		"block of nothing":  {join(ebml(), segment(opusTrack(), cluster(el(0xA3)))), webm.ErrMalformed},
		"bad id":            {join(ebml(), segment(opusTrack(), cluster([]byte{0x00, 0x01, 0x02}))), webm.ErrMalformed},
		"bad tracks":        {join(ebml(), segment(el(0x1654AE6B, []byte{0xAE, 0x90, 1}))), webm.ErrMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r, err := readAll(bytes.NewReader(c.in))
			if !errors.Is(err, c.kind) {
				t.Fatalf("%v, want %v", err, c.kind)
			}
			if _, again := r.Next(); !errors.Is(again, c.kind) {
				t.Errorf("the error did not stay: %v", again)
			}
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("no words")
			}
		})
	}
	var none *webm.NoOpusError
	if _, _, err := readAll(bytes.NewReader(cases["vorbis"].in)); !errors.As(err, &none) || len(none.Codecs) != 1 || none.Codecs[0] != "A_VORBIS" {
		t.Errorf("%+v", none)
	}
}

// A file whose sizes are known and that was cut anywhere is never taken for a
// whole one.
func TestTruncatedAnywhere(t *testing.T) {
	t.Parallel()
	whole := file(packets(9)...)
	for n := range whole {
		if got, _, err := readAll(bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("cut at %d of %d: %d packets and no error", n, len(whole), len(got))
		}
	}
}

// The source's own error reaches the caller.
func TestSourceError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line broke")
	whole := file(packets(9)...)
	for _, n := range []int{0, 10, 300, len(whole) - 1} {
		_, _, err := readAll(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if _, _, err := readAll(stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}

// stuck is a reader that returns nothing, for ever.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// Whatever is done to a file, the reader ends, without a panic, with packets
// that fit the input.
func TestMutations(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	seeds := [][]byte{
		file(packets(12)...),
		join(ebml(), open(0x18538067), info(5), opusTrack(), open(0x1F43B675), el(0xA3, block(6, []byte{2, 0x83, 0xC6}, packets(3)[0], packets(3)[1], packets(3)[2])),
			el(0xA0, el(0xA1, block(2, []byte{1, 3}, packets(3)[0], packets(3)[1])), el(0x75A2, num(1)))),
	}
	for range 20_000 {
		in := bytes.Clone(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(4) {
			switch at := r.IntN(len(in)); r.IntN(4) {
			case 0:
				in[at] = byte(r.Uint32())
			case 1:
				in[at] ^= 1 << r.IntN(8)
			case 2:
				in = in[:at+1]
			case 3:
				in = append(in[:at:at], in[min(len(in), at+r.IntN(9)):]...)
			}
			if len(in) == 0 {
				in = []byte{0}
			}
		}
		checkReader(t, in)
	}
}

func checkReader(t *testing.T, in []byte) {
	t.Helper()
	reader := webm.NewReader(bytes.NewReader(in))
	total, n := 0, 0
	for {
		p, err := reader.Next()
		if err != nil {
			break
		}
		total += len(p)
		n++
		if total > len(in) || n > 256*len(in)+1 {
			t.Fatalf("%d packets of %d bytes from %d", n, total, len(in))
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(file(packets(5)...))
	f.Add(join(ebml(), open(0x18538067), opusTrack(), open(0x1F43B675), el(0xA3, block(2, []byte{2, 3, 10}, []byte("aaabbbbbbbbbbc")))))
	f.Add([]byte("\x1a\x45\xdf\xa3"))
	f.Fuzz(checkReader)
}

func TestNoAllocationPerPacket(t *testing.T) {
	one, many := file(packets(30)...), file(packets(3000)...)
	count := func(in []byte) float64 {
		return testing.AllocsPerRun(5, func() {
			r := webm.NewReader(bytes.NewReader(in))
			for {
				if _, err := r.Next(); err != nil {
					return
				}
			}
		})
	}
	if a, b := count(one), count(many); b > a {
		t.Errorf("%v allocations for 30 packets, %v for 3000", a, b)
	}
}

func BenchmarkRead(b *testing.B) {
	var all [][]byte
	for range 10_000 {
		all = append(all, make([]byte, 320))
	}
	in := file(all...)
	b.Run("packets", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		b.ReportAllocs()
		for b.Loop() {
			r := webm.NewReader(bytes.NewReader(in))
			for {
				if _, err := r.Next(); err != nil {
					break
				}
			}
		}
	})
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		buf := make([]byte, 64<<10)
		for b.Loop() {
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{bytes.NewReader(in)}, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

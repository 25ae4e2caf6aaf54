package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline/ogg"
)

func TestSniff(t *testing.T) {
	t.Parallel()
	mp3 := mpegFrames(20)
	for _, c := range []struct {
		name string
		data []byte
		want *format
	}{
		{"WebM", []byte("\x1a\x45\xdf\xa3\x01"), formatWebM},
		{"Ogg", []byte("OggS\x00\x02"), formatOgg},
		{"MP4", []byte("\x00\x00\x00\x20ftypM4A \x00\x00"), formatMP4},
		{"FLAC", []byte("fLaC\x00\x00\x00\x22"), formatFLAC},
		{"WAV", []byte("RIFF\x24\x00\x00\x00WAVEfmt "), formatWAV},
		{"RF64", []byte("RF64\xff\xff\xff\xffWAVEds64"), formatWAV},
		{"AIFF", []byte("FORM\x00\x00\x00\x24AIFFCOMM"), formatAIFF},
		{"AIFF-C", []byte("FORM\x00\x00\x00\x24AIFCFVER"), formatAIFF},
		{"MP3 with tag", []byte("ID3\x04\x00\x00\x00\x00\x00\x00"), formatMP3},
		{"MP3", mp3, formatMP3},
		{"ADTS", adtsFrames(4), formatADTS},
		{"AVI", []byte("RIFF\x24\x00\x00\x00AVI LIST"), nil},
		{"picture", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), nil},
		{"zeros", make([]byte, 4096), nil},
		{"ones", bytes.Repeat([]byte{0xFF}, 4096), nil},
		{"one frame of MP3", mp3[:400], nil},
		{"DCA", []byte("DCA1\x02\x00\x00\x00{}"), nil},
		{"playlist", []byte("#EXTM3U\n#EXT-X-VERSION:3\n"), nil},
		{"concat", []byte("ffconcat version 1.0\nfile /etc/passwd\n"), nil},
		{"SDP", []byte("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n"), nil},
		{"gzip", []byte("\x1f\x8b\x08\x00"), nil},
		{"nothing", nil, nil},
		{"a byte", []byte{0x1A}, nil},
		{"part of a magic", []byte("Ogg"), nil},
	} {
		if got := sniff(c.data); got != c.want {
			t.Errorf("%s is taken for %+v", c.name, got)
		}
	}
}

// mpegFrames are n frames of MPEG 1 layer III, 128 kbit/s, 44.1 kHz.
func mpegFrames(n int) []byte {
	frame := make([]byte, 417)
	copy(frame, "\xff\xfb\x90\x00")
	return bytes.Repeat(frame, n)
}

// adtsFrames are n frames of AAC, 44.1 kHz.
func adtsFrames(n int) []byte {
	frame := make([]byte, 200)
	copy(frame, []byte{0xFF, 0xF1, 0x50, 0x80 | 200>>11, 200 >> 3 & 0xFF, 200&7<<5 | 0x1F, 0xFC})
	return bytes.Repeat(frame, n)
}

func box(kind string, content ...[]byte) []byte {
	body := slices.Concat(content...)
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, kind...), body...)
}

// numbers are big-endian 32-bit values.
func numbers(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// movie is a moov box with a video track of 99 s and an audio track; durations
// in seconds.
func movie(track, media uint32, more ...[]byte) []byte {
	trak := func(kind string, track, media uint32) []byte {
		return box("trak", box("tkhd", numbers(0, 0, 0, 1, 0, track*1000)), box("mdia",
			box("mdhd", numbers(0, 0, 0, 44100, media*44100, 0)), box("hdlr", numbers(0, 0), []byte(kind), numbers(0, 0, 0))))
	}
	head := box("mvhd", numbers(0, 0, 0, 1000, 99_000))
	return box("moov", slices.Concat(append([][]byte{head, trak("vide", 99, 99), trak("soun", track, media)}, more...)...))
}

func ebml(id string, content ...[]byte) []byte {
	body := slices.Concat(content...)
	b := append([]byte(id), 0x01, 0, 0, 0)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

func vorbis(granules []int64, last byte) []byte {
	head := append([]byte("\x01vorbis\x00\x00\x00\x00\x02"), 0x44, 0xAC, 0, 0)
	head = append(head, make([]byte, 14)...)
	b := ogg.Page{Flags: ogg.FlagBOS, Serial: 5, Lacing: []byte{byte(len(head))}, Body: head}.Append(nil)
	for i, granule := range granules {
		p := ogg.Page{Granule: granule, Serial: 5, Sequence: uint32(i + 1), Lacing: []byte{10}, Body: make([]byte, 10)}
		if i == len(granules)-1 {
			p.Flags = last
		}
		b = p.Append(b)
	}
	return b
}

func TestDeclared(t *testing.T) {
	t.Parallel()
	riff := func(perSecond, size uint32, data int) []byte {
		b := append([]byte("RIFF\x00\x00\x00\x00WAVELIST\x04\x00\x00\x00abcdfmt \x10\x00\x00\x00\x01\x00\x02\x00"), 0x44, 0xAC, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, perSecond)
		b = append(b, "\x04\x00\x10\x00data"...)
		b = binary.LittleEndian.AppendUint32(b, size)
		return append(b, make([]byte, data)...)
	}
	streamInfo := func(rate, samples uint64) []byte {
		b := append([]byte("fLaC\x00\x00\x00\x22"), make([]byte, 10)...)
		b = binary.BigEndian.AppendUint64(b, rate<<44|1<<41|15<<36|samples)
		return append(b, make([]byte, 16)...)
	}
	form := func(size uint32) []byte {
		b := append([]byte("FORM"), numbers(size)...)
		b = append(b, "AIFFCOMM\x00\x00\x00\x12\x00\x02"...)
		b = append(b, numbers(441000)...)
		return append(b, 0, 16, 0x40, 0x0E, 0xAC, 0x44, 0, 0, 0, 0, 0, 0)
	}
	xing := mpegFrames(100)
	copy(xing[36:], "Info\x00\x00\x00\x01")
	binary.BigEndian.PutUint32(xing[44:], 1000)
	tag := func(n int) []byte {
		return append([]byte{'I', 'D', '3', 4, 0, 0, 0, byte(n >> 14), byte(n >> 7 & 127), byte(n & 127)}, make([]byte, n)...)
	}
	float := binary.BigEndian.AppendUint64(nil, math.Float64bits(10_000))
	info := ebml("\x15\x49\xa9\x66", ebml("\x2a\xd7\xb1", []byte{0x0F, 0x42, 0x40}), ebml("\x44\x89", float))
	cluster := ebml("\x1f\x43\xb6\x75", ebml("\xe7", []byte{0}), make([]byte, 4))
	late := ebml("\x1f\x43\xb6\x75", ebml("\xe7", []byte{0x0F, 0xA0}))
	cluster[len(cluster)-4] = 0xEC // Void of 2 bytes
	cluster[len(cluster)-3] = 0x82
	head := ebml("\x1a\x45\xdf\xa3")
	segment := func(content ...[]byte) []byte { return slices.Concat(head, ebml("\x18\x53\x80\x67", content...)) }
	unknown := slices.Concat(head, []byte("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"), info, []byte("\x1f\x43\xb6\x75\xff\xe7\x81\x00"))

	second := time.Second
	mpeg := func(n int) time.Duration { return time.Duration(n) * 1152 * second / 44100 }
	for _, c := range []struct {
		name  string
		kind  *format
		data  []byte
		want  time.Duration // to the millisecond
		least time.Duration // want, if 0
		exact bool
		err   error
	}{
		{name: "WAV", kind: formatWAV, data: riff(1000, 2000, 2000), want: 2 * second, exact: true},
		{name: "WAV with something behind", kind: formatWAV, data: riff(1000, 2000, 2100), want: 2 * second, exact: true},
		{name: "WAV cut", kind: formatWAV, data: riff(1000, 2000, 1999), err: io.ErrUnexpectedEOF},
		{name: "WAV from a pipe", kind: formatWAV, data: riff(1000, math.MaxUint32, 2000)},
		{name: "WAV without data", kind: formatWAV, data: riff(1000, 0, 0)},
		{name: "WAV of no rate", kind: formatWAV, data: bytes.Replace(riff(1, 2, 2), []byte{0x44, 0xAC}, []byte{0, 0}, 1), err: errDamaged},
		{name: "WAV that ends in its header", kind: formatWAV, data: riff(1000, 0, 0)[:30], err: io.ErrUnexpectedEOF},
		{name: "AIFF", kind: formatAIFF, data: form(30), want: 10 * second, exact: true},
		{name: "AIFF cut", kind: formatAIFF, data: form(31), err: io.ErrUnexpectedEOF},
		{name: "FLAC", kind: formatFLAC, data: streamInfo(48000, 480_000), want: 10 * second, exact: true},
		{name: "FLAC that does not know", kind: formatFLAC, data: streamInfo(48000, 0)},
		{name: "FLAC without STREAMINFO", kind: formatFLAC, data: []byte("fLaC\x04" + strings.Repeat("\x00", 40)), err: errDamaged},
		{name: "FLAC of two weeks", kind: formatFLAC, data: streamInfo(8000, 8000*86400*14)},
		{name: "FLAC behind a tag", kind: formatMP3, data: append(tag(1000), streamInfo(48000, 48000)...), want: second, exact: true},
		{name: "MP3", kind: formatMP3, data: mpegFrames(100), want: mpeg(100), exact: true},
		{name: "MP3 behind two tags", kind: formatMP3, data: slices.Concat(tag(100_000), tag(9), mpegFrames(100)), want: mpeg(100), exact: true},
		{name: "MP3 that promises more", kind: formatMP3, data: xing, want: mpeg(1000), exact: true},
		{name: "MP3 with junk in it", kind: formatMP3, data: slices.Concat(mpegFrames(50), bytes.Repeat([]byte("junk"), 99), mpegFrames(50)), want: mpeg(99), exact: true},
		{name: "MP3 with a tag behind", kind: formatMP3, data: slices.Concat(mpegFrames(50), []byte("TAG"), make([]byte, 125)), want: mpeg(50), exact: true},
		{name: "tag alone", kind: formatMP3, data: tag(1000), err: io.ErrUnexpectedEOF},
		{name: "tag of 256 MiB", kind: formatMP3, data: append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), mpegFrames(9)...), err: io.ErrUnexpectedEOF},
		{name: "nothing behind a tag", kind: formatMP3, data: append(tag(1000), make([]byte, 9999)...), err: errDamaged},
		{name: "ADTS", kind: formatADTS, data: adtsFrames(100), want: 100 * 1024 * second / 44100, exact: true},
		{name: "ADTS behind a tag", kind: formatMP3, data: append(tag(77), adtsFrames(100)...), want: 100 * 1024 * second / 44100, exact: true},
		{name: "MP4", kind: formatMP4, data: slices.Concat(box("ftyp", numbers(0)), movie(10, 10), box("mdat")), want: 10 * second, exact: true},
		{name: "MP4 with an edit list", kind: formatMP4, data: slices.Concat(box("mdat"), movie(10, 12)), want: 12 * second, least: 10 * second, exact: true},
		{name: "MP4 in fragments", kind: formatMP4, data: slices.Concat(movie(0, 0, box("mvex", box("mehd", numbers(0, 10_000)))), box("moof")), want: 10 * second, exact: true},
		{name: "MP4 with an index", kind: formatMP4, data: slices.Concat(movie(0, 0), box("sidx", numbers(0, 1, 1000, 0, 0, 2, 0, 4000, 0, 0, 6000, 0))), want: 10 * second, exact: true},
		{name: "MP4 in fragments that does not know", kind: formatMP4, data: slices.Concat(movie(0, 0), box("moof"))},
		{name: "MP4 without moov", kind: formatMP4, data: slices.Concat(box("ftyp", numbers(0)), box("mdat")), err: io.ErrUnexpectedEOF},
		{name: "MP4 cut", kind: formatMP4, data: slices.Concat(movie(10, 10), box("mdat", make([]byte, 99))[:90]), err: io.ErrUnexpectedEOF},
		{name: "MP4 cut in a header", kind: formatMP4, data: slices.Concat(movie(10, 10), box("mdat")[:5]), err: io.ErrUnexpectedEOF},
		{name: "MP4 with padding", kind: formatMP4, data: slices.Concat(movie(10, 10), make([]byte, 4)), want: 10 * second, exact: true},
		{name: "MP4, box of 2^64-1", kind: formatMP4, data: slices.Concat(movie(10, 10), numbers(1), []byte("mdat"), numbers(math.MaxUint32, math.MaxUint32)), err: errDamaged},
		{name: "MP4, box of 4", kind: formatMP4, data: slices.Concat(numbers(4), []byte("free"), movie(10, 10)), err: errDamaged},
		{name: "MP4, box larger than its parent", kind: formatMP4, data: slices.Concat(box("moov", numbers(99), []byte("trak")), make([]byte, 200)), err: io.ErrUnexpectedEOF},
		{name: "Ogg", kind: formatOgg, data: vorbis([]int64{0, 44100, 441_000}, ogg.FlagEOS), want: 10 * second, exact: true},
		{name: "Ogg without end", kind: formatOgg, data: vorbis([]int64{0, 44100, 441_000}, 0), err: io.ErrUnexpectedEOF},
		{name: "Ogg cut", kind: formatOgg, data: vorbis([]int64{0, 441_000}, ogg.FlagEOS)[:150], err: io.ErrUnexpectedEOF},
		{name: "Ogg in a chain", kind: formatOgg, data: bytes.Repeat(vorbis([]int64{0, 441_000}, ogg.FlagEOS), 2), want: 20 * second, exact: true},
		{name: "Ogg cut out of a long one", kind: formatOgg, data: vorbis([]int64{0, 44_100_000, 44_541_000}, ogg.FlagEOS)},
		{name: "Ogg and then something", kind: formatOgg, data: append(vorbis([]int64{0, 441_000}, ogg.FlagEOS), make([]byte, 99)...), err: errDamaged},
		{name: "WebM", kind: formatWebM, data: segment(info, cluster, cluster), want: 10 * second, exact: true},
		{name: "WebM that begins late", kind: formatWebM, data: segment(info, late), want: 10 * second, least: 6 * second, exact: true},
		{name: "WebM without duration", kind: formatWebM, data: segment(cluster)},
		{name: "WebM of unknown size", kind: formatWebM, data: unknown, want: 10 * second, exact: true},
		{name: "WebM cut", kind: formatWebM, data: segment(info, cluster)[:len(segment(info, cluster))-1], err: io.ErrUnexpectedEOF},
		{name: "WebM without segment", kind: formatWebM, data: head, err: io.ErrUnexpectedEOF},
		{name: "WebM of zeros", kind: formatWebM, data: slices.Concat(head, make([]byte, 20)), err: errDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := declare(bytes.NewReader(c.data), int64(len(c.data)), c.kind)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if c.least == 0 {
				c.least = c.want
			}
			if got.duration.Round(time.Millisecond) != c.want.Round(time.Millisecond) ||
				got.least.Round(time.Millisecond) != c.least.Round(time.Millisecond) || got.exact != c.exact {
				t.Errorf("%v, at least %v, exact %t; want %v, %v, %t", got.duration, got.least, got.exact, c.want, c.least, c.exact)
			}
		})
	}
}

func TestDeclaredCheck(t *testing.T) {
	t.Parallel()
	song := declared{duration: 200 * time.Second, least: 150 * time.Second, exact: true}
	for _, c := range []struct {
		said  declared
		lasts time.Duration
		want  string
	}{
		{song, 200 * time.Second, ""},
		{song, 201900 * time.Millisecond, ""},
		{song, 203 * time.Second, CodeUnreadable},
		{song, 160 * time.Second, ""},
		{song, 148 * time.Second, CodeTruncated},
		{declared{duration: 10 * time.Second, least: 10 * time.Second, exact: true}, 9600 * time.Millisecond, ""},
		{declared{duration: 10 * time.Second, least: 10 * time.Second, exact: true}, 9400 * time.Millisecond, CodeTruncated},
		{declared{duration: 10 * time.Second, least: 10 * time.Second}, time.Second, ""},
		{declared{}, time.Second, ""},
	} {
		err := c.said.check(nil, c.lasts)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want+":") {
			t.Errorf("%v of %+v: %v, want %s", c.lasts, c.said, err, c.want)
		}
	}
}

// Nothing that is read off a file makes the readers of its structure panic, loop or
// hold more than a window.
func FuzzDeclare(f *testing.F) {
	kinds := []*format{formatWAV, formatAIFF, formatFLAC, formatMP4, formatMP3, formatADTS, formatOgg, formatWebM}
	for i, data := range [][]byte{
		[]byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00data"), []byte("FORM\x00\x00\x00\x24AIFFCOMM\x00\x00\x00\x12"),
		[]byte("fLaC\x00\x00\x00\x22" + strings.Repeat("\x01", 34)), movie(1, 1), mpegFrames(3), adtsFrames(3),
		vorbis([]int64{0, 1}, ogg.FlagEOS), slices.Concat(ebml("\x1a\x45\xdf\xa3"), ebml("\x18\x53\x80\x67")),
	} {
		f.Add(data, uint8(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		got, err := declare(bytes.NewReader(data), int64(len(data)), kinds[int(kind)%len(kinds)])
		if err == nil && (got.duration < 0 || got.least > got.duration || got.exact && got.duration == 0) {
			t.Errorf("%+v", got)
		}
		sniff(data)
	})
}

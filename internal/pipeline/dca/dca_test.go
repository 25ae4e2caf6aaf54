package dca

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// samples is Opus' rule for packets of one frame (RFC 6716 section 3.1), enough for frames made here.
func samples(packet []byte) (int, error) {
	toc := packet[0]
	switch {
	case toc&3 != 0:
		return 0, errors.New("not a packet of one frame")
	case toc&0x80 != 0:
		return 120 << (toc >> 3 & 3), nil
	default:
		return 480 << (toc >> 3 & 1), nil
	}
}

func testMetadata() Metadata {
	m := NewMetadata(Tool{Name: "butakero", Version: "1.2.3", URL: "https://example.org/", Author: "someone"})
	m.Opus.Bitrate = 128000
	m.Info = Info{Title: "Café <b> & \"té\" 日本 \u202e", Artist: "A", Album: "B", Genre: "C", Comments: "D"}
	m.Origin = Origin{Source: "youtube", Bitrate: 130000, Channels: 2, Encoding: "opus", URL: "https://youtu.be/dQw4w9WgXcQ"}
	m.Extra = map[string]any{"pre_skip": 312}
	return m
}

// write makes a file.
func write(tb testing.TB, m Metadata, frames ...[]byte) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, m)
	if err != nil {
		tb.Fatal(err)
	}
	for _, frame := range frames {
		if err := w.WriteFrame(frame); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if w.Bytes() != int64(file.Len()) || w.Frames() != int64(len(frames)) || w.Duration() != time.Duration(len(frames))*20*time.Millisecond {
		tb.Errorf("counted %d bytes, %d frames, %v of %d, %d", w.Bytes(), w.Frames(), w.Duration(), file.Len(), len(frames))
	}
	return file.Bytes()
}

// frame is a CELT packet of 20 ms and n bytes.
func frame(n int) []byte {
	b := bytes.Repeat([]byte{7}, n)
	b[0] = 0xFC
	return b
}

func readAll(d *Reader) (frames [][]byte, err error) {
	for {
		f, err := d.Next()
		if err != nil {
			return frames, err
		}
		frames = append(frames, bytes.Clone(f))
	}
}

// raw is a DCA1 file with the given header text, and a frame behind it.
func raw(text string) []byte {
	b := binary.LittleEndian.AppendUint32([]byte("DCA1"), uint32(len(text)))
	return append(append(b, text...), 1, 0, 0xFC)
}

// The bytes of a header are those that the format notes prescribe, names, order and types included.
func TestHeaderShape(t *testing.T) {
	t.Parallel()
	file := write(t, testMetadata())
	want := `{"dca":{"version":1,"tool":{"name":"butakero","version":"1.2.3","url":"https://example.org/","author":"someone"}},` +
		`"opus":{"mode":"audio","sample_rate":48000,"frame_size":1920,"abr":128000,"vbr":true,"channels":2},` +
		`"info":{"title":"Café <b> & \"té\" 日本 ` + "\u202e" + `","artist":"A","album":"B","genre":"C","comments":"D","cover":null},` +
		`"origin":{"source":"youtube","abr":130000,"channels":2,"encoding":"opus","url":"https://youtu.be/dQw4w9WgXcQ"},` +
		`"extra":{"pre_skip":312}}`
	if got := string(file[8:]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if string(file[:4]) != "DCA1" || int(binary.LittleEndian.Uint32(file[4:])) != len(want) {
		t.Errorf("prefix %x", file[:8])
	}
}

// What is not known is null or empty, and all required keys are there.
func TestEmptyMetadata(t *testing.T) {
	t.Parallel()
	file := write(t, Metadata{DCA: Format{Version: 1}, Opus: NewMetadata(Tool{}).Opus}, frame(3))
	if !bytes.Contains(file, []byte(`"extra":{}`)) || !bytes.Contains(file, []byte(`"frame_size":1920,"abr":null`)) {
		t.Errorf("header %s", file[8:])
	}
	if _, err := Verify(bytes.NewReader(file), samples); err != nil {
		t.Error(err)
	}
}

func TestHeaderLimits(t *testing.T) {
	t.Parallel()
	m := testMetadata()
	m.Info.Comments = strings.Repeat("x", MaxHeaderBytes)
	if _, err := NewWriter(io.Discard, m); err == nil {
		t.Error("a header above the limit was written")
	}
	m.Extra["bad"] = make(chan int)
	if _, err := NewWriter(io.Discard, m); err == nil {
		t.Error("a header that is no JSON was written")
	}
	// Larger than the buffer, but legal.
	m = testMetadata()
	m.Info.Comments = strings.Repeat("x", 200<<10)
	file := write(t, m, frame(5))
	d := NewReader(bytes.NewReader(file))
	if got, err := d.Metadata(); err != nil || got.Info.Comments != m.Info.Comments {
		t.Errorf("%d bytes of comments, error %v", len(got.Info.Comments), err)
	}
	if frames, err := readAll(d); !errors.Is(err, io.EOF) || len(frames) != 1 {
		t.Errorf("%d frames, error %v", len(frames), err)
	}
	if _, err := NewWriter(failing{0}, m); !errors.Is(err, errDisk) {
		t.Errorf("error %v", err)
	}
}

func TestWriteRead(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- repeatable on purpose
		want := make([][]byte, rng.IntN(300))
		for i := range want {
			want[i] = make([]byte, 1+rng.IntN(MaxFrameBytes))
			for j := range want[i] {
				want[i][j] = byte(rng.Uint32())
			}
		}
		file := write(t, testMetadata(), want...)
		var src io.Reader = bytes.NewReader(file)
		switch rng.IntN(3) {
		case 0:
			src = iotest.HalfReader(src)
		case 1:
			src = iotest.DataErrReader(src)
		}
		d := NewReader(src)
		got, err := readAll(d)
		if !errors.Is(err, io.EOF) || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("seed %d: %d frames in, %d out or other ones, error %v", seed, len(want), len(got), err)
		}
		if d.Frames() != int64(len(want)) || d.Offset() != int64(len(file)) {
			t.Errorf("%d frames, offset %d", d.Frames(), d.Offset())
		}
		m, err := d.Metadata()
		if err != nil || m.Info != testMetadata().Info || m.Opus != testMetadata().Opus || m.Origin != testMetadata().Origin || m.DCA != testMetadata().DCA {
			t.Fatalf("metadata %+v, error %v", m, err)
		}
		if text, err := d.RawMetadata(); err != nil || !json.Valid(text) || !bytes.Contains(file, text) {
			t.Fatalf("raw metadata %s, error %v", text, err)
		}
		if version, err := d.Version(); version != 1 || err != nil {
			t.Errorf("version %d, error %v", version, err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := NewWriter(&file, testMetadata())
	if err != nil {
		t.Fatal(err)
	}
	before := w.Bytes()
	for _, n := range []int{0, MaxFrameBytes + 1, 32767, 40000, 70000} {
		if err := w.WriteFrame(make([]byte, n)); !errors.Is(err, ErrFrameSize) {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
	if err := w.Flush(); err != nil || w.Frames() != 0 || w.Bytes() != before || int64(file.Len()) != before {
		t.Errorf("%d frames, %d bytes, error %v", w.Frames(), w.Bytes(), err)
	}
	if err := w.WriteFrame(frame(MaxFrameBytes)); err != nil {
		t.Errorf("frame of the maximum size: %v", err)
	}
}

var errDisk = errors.New("no space left")

// failing takes left bytes and then fails.
type failing struct{ left int }

func (f failing) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return f.left, errDisk
	}
	return len(b), nil
}

// A full disk shows at the latest in Flush, and stays.
func TestWriterDiskFull(t *testing.T) {
	t.Parallel()
	w, err := NewWriter(failing{1000}, testMetadata())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err = w.WriteFrame(frame(1000)); err != nil {
			break
		}
	}
	if !errors.Is(err, errDisk) {
		t.Errorf("100 kB were written to a disk of 1 kB: %v", err)
	}
	if err := w.WriteFrame(frame(1)); !errors.Is(err, errDisk) {
		t.Errorf("then: %v", err)
	}
	if err := w.Flush(); !errors.Is(err, errDisk) {
		t.Errorf("Flush: %v", err)
	}
}

func TestReadVersion0(t *testing.T) {
	t.Parallel()
	file := []byte{3, 0, 0xFC, 1, 2, 1, 0, 0xF8}
	d := NewReader(bytes.NewReader(file))
	if version, err := d.Version(); version != 0 || err != nil {
		t.Errorf("version %d, error %v", version, err)
	}
	if text, err := d.RawMetadata(); text != nil || err != nil {
		t.Errorf("metadata %s, error %v", text, err)
	}
	frames, err := readAll(d)
	if !errors.Is(err, io.EOF) || !slices.EqualFunc(frames, [][]byte{{0xFC, 1, 2}, {0xF8}}, bytes.Equal) {
		t.Errorf("frames %x, error %v", frames, err)
	}
	report, err := Verify(bytes.NewReader(file), samples)
	if err != nil || report.Version != 0 || report.Metadata != nil || report.Frames != 2 || report.HeaderBytes != 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

// A source that fails is not a file that ends.
func TestSourceError(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	file := write(t, testMetadata(), frame(10), frame(10))
	for n := range len(file) + 1 {
		src := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		if _, err := readAll(NewReader(src)); !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
			t.Fatalf("error after %d bytes: %v", n, err)
		}
		src = io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		if report, err := Verify(src, samples); !errors.Is(err, broken) || report.SHA256 != "" || report.Bytes != int64(n) {
			t.Fatalf("Verify, error after %d bytes: %v, %+v", n, err, report)
		}
	}
}

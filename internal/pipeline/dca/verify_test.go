package dca

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestVerifyValid(t *testing.T) {
	t.Parallel()
	file := write(t, testMetadata(), frame(100), frame(1), frame(MaxFrameBytes), frame(101))
	report, err := Verify(bytes.NewReader(file), samples)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(file)
	if report.Metadata == nil || report.Metadata.Info.Artist != "A" {
		t.Errorf("metadata %+v", report.Metadata)
	}
	header := int64(len(file) - 4*2 - 100 - 1 - MaxFrameBytes - 101)
	report.Metadata = nil
	got, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(Report{
		Version: 1, HeaderBytes: header, Frames: 4, Bytes: int64(len(file)), Duration: 80 * time.Millisecond,
		MinFrame: 1, MaxFrame: MaxFrameBytes, AverageFrame: 370, // 1478 / 4 = 369.5
		Bitrate: 147800, SHA256: hex.EncodeToString(hash[:]),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestVerifyFaults(t *testing.T) {
	t.Parallel()
	good := write(t, testMetadata(), frame(10), frame(20))
	head := int64(len(good) - 12 - 22)
	text := string(good[8:head])
	behind := func(b ...byte) []byte { return append(bytes.Clone(good), b...) }
	end := int64(len(good))
	without := func(key string) []byte {
		i := strings.Index(text, key)
		j := i + strings.Index(text[i:], ",") + 1
		return raw(text[:i] + text[j:])
	}
	replace := func(from, to string) []byte {
		if !strings.Contains(text, from) {
			t.Fatalf("no %s in %s", from, text)
		}
		return raw(strings.Replace(text, from, to, 1))
	}
	length := func(n uint32) []byte { return append(binary.LittleEndian.AppendUint32([]byte("DCA1"), n), text...) }
	tests := []struct {
		name   string
		file   []byte
		code   Code
		offset int64
		frame  int64
		detail string
	}{
		{"empty", nil, CodeEmpty, 0, -1, ""},
		{"magic alone", []byte("DCA1"), CodeTruncatedHeader, 0, -1, ""},
		{"part of the magic", []byte("DCA"), CodeTruncatedHeader, 0, -1, ""},
		{"half a header length", []byte("DCA1\x10\x00"), CodeTruncatedHeader, 0, -1, ""},
		{"version 2", append([]byte("DCA2"), good[4:]...), CodeVersion, 0, -1, `"2"`},
		{"header length 0", length(0), CodeHeaderLength, 4, -1, "0"},
		{"header length 1", length(1), CodeHeaderLength, 4, -1, "1"},
		{"header length -1", length(0xFFFFFFFF), CodeHeaderLength, 4, -1, "-1"},
		{"header length 2 GiB", length(0x7FFFFFFF), CodeHeaderLength, 4, -1, "2147483647"},
		{"header length 1 MiB + 1", length(MaxHeaderBytes + 1), CodeHeaderLength, 4, -1, ""},
		{"header length 1 MiB, file short", length(MaxHeaderBytes), CodeTruncatedHeader, 8, -1, ""},
		{"header cut", good[:head-1], CodeTruncatedHeader, 8, -1, ""},
		{"header is no JSON", raw("{not json}"), CodeHeaderJSON, 10, -1, ""},
		{"header is an array", raw("[]"), CodeHeaderJSON, 8, -1, "object"},
		{"header is null", raw("null"), CodeHeaderJSON, 8, -1, "object"},
		{"two objects", raw("{}{}"), CodeHeaderJSON, 11, -1, ""},
		{"length one short", func() []byte {
			b := bytes.Clone(good)
			binary.LittleEndian.PutUint32(b[4:], uint32(len(text)-1))
			return b
		}(), CodeHeaderJSON, head - 1, -1, ""},
		{"channels as text", replace(`"channels":2}`, `"channels":"2"}`), CodeHeaderJSON, -1, -1, "opus.channels"},
		{"frame size with a fraction", replace("1920", "1920.5"), CodeHeaderJSON, -1, -1, "opus.frame_size"},

		{"no dca", replace(`"dca":`, `"cda":`), CodeHeaderKey, 8, -1, "dca is missing"},
		{"no opus", replace(`"opus":`, `"opux":`), CodeHeaderKey, 8, -1, "opus is missing"},
		{"no extra", replace(`"extra":`, `"other":`), CodeHeaderKey, 8, -1, "extra is missing"},
		{"empty object", raw("{}"), CodeHeaderKey, 8, -1, "dca is missing"},
		{"no dca.version", without(`"version":1`), CodeHeaderKey, 8, -1, "dca.version is missing"},
		{"no tool", replace(`"tool":`, `"fool":`), CodeHeaderKey, 8, -1, "dca.tool is missing"},
		{"no tool.name", without(`"name":`), CodeHeaderKey, 8, -1, "dca.tool.name is missing"},
		{"no tool.version", without(`"version":"1.2.3"`), CodeHeaderKey, 8, -1, "dca.tool.version is missing"},
		{"no mode", without(`"mode"`), CodeHeaderKey, 8, -1, "opus.mode is missing"},
		{"no sample_rate", without(`"sample_rate"`), CodeHeaderKey, 8, -1, "opus.sample_rate is missing"},
		{"no frame_size", without(`"frame_size"`), CodeHeaderKey, 8, -1, "opus.frame_size is missing"},
		{"no abr", without(`"abr":128000`), CodeHeaderKey, 8, -1, "opus.abr is missing"},
		{"no vbr", without(`"vbr"`), CodeHeaderKey, 8, -1, "opus.vbr is missing"},
		{"version 2 inside", replace(`"version":1,`, `"version":2,`), CodeHeaderValue, 8, -1, "dca.version is 2"},
		{"44.1 kHz", replace("48000", "44100"), CodeHeaderValue, 8, -1, "sample_rate is 44100"},
		{"99 channels", replace(`"channels":2},"info"`, `"channels":99},"info"`), CodeHeaderValue, 8, -1, "channels is 99"},
		{"40 ms frames", replace("1920", "1921"), CodeHeaderValue, 8, -1, "frame_size is 1921"},

		{"no frames", good[:head], CodeNoFrames, head, -1, ""},
		{"ends in a length", behind(5), CodeTruncatedLength, end, 2, ""},
		{"ends behind a length", behind(5, 0), CodeTruncatedFrame, end, 2, "only 0 of 5 bytes"},
		{"ends in a frame", good[:end-1], CodeTruncatedFrame, head + 12, 1, "only 19 of 20 bytes"},
		{"length 0", behind(0, 0), CodeFrameLength, end, 2, "length 0"},
		{"zeros behind", behind(make([]byte, 1000)...), CodeFrameLength, end, 2, "length 0"},
		{"length -1", behind(0xFF, 0xFF), CodeFrameLength, end, 2, "length -1"},
		{"length -32768", behind(0, 0x80), CodeFrameLength, end, 2, "length -32768"},
		{"new line behind", behind('\n'), CodeTruncatedLength, end, 2, ""},
		{"text behind", behind([]byte("TAGtitle")...), CodeTruncatedFrame, end, 2, ""},
		{"frame of 10 ms", behind(1, 0, 0xF4), CodeFrameDuration, end, 2, "480 samples"},
		{"frame of several", behind(1, 0, 0xFF), CodeFrameInvalid, end, 2, "one frame"},
		{"frame of 1277 bytes", behind(append([]byte{0xFD, 0x04}, frame(1277)...)...), CodeFrameTooBig, end, 2, "1277 bytes"},
		{"web page", []byte("<!DOCTYPE html>"), CodeTruncatedFrame, 0, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			report, err := Verify(bytes.NewReader(test.file), samples)
			var fault *FormatError
			if !errors.Is(err, ErrFormat) || !errors.As(err, &fault) {
				t.Fatalf("error %v", err)
			}
			if fault.Code != test.code || fault.Frame != test.frame || test.offset >= 0 && fault.Offset != test.offset || !strings.Contains(fault.Detail, test.detail) {
				t.Errorf("%+v, want %s at byte %d, frame %d, about %q", fault, test.code, test.offset, test.frame, test.detail)
			}
			if len(report.Problems) == 0 || report.Problems[0] != fault || report.ProblemCount < 1 {
				t.Errorf("the report lists %v", report.Problems)
			}
			hash := sha256.Sum256(test.file)
			if report.SHA256 != hex.EncodeToString(hash[:]) || report.Bytes != int64(len(test.file)) {
				t.Errorf("hash or size is not of the whole input: %d of %d bytes", report.Bytes, len(test.file))
			}
		})
	}
}

// Faults that do not break the structure are all found; the list of them is bounded.
func TestVerifyManyProblems(t *testing.T) {
	t.Parallel()
	file := raw("{}") // with one good frame
	for range 100 {
		file = append(file, 1, 0, 0xF4)
	}
	report, err := Verify(bytes.NewReader(append(file, 0)), samples)
	if err == nil || report.Frames != 101 || len(report.Problems) != maxProblems || report.ProblemCount != 5+100+1 {
		t.Errorf("%d frames, %d of %d problems, error %v", report.Frames, len(report.Problems), report.ProblemCount, err)
	}
	if want := 20*time.Millisecond + 100*10*time.Millisecond; report.Duration != want {
		t.Errorf("duration %v, want %v", report.Duration, want)
	}
}

// Without a rule for packets, frames are counted as 20 ms each.
func TestVerifyWithoutRule(t *testing.T) {
	t.Parallel()
	report, err := Verify(bytes.NewReader(write(t, testMetadata(), []byte{0xFF}, []byte{0xF4})), nil)
	if err != nil || report.Duration != 40*time.Millisecond {
		t.Errorf("duration %v, error %v", report.Duration, err)
	}
}

// The hash is of the whole input, also when the structure breaks early in a long file.
func TestVerifyHashesTheRest(t *testing.T) {
	t.Parallel()
	file := append([]byte("DCA1\x00\x00\x00\x00"), bytes.Repeat([]byte("x"), 300<<10)...)
	report, err := Verify(bytes.NewReader(file), samples)
	hash := sha256.Sum256(file)
	if err == nil || report.SHA256 != hex.EncodeToString(hash[:]) || report.Bytes != int64(len(file)) {
		t.Errorf("%d of %d bytes, hash %s, error %v", report.Bytes, len(file), report.SHA256, err)
	}
}

// A file cut anywhere is never valid, save between frames, which nothing in the format shows.
func TestVerifyCutAnywhere(t *testing.T) {
	t.Parallel()
	file := write(t, testMetadata(), frame(3), frame(300), frame(4))
	head := len(file) - 5 - 302 - 6
	valid := map[int]bool{head + 5: true, head + 5 + 302: true, len(file): true}
	for n := range len(file) + 1 {
		report, err := Verify(bytes.NewReader(file[:n]), samples)
		if (err == nil) != valid[n] {
			t.Errorf("cut at %d of %d: %v", n, len(file), err)
		}
		_, readErr := readAll(NewReader(bytes.NewReader(file[:n])))
		if want := valid[n] || n == head; errors.Is(readErr, io.EOF) != want {
			t.Errorf("cut at %d of %d: Reader says %v", n, len(file), readErr)
		}
		if report.Frames > 3 {
			t.Errorf("cut at %d: %d frames", n, report.Frames)
		}
	}
}

// A few bytes must not make a reader allocate what they claim. Not parallel, because it measures.
func TestClaimsCostNothing(t *testing.T) {
	claims := [][]byte{
		[]byte("DCA1\xFF\xFF\xFF\x7F{}"),
		[]byte("DCA1\x00\x00\x10\x00{}"),
		{0xFF, 0x7F, 1},
	}
	for _, file := range claims {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Verify(bytes.NewReader(file), samples)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 256<<10 {
			t.Errorf("%x: %d bytes allocated, error %v", file, used, err)
		}
	}
}

// checkHostile verifies anything at all and holds Reader and Verify against each other.
func checkHostile(t *testing.T, file []byte) {
	t.Helper()
	report, err := Verify(bytes.NewReader(file), samples)
	if err != nil && !errors.Is(err, ErrFormat) {
		t.Fatalf("error %v of no kind", err)
	}
	d := NewReader(bytes.NewReader(file))
	frames, readErr := readAll(d)
	if int64(len(frames)) != report.Frames || d.Frames() != report.Frames || d.Offset() > int64(len(file)) {
		t.Fatalf("%d frames read, %d reported, offset %d of %d", len(frames), report.Frames, d.Offset(), len(file))
	}
	if err == nil {
		if !errors.Is(readErr, io.EOF) || d.Offset() != int64(len(file)) || report.Frames == 0 {
			t.Fatalf("valid, but reading says %v at %d of %d bytes", readErr, d.Offset(), len(file))
		}
	}
	if !errors.Is(readErr, io.EOF) && err == nil || report.Bytes != int64(len(file)) {
		t.Fatalf("reading: %v, verifying: %v, %d bytes", readErr, err, report.Bytes)
	}
}

func TestVerifyMutations(t *testing.T) {
	t.Parallel()
	base := write(t, testMetadata(), frame(3), frame(30), frame(300), frame(4))
	for seed := range uint64(6000) {
		rng := rand.New(rand.NewPCG(seed, 2)) // #nosec G404 -- repeatable on purpose
		file := bytes.Clone(base)
		for range 1 + rng.IntN(3) {
			if len(file) == 0 {
				break
			}
			at := rng.IntN(len(file))
			switch rng.IntN(6) {
			case 0:
				file[at] ^= 1 << rng.IntN(8)
			case 1:
				file[rng.IntN(min(len(file), 12))] = byte(rng.Uint32())
			case 2:
				file = file[:at]
			case 3:
				file = append(file, file[at:]...)
			case 4:
				file = append(file[:at], file[min(at+1+rng.IntN(4), len(file)):]...)
			case 5:
				file[at] = []byte{0, 0x7F, 0x80, 0xFF, '{', '}'}[rng.IntN(6)]
			}
		}
		checkHostile(t, file)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(write(f, testMetadata(), frame(3), frame(30)))
	f.Add(write(f, Metadata{}))
	f.Add([]byte{3, 0, 0xFC, 1, 2})
	f.Add(raw("{}"))
	f.Add([]byte("DCA1\xFF\xFF\xFF\x7F{}"))
	f.Add([]byte("DCA2\x02\x00\x00\x00{}"))
	f.Fuzz(checkHostile)
}

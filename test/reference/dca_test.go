package reference

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	reference "github.com/jonas747/dca"

	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

func metadata() dca.Metadata {
	m := dca.NewMetadata(dca.Tool{Name: "butakero", Version: "1.2.3", URL: "https://example.org/", Author: "someone"})
	m.Opus.Bitrate = 128000
	m.Info = dca.Info{Title: "Canción <b> & \"日本\"", Artist: "A", Album: "B", Genre: "C", Comments: "D"}
	m.Origin = dca.Origin{Source: "youtube", Bitrate: 130000, Channels: 2, Encoding: "opus", URL: "https://youtu.be/dQw4w9WgXcQ"}
	m.Extra = map[string]any{"pre_skip": 312}
	return m
}

func write(t *testing.T, m dca.Metadata, frames [][]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := dca.NewWriter(&file, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range frames {
		if err := w.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func randomFrames(seed uint64, n int) [][]byte {
	rng := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- repeatable on purpose
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = make([]byte, 1+rng.IntN(dca.MaxFrameBytes))
		for j := range frames[i] {
			frames[i][j] = byte(rng.Uint32())
		}
		frames[i][0] = 0xFC
	}
	return frames
}

// The reference decoder reads from our files the very frames that were written.
func TestReferenceReadsOurFiles(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		want := randomFrames(seed, 1+int(seed)*17)
		file := write(t, metadata(), want)
		result, err := Read(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if result.FrameDuration != 20*time.Millisecond || result.Frames != int64(len(want)) || result.Duration() != time.Duration(len(want))*20*time.Millisecond {
			t.Errorf("%d frames of %v, want %d of 20 ms", result.Frames, result.FrameDuration, len(want))
		}
		got, err := ReadFrames(bytes.NewReader(file))
		if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("seed %d: %d frames in, %d out or other ones, error %v", seed, len(want), len(got), err)
		}
	}
}

// Every field that the reference's types know comes out equal.
func TestReferenceMetadata(t *testing.T) {
	t.Parallel()
	result, err := Read(bytes.NewReader(write(t, metadata(), randomFrames(1, 1))))
	if err != nil {
		t.Fatal(err)
	}
	want := reference.Metadata{
		Dca: &reference.DCAMetadata{Version: reference.FormatVersion, Tool: &reference.DCAToolMetadata{
			Name: "butakero", Version: "1.2.3", Url: "https://example.org/", Author: "someone",
		}},
		Opus:     &reference.OpusMetadata{Bitrate: 128000, SampleRate: 48000, Application: "audio", FrameSize: 1920, Channels: 2, VBR: true},
		SongInfo: &reference.SongMetadata{Title: "Canción <b> & \"日本\"", Artist: "A", Album: "B", Genre: "C", Comments: "D"},
		Origin:   &reference.OriginMetadata{Source: "youtube", Bitrate: 130000, Channels: 2, Encoding: "opus", Url: "https://youtu.be/dQw4w9WgXcQ"},
		Extra:    &reference.ExtraMetadata{},
	}
	if got, want := asJSON(t, result.Metadata), asJSON(t, want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Our JSON has every key that the reference writes, and none that it does not know, save in extra.
func TestSameKeys(t *testing.T) {
	t.Parallel()
	ours := metadata()
	ours.Extra = nil
	theirs := reference.Metadata{
		Dca: &reference.DCAMetadata{Tool: &reference.DCAToolMetadata{}}, Opus: &reference.OpusMetadata{},
		SongInfo: &reference.SongMetadata{}, Origin: &reference.OriginMetadata{}, Extra: &reference.ExtraMetadata{},
	}
	if got, want := keys(t, asJSON(t, ours)), keys(t, asJSON(t, theirs)); !slices.Equal(got, want) {
		t.Errorf("our keys   %v\ntheir keys %v", got, want)
	}
}

// What the reference writes, our reader understands; its header is a valid one.
func TestWeReadReferenceMetadata(t *testing.T) {
	t.Parallel()
	cover := "AAAA"
	text := asJSON(t, reference.Metadata{
		Dca:      &reference.DCAMetadata{Version: 1, Tool: &reference.DCAToolMetadata{Name: "dca", Version: "0.0.5", Url: "u", Author: "a"}},
		Opus:     &reference.OpusMetadata{Bitrate: 64000, SampleRate: 48000, Application: "voip", FrameSize: 1920, Channels: 2, VBR: true},
		SongInfo: &reference.SongMetadata{Title: "T", Cover: &cover},
		Origin:   &reference.OriginMetadata{Source: "file", Bitrate: 1, Channels: 2, Encoding: "Ogg"},
		Extra:    &reference.ExtraMetadata{},
	})
	file := append([]byte("DCA1"), byte(len(text)), byte(len(text)>>8), 0, 0)
	file = append(append(file, text...), 3, 0, 0xF8, 0xFF, 0xFE)
	report, err := dca.Verify(bytes.NewReader(file), opus.Samples)
	if err != nil {
		t.Fatal(err)
	}
	m := report.Metadata
	if m.DCA.Tool.Name != "dca" || m.Opus.Mode != "voip" || m.Opus.Bitrate != 64000 || m.Info.Title != "T" || *m.Info.Cover != cover || m.Origin.Encoding != "Ogg" {
		t.Errorf("metadata %+v", m)
	}
}

// Read must see what the decoder passes over, or the demonstration proves nothing.
func TestReadIsStrict(t *testing.T) {
	t.Parallel()
	whole := write(t, metadata(), [][]byte{{0xFC, 1, 2}, {0xFC, 3}})
	tests := map[string]struct {
		file []byte
		want string
	}{
		"empty":             {nil, "metadata"},
		"no header":         {whole[len(whole)-9:], "metadata"},
		"no frames":         {whole[:len(whole)-9], "no frames"},
		"ends in a frame":   {whole[:len(whole)-1], "frame 1"},
		"ends after length": {whole[:len(whole)-2], "ends inside frame 1"},
		"ends in length":    {whole[:len(whole)-3], "frame 1"},
		"empty frame":       {append(bytes.Clone(whole), 0, 0), "frame 2 is empty"},
		"negative length":   {append(bytes.Clone(whole), 0, 0x80), "negative"},
		"no opus":           {[]byte("DCA1\x02\x00\x00\x00{}\x01\x00\xFC"), "opus"},
		"other version":     {append([]byte("DCA2"), whole[4:]...), "version 2"},
	}
	for name, test := range tests {
		if _, err := Read(bytes.NewReader(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, test.want)
		}
	}
	if _, err := Read(bytes.NewReader(whole)); err != nil {
		t.Error(err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keys are the paths of all members of a JSON object, sorted.
func keys(t *testing.T, text string) []string {
	t.Helper()
	var paths []string
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		members, ok := v.(map[string]any)
		if !ok {
			return
		}
		for key, member := range members {
			paths = append(paths, prefix+key)
			walk(prefix+key+".", member)
		}
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	walk("", v)
	slices.Sort(paths)
	return paths
}

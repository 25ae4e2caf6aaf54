package pipeline_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// sound is what the tests encode: nothing that an encoder could find too easy.
const sound = "aevalsrc='0.2*sin(220*2*PI*t)+0.2*sin(PI*t*(300+200*sin(t)))+0.05*random(0)|0.3*sin(331*2*PI*t)+0.05*random(1)':s=48000:d=12"

func ffmpeg(t testing.TB, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", slices.Concat([]string{"-nostdin", "-v", "error", "-y"}, args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg %v: %v\n%s", args, err, out)
	}
}

// A copy has the very packets that ffmpeg's own copy has, in whatever way the file
// is laid out, and nothing is transcoded.
func TestCopiesEqualFFmpegs(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"webm":           {"-f", "webm"},
		"webm youtube":   {"-f", "webm", "-dash", "1", "-cluster_time_limit", "10000", "-cues_to_front", "1"},
		"webm live":      {"-f", "webm", "-live", "1"},
		"matroska":       {"-f", "matroska"},
		"webm shifted":   {"-f", "webm", "-output_ts_offset", "3600"},
		"ogg":            {"-f", "ogg"},
		"ogg small page": {"-f", "ogg", "-page_duration", "20000"},
		"mono":           {"-ac", "1", "-f", "webm"},
		"8 kHz":          {"-ar", "8000", "-f", "webm"},
		"510 kbit/s":     {"-b:a", "510k", "-f", "webm"},
		"hard cbr":       {"-vbr", "off", "-b:a", "64k", "-f", "webm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			song, copied := filepath.Join(dir, "song"), filepath.Join(dir, "copied.opus")
			ffmpeg(t, slices.Concat([]string{"-f", "lavfi", "-i", sound, "-c:a", "libopus", "-b:a", "128k"}, args, []string{song})...)
			ffmpeg(t, "-i", song, "-c:a", "copy", "-f", "ogg", copied)
			report, frames := convert(t, song)
			if want := packetsOf(t, copied); report.Transcoded || !slices.EqualFunc(frames, want, bytes.Equal) {
				t.Errorf("%d packets, want the %d of ffmpeg's copy (transcoded %t)", len(frames), len(want), report.Transcoded)
			}
		})
	}
}

// Packets of other lengths than 20 ms decode to the same samples after they were
// cut or joined.
func TestRepackedSoundsTheSame(t *testing.T) {
	t.Parallel()
	for _, ms := range []string{"2.5", "5", "10", "40", "60"} {
		for _, container := range []string{"webm", "ogg"} {
			t.Run(ms+" ms "+container, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				song := filepath.Join(dir, "song")
				// lowdelay is CELT at any length; SILK frames can be longer than 20 ms.
				ffmpeg(t, "-f", "lavfi", "-i", sound, "-c:a", "libopus", "-b:a", "128k", "-application", "lowdelay", "-frame_duration", ms,
					"-f", container, song)
				report, frames := convert(t, song)
				if report.Transcoded {
					t.Fatal("transcoded: ", report.Reason)
				}
				repacked := filepath.Join(dir, "repacked.opus")
				writeOgg(t, repacked, frames)
				// Both without pre-skip and end trim, which DCA does not have.
				original := filepath.Join(dir, "original.opus")
				copied := filepath.Join(dir, "copied.opus")
				ffmpeg(t, "-i", song, "-c:a", "copy", "-f", "ogg", copied)
				writeOgg(t, original, packetsOf(t, copied))
				a, b := decode(t, original), decode(t, repacked)
				if len(b) < len(a) || !bytes.Equal(a, b[:len(a)]) {
					t.Errorf("%d bytes of sound became %d, or other ones", len(a), len(b))
				}
			})
		}
	}
}

// What is transcoded has the length of what it was made from, and decodes without
// a complaint.
func TestTranscodes(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"m4a": {"-f", "ipod"}, "m4a faststart": {"-f", "ipod", "-movflags", "faststart"},
		"m4a fragmented": {"-f", "mp4", "-movflags", "frag_keyframe+empty_moov"}, "m4a dash": {"-f", "mp4", "-movflags", "dash"},
		"alac": {"-c:a", "alac", "-f", "ipod"}, "opus in mp4": {"-c:a", "libopus", "-f", "mp4"},
		"mp3": {"-f", "mp3"}, "mp3 without xing": {"-f", "mp3", "-write_xing", "0"}, "mp3 vbr": {"-q:a", "4", "-f", "mp3"},
		"flac": {"-f", "flac"}, "flac 192 kHz": {"-ar", "192000", "-f", "flac"}, "flac in ogg": {"-c:a", "flac", "-f", "ogg"},
		"wav": {"-f", "wav"}, "wav float": {"-c:a", "pcm_f32le", "-f", "wav"}, "wav 8 bits": {"-ar", "8000", "-c:a", "pcm_u8", "-f", "wav"},
		"aiff": {"-f", "aiff"}, "adts": {"-c:a", "aac", "-f", "adts"}, "ac3": {"-f", "ac3"}, "e-ac3": {"-f", "eac3"},
		"vorbis": {"-c:a", "libvorbis", "-f", "ogg"}, "vorbis in webm": {"-c:a", "libvorbis", "-f", "webm"},
		"5.1 opus": {"-ac", "6", "-c:a", "libopus", "-f", "webm"}, "5.1 aac": {"-ac", "6", "-f", "ipod"},
		"silk of 60 ms": {"-ac", "1", "-c:a", "libopus", "-application", "voip", "-b:a", "12k", "-frame_duration", "60", "-f", "ogg"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			song := filepath.Join(t.TempDir(), "song")
			ffmpeg(t, slices.Concat([]string{"-f", "lavfi", "-i", sound}, args, []string{song})...)
			report, frames := convert(t, song)
			if !report.Transcoded {
				t.Error("it was copied")
			}
			if n := len(frames); n < 595 || n > 605 {
				t.Errorf("%d frames, want 600", n)
			}
			out := filepath.Join(t.TempDir(), "out.opus")
			writeOgg(t, out, frames)
			decode(t, out)
		})
	}
}

// convert makes a DCA file of a file and reads its packets, which have to be valid.
func convert(t testing.TB, name string) (pipeline.Report, [][]byte) {
	t.Helper()
	in, err := os.Open(name)
	check(t, err)
	defer func() { check(t, in.Close()) }()
	var out bytes.Buffer
	report, err := pipeline.Convert(t.Context(), in, &out, pipeline.ConvertOptions{Config: pipeline.Config{TempDir: t.TempDir()}})
	check(t, err)
	return report, framesOf(t, out.Bytes())
}

func framesOf(t testing.TB, data []byte) [][]byte {
	t.Helper()
	if _, err := dca.Verify(bytes.NewReader(data), opus.Samples); err != nil {
		t.Fatalf("not a valid file: %v", err)
	}
	return all(t, dca.NewReader(bytes.NewReader(data)).Next)
}

func packetsOf(t testing.TB, name string) [][]byte {
	t.Helper()
	file, err := os.Open(name)
	check(t, err)
	defer func() { check(t, file.Close()) }()
	return all(t, ogg.NewReader(file).Next)
}

func all(t testing.TB, next func() ([]byte, error)) (packets [][]byte) {
	t.Helper()
	for {
		packet, err := next()
		if errors.Is(err, io.EOF) {
			return packets
		}
		check(t, err)
		packets = append(packets, bytes.Clone(packet))
	}
}

// writeOgg puts packets into a file with no pre-skip and no end trim.
func writeOgg(t testing.TB, name string, packets [][]byte) {
	t.Helper()
	var b bytes.Buffer
	w := ogg.NewWriter(&b, 1)
	check(t, w.WriteHeaders(opus.Head{Version: 1, Channels: 2, InputRate: 48000}.Append(nil), nil))
	for _, p := range packets {
		n, err := opus.Samples(p)
		check(t, err)
		check(t, w.WritePacket(p, n))
	}
	check(t, w.Close(0))
	check(t, os.WriteFile(name, b.Bytes(), 0o600))
}

// decode returns the samples; a decoder that complains is a failure.
func decode(t testing.TB, name string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", name, "-f", "s16le", "-")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("decode: %v\n%s", err, complaints.Bytes())
	}
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

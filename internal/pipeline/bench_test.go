package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
	"github.com/butakero/butakero/internal/pipeline/webm"
)

// The measurements on real music beside ffmpeg are in test/cmd/audiobench. These
// need nothing but this package and show where the time goes.

// A song of 212 s at 128 kbit/s.
const songPackets, packetBytes = 10_600, 320

// discard is a blob store that keeps nothing.
type discard struct{ blobs }

func (*discard) Create(context.Context, string) (pipeline.Upload, error) { return nowhere{}, nil }

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error)                           { return len(b), nil }
func (nowhere) Commit(context.Context, pipeline.BlobMeta, bool) error { return nil }
func (nowhere) Abort() error                                          { return nil }

func process(t testing.TB, media *endless) jobs.Result {
	t.Helper()
	p := pipeline.New(pipeline.Config{Source: media, Blobs: &discard{}, MaxDuration: -1, MaxBytes: -1})
	got, err := p.Process(t.Context(), job("", "Title"), quiet)
	check(t, err)
	return got
}

// endless is a Source of songs of any length that takes no memory: the head of an
// Ogg file and then one page again and again, with new numbers.
type endless struct {
	pages int
	head  []byte
	page  []byte
}

const packetsPerPage = 50 // 1 s

func newEndless(t testing.TB, pages int) *endless {
	t.Helper()
	whole := oggOpus(t, stereo, packets(packetsPerPage, packetBytes, celt20))
	at := len(whole) - (27 + 2*packetsPerPage + packetsPerPage*packetBytes)
	return &endless{pages, whole[:at], whole[at:]}
}

func (e *endless) Open(context.Context, jobs.Song) (*pipeline.Media, error) {
	return &pipeline.Media{Body: &endlessBody{endless: e, page: bytes.Clone(e.page), rest: e.head}}, nil
}

type endlessBody struct {
	*endless
	page []byte
	rest []byte
	sent int
}

func (b *endlessBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.sent == b.pages {
			return 0, io.EOF
		}
		b.sent++
		b.page[5] = 0
		if b.sent == b.pages {
			b.page[5] = ogg.FlagEOS
		}
		number := b.sent + 1
		b.page[18], b.page[19], b.page[20] = byte(number), byte(number>>8), byte(number>>16)
		ogg.Seal(b.page)
		b.rest = b.page
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *endlessBody) Close() error { return nil }

// A song costs the same memory whatever its length.
func TestProcessMemory(t *testing.T) { // not parallel: it counts
	minute, half := newEndless(t, 60), newEndless(t, 1800)
	count := func(work func()) (objects, size int64) {
		runtime.GC()
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		work()
		runtime.ReadMemStats(&after)
		return int64(after.Mallocs - before.Mallocs), int64(after.TotalAlloc - before.TotalAlloc)
	}
	measure := func(media *endless) (objects, size int64) {
		process(t, media)
		objects, size = count(func() {
			got := process(t, media)
			if got.Duration != time.Duration(media.pages)*time.Second || got.Transcoded {
				t.Errorf("made %+v", got)
			}
		})
		// Making up the media takes memory too.
		buf := make([]byte, 64<<10)
		ours, oursSize := count(func() {
			body, err := media.Open(t.Context(), jobs.Song{})
			check(t, err)
			_, err = io.CopyBuffer(onlyWriter{io.Discard}, body.Body, buf)
			check(t, err)
		})
		return objects - ours, size - oursSize
	}
	for _, media := range []*endless{minute, half} {
		objects, size := measure(media)
		t.Logf("%d s: %d allocations, %d KiB", media.pages, objects, size>>10)
		if objects > 150 || size > 512<<10 {
			t.Errorf("%d s: %d allocations (limit 150), %d KiB (limit 512)", media.pages, objects, size>>10)
		}
	}
}

// BenchmarkCopy reports how much a job, and its re-framing alone, cost beside
// copying the same bytes in memory.
func BenchmarkCopy(b *testing.B) {
	in := packets(songPackets, packetBytes, celt20)
	for name, song := range map[string][]byte{
		"webm": webmOpus(stereo.Append(nil), in, false, 0), "ogg": oggOpus(b, stereo, in),
	} {
		b.Run(name, func(b *testing.B) { benchmarkCopy(b, name, song) })
	}
}

func benchmarkCopy(b *testing.B, name string, song []byte) {
	buf := make([]byte, 64<<10)
	var plain, reframe, whole time.Duration
	p := pipeline.New(pipeline.Config{Source: &source{media: song, size: -1}, Blobs: &discard{}})
	b.SetBytes(int64(len(song)))
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if _, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{bytes.NewReader(song)}, buf); err != nil {
			b.Fatal(err)
		}
		copied := time.Now()
		if name == "webm" {
			repack(b, webm.NewReader(bytes.NewReader(song)).Next)
		} else {
			repack(b, ogg.NewReader(bytes.NewReader(song)).Next)
		}
		reframed := time.Now()
		if _, err := p.Process(b.Context(), job("", "Title"), quiet); err != nil {
			b.Fatal(err)
		}
		plain, reframe, whole = plain+copied.Sub(start), reframe+reframed.Sub(copied), whole+time.Since(reframed)
	}
	b.ReportMetric(float64(reframe)/float64(plain), "reframe/memcpy")
	b.ReportMetric(float64(whole)/float64(reframe), "job/reframe")
	b.ReportMetric(float64(reframe)/float64(b.N)/songPackets, "ns/packet")
}

type onlyWriter struct{ io.Writer }

func repack(b *testing.B, next func() ([]byte, error)) {
	var repacker opus.Repacker
	emit := func([]byte) error { return nil }
	for {
		packet, err := next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = repacker.Push(packet, emit)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTranscode reports what a job costs beside the bare ffmpeg on the same
// media, in time on the clock.
func BenchmarkTranscode(b *testing.B) {
	media := wav(20 * time.Second)
	ffmpeg := realFFmpeg(b)
	file := filepath.Join(b.TempDir(), "song.wav")
	check(b, os.WriteFile(file, media, 0o600))
	p := pipeline.New(pipeline.Config{Source: &source{media: media, size: -1}, Blobs: &discard{}, FFmpegPath: ffmpeg, TempDir: b.TempDir()})
	var bare, whole time.Duration
	for b.Loop() {
		start := time.Now()
		check(b, exec.Command(ffmpeg, "-v", "error", "-threads", "1", "-i", file, "-ac", "2", "-ar", "48000", "-c:a", "libopus", "-b:a", "96k",
			"-f", "ogg", "-y", os.DevNull).Run())
		encoded := time.Now()
		if _, err := p.Process(b.Context(), job("", "Title"), quiet); err != nil {
			b.Fatal(err)
		}
		bare, whole = bare+encoded.Sub(start), whole+time.Since(encoded)
	}
	b.ReportMetric(float64(whole)/float64(bare), "job/ffmpeg")
}

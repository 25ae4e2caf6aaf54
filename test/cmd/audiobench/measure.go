package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// cpu is the CPU time in seconds that this process and its children have used.
func cpu() float64 {
	sum := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
		}
	}
	return sum
}

// method is one way to do something, repeated so often in a turn that the time can
// be measured.
type method struct {
	name   string
	repeat int
	every  int // only in every so many turns, because it is slow
	do     func() error
}

func (b *bench) methods() []method {
	webm, m4a := b.file("song.webm"), b.file("song.m4a")
	return []method{
		{"copy", 20, 1, func() error { return through(webm, os.DevNull, copyBytes) }},
		{"remux", 20, 1, func() error { return through(webm, os.DevNull, remux) }},
		{"copy to file", 10, 1, func() error { return through(webm, b.file("copy"), copyBytes) }},
		{"remux to file", 10, 1, func() error { return through(webm, b.file("remux"), remux) }},
		{"job", 10, 1, func() error { return b.job(webm) }},
		{"ffmpeg copy", 1, 1, func() error {
			return b.run("-i", webm, "-map", "0:a:0", "-c:a", "copy", "-f", "opus", "-y", os.DevNull)
		}},
		{"old way", 1, 4, func() error {
			return b.run("-i", m4a, "-map", "0:a", "-acodec", "libopus", "-f", "ogg", "-vbr", "on", "-compression_level", "10",
				"-ar", "48000", "-ac", "2", "-b:a", "96000", "-application", "audio", "-frame_duration", "20", "-y", os.DevNull)
		}},
		{"bare transcode", 1, 4, func() error {
			return b.run("-threads", "1", "-i", m4a, "-map", "0:a:0", "-vn", "-map_metadata", "-1", "-ac", "2", "-ar", "48000", "-c:a", "libopus",
				"-b:a", "96k", "-vbr", "on", "-compression_level", "10", "-application", "audio", "-frame_duration", "20", "-f", "ogg", "-y", os.DevNull)
		}},
		{"transcode", 1, 4, func() error { return b.job(m4a) }},
	}
}

func (b *bench) measure() error {
	b.took = map[string][]float64{}
	for turn := range b.runs {
		for _, m := range b.methods() {
			if turn%m.every != 0 {
				continue
			}
			start := cpu()
			for range m.repeat {
				if err := m.do(); err != nil {
					return fmt.Errorf("%s: %w", m.name, err)
				}
			}
			b.took[m.name] = append(b.took[m.name], (cpu()-start)/float64(m.repeat))
			if err := b.ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ratio is how much more CPU time method a needs than method b, by their medians.
func (b *bench) ratio(a, other string) float64 {
	return median(b.took[a]) / median(b.took[other])
}

// times shows the two medians behind a ratio.
func (b *bench) times(a, other string) string {
	return fmt.Sprintf("%.2f / %.2f ms", median(b.took[a])*1000, median(b.took[other])*1000)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// run is ffmpeg as somebody would call it by hand.
func (b *bench) run(args ...string) error {
	cmd := exec.CommandContext(b.ctx, b.ffmpeg, slices.Concat([]string{"-nostdin", "-v", "error"}, args)...) // #nosec G204 -- the user's own program
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// through opens two files and lets work read the one and write the other.
func through(from, to string, work func(io.Reader, io.Writer) error) (err error) {
	in, err := os.Open(from) // #nosec G304 -- ours
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.Create(to) // #nosec G304 -- ours
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return work(in, out)
}

// copyBytes reads and writes 64 KiB at a time, without the kernel's short cuts.
func copyBytes(r io.Reader, w io.Writer) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 64<<10))
	return err
}

// job makes a song of a file, with everything but network and storage.
func (b *bench) job(name string) error {
	in, err := os.Open(name) // #nosec G304 -- ours
	if err != nil {
		return err
	}
	info, err := in.Stat()
	if err != nil {
		return errors.Join(err, in.Close())
	}
	null, err := os.Create(os.DevNull)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	p := pipeline.New(pipeline.Config{Source: opened{in, info.Size()}, Blobs: nowhere{null}, FFmpegPath: b.ffmpeg, TempDir: b.dir})
	result, err := p.Process(b.ctx, benchJob, func(jobs.Stage, jobs.Progress, jobs.SongInfo) {})
	if err == nil && result.Transcoded == strings.HasSuffix(name, ".webm") {
		err = errors.New("copied what was to be transcoded, or the other way round")
	}
	return errors.Join(err, null.Close())
}

var benchJob = jobs.Job{
	Key:  jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: "benchmark00"}, Profile: jobs.DefaultProfile},
	Info: jobs.SongInfo{Title: "Benchmark"},
}

// opened is a source with one song.
type opened struct {
	body io.ReadCloser
	size int64
}

func (o opened) Open(context.Context, jobs.Song) (*pipeline.Media, error) {
	return &pipeline.Media{Body: o.body, Size: o.size}, nil
}

// nowhere is a blob store that writes and keeps nothing.
type nowhere struct{ io.Writer }

func (n nowhere) Create(context.Context, string) (pipeline.Upload, error) { return n, nil }
func (nowhere) Stat(context.Context, string) (pipeline.BlobInfo, error) {
	return pipeline.BlobInfo{}, jobs.ErrNotFound
}
func (nowhere) Open(context.Context, string, int64) (io.ReadCloser, error) {
	return nil, jobs.ErrNotFound
}
func (nowhere) Remove(context.Context, string) error { return nil }
func (nowhere) List(context.Context, string, string, int) ([]pipeline.BlobInfo, error) {
	return nil, nil
}
func (nowhere) Commit(context.Context, pipeline.BlobMeta, bool) error { return nil }
func (nowhere) Abort() error                                          { return nil }

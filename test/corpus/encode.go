package corpus

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	clipLength  = 12 * time.Second
	shortLength = 5 * time.Second
	frameLength = 20 * time.Millisecond // of DCA
	clipFrames  = int(clipLength / frameLength)
)

// encoding is a file that an encoder makes.
type encoding struct {
	entry    Entry
	tool     string   // ffmpeg if empty
	in       []string // files below tmp, or ffmpeg's own options; the clip if empty
	args     []string // up to the name of the output
	packetMS float64  // the length of its Opus packets; the entry gets its Frames from that
	hidden   bool     // material for others, no entry
}

// copied is an encoding whose packets are to be copied.
func copied(row int, name, format string, packetMS float64, args ...string) encoding {
	return encoding{entry: Entry{Row: row, Name: name, Format: format, Want: OK}, packetMS: packetMS, args: args}
}

// transcoded is one of the clip that ffmpeg has to read.
func transcoded(row int, name, format string, args ...string) encoding {
	return encoding{entry: Entry{
		Row: row, Name: name, Format: format, Want: TranscodeOK, Duration: clipLength,
	}, args: args}
}

// hidden is an encoding that only others are made of.
func hidden(name string, args ...string) encoding {
	return encoding{entry: Entry{Name: name}, args: args, hidden: true}
}

func (e encoding) from(in ...string) encoding { e.in = in; return e }

func (e encoding) with(change func(*Entry)) encoding { change(&e.entry); return e }

func words(s string) []string { return strings.Fields(s) }

// youtube is the layout of YouTube's files.
const youtube = "-f webm -dash 1 -cluster_time_limit 10000 -cues_to_front 1"

// opus20 is how most of the clips are encoded.
const opus20 = "-c:a libopus -b:a 128k"

// inputs cuts the pieces out of the music.
func (b *builder) inputs(ctx context.Context) error {
	piece := func(name, track string, start int, length time.Duration, more ...string) error {
		return b.ffmpeg(ctx, slices.Concat([]string{"-ss", strconv.Itoa(start), "-i", filepath.Join(b.music, track),
			"-t", fmt.Sprint(length.Seconds()), "-map_metadata", "-1", "-ar", "48000"}, more, []string{b.tmp(name)})...)
	}
	return errors.Join(
		piece("clip.wav", clipTrack, 20, clipLength, "-ac", "2"),
		piece("other.wav", videoTrack, 30, clipLength, "-ac", "2"),
		piece("short.wav", clipTrack, 40, shortLength, "-ac", "2"),
		b.picture("cover.png"),
	)
}

// picture makes a cover.
func (b *builder) picture(name string) error {
	img := image.NewRGBA(image.Rect(0, 0, 200, 200))
	for x := range 200 {
		for y := range 200 {
			img.Set(x, y, color.RGBA{R: uint8(x), G: uint8(y), B: uint8(x * y), A: 255})
		}
	}
	file, err := os.Create(b.tmp(name))
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(file, img), file.Close())
}

func (b *builder) ffmpeg(ctx context.Context, args ...string) error {
	return run(ctx, b.tmp(""), "ffmpeg", slices.Concat([]string{"-nostdin", "-v", "error", "-y"}, args)...)
}

// encode runs all encoders, as many at a time as there are processors.
func (b *builder) encode(ctx context.Context) error {
	if err := b.inputs(ctx); err != nil {
		return err
	}
	all := slices.Concat(b.songs(), encodings(), strangeEncodings(), materials())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		workers    sync.WaitGroup
		next, done atomic.Int64
	)
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := b.encodeOne(ctx, all[i]); err != nil {
					cancel(fmt.Errorf("%s: %w", all[i].entry.ID(), err))
					return
				}
				if n := done.Add(1); n%20 == 0 {
					b.say("encoded %d of %d files", n, len(all))
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (b *builder) encodeOne(ctx context.Context, e encoding) error {
	in := e.in
	if in == nil {
		in = []string{"-i", "clip.wav"}
	}
	var (
		name = b.tmp(e.entry.Name)
		err  error
	)
	if !e.hidden {
		if name, err = b.path(e.entry); err != nil {
			return err
		}
	}
	switch e.tool {
	case "link":
		if err = os.Link(in[0], name); err != nil {
			err = copyFile(in[0], name)
		}
	case "opusenc":
		err = run(ctx, b.tmp(""), "opusenc", slices.Concat([]string{"--quiet"}, e.args, []string{in[1], name})...)
	default:
		err = b.ffmpeg(ctx, slices.Concat(in, e.args, []string{"file:" + name})...)
	}
	if err != nil || e.hidden {
		return err
	}
	if e.packetMS > 0 {
		n, err := countPackets(ctx, name)
		if err != nil {
			return err
		}
		e.entry.Frames = (n*int(48*e.packetMS) + 959) / 960
		e.entry.Duration = lasting(e.entry.Frames)
	}
	if e.entry.Row == 0 && e.packetMS == 0 && e.entry.Want != Any {
		if e.entry.Duration, err = duration(ctx, name); err != nil {
			return err
		}
	}
	return b.note(e.entry)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

// duration asks ffprobe.
func duration(ctx context.Context, name string) (time.Duration, error) {
	text, err := output(ctx, "", "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", "file:"+name)
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return time.Duration(seconds * float64(time.Second)), err
}

// countPackets asks ffprobe, which has nothing in common with our readers.
func countPackets(ctx context.Context, name string) (int, error) {
	text, err := output(ctx, "", "ffprobe", "-v", "error", "-select_streams", "a:0", "-count_packets",
		"-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", "file:"+name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(text), ","))
	if err != nil || n == 0 {
		return 0, fmt.Errorf("ffprobe counts %q packets in %s", text, name)
	}
	return n, nil
}

// songs are whole songs in the formats that songs mostly come in, and the tracks
// that are damaged where they come from.
func (b *builder) songs() (all []encoding) {
	for _, track := range wholeTracks {
		in, stem := []string{"-i", filepath.Join(b.music, track)}, strings.TrimSuffix(track, ".ogg")
		audio := "-map 0:a:0 -map_metadata -1 -ac 2 "
		all = append(all,
			copied(0, stem+".webm", "webm", 20, words(audio+"-c:a libopus -b:a 128k "+youtube)...).from(in...),
			copied(0, stem+".opus", "ogg", 20, words(audio+"-c:a libopus -b:a 128k -f ogg")...).from(in...),
			transcoded(0, stem+".m4a", "mp4", words(audio+"-c:a aac -b:a 128k -f ipod")...).from(in...),
		)
	}
	for _, name := range damagedTracks {
		e := transcoded(0, name, "ogg").from(filepath.Join(b.music, name))
		e.tool, e.entry.Want, e.entry.Duration = "link", Any, 0
		all = append(all, e)
	}
	return all
}

package pipeline

import (
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/ogg"
)

const (
	// unknownLimit is how long ffmpeg may go on when neither the file nor the
	// settings set a limit.
	unknownLimit = 24 * time.Hour
	// declaredSlack is how much longer than declared ffmpeg may go on: a header
	// that lies must not cost hours of encoding.
	declaredSlack = 5 * time.Second
	maxStreams    = "64"
)

// transcode has ffmpeg encode the media: exactly one process, which sees nothing
// but the spooled file. An exit code of 0 proves nothing (ffmpeg gives it to most
// truncated files), so the file's structure is checked before, and the length of
// what comes out against what the file declares.
func (m *maker) transcode(ctx context.Context, f *feed, kind *format) (made, error) {
	program, err := m.findFFmpeg()
	if err != nil {
		return made{}, err
	}
	media, size, err := f.all()
	if err != nil {
		return made{}, failure(ctx, f, nil, err)
	}
	said, err := declare(media, size, kind)
	if err != nil {
		return made{}, failure(ctx, f, nil, err)
	}
	if m.MaxDuration > 0 && said.duration > m.MaxDuration {
		return made{}, m.tooLong()
	}
	gain := 0.0
	if m.profile.Loudness != 0 {
		if gain, err = m.measure(ctx, program, media, said); err != nil {
			return made{}, err
		}
	}
	s, err := m.begin()
	if err != nil {
		return made{}, err
	}
	meta := m.meta
	meta.Opus.Bitrate = dca.Bitrate(m.profile.Bitrate)
	meta.Origin.Encoding = said.format.name
	w, err := m.newFrameWriter(s, meta)
	if err != nil {
		return made{}, failure(ctx, nil, s, err)
	}
	if err := m.encode(ctx, program, media, said, gain, w); err != nil {
		return made{}, failure(ctx, nil, s, err)
	}
	d, err := m.finish(f, s, w)
	d.transcoded, d.format = true, said.format.name
	if err == nil {
		err = said.check(f, d.duration)
	}
	return d, err
}

// encode runs ffmpeg and writes its packets.
func (m *maker) encode(ctx context.Context, program string, media *os.File, said declared, gain float64, w *frameWriter) error {
	args := append(m.input(said), "-map_metadata", "-1", "-map_chapters", "-1")
	if gain != 0 {
		args = append(args, "-af", "volume="+strconv.FormatFloat(gain, 'f', 2, 64)+"dB,alimiter=limit=0.891:level=disabled")
	}
	args = append(args, m.profile.encoder()...)
	process, err := m.startFFmpeg(ctx, program, media, append(args, "-f", "ogg", "pipe:1"))
	if err != nil {
		return err
	}
	r := ogg.NewReader(process)
	read := w.pump(r.Next)
	ended := process.wait(ctx)
	var verdict *jobs.Error
	switch {
	case errors.As(read, &verdict): // ours, or the output's: it is why the process ended
		return read
	case ended != nil:
		return ended
	case read == nil:
		return nil
	case process.read == 0, process.ended && errors.Is(read, ogg.ErrNoPackets): // it succeeded with nothing
		return jobs.Permanent(CodeNoAudio, "there is no audio in it", process.said(read))
	default:
		return jobs.Transient(CodeFFmpegFailed, "the encoder's output is not complete", process.said(read))
	}
}

// input returns ffmpeg's options up to the choice of the stream. Nothing in them
// comes from outside: the file is standard input (by its path in /proc, because
// "pipe:" can not seek even in a file), its format is the one that was sniffed.
func (m *maker) input(said declared) []string {
	limit := unknownLimit
	if m.MaxDuration > 0 {
		limit = m.MaxDuration + time.Second // one more than allowed shows that it is too long
	}
	if said.duration > 0 {
		limit = min(limit, said.duration+declaredSlack)
	}
	return []string{
		"-nostdin", "-hide_banner", "-loglevel", "warning", "-threads", "1",
		"-protocol_whitelist", "file", "-f", said.format.demuxer, "-max_streams", maxStreams,
		"-t", strconv.FormatFloat(limit.Seconds(), 'f', 3, 64), "-i", "file:" + stdinPath,
		"-map", "0:a:0", "-vn", "-sn", "-dn",
	}
}

var integrated = regexp.MustCompile(`I:\s+(-?[0-9.]+) LUFS`)

// measure returns the gain in dB that brings the song to the profile's loudness.
// It is a process of its own before the encoding one: ffmpeg can do both at once
// only by guessing ahead, which pumps, and costs three times the encoding.
func (m *maker) measure(ctx context.Context, program string, media *os.File, said declared) (float64, error) {
	args := append(m.input(said), "-af", "ebur128=framelog=verbose", "-f", "null", "-")
	args[3] = "info" // the summary is information
	// Its progress is all that it writes, and shows that it has not hung.
	process, err := m.startFFmpeg(ctx, program, media, append([]string{"-progress", "pipe:1", "-nostats"}, args...))
	if err != nil {
		return 0, err
	}
	_, read := io.Copy(io.Discard, process)
	if err := process.wait(ctx); err != nil {
		return 0, err
	}
	if read != nil {
		return 0, jobs.Transient(CodeFFmpegFailed, "the encoder's output is not complete", process.said(read))
	}
	found := integrated.FindAllStringSubmatch(process.stderr.String(), -1)
	if len(found) == 0 {
		return 0, jobs.Permanent(CodeNoAudio, "there is no audio in it", process.said(errors.New("no loudness")))
	}
	loudness, err := strconv.ParseFloat(found[len(found)-1][1], 64)
	if err != nil || loudness <= -70 { // silence
		return 0, nil //nolint:nilerr // left as it is
	}
	return min(max(m.profile.Loudness-loudness, -30), 20), nil
}

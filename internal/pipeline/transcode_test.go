package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// realFFmpeg is the path of ffmpeg. A machine without it can not test this
// package.
func realFFmpeg(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal("these tests need ffmpeg: ", err)
	}
	return path
}

// fakeFFmpeg is a shell script in ffmpeg's place.
func fakeFFmpeg(t testing.TB, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	// Written under another name, so that no process that is started meanwhile
	// holds it open for writing.
	check(t, os.WriteFile(path+".new", []byte("#!/bin/sh\n"+script+"\n"), 0o600))
	check(t, exec.Command("sh", "-c", "cp '"+path+".new' '"+path+"' && chmod 700 '"+path+"'").Run())
	return path
}

func TestTranscode(t *testing.T) {
	t.Parallel()
	src := &source{media: wav(3 * time.Second), size: -1, lasts: 3 * time.Second}
	store := &blobs{}
	temp := t.TempDir()
	p := pipeline.New(pipeline.Config{Source: src, Blobs: store, TempDir: temp, FFmpegPath: realFFmpeg(t)})
	got, err := p.Process(t.Context(), job("", "Title"), quiet)
	check(t, err)
	frames := framesOf(t, store.files[titlePath].data)
	if len(frames) < 150 || len(frames) > 152 || int64(len(frames)) != got.Frames || !got.Transcoded || !store.files[titlePath].meta.Transcoded {
		t.Errorf("%d frames, result %+v", len(frames), got)
	}
	if src.opened != 1 {
		t.Errorf("opened %d times", src.opened)
	}
	empty(t, temp)
}

func empty(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	check(t, err)
	for _, f := range left {
		t.Errorf("%s is left in the folder for temporary files", f.Name())
	}
}

// Exactly one process is started, with nothing of ours in its environment and
// nothing from outside in its arguments.
func TestTranscodeIsOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := fakeFFmpeg(t, fmt.Sprintf(`
echo start >> %[1]s/starts
printf '%%s\n' "$@" > %[1]s/arguments
tr '\0' '\n' < /proc/$$/environ > %[1]s/environment
exec %[2]s "$@"`, dir, realFFmpeg(t)))
	src := &source{media: wav(time.Second), size: -1, info: jobs.SongInfo{Title: "-i.wav; $(id) %d", Artist: "file:x", URL: "http://127.0.0.1/"}}
	store := &blobs{}
	_, err := pipeline.New(pipeline.Config{Source: src, Blobs: store, TempDir: t.TempDir(), FFmpegPath: script}).
		Process(t.Context(), job("", ""), quiet)
	check(t, err)
	if starts := read(t, dir, "starts"); starts != "start\n" {
		t.Errorf("starts: %q", starts)
	}
	want := "-nostdin -hide_banner -loglevel warning -threads 1 -protocol_whitelist file -f wav -max_streams 64 -t 6.000 " +
		"-i file:/proc/self/fd/0 -map 0:a:0 -vn -sn -dn -map_metadata -1 -map_chapters -1 -ac 2 -ar 48000 -c:a libopus -b:a 96000 " +
		"-vbr on -compression_level 10 -application audio -frame_duration 20 -f ogg pipe:1"
	if got := strings.Join(strings.Fields(read(t, dir, "arguments")), " "); got != want {
		t.Errorf("arguments\n%s, want\n%s", got, want)
	}
	if got := strings.TrimSpace(read(t, dir, "environment")); got != "PATH="+os.Getenv("PATH") {
		t.Errorf("environment: %s", got)
	}
}

func read(t testing.TB, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	check(t, err)
	return string(b)
}

// What ffmpeg does wrong, and what it means.
func TestTranscodeFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := oggOpus(t, stereo, packets(50, 100, celt20)) // 1 s
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, data, 0o600))
		return path
	}
	song := write("song.ogg", whole)
	cut := write("cut.ogg", whole[:len(whole)/2])
	short := write("short.ogg", oggOpus(t, stereo, packets(20, 100, celt20)))
	long := write("long.ogg", oggOpus(t, stereo, packets(90, 100, celt20)))
	silent := write("silent.ogg", oggOpus(t, stereo, nil))
	headers := write("headers.ogg", whole[:bytes.LastIndex(whole, []byte("OggS"))]) // all but the page of packets
	for _, c := range []struct {
		name, script string
		code         string
		class        jobs.Class
		config       pipeline.Config
	}{
		{name: "does its work", script: "cat " + song},
		{name: "is killed", script: "cat " + cut + "; kill -9 $$", code: pipeline.CodeFFmpegFailed, class: jobs.ClassTransient},
		{name: "is killed at the end", script: "cat " + song + "; kill -9 $$", code: pipeline.CodeFFmpegFailed, class: jobs.ClassTransient},
		{name: "stops early with success", script: "cat " + cut, code: pipeline.CodeFFmpegFailed, class: jobs.ClassTransient},
		{name: "writes too little", script: "cat " + short, code: pipeline.CodeTruncated, class: jobs.ClassPermanent},
		{name: "writes too much", script: "cat " + long, code: pipeline.CodeUnreadable, class: jobs.ClassPermanent},
		{name: "writes nothing", script: "true", code: pipeline.CodeNoAudio, class: jobs.ClassPermanent},
		{name: "writes headers", script: "cat " + silent, code: pipeline.CodeNoAudio, class: jobs.ClassPermanent},
		{name: "writes headers, no end", script: "cat " + headers, code: pipeline.CodeNoAudio, class: jobs.ClassPermanent},
		{name: "is killed after the headers", script: "cat " + headers + "; kill -9 $$", code: pipeline.CodeFFmpegFailed, class: jobs.ClassTransient},
		{name: "writes nonsense", script: "echo hello", code: pipeline.CodeFFmpegFailed, class: jobs.ClassTransient},
		{name: "fails at the end", script: "cat " + song + "; exit 1", code: pipeline.CodeUnreadable, class: jobs.ClassPermanent},
		{name: "can not decode", script: "echo 'Invalid data found' >&2; exit 1", code: pipeline.CodeUnreadable, class: jobs.ClassPermanent},
		{name: "finds no audio", script: "echo \"Stream map '0:a:0' matches no streams.\" >&2; exit 1", code: pipeline.CodeNoAudio, class: jobs.ClassPermanent},
		{name: "lacks libopus", script: "echo \"Unknown encoder 'libopus'\" >&2; exit 1", code: pipeline.CodeFFmpegMissing, class: jobs.ClassEnvironment},
		{name: "lacks a library", script: "exit 127", code: pipeline.CodeFFmpegMissing, class: jobs.ClassEnvironment},
		{name: "talks without end", script: "yes 'a warning that fills memory' | head -c 3000000 >&2; cat " + song},
		{name: "hangs", script: "cat " + cut + "; sleep 60", config: pipeline.Config{IdleTimeout: 300 * time.Millisecond}, code: pipeline.CodeFFmpegFailed, class: jobs.ClassTransient},
		{name: "too long", script: "cat " + song, config: pipeline.Config{MaxDuration: 900 * time.Millisecond}, code: pipeline.CodeTooLong, class: jobs.ClassPermanent},
		{name: "does not stop", script: "cat " + song + "; exec cat /dev/zero", code: pipeline.CodeFFmpegFailed, class: jobs.ClassTransient},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src, store := &source{media: wav(time.Second), size: -1}, &blobs{}
			c.config.Source, c.config.Blobs, c.config.TempDir = src, store, t.TempDir()
			c.config.FFmpegPath = fakeFFmpeg(t, c.script)
			start := time.Now()
			got, err := pipeline.New(c.config).Process(t.Context(), job("", "Title"), quiet)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if c.code == "" {
				check(t, err)
				if got.Frames != 50 || len(framesOf(t, store.files[titlePath].data)) != 50 {
					t.Errorf("%d frames", got.Frames)
				}
				return
			}
			wantCode(t, err, c.code, c.class)
			if len(err.Error()) > 20_000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if len(store.files) > 0 || store.open != 0 {
				t.Errorf("left behind: %d files, %d uploads", len(store.files), store.open)
			}
			empty(t, c.config.TempDir)
		})
	}
}

// Cancelling ends ffmpeg with everything that it started.
func TestTranscodeCancelled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "pids")
	check(t, syscall.Mkfifo(fifo, 0o600))
	script := fakeFFmpeg(t, fmt.Sprintf("sleep 100 & echo $$ $! > %s; wait", fifo))
	ctx, cancel := context.WithCancelCause(t.Context())
	pids := make(chan string, 1)
	go func() {
		b, err := os.ReadFile(fifo) // waits for the script
		if err != nil {
			t.Error(err)
		}
		pids <- string(b)
		cancel(jobs.ErrLeaseLost)
	}()
	store := &blobs{}
	start := time.Now()
	_, err := pipeline.New(pipeline.Config{Source: &source{media: wav(time.Second)}, Blobs: store, TempDir: t.TempDir(), FFmpegPath: script}).
		Process(ctx, job("", "Title"), quiet)
	if !errors.Is(err, jobs.ErrLeaseLost) {
		t.Errorf("error %v, want the cause", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if store.open != 0 || len(store.files) > 0 {
		t.Errorf("%d uploads and %d files left", store.open, len(store.files))
	}
	for _, field := range strings.Fields(<-pids) {
		pid, err := strconv.Atoi(field)
		check(t, err)
		if !ended(pid) {
			t.Errorf("process %d runs on", pid)
		}
	}
}

// ended tells whether a process that has been killed is gone; its parent may have
// yet to notice.
func ended(pid int) bool {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return true
		}
		if _, state, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(state, "Z") {
			return true
		}
		<-time.After(10 * time.Millisecond)
	}
	return false
}

// When a stream stops being copyable in its middle, the source is asked again if
// there was no sign of it before, and not if there was.
func TestTranscodeFromTheMiddle(t *testing.T) {
	t.Parallel()
	song := filepath.Join(t.TempDir(), "song.ogg")
	check(t, os.WriteFile(song, oggOpus(t, stereo, packets(52, 100, celt20)), 0o600))
	script := fakeFFmpeg(t, "cat "+song)
	gain := stereo
	gain.Gain = 256
	for _, c := range []struct {
		name   string
		media  []byte
		opened int
		begun  int // uploads
	}{
		{"in the middle of 20 ms", oggOpus(t, stereo, slices.Concat(packets(48, 3000, celt20)[:0], packets(48, 600, celt20), packets(2, 300, silk40))), 2, 2},
		{"in the middle of 10 ms", oggOpus(t, stereo, slices.Concat(packets(96, 300, celt10), packets(2, 300, silk40))), 1, 2},
		{"in the middle of a long one", oggOpus(t, stereo, slices.Concat(packets(4000, 600, celt10), packets(2, 300, silk40))), 1, 2},
		{"from the start", oggOpus(t, stereo, packets(26, 300, silk40)), 1, 1},
		{"by its head", oggOpus(t, gain, packets(52, 300, celt20)), 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src, store := &source{media: c.media, size: -1}, &begins{}
			temp := t.TempDir()
			p := pipeline.New(pipeline.Config{Source: src, Blobs: store, TempDir: temp, FFmpegPath: script})
			_, err := p.Process(t.Context(), job("", "Title"), quiet)
			if c.name == "in the middle of a long one" {
				// The fake's song does not fit the length that this one declares.
				wantCode(t, err, pipeline.CodeTruncated, jobs.ClassPermanent)
			} else {
				check(t, err)
				if got := store.files[titlePath]; !got.meta.Transcoded || got.meta.Frames != 52 || len(framesOf(t, got.data)) != 52 {
					t.Errorf("stored %+v", got.meta)
				}
			}
			if src.opened != c.opened || store.begun != c.begun || store.open != 0 || src.closed < src.opened {
				t.Errorf("opened %d times, want %d; begun %d times, want %d; %d uploads left; closed %d times",
					src.opened, c.opened, store.begun, c.begun, store.open, src.closed)
			}
			empty(t, temp)
		})
	}
}

// begins counts the uploads.
type begins struct {
	blobs
	begun int
}

func (b *begins) Create(ctx context.Context, key string) (pipeline.Upload, error) {
	b.begun++
	return b.blobs.Create(ctx, key)
}

// The normalized profile turns a quiet song up, the low one makes it small, even if
// it could be copied.
func TestProfiles(t *testing.T) {
	t.Parallel()
	media := wav(5 * time.Second) // -15 LUFS or so
	for i := 44; i+1 < len(media); i += 2 {
		v := int16(uint16(media[i]) | uint16(media[i+1])<<8)
		v /= 8
		media[i], media[i+1] = byte(v), byte(uint16(v)>>8)
	}
	var plain, loud bytes.Buffer
	for profile, out := range map[string]*bytes.Buffer{"default": &plain, "normalized": &loud} {
		_, err := pipeline.Convert(t.Context(), bytes.NewReader(media), out, pipeline.ConvertOptions{
			Profile: profile, Config: pipeline.Config{TempDir: t.TempDir(), FFmpegPath: realFFmpeg(t)},
		})
		check(t, err)
	}
	if before, after := loudness(t, plain.Bytes()), loudness(t, loud.Bytes()); before > -25 || after < -15 || after > -13 {
		t.Errorf("brought from %.1f to %.1f LUFS, want -14", before, after)
	}
	var small bytes.Buffer
	source := oggFromFFmpeg(t, media)
	report, err := pipeline.Convert(t.Context(), bytes.NewReader(source), &small, pipeline.ConvertOptions{
		Profile: "low", Config: pipeline.Config{TempDir: t.TempDir(), FFmpegPath: realFFmpeg(t)},
	})
	check(t, err)
	if !report.Transcoded {
		t.Error("the low profile copied")
	}
}

// loudness of a DCA file in LUFS.
func loudness(t testing.TB, data []byte) float64 {
	t.Helper()
	cmd := exec.Command(realFFmpeg(t), "-hide_banner", "-nostats", "-i", "-", "-af", "ebur128=framelog=verbose", "-f", "null", "-")
	cmd.Stdin = bytes.NewReader(oggOpus(t, stereo, framesOf(t, data)))
	out, err := cmd.CombinedOutput()
	check(t, err)
	_, after, _ := strings.Cut(string(out), "Integrated loudness:\n    I:")
	value, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	check(t, err)
	return value
}

func oggFromFFmpeg(t testing.TB, media []byte) []byte {
	t.Helper()
	cmd := exec.Command(realFFmpeg(t), "-v", "error", "-i", "-", "-c:a", "libopus", "-f", "ogg", "-")
	cmd.Stdin = bytes.NewReader(media)
	out, err := cmd.Output()
	check(t, err)
	return out
}

func TestConvert(t *testing.T) {
	t.Parallel()
	in := packets(250, 330, celt20)
	whole := oggOpus(t, stereo, in)
	t.Run("stream to stream", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		var progress int64
		r, err := pipeline.Convert(t.Context(), onlyReader{bytes.NewReader(whole)}, &out, pipeline.ConvertOptions{
			Progress: func(done, _ int64) { progress = done },
		})
		check(t, err)
		if r.Frames != 250 || r.Bytes != int64(out.Len()) || r.BytesIn != int64(len(whole)) || r.Format != "Ogg/Opus" || progress != r.BytesIn {
			t.Errorf("report %+v, progress %d", r, progress)
		}
		if !slices.EqualFunc(framesOf(t, out.Bytes()), in, bytes.Equal) {
			t.Error("other packets")
		}
	})
	spoilt := oggOpus(t, stereo, slices.Concat(in, packets(2, 300, silk40)))
	song := filepath.Join(t.TempDir(), "song.ogg")
	check(t, os.WriteFile(song, oggOpus(t, stereo, packets(254, 100, celt20)), 0o600))
	script := fakeFFmpeg(t, "cat "+song)
	t.Run("begins anew in a file", func(t *testing.T) {
		t.Parallel()
		out, err := os.Create(filepath.Join(t.TempDir(), "out.dca"))
		check(t, err)
		defer func() { check(t, out.Close()) }()
		r, err := pipeline.Convert(t.Context(), onlyReader{bytes.NewReader(spoilt)}, out, pipeline.ConvertOptions{
			Config: pipeline.Config{FFmpegPath: script, TempDir: t.TempDir()},
		})
		check(t, err)
		data := read(t, out.Name())
		if !r.Transcoded || r.Reason == "" || len(data) != int(r.Bytes) || len(framesOf(t, []byte(data))) != 254 {
			t.Errorf("report %+v, %d bytes in the file", r, len(data))
		}
	})
	t.Run("can not begin anew in a stream", func(t *testing.T) {
		t.Parallel()
		_, err := pipeline.Convert(t.Context(), bytes.NewReader(spoilt), io.Discard, pipeline.ConvertOptions{
			Config: pipeline.Config{FFmpegPath: script, TempDir: t.TempDir()},
		})
		wantCode(t, err, pipeline.CodeNoRestart, jobs.ClassPermanent)
	})
	t.Run("never cuts a file that is appended to", func(t *testing.T) {
		t.Parallel()
		name := filepath.Join(t.TempDir(), "log")
		check(t, os.WriteFile(name, []byte("precious"), 0o600))
		out, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		check(t, err)
		defer func() { check(t, out.Close()) }()
		_, err = pipeline.Convert(t.Context(), bytes.NewReader(whole), out, pipeline.ConvertOptions{})
		check(t, err)
		if !strings.HasPrefix(read(t, name), "preciousDCA1") {
			t.Error("the file was cut")
		}
	})
	t.Run("reads a file again", func(t *testing.T) {
		t.Parallel()
		name := filepath.Join(t.TempDir(), "in")
		check(t, os.WriteFile(name, spoilt, 0o600))
		input, err := os.Open(name)
		check(t, err)
		defer func() { check(t, input.Close()) }()
		out, err := os.Create(name + ".dca")
		check(t, err)
		defer func() { check(t, out.Close()) }()
		r, err := pipeline.Convert(t.Context(), input, out, pipeline.ConvertOptions{
			Config: pipeline.Config{FFmpegPath: script, TempDir: t.TempDir()},
		})
		check(t, err)
		if !r.Transcoded || r.BytesIn != int64(len(spoilt)) {
			t.Errorf("report %+v", r)
		}
	})
	t.Run("returns although its input does not", func(t *testing.T) {
		t.Parallel()
		r, w, err := os.Pipe()
		check(t, err)
		defer func() { check(t, errors.Join(w.Close(), r.Close())) }()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := pipeline.Convert(ctx, onlyReader{r}, io.Discard, pipeline.ConvertOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

type onlyReader struct{ io.Reader }

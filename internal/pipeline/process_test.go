package pipeline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

const titlePath = "audio/Title [abcdefghijk].dca"

func TestProcessCopies(t *testing.T) {
	t.Parallel()
	in := packets(500, 330, celt20)
	src := &source{
		media: oggOpus(t, stereo, in), size: -1, lasts: 10 * time.Second,
		info: jobs.SongInfo{Title: "Title", Artist: "Artist", URL: "https://example.org/1"},
	}
	store := &blobs{}
	var stages []jobs.Stage
	var last jobs.Progress
	p := pipeline.New(pipeline.Config{Source: src, Blobs: store, FFmpegPath: "/nonexistent"})
	got, err := p.Process(t.Context(), job("default", ""), func(s jobs.Stage, p jobs.Progress, info jobs.SongInfo) {
		if len(stages) == 0 || stages[len(stages)-1] != s {
			stages = append(stages, s)
		}
		if p.Done < last.Done || p.Total != int64(len(src.media)) || info.Title != "Title" {
			t.Errorf("progress %+v after %+v, title %q", p, last, info.Title)
		}
		last = p
	})
	check(t, err)
	stored, ok := store.files[titlePath]
	if !ok {
		t.Fatalf("nothing under %s", titlePath)
	}
	if out := framesOf(t, stored.data); !slices.EqualFunc(out, in, bytes.Equal) {
		t.Error("the packets are not those of the source")
	}
	sum := sha256.Sum256(stored.data)
	want := jobs.Result{
		Path: titlePath, Bytes: int64(len(stored.data)), SHA256: hex.EncodeToString(sum[:]), Frames: 500, Duration: 10 * time.Second,
		Info: jobs.SongInfo{Title: "Title", Artist: "Artist", URL: "https://example.org/1", Duration: 10 * time.Second},
	}
	if got != want {
		t.Errorf("result\n%+v, want\n%+v", got, want)
	}
	if m := stored.meta; m.Song != job("", "").Key.Song || m.Profile != "default" || m.Title != "Title" ||
		m.Bytes != want.Bytes || m.SHA256 != want.SHA256 || m.Frames != 500 || m.Duration != want.Duration || m.Transcoded {
		t.Errorf("recorded %+v", m)
	}
	if !slices.Equal(stages, []jobs.Stage{jobs.StageFetching, jobs.StageStoring}) || last.Done != int64(len(src.media)) {
		t.Errorf("stages %v up to %+v", stages, last)
	}
	if src.opened != 1 || src.closed == 0 || store.open != 0 {
		t.Errorf("opened %d times, closed %d times, %d uploads left", src.opened, src.closed, store.open)
	}
	meta, err := dca.NewReader(bytes.NewReader(stored.data)).Metadata()
	check(t, err)
	if meta.Info.Title != "Title" || meta.Origin.Source != "demo" || meta.Origin.Channels != 2 || meta.Origin.Encoding != "opus" ||
		meta.Opus.Bitrate < 130_000 || meta.Opus.Bitrate > 140_000 || meta.Extra["song_id"] != "abcdefghijk" || meta.Extra["pre_skip"] != 312.0 {
		t.Errorf("header %+v", meta)
	}
}

// Readers may return as little or as much at a time as they like.
func TestProcessReadsAnyhow(t *testing.T) {
	t.Parallel()
	in := packets(300, 200, celt10)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte": iotest.OneByteReader, "data with EOF": iotest.DataErrReader, "half": iotest.HalfReader,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := &source{media: oggOpus(t, stereo, in), size: -1, body: func(_ context.Context, r io.Reader) io.Reader { return wrap(r) }}
			store := &blobs{}
			got, err := pipeline.New(pipeline.Config{Source: src, Blobs: store, TempDir: t.TempDir()}).Process(t.Context(), job("", "Title"), quiet)
			check(t, err)
			if got.Frames != 150 || len(framesOf(t, store.files[titlePath].data)) != 150 {
				t.Errorf("%d frames, want 150", got.Frames)
			}
		})
	}
}

func TestProcessAdopts(t *testing.T) {
	t.Parallel()
	media := oggOpus(t, stereo, packets(50, 100, celt20))
	song := job("", "").Key.Song
	whole := pipeline.BlobMeta{
		Song: song, Profile: "default", Title: "Title", Bytes: 9, SHA256: "aa", Frames: 4, Duration: 80 * time.Millisecond, Transcoded: true,
	}
	other, low := whole, whole
	other.Song.ID = "ABCDEFGHIJK"
	low.Profile = "low"
	for _, c := range []struct {
		name   string
		title  string // known before the source is asked
		meta   *pipeline.BlobMeta
		torn   bool
		later  bool // appears when the download is over
		opened int
		adopts bool
		code   string
	}{
		{name: "title known", title: "Title", meta: &whole, adopts: true},
		{name: "title from the source", meta: &whole, opened: 1, adopts: true},
		{name: "published meanwhile", title: "Title", meta: &whole, later: true, opened: 1, adopts: true},
		{name: "not whole", title: "Title", torn: true, opened: 1},
		{name: "other profile", title: "Title", meta: &low, opened: 1},
		{name: "another song", title: "Title", meta: &other, code: pipeline.CodeConflict},
		{name: "another song meanwhile", title: "Title", meta: &other, later: true, opened: 1, code: pipeline.CodeConflict},
		{name: "nothing", title: "Title", opened: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := &blobs{torn: map[string]bool{titlePath: c.torn}}
			put := func() {
				if c.meta != nil {
					store.put(titlePath, file{[]byte("as it was"), *c.meta})
				}
			}
			if c.later {
				store.onCommit = put
			} else {
				put()
			}
			src := &source{media: media, size: -1, info: jobs.SongInfo{Title: "Title"}}
			got, err := pipeline.New(pipeline.Config{Source: src, Blobs: store}).Process(t.Context(), job("", c.title), quiet)
			if c.code != "" {
				wantCode(t, err, c.code, jobs.ClassPermanent)
			} else {
				check(t, err)
			}
			if src.opened != c.opened || src.opened > 0 && src.closed == 0 || store.open != 0 {
				t.Errorf("opened %d times, want %d; closed %d times; %d uploads left", src.opened, c.opened, src.closed, store.open)
			}
			kept := string(store.files[titlePath].data) == "as it was"
			if kept != (c.adopts || c.code != "") {
				t.Errorf("file kept: %t", kept)
			}
			if c.adopts && (got.SHA256 != "aa" || got.Frames != 4 || !got.Transcoded || got.Path != titlePath) {
				t.Errorf("result %+v", got)
			}
			if c.adopts && !c.later && src.read > 0 {
				t.Errorf("%d bytes were downloaded", src.read)
			}
		})
	}
}

func wantCode(t testing.TB, err error, code string, class jobs.Class) {
	t.Helper()
	var verdict *jobs.Error
	if !errors.As(err, &verdict) {
		t.Fatalf("error %v has no verdict, want %s", err, code)
	}
	if verdict.Code != code || verdict.Class != class {
		t.Fatalf("error %v is %s %s, want %s %s", err, verdict.Class, verdict.Code, class, code)
	}
}

func TestProcessFaults(t *testing.T) {
	t.Parallel()
	in := packets(500, 330, celt20) // 10 s
	media := oggOpus(t, stereo, in)
	half := func(last error) func(context.Context, io.Reader) io.Reader {
		return func(_ context.Context, r io.Reader) io.Reader {
			return io.MultiReader(io.LimitReader(r, int64(len(media)/2)), iotest.ErrReader(last))
		}
	}
	damaged := bytes.Clone(media)
	damaged[len(damaged)/2] ^= 1
	gone := jobs.RetryAfter(time.Minute, "rate_limited", "wait", nil)
	for _, c := range []struct {
		name    string
		source  *source
		blobs   *blobs
		config  pipeline.Config
		profile string
		code    string
		class   jobs.Class
	}{
		{name: "source refuses", source: &source{fail: gone}, code: "rate_limited", class: jobs.ClassThrottled},
		{name: "source fails without verdict", source: &source{fail: io.ErrClosedPipe}, code: pipeline.CodeSource, class: jobs.ClassTransient},
		{name: "source breaks", source: &source{media: media, body: half(io.ErrClosedPipe)}, code: pipeline.CodeSource, class: jobs.ClassTransient},
		{name: "source breaks with verdict", source: &source{media: media, body: half(gone)}, code: "rate_limited", class: jobs.ClassThrottled},
		{name: "source says nothing", source: &source{media: media, body: func(_ context.Context, r io.Reader) io.Reader {
			return io.MultiReader(io.LimitReader(r, 10_000), readerFunc(func([]byte) (int, error) { return 0, nil }))
		}}, code: pipeline.CodeSource, class: jobs.ClassTransient},
		{name: "source says nothing at all", source: &source{body: func(context.Context, io.Reader) io.Reader {
			return readerFunc(func([]byte) (int, error) { return 0, nil })
		}}, code: pipeline.CodeSource, class: jobs.ClassTransient},
		{name: "title that is too long", source: &source{media: media[:len(media)-1], info: jobs.SongInfo{Artist: strings.Repeat("a", 2<<20)}},
			code: pipeline.CodeTruncated, class: jobs.ClassTransient},
		{name: "source breaks where the file may end", source: &source{media: webmOpus(stereo.Append(nil), in, true, 0), body: func(_ context.Context, r io.Reader) io.Reader {
			return io.MultiReader(r, iotest.ErrReader(fmt.Errorf("connection: %w", io.EOF)))
		}}, code: pipeline.CodeSource, class: jobs.ClassTransient},
		{name: "source ends early", source: &source{media: media, size: -1, body: half(io.EOF)}, code: pipeline.CodeIncomplete, class: jobs.ClassTransient},
		{name: "source ends early, no size", source: &source{media: media, body: half(io.EOF)}, code: pipeline.CodeTruncated, class: jobs.ClassTransient},
		{name: "file is cut", source: &source{media: media[:len(media)/2], size: -1}, code: pipeline.CodeTruncated, class: jobs.ClassPermanent},
		{name: "fewer bytes than announced", source: &source{media: media, size: int64(len(media) + 1)}, code: pipeline.CodeIncomplete, class: jobs.ClassTransient},
		{name: "more bytes than announced", source: &source{media: media, size: int64(len(media) - 1)}, code: pipeline.CodeIncomplete, class: jobs.ClassTransient},
		{name: "shorter than announced", source: &source{media: media, size: -1, lasts: 13 * time.Second}, code: pipeline.CodeIncomplete, class: jobs.ClassTransient},
		{name: "longer than announced", source: &source{media: media, size: -1, lasts: 7 * time.Second}, code: pipeline.CodeIncomplete, class: jobs.ClassTransient},
		{name: "damaged", source: &source{media: damaged, size: -1}, code: pipeline.CodeUnreadable, class: jobs.ClassPermanent},
		{name: "no packets", source: &source{media: oggOpus(t, stereo, nil), size: -1}, code: pipeline.CodeNoAudio, class: jobs.ClassPermanent},
		{name: "nothing", source: &source{}, code: pipeline.CodeNotAudio, class: jobs.ClassPermanent},
		{name: "nothing of what was announced", source: &source{size: 100}, code: pipeline.CodeIncomplete, class: jobs.ClassTransient},
		{name: "a page", source: &source{media: []byte("<!doctype html><title>Sorry</title>"), size: -1}, code: pipeline.CodeNotAudio, class: jobs.ClassPermanent},
		{name: "a playlist", source: &source{media: []byte("#EXTM3U\nfile:///etc/passwd\n"), size: -1}, code: pipeline.CodeNotAudio, class: jobs.ClassPermanent},
		{name: "too large as announced", source: &source{media: media, size: -1}, config: pipeline.Config{MaxBytes: 1000}, code: pipeline.CodeTooLarge, class: jobs.ClassPermanent},
		{name: "too large as it comes", source: &source{media: media}, config: pipeline.Config{MaxBytes: 100_000}, code: pipeline.CodeTooLarge, class: jobs.ClassPermanent},
		{name: "too long as announced", source: &source{media: media, lasts: 10 * time.Second}, config: pipeline.Config{MaxDuration: 9 * time.Second}, code: pipeline.CodeTooLong, class: jobs.ClassPermanent},
		{name: "too long as it comes", source: &source{media: media}, config: pipeline.Config{MaxDuration: 9 * time.Second}, code: pipeline.CodeTooLong, class: jobs.ClassPermanent},
		{name: "storage can not be asked", source: &source{media: media}, blobs: &blobs{stat: jobs.ErrUnavailable}, code: pipeline.CodeStorageDown, class: jobs.ClassTransient},
		{name: "storage refuses", source: &source{media: media}, blobs: &blobs{create: io.ErrClosedPipe}, code: pipeline.CodeStorage, class: jobs.ClassTransient},
		{name: "disk full", source: &source{media: media}, blobs: &blobs{write: pipeline.ErrNoSpace}, code: pipeline.CodeDiskFull, class: jobs.ClassEnvironment},
		{name: "storage goes away", source: &source{media: media}, blobs: &blobs{write: jobs.ErrUnavailable}, code: pipeline.CodeStorageDown, class: jobs.ClassTransient},
		{name: "disk full at the end", source: &source{media: media}, blobs: &blobs{commit: pipeline.ErrNoSpace}, code: pipeline.CodeDiskFull, class: jobs.ClassEnvironment},
		{name: "commit fails", source: &source{media: media}, blobs: &blobs{commit: io.ErrClosedPipe}, code: pipeline.CodeStorage, class: jobs.ClassTransient},
		{name: "no such profile", source: &source{media: media}, profile: "none", code: jobs.CodeUnknownProfile, class: jobs.ClassPermanent},
		{name: "no ffmpeg", source: &source{media: wav(time.Second)}, config: pipeline.Config{FFmpegPath: "/nonexistent"}, code: pipeline.CodeFFmpegMissing, class: jobs.ClassEnvironment},
		{name: "no folder for spools", source: &source{media: wav(time.Second)}, config: pipeline.Config{TempDir: "/nonexistent"}, code: pipeline.CodeSpool, class: jobs.ClassEnvironment},
		{name: "WAV is cut", source: &source{media: wav(time.Second)[:50_000], size: 50_000}, code: pipeline.CodeTruncated, class: jobs.ClassPermanent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.blobs == nil {
				c.blobs = &blobs{}
			}
			c.config.Source, c.config.Blobs = c.source, c.blobs
			if c.config.TempDir == "" {
				c.config.TempDir = t.TempDir()
			}
			got, err := pipeline.New(c.config).Process(t.Context(), job(c.profile, "Title"), quiet)
			wantCode(t, err, c.code, c.class)
			if got != (jobs.Result{}) {
				t.Errorf("a result beside the error: %+v", got)
			}
			if len(c.blobs.files) > 0 || c.blobs.open != 0 {
				t.Errorf("left behind: %d files, %d uploads", len(c.blobs.files), c.blobs.open)
			}
			if c.source.opened > 0 && c.source.fail == nil && c.source.closed == 0 {
				t.Error("the media was not closed")
			}
		})
	}
}

// blocked is a reader that stops in the middle until its context ends.
func blocked(after int64, arrived chan<- struct{}) func(context.Context, io.Reader) io.Reader {
	return func(ctx context.Context, r io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(r, after), readerFunc(func([]byte) (int, error) {
			if arrived != nil {
				close(arrived)
			}
			<-ctx.Done()
			return 0, ctx.Err()
		}))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestProcessStalls(t *testing.T) {
	t.Parallel()
	media := oggOpus(t, stereo, packets(500, 330, celt20))
	synctest.Test(t, func(t *testing.T) {
		src := &source{media: media, size: -1, body: blocked(70_000, nil)}
		store := &blobs{}
		start := time.Now()
		_, err := pipeline.New(pipeline.Config{Source: src, Blobs: store, IdleTimeout: 20 * time.Second}).
			Process(t.Context(), job("", "Title"), quiet)
		wantCode(t, err, pipeline.CodeStalled, jobs.ClassTransient)
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("given up after %v", took)
		}
		if store.open != 0 || len(store.files) > 0 || src.closed == 0 {
			t.Errorf("%d uploads and %d files left, closed %d times", store.open, len(store.files), src.closed)
		}
	})
}

// A slow source is not a stalled one, and a slow storage is none of the source's
// business.
func TestProcessSlowly(t *testing.T) {
	t.Parallel()
	media := oggOpus(t, stereo, packets(100, 330, celt20))
	synctest.Test(t, func(t *testing.T) {
		src := &source{media: media, size: -1, body: func(_ context.Context, r io.Reader) io.Reader {
			return readerFunc(func(b []byte) (int, error) {
				<-time.After(19 * time.Second)
				return r.Read(b[:min(len(b), 4000)])
			})
		}}
		store := &blobs{onCommit: func() { <-time.After(time.Hour) }}
		_, err := pipeline.New(pipeline.Config{Source: src, Blobs: store, IdleTimeout: 20 * time.Second}).
			Process(t.Context(), job("", "Title"), quiet)
		check(t, err)
	})
}

func TestProcessCancelled(t *testing.T) {
	t.Parallel()
	media := oggOpus(t, stereo, packets(500, 330, celt20))
	synctest.Test(t, func(t *testing.T) {
		arrived := make(chan struct{})
		src := &source{media: media, size: -1, body: blocked(70_000, arrived)}
		store := &blobs{}
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-arrived
			cancel(jobs.ErrShutdown)
		}()
		_, err := pipeline.New(pipeline.Config{Source: src, Blobs: store}).Process(ctx, job("", "Title"), quiet)
		if !errors.Is(err, jobs.ErrShutdown) {
			t.Errorf("error %v, want the cause", err)
		}
		if store.open != 0 || len(store.files) > 0 || src.closed == 0 {
			t.Errorf("%d uploads and %d files left, closed %d times", store.open, len(store.files), src.closed)
		}
	})
}

func TestProcessWebM(t *testing.T) {
	t.Parallel()
	in := packets(120, 300, celt20)
	head := stereo.Append(nil)
	known, live := webmOpus(head, in, false, 2400*time.Millisecond), webmOpus(head, in, true, 2400*time.Millisecond)
	block := 1 + 8 + 4 + 300 // id, size, block header, packet
	for _, c := range []struct {
		name  string
		media []byte
		sized bool
		code  string
		class jobs.Class
	}{
		{name: "known sizes", media: known, sized: true},
		{name: "unknown sizes", media: live, sized: true},
		{name: "no OpusHead", media: webmOpus(nil, in, false, 0)},
		{name: "no duration", media: webmOpus(head, in, true, 0)},
		{name: "a duration that lies, known sizes", media: webmOpus(head, in, false, time.Hour)},
		{name: "cut in a block", media: known[:len(known)-1], sized: true, code: pipeline.CodeTruncated, class: jobs.ClassPermanent},
		{name: "cut in a block on the way", media: known[:len(known)-1], code: pipeline.CodeTruncated, class: jobs.ClassTransient},
		{name: "cut between blocks", media: known[:len(known)-block], sized: true, code: pipeline.CodeTruncated, class: jobs.ClassPermanent},
		{name: "cut between blocks, unknown sizes", media: live[:len(live)-40*block], sized: true, code: pipeline.CodeTruncated, class: jobs.ClassPermanent},
		{name: "two files", media: slices.Concat(known, known), sized: true, code: pipeline.CodeUnreadable, class: jobs.ClassPermanent},
		{name: "no packets", media: webmOpus(head, nil, false, 0), sized: true, code: pipeline.CodeNoAudio, class: jobs.ClassPermanent},
		{name: "zero instead of audio", media: slices.Concat(known[:len(known)-2000], make([]byte, 2000)), sized: true, code: pipeline.CodeUnreadable, class: jobs.ClassPermanent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src, store := &source{media: c.media}, &blobs{}
			if c.sized {
				src.size = -1
			}
			_, err := pipeline.New(pipeline.Config{Source: src, Blobs: store}).Process(t.Context(), job("", "Title"), quiet)
			if c.code != "" {
				wantCode(t, err, c.code, c.class)
				if len(store.files) > 0 || store.open != 0 {
					t.Errorf("left behind: %d files, %d uploads", len(store.files), store.open)
				}
				return
			}
			check(t, err)
			if out := framesOf(t, store.files[titlePath].data); !slices.EqualFunc(out, in, bytes.Equal) {
				t.Errorf("%d packets, want the %d of the source", len(out), len(in))
			}
		})
	}
}

// A chain is copied as one song; a link that can not be copied takes the whole
// chain to ffmpeg.
func TestProcessChain(t *testing.T) {
	t.Parallel()
	mono := stereo
	mono.Channels = 1
	a, b := packets(50, 100, celt20), packets(25, 80, celt10&^4)
	chain := slices.Concat(oggOpus(t, stereo, a), oggOpus(t, mono, b))
	store := &blobs{}
	got, err := pipeline.New(pipeline.Config{Source: &source{media: chain, size: -1}, Blobs: store, TempDir: t.TempDir()}).
		Process(t.Context(), job("", "Title"), quiet)
	check(t, err)
	if got.Frames != 50+13 || got.Transcoded {
		t.Errorf("%d frames, transcoded %t", got.Frames, got.Transcoded)
	}
	frames := framesOf(t, store.files[titlePath].data)
	if n, err := opus.Samples(frames[62]); err != nil || n != 960 {
		t.Errorf("last frame: %d samples, %v", n, err)
	}
}

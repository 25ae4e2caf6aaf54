package pipeline_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// one is a source of one file.
type one struct{ name, title string }

func (o one) Open(context.Context, jobs.Song) (*pipeline.Media, error) {
	file, err := os.Open(o.name)
	if err != nil {
		return nil, jobs.Permanent("no_such_file", "no such file", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, jobs.Transient("stat", "stat", errors.Join(err, file.Close()))
	}
	return &pipeline.Media{Body: file, Size: info.Size(), Info: jobs.SongInfo{Title: o.title}}, nil
}

// folder is a real folder as blob store with a Processor over it.
type folder struct {
	store *localfs.Store
	dir   string
	temp  string
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	f := &folder{dir: t.TempDir(), temp: t.TempDir()}
	store, err := localfs.New(f.dir, localfs.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	f.store = store
	return f
}

// process makes a song of a file. The number becomes its id.
func (f *folder) process(t testing.TB, number int, o one) (jobs.Result, error) {
	t.Helper()
	p := pipeline.New(pipeline.Config{Source: o, Blobs: f.store, TempDir: f.temp, MaxDuration: -1})
	song := jobs.Song{Platform: jobs.PlatformDemo, ID: fmt.Sprintf("corpus%05d", number)}
	return p.Process(t.Context(), jobs.Job{Key: jobs.Key{Song: song, Profile: jobs.DefaultProfile}},
		func(jobs.Stage, jobs.Progress, jobs.SongInfo) {})
}

// whole checks a stored file against its result, its record and the format.
func (f *folder) whole(t testing.TB, r jobs.Result) [][]byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(r.Path)))
	check(t, err)
	report, err := dca.Verify(bytes.NewReader(data), opus.Samples)
	if err != nil || report.SHA256 != r.SHA256 || report.Frames != r.Frames || report.Bytes != r.Bytes || report.Duration != r.Duration {
		t.Errorf("the file is %+v (%v), the result says %+v", report, err, r)
	}
	info, err := f.store.Stat(t.Context(), r.Path)
	if err != nil || info.Meta.SHA256 != r.SHA256 || info.Meta.Frames != r.Frames {
		t.Errorf("recorded is %+v (%v)", info, err)
	}
	return framesOf(t, data)
}

// songs lists what is visible under songs' keys, and finds what was left over.
func (f *folder) songs(t testing.TB) (keys []string) {
	t.Helper()
	infos, err := f.store.List(t.Context(), "", "", 10_000)
	check(t, err)
	for _, info := range infos {
		keys = append(keys, info.Key)
	}
	for _, dir := range []string{f.dir, f.temp} {
		check(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".tmp") || strings.Contains(filepath.Base(path), "butakero-") {
				t.Errorf("%s is left", path)
			}
			return err
		}))
	}
	return keys
}

// What can be played is stored whole; of everything else nothing is stored, and
// the error says why.
func TestFolder(t *testing.T) {
	t.Parallel()
	media := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(media, name)
		check(t, os.WriteFile(path, data, 0o600))
		return path
	}
	made := func(name string, args ...string) []byte {
		path := filepath.Join(media, "made-"+name)
		ffmpeg(t, slices.Concat([]string{"-f", "lavfi", "-i", sound}, args, []string{path})...)
		data, err := os.ReadFile(path)
		check(t, err)
		return data
	}
	webm := made("webm", "-c:a", "libopus", "-b:a", "128k", "-f", "webm", "-dash", "1", "-cluster_time_limit", "3000")
	ogg := made("ogg", "-c:a", "libopus", "-f", "ogg")
	m4a := made("m4a", "-f", "ipod")
	fast := made("fast", "-f", "ipod", "-movflags", "faststart")
	flac, wave, mp3 := made("flac", "-f", "flac"), made("wav", "-f", "wav"), made("mp3", "-f", "mp3")
	vorbis := made("vorbis", "-c:a", "libvorbis", "-f", "ogg")
	video := made("video", "-f", "lavfi", "-i", "testsrc=d=12:r=5", "-map", "1:v", "-c:v", "mpeg4", "-f", "mp4")
	both := made("both", "-f", "lavfi", "-i", "testsrc=d=12:r=5", "-c:v", "libvpx", "-c:a", "libopus", "-f", "webm")
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write(mp3)
	check(t, errors.Join(err, zip.Close()))
	half := func(b []byte) []byte { return b[:len(b)/2] }

	f := newFolder(t)
	var want []string
	for i, c := range []struct {
		name string
		data []byte
		code string // "" it becomes a song
		copy bool
	}{
		{"song.webm", webm, "", true},
		{"song.ogg", ogg, "", true},
		{"video.webm", both, "", true},
		{"song.m4a", m4a, "", false},
		{"fast.m4a", fast, "", false},
		{"song.flac", flac, "", false},
		{"song.wav", wave, "", false},
		{"song.mp3", mp3, "", false},
		{"vorbis.ogg", vorbis, "", false},
		{"webm.mp3", webm, "", true},
		{"-i concat:a|b $(id) %d.mp3", mp3, "", false},
		{"cut.webm", half(webm), pipeline.CodeTruncated, false},
		{"last.webm", webm[:len(webm)-1], pipeline.CodeTruncated, false},
		{"cut.ogg", half(ogg), pipeline.CodeTruncated, false},
		{"cut.m4a", half(m4a), pipeline.CodeTruncated, false},
		{"cut fast.m4a", half(fast), pipeline.CodeTruncated, false},
		{"cut.flac", half(flac), pipeline.CodeTruncated, false},
		{"cut.wav", half(wave), pipeline.CodeTruncated, false},
		{"cut.mp3", half(mp3), pipeline.CodeTruncated, false},
		{"cut vorbis.ogg", half(vorbis), pipeline.CodeTruncated, false},
		{"video.mp4", video, pipeline.CodeNoAudio, false},
		{"empty.webm", nil, pipeline.CodeNotAudio, false},
		{"gzip.mp3", packed.Bytes(), pipeline.CodeNotAudio, false},
		{"page.mp3", []byte("<html><body>429 Too Many Requests"), pipeline.CodeNotAudio, false},
		{"playlist.mp3", []byte("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"), pipeline.CodeNotAudio, false},
		{"concat.mp3", []byte("ffconcat version 1.0\nfile " + filepath.Join(media, "song.mp3") + "\n"), pipeline.CodeNotAudio, false},
		{"zeros.wav", make([]byte, 1<<20), pipeline.CodeNotAudio, false},
		{"damaged.webm", slices.Concat(half(webm), make([]byte, 1000), webm[len(webm)/2+1000:]), pipeline.CodeUnreadable, false},
	} {
		r, err := f.process(t, i, one{file(c.name, c.data), c.name})
		if c.code != "" {
			var verdict *jobs.Error
			if !errors.As(err, &verdict) || verdict.Code != c.code || verdict.Class != jobs.ClassPermanent {
				t.Errorf("%s: error %v, want %s", c.name, err, c.code)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want = append(want, r.Path)
		if n := len(f.whole(t, r)); n < 595 || n > 605 || r.Transcoded == c.copy {
			t.Errorf("%s: %d frames, transcoded %t", c.name, n, r.Transcoded)
		}
	}
	slices.Sort(want)
	if got := f.songs(t); !slices.Equal(got, want) {
		t.Errorf("stored are\n%q, want\n%q", got, want)
	}
}

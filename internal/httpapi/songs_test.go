package httpapi

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const audioPath = "/api/v1/songs/SRXH9AbT280/audio"

func only(j jobs.Job) func(jobs.Key) (jobs.Job, error) {
	return func(k jobs.Key) (jobs.Job, error) {
		if k != j.Key {
			return jobs.Job{}, jobs.ErrNotFound
		}
		return j, nil
	}
}

func TestGetSong(t *testing.T) {
	t.Parallel()
	h := handler(&fake{job: only(done())})
	w := get(h, "/api/v1/songs/SRXH9AbT280")
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	golden(t, "song", w.Body.Bytes())
	checkProblem(t, get(h, "/api/v1/songs/SRXH9AbT280?profile=low"), 404, "song_not_found")
	checkProblem(t, get(h, "/api/v1/songs/SRXH9AbT280?platform=demo"), 404, "song_not_found")
	checkProblem(t, get(h, "/api/v1/songs/SRXH9AbT280?platform=radio"), 400, "invalid_parameter")
	checkProblem(t, get(h, "/api/v1/songs/SRXH9AbT280?profile=!"), 400, "invalid_parameter")
	checkProblem(t, get(h, "/api/v1/songs/short"), 400, "invalid_song_id")
	demo := done()
	demo.Key.Platform = jobs.PlatformDemo
	if w := get(handler(&fake{job: only(demo)}), "/api/v1/songs/SRXH9AbT280"); w.Code != http.StatusOK {
		t.Errorf("a song of another platform: %d", w.Code)
	}
}

func TestAudio(t *testing.T) {
	t.Parallel()
	file := []byte("DCA1 and three hundred frames")
	h := handler(&fake{job: only(done()), file: file})
	etag := `"` + result.SHA256 + `"`
	tests := []struct {
		name    string
		method  string
		headers []string
		status  int
		body    string
	}{
		{"whole", "GET", nil, 200, string(file)},
		{"head", "HEAD", nil, 200, ""},
		{"first bytes", "GET", []string{"Range", "bytes=0-3"}, 206, "DCA1"},
		{"middle", "GET", []string{"Range", "bytes=5-7"}, 206, "and"},
		{"last bytes", "GET", []string{"Range", "bytes=-6"}, 206, "frames"},
		{"range of this file", "GET", []string{"Range", "bytes=0-3", "If-Range", etag}, 206, "DCA1"},
		{"range of another file", "GET", []string{"Range", "bytes=0-3", "If-Range", `"other"`}, 200, string(file)},
		{"beyond the end", "GET", []string{"Range", "bytes=1000-"}, 416, ""},
		{"known", "GET", []string{"If-None-Match", etag}, 304, ""},
		{"other known", "GET", []string{"If-None-Match", `"other"`}, 200, string(file)},
		{"only another", "GET", []string{"If-Match", `"other"`}, 412, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := ask(h, test.method, audioPath, "", test.headers...)
			if w.Code != test.status {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if test.status < 300 && w.Body.String() != test.body {
				t.Errorf("body %q", w.Body)
			}
			if test.status == http.StatusOK {
				for name, want := range map[string]string{
					"Content-Type": "audio/dca", "Etag": etag, "Accept-Ranges": "bytes", "Content-Length": "29",
					"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff",
				} {
					if got := w.Header().Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			}
		})
	}
}

func TestAudioOfSeveralRanges(t *testing.T) {
	t.Parallel()
	opened := 0
	file := []byte(strings.Repeat("0123456789", 1000))
	f := &fake{job: only(done()), file: file}
	f.open = func(offset int64) (io.ReadCloser, error) {
		opened++
		return io.NopCloser(bytes.NewReader(file[offset:])), nil
	}
	w := get(handler(f), audioPath, "Range", "bytes=0-9,5000-5009")
	if w.Code != http.StatusPartialContent || strings.Count(w.Body.String(), "0123456789") != 2 || opened != 2 {
		t.Errorf("%d, opened %d times: %q", w.Code, opened, w.Body)
	}
}

func TestAudioThatIsNotThere(t *testing.T) {
	t.Parallel()
	checkProblem(t, get(handler(&fake{}), audioPath), 404, "song_not_found")
	checkProblem(t, get(handler(&fake{job: only(running())}), audioPath), 404, "file_not_found")
	for err, status := range map[error]int{jobs.ErrNotFound: 404, pipeline.ErrNotWhole: 404} {
		checkProblem(t, get(handler(&fake{job: only(done()), statErr: err}), audioPath), status, "file_not_found")
	}
	checkProblem(t, get(handler(&fake{job: only(done()), statErr: jobs.ErrUnavailable}), audioPath), 503, "store_unavailable")
}

// TestAudioThatBreaksOff: half a file must not look like a whole one, and the
// reason is in the log once.
func TestAudioThatBreaksOff(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := &fake{job: only(done()), file: make([]byte, 100_000)}
	f.open = func(int64) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 50_000)), broken{})), nil
	}
	server := httptest.NewServer(handler(f, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }))
	answer, err := http.Get(server.URL + audioPath)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 50_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	server.Close()
	if strings.Count(log.String(), "disk on fire") != 1 {
		t.Errorf("log: %s", log.String())
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestDisposition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"A [x].dca":         `attachment; filename="A [x].dca"`,
		`q"uo\te.dca`:       `attachment; filename="q_uo_te.dca"; filename*=UTF-8''q%22uo%5Cte.dca`,
		"Canción 🎵.dca":     `attachment; filename="Canci_n _.dca"; filename*=UTF-8''Canci%C3%B3n%20%F0%9F%8E%B5.dca`,
		"a\r\nSet-Cookie:x": `attachment; filename="a__Set-Cookie:x"; filename*=UTF-8''a%0D%0ASet-Cookie%3Ax`,
		"100%.dca":          `attachment; filename="100_.dca"; filename*=UTF-8''100%25.dca`,
	} {
		got := disposition(name)
		if got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
		if _, p, err := mime.ParseMediaType(got); err != nil || p["filename"] != name {
			t.Errorf("%q reads back as %q, %v", name, p["filename"], err)
		}
	}
}

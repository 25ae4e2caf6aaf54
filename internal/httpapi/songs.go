package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const fileType = pipeline.ContentType

var (
	contentDCA = []string{fileType}
	fileCache  = []string{"public, max-age=3600"}
)

// fileStall bounds how long a client may take for one write of a file. A slow
// client is served as long as it reads at all.
const fileStall = 30 * time.Second

// getSong is GET /api/v1/songs/{id}?profile=.
func (h *Handler) getSong(w *response, r *http.Request) error {
	j, err := h.song(r.Context(), r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, h.viewSong(r, j))
}

// song finds the job of a song that is named by its id alone, or by its id and
// platform.
func (h *Handler) song(ctx context.Context, r *http.Request) (jobs.Job, error) {
	p := params{raw: r.URL.RawQuery}
	profile := p.profile()
	platforms := h.Platforms
	if one := p.oneOf("platform", h.Platforms...); one != "" {
		platforms = []string{one}
	}
	id := chi.URLParam(r, "id")
	if !jobs.ValidSongID(id) {
		p.keep(errSongID)
	}
	if p.err != nil {
		return jobs.Job{}, p.err
	}
	if profile == "" {
		profile = jobs.DefaultProfile
	}
	for _, platform := range platforms {
		j, err := h.Records.Job(ctx, jobs.Key{Song: jobs.Song{Platform: platform, ID: id}, Profile: profile})
		if !errors.Is(err, jobs.ErrNotFound) {
			return j, err
		}
	}
	return jobs.Job{}, errNoSong
}

// getAudio is GET /api/v1/songs/{id}/audio: the file, with ranges and conditions
// as RFC 9110 sections 13 and 14 have them.
func (h *Handler) getAudio(w *response, r *http.Request) error {
	ctx, cancel := h.bounded(r)
	j, info, err := h.findFile(ctx, r)
	cancel()
	if err != nil {
		return err
	}
	header := w.Header()
	header["Content-Type"] = contentDCA
	header["Content-Disposition"] = []string{disposition(path.Base(j.Result.Path))}
	header["Cache-Control"] = fileCache
	if j.Result.SHA256 != "" {
		header["Etag"] = []string{`"` + j.Result.SHA256 + `"`}
	}
	file := &lazyFile{ctx: r.Context(), files: h.Files, key: j.Result.Path, size: info.Bytes}
	defer file.close()
	control := http.NewResponseController(w.ResponseWriter)
	http.ServeContent(&patient{response: w, control: control}, r, "", info.ModTime, file)
	if file.err != nil && r.Context().Err() == nil {
		return file.err // too late for an answer: the connection tells the client, fail tells the log
	}
	return nil
}

// findFile finds a song's file and makes sure that it is there and whole before
// anything is promised.
func (h *Handler) findFile(ctx context.Context, r *http.Request) (jobs.Job, pipeline.BlobInfo, error) {
	j, err := h.song(ctx, r)
	if err != nil {
		return j, pipeline.BlobInfo{}, err
	}
	if j.Result == nil {
		return j, pipeline.BlobInfo{}, errNoFile
	}
	info, err := h.Files.Stat(ctx, j.Result.Path)
	return j, info, notFound(err, errNoFile)
}

// bounded gives the request RequestTimeout for the steps before its stream.
func (h *Handler) bounded(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), h.RequestTimeout)
}

// lazyFile is what http.ServeContent needs over a store that reads from an
// offset on: it opens at the first read after a seek.
type lazyFile struct {
	ctx   context.Context //nolint:containedctx // lives as long as the request; io.Reader has no room for it
	files Files
	key   string
	size  int64
	pos   int64
	open  io.ReadCloser
	err   error // the first failure of the store
}

// Seek implements io.Seeker.
func (f *lazyFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	if offset != f.pos {
		f.close()
		f.pos = offset
	}
	return offset, nil
}

// Read implements io.Reader.
func (f *lazyFile) Read(p []byte) (int, error) {
	if f.pos >= f.size {
		return 0, io.EOF
	}
	if f.open == nil {
		open, err := f.files.Open(f.ctx, f.key, f.pos)
		if err != nil {
			f.err = err
			return 0, err
		}
		f.open = open
	}
	n, err := f.open.Read(p)
	f.pos += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

func (f *lazyFile) close() {
	if f.open != nil {
		_ = f.open.Close() // it was only read
		f.open = nil
	}
}

// patient moves the write deadline along with a long answer.
type patient struct {
	*response
	control *http.ResponseController
}

// Write implements http.ResponseWriter.
func (w *patient) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(fileStall)) // a writer without deadlines needs none moved
	return w.response.Write(p)
}

// disposition names the file for those who save it: RFC 6266 with both forms of
// the name, as old clients know only the first.
func disposition(name string) string {
	plain := strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '/' || c == '%' {
			return '_'
		}
		return c
	}, name)
	if plain == name {
		return `attachment; filename="` + plain + `"`
	}
	// QueryEscape escapes everything that RFC 8187 wants escaped, and the space its
	// own way.
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

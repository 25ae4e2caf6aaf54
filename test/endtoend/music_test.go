package endtoend_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/opus"
	"github.com/butakero/butakero/test/corpus"
	"github.com/butakero/butakero/test/proc"
)

func TestMain(m *testing.M) { proc.Main(m) }

// patience is for all songs together; a third of them is transcoded.
const patience = 4 * time.Minute

// Whole songs in the formats that songs come in, WebM/Opus as YouTube lays it out,
// Ogg Opus and m4a, lie in a folder; the program that is started on it makes DCA
// files of them when it is asked by HTTP.
func TestMusicByHTTP(t *testing.T) {
	t.Parallel()
	media, data := t.TempDir(), t.TempDir()
	songs := map[string]corpus.Entry{} // by title
	formats := map[string]int{}
	for _, e := range corpus.Load(t) {
		if e.Row != 0 || e.Want == corpus.Any {
			continue
		}
		ext := filepath.Ext(e.Name)
		title := strings.TrimSuffix(e.Name, ext) + " as " + ext[1:]
		copyFile(t, e.Path, filepath.Join(media, title+ext))
		songs[title] = e
		formats[ext]++
	}
	if formats[".webm"] < 3 || formats[".opus"] < 3 || formats[".m4a"] < 3 {
		t.Fatalf("the corpus has too few whole songs: %v", formats)
	}
	p, err := proc.Up(t, data, []string{"--media", media}, nil)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	started := map[string]accepted{}
	for title := range songs { // all at once: they wait for each other's workers
		var a accepted
		call(ctx, t, http.MethodPost, p.Base+"/api/v1/audio/start?song="+url.QueryEscape(title), &a)
		if a.Operation == "" || a.Song == "" {
			t.Fatalf("%q is answered by %+v", title, a)
		}
		started[title] = a
	}
	ids := map[string]bool{}
	for title, a := range started {
		ids[a.Song] = true
		o := finished(ctx, t, p, a)
		if o.State != "succeeded" || o.File == nil || o.Song != a.Song {
			t.Errorf("%s: %+v\n%s", title, o, p)
			continue
		}
		t.Run(title, func(t *testing.T) { served(ctx, t, p, data, songs[title], o) })
	}
	if len(ids) != len(songs) {
		t.Errorf("%d titles became %d songs", len(songs), len(ids))
	}
	if err := p.End(t, syscall.SIGTERM, 30*time.Second); err != nil {
		t.Errorf("it ended with %v\n%s", err, p)
	}
}

type accepted struct {
	Operation string `json:"operation_id"`
	Song      string `json:"song_id"`
}

type operation struct {
	State string          `json:"state"`
	Song  string          `json:"song_id"`
	Job   json.RawMessage `json:"job"`
	File  *struct {
		Path     string `json:"path"`
		Bytes    int64  `json:"bytes"`
		SHA256   string `json:"sha256"`
		Frames   int64  `json:"frames"`
		Duration int64  `json:"duration_ms"`
		URL      string `json:"url"`
	} `json:"file"`
}

// finished asks for an operation until it has ended.
func finished(ctx context.Context, t *testing.T, p *proc.Process, a accepted) (o operation) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		o = operation{}
		call(ctx, t, http.MethodGet, p.Base+"/api/v1/operations/"+a.Operation, &o)
		if o.State != "waiting" {
			return o
		}
		select {
		case <-tick.C:
		case <-p.Ended():
			t.Fatalf("it has ended\n%s", p)
		}
	}
}

// served checks a song's file as it is served, stored and described.
func served(ctx context.Context, t *testing.T, p *proc.Process, data string, e corpus.Entry, o operation) {
	t.Helper()
	address := p.Base + "/api/v1/songs/" + o.Song + "/audio"
	whole, header := get(ctx, t, address, http.StatusOK, nil)
	sum := sha256.Sum256(whole)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	if o.File.URL != address || int64(len(whole)) != o.File.Bytes || `"`+o.File.SHA256+`"` != tag || header.Get("Etag") != tag {
		t.Errorf("%d bytes with the sum %s and the tag %s; the operation says %+v", len(whole), tag, header.Get("Etag"), o.File)
	}
	if header.Get("Content-Type") != "audio/dca" || header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("the header is %v", header)
	}
	stored, err := os.ReadFile(filepath.Join(data, filepath.FromSlash(strings.TrimPrefix(o.File.Path, "/"))))
	if err != nil {
		stored, err = find(data, filepath.Base(o.File.Path))
	}
	if err != nil || !bytes.Equal(stored, whole) {
		t.Errorf("stored are %d bytes (%v), served are %d", len(stored), err, len(whole))
	}
	frames(t, whole, e, o)
	ranges(ctx, t, address, whole, tag)
	verified(t, whole)
}

// frames holds the file against what ffprobe said about the song.
func frames(t *testing.T, whole []byte, e corpus.Entry, o operation) {
	t.Helper()
	report, err := dca.Verify(bytes.NewReader(whole), opus.Samples)
	check(t, err)
	lasts := time.Duration(o.File.Duration) * time.Millisecond
	if report.Frames != o.File.Frames || lasts != time.Duration(report.Frames)*20*time.Millisecond {
		t.Errorf("%d frames, the operation says %+v", report.Frames, o.File)
	}
	if e.Frames > 0 && report.Frames != int64(e.Frames) {
		t.Errorf("%d frames, ffprobe counts %d packets", report.Frames, e.Frames)
	}
	if (lasts - e.Duration).Abs() > e.Slack() {
		t.Errorf("it lasts %s, ffprobe says %s", lasts, e.Duration)
	}
}

// ranges asks for parts, and for what is there already.
func ranges(ctx context.Context, t *testing.T, address string, whole []byte, tag string) {
	t.Helper()
	n := len(whole)
	for _, c := range []struct {
		ask, tells string
		from, to   int
	}{
		{"bytes=0-3", fmt.Sprintf("bytes 0-3/%d", n), 0, 4},
		{"bytes=1000-1999", fmt.Sprintf("bytes 1000-1999/%d", n), 1000, 2000},
		{"bytes=-500", fmt.Sprintf("bytes %d-%d/%d", n-500, n-1, n), n - 500, n},
		{fmt.Sprintf("bytes=%d-", n-1), fmt.Sprintf("bytes %d-%d/%d", n-1, n-1, n), n - 1, n},
	} {
		part, header := get(ctx, t, address, http.StatusPartialContent, http.Header{"Range": {c.ask}, "If-Range": {tag}})
		if !bytes.Equal(part, whole[c.from:c.to]) || header.Get("Content-Range") != c.tells {
			t.Errorf("%s: %d bytes, %q", c.ask, len(part), header.Get("Content-Range"))
		}
	}
	get(ctx, t, address, http.StatusRequestedRangeNotSatisfiable, http.Header{"Range": {fmt.Sprintf("bytes=%d-", n)}})
	if rest, _ := get(ctx, t, address, http.StatusNotModified, http.Header{"If-None-Match": {tag}}); len(rest) > 0 {
		t.Errorf("%d bytes of what is there already", len(rest))
	}
	if other, _ := get(ctx, t, address, http.StatusOK, http.Header{"Range": {"bytes=0-3"}, "If-Range": {`"other"`}}); !bytes.Equal(other, whole) {
		t.Error("a part of another file was asked for, and given")
	}
}

// verified has the program itself check the file.
func verified(t *testing.T, whole []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "song.dca")
	check(t, os.WriteFile(path, whole, 0o600))
	if out, err := exec.CommandContext(t.Context(), proc.Program(t), "dca", "verify", path).CombinedOutput(); err != nil {
		t.Errorf("dca verify: %v\n%s", err, out)
	}
	check(t, os.WriteFile(path, whole[:len(whole)-1], 0o600))
	if out, err := exec.CommandContext(t.Context(), proc.Program(t), "dca", "verify", path).CombinedOutput(); err == nil {
		t.Errorf("dca verify does not miss the last byte\n%s", out)
	}
}

// find reads the one file of a name that lies somewhere below a folder.
func find(dir, name string) ([]byte, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == name {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d files are called %q", len(found), name)
	}
	return os.ReadFile(found[0])
}

var client = &http.Client{Timeout: 30 * time.Second}

func get(ctx context.Context, t *testing.T, address string, status int, header http.Header) ([]byte, http.Header) {
	t.Helper()
	return request(ctx, t, http.MethodGet, address, status, header)
}

func request(ctx context.Context, t *testing.T, method, address string, status int, header http.Header) ([]byte, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	check(t, err)
	for name, values := range header {
		req.Header[name] = slices.Clone(values)
	}
	res, err := client.Do(req)
	check(t, err)
	body, err := io.ReadAll(res.Body)
	check(t, errors.Join(err, res.Body.Close()))
	if res.StatusCode != status {
		t.Fatalf("%s %s with %v: %d instead of %d\n%.500s", method, address, header, res.StatusCode, status, body)
	}
	return body, res.Header
}

// call makes a request and decodes its answer.
func call(ctx context.Context, t *testing.T, method, address string, into any) {
	t.Helper()
	body, _ := request(ctx, t, method, address, http.StatusOK, nil)
	check(t, json.Unmarshal(body, into))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	check(t, err)
	check(t, os.WriteFile(to, b, 0o600))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

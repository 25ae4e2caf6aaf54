package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// extensions of files that are worth a try. What is really in them is the
// pipeline's to find out.
var extensions = map[string]bool{
	".3gp": true, ".aac": true, ".ac3": true, ".aif": true, ".aiff": true, ".amr": true, ".ape": true, ".caf": true, ".flac": true, ".m4a": true,
	".m4b": true, ".mka": true, ".mkv": true, ".mov": true, ".mp3": true, ".mp4": true, ".mpc": true, ".oga": true, ".ogg": true, ".ogv": true,
	".opus": true, ".tta": true, ".wav": true, ".weba": true, ".webm": true, ".wma": true, ".wv": true,
}

// maxFiles bounds what a folder adds to the catalogue.
const maxFiles = 200_000

// folder is the catalogue of a folder of audio files. Nothing outside of it can
// be reached, also not through symbolic links.
type folder struct {
	root *os.Root

	mu      sync.Mutex
	entries []entry
	byID    map[string]int
}

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the media folder: %w", err)
	}
	f := &folder{root: root}
	if _, err := f.read(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// SongID returns the id of the file at a path below the media folder, separated
// by slashes: the first characters of the path's SHA-256 in base64url.
func SongID(relative string) string {
	sum := sha256.Sum256([]byte(relative))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:jobs.SongIDLength]
}

// find looks into the folder anew only for an id that it does not know.
func (f *folder) find(id string) (entry, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, ok := f.byID[id]; ok {
		return f.entries[i], true, nil
	}
	if _, err := f.read(); err != nil {
		return entry{}, false, err
	}
	if i, ok := f.byID[id]; ok {
		return f.entries[i], true, nil
	}
	return entry{}, false, nil
}

// search looks into the folder every time, because a new file may fit better.
func (f *folder) search(query string) (entry, bool, error) {
	f.mu.Lock()
	entries, err := f.read()
	f.mu.Unlock()
	if err != nil {
		return entry{}, false, err
	}
	e, found := best(entries, query)
	return e, found, nil
}

// read makes the catalogue anew. The caller holds mu, or is alone.
func (f *folder) read() ([]entry, error) {
	var entries []entry
	byID := map[string]int{}
	err := fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			return nil // a folder that can not be read, or that has just gone, has no songs
		}
		if name != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || !extensions[strings.ToLower(path.Ext(name))] || !f.isFile(name, d) {
			return nil
		}
		if len(entries) == maxFiles {
			return fs.SkipAll
		}
		e := f.entry(name)
		byID[e.ID] = len(entries)
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, jobs.Environment("media_folder", "the media folder can not be read", err)
	}
	f.entries, f.byID = entries, byID
	return entries, nil
}

// isFile reports whether name is a file, or a link to a file in the folder.
func (f *folder) isFile(name string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := f.root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (f *folder) entry(name string) entry {
	dir, file := path.Split(name)
	title := strings.TrimSuffix(file, path.Ext(file))
	title = strings.Join(strings.Fields(strings.ReplaceAll(strings.ToValidUTF8(title, " "), "_", " ")), " ")
	if title == "" {
		title = SongID(name)
	}
	return entry{
		ID: SongID(name), Title: title, words: wordsOf(title, dir),
		open: func() (*pipeline.Media, error) { return f.open(name) },
	}
}

func (f *folder) open(name string) (*pipeline.Media, error) {
	// Looked at before it is opened: opening a pipe would wait for a writer.
	info, err := f.root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.Mode().IsRegular():
		return nil, jobs.Permanent(CodeNotFound, "The file is not in the media folder any more.", err)
	case err != nil:
		return nil, unreadable(err)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, unreadable(err)
	}
	info, err = file.Stat()
	if err != nil {
		return nil, errors.Join(unreadable(err), file.Close())
	}
	return &pipeline.Media{Body: file, Size: info.Size(), Extractor: "folder"}, nil
}

func unreadable(err error) error {
	return jobs.Transient("media_unreadable", "the file in the media folder can not be read", err)
}

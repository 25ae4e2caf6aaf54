package corpus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Want says what has to become of an entry.
type Want string

// What has to become of an entry.
const (
	OK          Want = "ok"           // a valid DCA file of the right length, by copying its packets
	TranscodeOK Want = "transcode-ok" // the same by transcoding
	Err         Want = "err"          // a clear error and nothing stored
	Any         Want = "any"          // either an error and nothing stored, or a valid file of the right length
)

// Entry is one input.
type Entry struct {
	Row    int    `json:"row"`    // of the table in rows.go; 0 for whole songs
	Name   string `json:"name"`   // of the file, unique in its row; some are chosen to do harm
	Path   string `json:"path"`   // of the file, absolute once loaded
	Format string `json:"format"` // what it is or was made from: webm, ogg, mp4, mp3, flac, wav …; "" for what is no audio
	Want   Want   `json:"want"`
	Size   int64  `json:"size"`

	// Frames of 20 ms that a copy must have; 0: not known.
	Frames int `json:"frames,omitempty"`

	// How long the result must be, within 0.5 s or 1 %, whichever is more;
	// 0: not known. For frames that are copied it includes the pre-skip.
	Duration time.Duration `json:"duration_ns,omitempty"`

	// MaxDuration is how long the result may be at most; 0: no matter.
	MaxDuration time.Duration `json:"max_duration_ns,omitempty"`

	// Absent is a text in the input that must not be in the result.
	Absent string `json:"absent,omitempty"`
}

// ID names the entry in messages: row and name.
func (e Entry) ID() string { return fmt.Sprintf("%02d/%s", e.Row, e.Name) }

// Slack is how far a result's duration may be from Duration.
func (e Entry) Slack() time.Duration { return max(500*time.Millisecond, e.Duration/100) }

const indexName = "corpus.json"

// writeIndex lists the entries of a folder in the folder. It is written last: a
// folder with an index is complete.
func writeIndex(dir string, entries []Entry) error {
	b, err := json.MarshalIndent(entries, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, indexName), append(b, '\n'), 0o600)
}

// readIndex returns the entries of a folder with their paths made absolute, after
// a look at whether all files are there in their sizes.
func readIndex(dir string) ([]Entry, error) {
	b, err := os.ReadFile(filepath.Join(dir, indexName))
	if err != nil {
		return nil, err
	}
	var entries []Entry
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&entries); err != nil {
		return nil, fmt.Errorf("%s: %w", indexName, err)
	}
	for i := range entries {
		e := &entries[i]
		e.Path = filepath.Join(dir, e.Path)
		info, err := os.Stat(e.Path)
		if err != nil {
			return nil, err
		}
		if info.Size() != e.Size {
			return nil, fmt.Errorf("%s has %d bytes, not %d", e.Path, info.Size(), e.Size)
		}
	}
	return entries, nil
}

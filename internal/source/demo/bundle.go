package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

//go:embed samples
var samples embed.FS

// entry is a song of a catalogue.
type entry struct {
	ID       string
	Title    string
	Artist   string
	Duration time.Duration // 0: not known
	words    words
	open     func() (*pipeline.Media, error)
}

func (e entry) info() jobs.SongInfo {
	return jobs.SongInfo{Title: e.Title, Artist: e.Artist, Duration: e.Duration}
}

// bundledFailures are songs that show what failing looks like.
var bundledFailures = []struct {
	song    sample
	failure Failure
}{
	{
		song:    sample{ID: "PrivateRoom", Title: "Private Room", Artist: "Nine Lanterns", File: "paper-lights.webm"},
		failure: Failure{Err: &jobs.Error{Class: jobs.ClassPermanent, Code: "private", Message: "This video is private."}},
	},
	{
		song:    sample{ID: "ThirdCharm1", Title: "Third Time Lucky", Artist: "Nine Lanterns", File: "paper-lights.webm"},
		failure: Failure{Err: &jobs.Error{Class: jobs.ClassTransient, Code: "network", Message: "The connection to the source was lost.", Host: jobs.PlatformDemo}, Times: 2, After: 20 << 10},
	},
}

// sample is a row of samples/catalogue.json, which gen writes.
type sample struct {
	ID         string `json:"id"`
	Title      string `json:"title"`
	Artist     string `json:"artist"`
	File       string `json:"file"`
	DurationMS int64  `json:"duration_ms"`
}

// bundle is the catalogue of the songs that come with the program.
type bundle []entry

func openBundle() (bundle, error) {
	text, err := samples.ReadFile("samples/catalogue.json")
	if err != nil {
		return nil, fmt.Errorf("bundled catalogue: %w", err)
	}
	var rows []sample
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("bundled catalogue: %w", err)
	}
	for _, f := range bundledFailures {
		for _, row := range rows {
			if row.File == f.song.File {
				f.song.DurationMS = row.DurationMS
				rows = append(rows, f.song)
				break
			}
		}
	}
	b := make(bundle, 0, len(rows))
	for _, row := range rows {
		b = append(b, entry{
			ID: row.ID, Title: row.Title, Artist: row.Artist, Duration: time.Duration(row.DurationMS) * time.Millisecond,
			words: wordsOf(row.Title, row.Artist), open: row.open,
		})
	}
	return b, nil
}

func (s sample) open() (*pipeline.Media, error) {
	data, err := samples.ReadFile("samples/" + s.File)
	if err != nil {
		return nil, jobs.Permanent(CodeNotFound, "The song is missing from the program.", err)
	}
	return &pipeline.Media{Body: io.NopCloser(bytes.NewReader(data)), Size: int64(len(data)), Extractor: "bundled"}, nil
}

func (b bundle) find(id string) (entry, bool, error) {
	for _, e := range b {
		if e.ID == id {
			return e, true, nil
		}
	}
	return entry{}, false, nil
}

func (b bundle) search(query string) (entry, bool, error) {
	e, found := best(b, query)
	return e, found, nil
}

package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/source/link"
)

// CodeNotFound is the code of the permanent error for a song that is not in the
// catalogue. Other codes come from package link and from failures.
const CodeNotFound = "not_found"

// Options change what the source offers. The zero value offers the bundled
// songs.
type Options struct {
	// MediaDir is a folder of audio files that takes the place of the bundled
	// songs, with the folders below it. Files may come and go while it is in use.
	MediaDir string

	// Rate bounds how fast a song's bytes come, in bytes per second, so that
	// progress can be watched; 0: as fast as they are read.
	Rate int64

	// Failures makes songs fail, by song id, besides those that do so anyway.
	Failures map[string]Failure
}

// Failure is how a song fails.
type Failure struct {
	Err   *jobs.Error
	Times int   // of a song's first opens, how many fail; 0: all
	After int64 // bytes that come before the error; 0: Open itself fails
}

// Source is the demo source.
type Source struct {
	catalogue catalogue
	rate      int64
	failures  map[string]Failure

	mu    sync.Mutex
	opens map[string]int // by song id
}

var (
	_ pipeline.Source = (*Source)(nil)
	_ jobs.Resolver   = (*Source)(nil)
)

// catalogue knows the songs.
type catalogue interface {
	// find returns the song of an id.
	find(id string) (entry, bool, error)
	// search returns the song that fits the words best.
	search(query string) (entry, bool, error)
}

// New opens the bundled catalogue or, if one is named, the media folder.
func New(o Options) (*Source, error) {
	s := &Source{rate: o.Rate, failures: map[string]Failure{}, opens: map[string]int{}}
	if o.Rate < 0 {
		return nil, fmt.Errorf("a rate of %d bytes per second is not possible", o.Rate)
	}
	if o.MediaDir != "" {
		folder, err := openFolder(o.MediaDir)
		if err != nil {
			return nil, err
		}
		s.catalogue = folder
	} else {
		bundle, err := openBundle()
		if err != nil {
			return nil, err
		}
		s.catalogue = bundle
		for _, f := range bundledFailures {
			s.failures[f.song.ID] = f.failure
		}
	}
	for id, f := range o.Failures {
		if f.Err == nil {
			return nil, fmt.Errorf("the failure of song %q has no error", id)
		}
		s.failures[id] = f
	}
	return s, nil
}

// Close lets go of the media folder. Songs that are being read stay readable.
func (s *Source) Close() error {
	if folder, ok := s.catalogue.(*folder); ok {
		return folder.root.Close()
	}
	return nil
}

// Resolve implements jobs.Resolver: a title, a YouTube link, or demo:ID. Errors
// are permanent, with CodeNotFound or a code of package link, unless the media
// folder can not be read.
func (s *Source) Resolve(ctx context.Context, text string) (jobs.Song, jobs.SongInfo, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Song{}, jobs.SongInfo{}, interrupted(err)
	}
	e, found, err := s.resolve(text)
	if err != nil {
		return jobs.Song{}, jobs.SongInfo{}, err
	}
	if !found {
		return jobs.Song{}, jobs.SongInfo{}, notFound()
	}
	return jobs.Song{Platform: jobs.PlatformDemo, ID: e.ID}, e.info(), nil
}

func (s *Source) resolve(text string) (entry, bool, error) {
	if id, ok := strings.CutPrefix(strings.TrimSpace(text), jobs.PlatformDemo+":"); ok && jobs.ValidSongID(id) {
		return s.catalogue.find(id)
	}
	l, err := link.Parse(text)
	switch {
	case err != nil:
		return entry{}, false, err
	case l.Kind == link.KindVideo:
		return s.catalogue.find(l.ID)
	}
	return s.catalogue.search(l.Query)
}

// Open implements pipeline.Source.
func (s *Source) Open(ctx context.Context, song jobs.Song) (*pipeline.Media, error) {
	if err := ctx.Err(); err != nil {
		return nil, interrupted(context.Cause(ctx))
	}
	if song.Platform != jobs.PlatformDemo {
		return nil, jobs.Permanent(jobs.CodeInvalidSong, fmt.Sprintf("the demo has no songs of %q", song.Platform), nil)
	}
	e, found, err := s.catalogue.find(song.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound()
	}
	failure, fails := s.count(song.ID)
	if fails && failure.After <= 0 {
		return nil, failure.verdict()
	}
	media, err := e.open()
	if err != nil {
		return nil, err
	}
	if fails {
		media.Body = &failing{ReadCloser: media.Body, left: failure.After, err: failure.verdict()}
	}
	media.Body = newBody(ctx, media.Body, s.rate)
	media.Info = e.info()
	media.Duration = e.Duration
	media.Host = jobs.PlatformDemo
	return media, nil
}

// count notes an open and tells whether it is to fail.
func (s *Source) count(id string) (Failure, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens[id]++
	f, ok := s.failures[id]
	return f, ok && (f.Times == 0 || s.opens[id] <= f.Times)
}

// Opens returns how often a song was asked for, which is how often it was
// downloaded, failures included.
func (s *Source) Opens(songID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opens[songID]
}

// TotalOpens is the sum of Opens over all songs.
func (s *Source) TotalOpens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, n := range s.opens {
		total += n
	}
	return total
}

func notFound() error {
	return jobs.Permanent(CodeNotFound, "There is no such song in the catalogue.", nil)
}

func interrupted(cause error) error {
	return jobs.Transient(jobs.CodeInterrupted, "the download was stopped", cause)
}

// verdict returns a copy, so that nobody changes the catalogue's.
func (f Failure) verdict() *jobs.Error {
	e := *f.Err
	return &e
}

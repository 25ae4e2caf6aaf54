package youtube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/source/link"
)

// Resolve implements jobs.Resolver. A link costs no network; a title costs one
// cached search.
func (s *Source) Resolve(ctx context.Context, text string) (jobs.Song, jobs.SongInfo, error) {
	l, err := link.Parse(text)
	if err != nil {
		return jobs.Song{}, jobs.SongInfo{}, err
	}
	if l.Kind == link.KindVideo {
		return song(l.ID), jobs.SongInfo{URL: watchURL(l.ID)}, nil
	}
	h, err := s.search.find(ctx, l.Query)
	if err != nil {
		return jobs.Song{}, jobs.SongInfo{}, err
	}
	return song(h.ID), jobs.SongInfo{
		Title: h.Title, Artist: h.Artist, URL: watchURL(h.ID), Thumbnail: h.Thumbnail, Duration: h.Duration,
	}, nil
}

func song(id string) jobs.Song { return jobs.Song{Platform: jobs.PlatformYouTube, ID: id} }

// How long searches are remembered.
const (
	keepHit  = 7 * 24 * time.Hour
	keepMiss = time.Hour
)

// hit is a search's result, as it is kept: with a code it is a miss.
type hit struct {
	ID        string        `json:"id,omitempty"`
	Title     string        `json:"title,omitempty"`
	Artist    string        `json:"artist,omitempty"`
	Thumbnail string        `json:"thumbnail,omitempty"`
	Duration  time.Duration `json:"duration,omitempty"`
	Code      string        `json:"code,omitempty"`
}

// search finds titles: in the shared cache, then through the Data API, then
// through yt-dlp.
type search struct {
	*Source
	api *dataAPI // nil: no key

	mu     sync.Mutex
	flight map[string]*lookup // by key: equal searches at the same time are one
}

type lookup struct {
	done chan struct{}
	hit  hit
	err  error
}

func newSearch(s *Source) *search {
	f := &search{Source: s, flight: map[string]*lookup{}}
	if s.APIKey != "" {
		f.api = newDataAPI(s)
	}
	return f
}

// searchKey is the same for texts that differ in case and blanks alone.
func searchKey(query string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(query)))
	return "youtube/search/" + hex.EncodeToString(sum[:16])
}

// searchTimeout bounds a search that somebody else may wait for too.
const searchTimeout = 40 * time.Second

// find returns the best video for a text.
func (f *search) find(ctx context.Context, query string) (hit, error) {
	key := searchKey(query)
	var kept hit
	if f.board.read(ctx, key, &kept) && (kept.Code != "" || jobs.ValidSongID(kept.ID)) {
		f.Observer.Searched("cache", kept.Code)
		return kept, missed(kept)
	}
	f.mu.Lock()
	l, running := f.flight[key]
	if !running {
		l = &lookup{done: make(chan struct{})}
		f.flight[key] = l
		// Whoever asked first may go; the others still want the answer.
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), searchTimeout)
		go func() {
			defer cancel()
			f.look(work, key, query, l)
		}()
	}
	f.mu.Unlock()
	select {
	case <-l.done:
		return l.hit, l.err
	case <-ctx.Done():
		return hit{}, stopped(ctx)
	}
}

func missed(h hit) error {
	if h.Code == "" {
		return nil
	}
	return noResult(errors.New("as a search found lately"))
}

// noResult is a search that finds nothing.
func noResult(cause error) *jobs.Error {
	e := fail(CodeNotFound, cause)
	e.Message, e.Remember = "No video was found for this text.", keepMiss
	return e
}

// look searches and keeps what is found.
func (f *search) look(ctx context.Context, key, query string, l *lookup) {
	defer func() {
		f.mu.Lock()
		delete(f.flight, key)
		f.mu.Unlock()
		close(l.done)
	}()
	l.hit, l.err = f.ask(ctx, query)
	keep := keepHit
	if l.err != nil {
		e := asError(l.err)
		if e == nil {
			l.err = fail(CodeNetwork, f.clean.err(l.err))
			return
		}
		if e.Class != jobs.ClassPermanent {
			return
		}
		l.hit, keep = hit{Code: e.Code}, keepMiss
	}
	kept := l.hit
	_, _ = change(ctx, f.board, key, keep, func(h *hit) bool { *h = kept; return true }) // else it is searched again
}

// ask tries the Data API and falls back to yt-dlp for whatever is not about the
// text.
func (f *search) ask(ctx context.Context, query string) (hit, error) {
	var first error
	if f.api != nil {
		h, err := f.api.search(ctx, query)
		f.Observer.Searched("api", codeOrNone(err))
		if e := asError(err); err == nil || e != nil && e.Class == jobs.ClassPermanent {
			return h, err
		}
		first = err
	}
	h, err := f.ytsearch(ctx, query)
	f.Observer.Searched("ytsearch", codeOrNone(err))
	if err == nil || first == nil {
		return h, err
	}
	if e := asError(err); e != nil && e.Class == jobs.ClassPermanent {
		return h, err
	}
	return hit{}, first
}

func codeOrNone(err error) string {
	if err == nil {
		return ""
	}
	return codeOf(err)
}

// ytsearchResults is how many candidates yt-dlp is asked for.
const ytsearchResults = 5

// ytsearch searches through yt-dlp: no key, no quota, but slow and on the same
// footing with YouTube as a download.
func (f *search) ytsearch(ctx context.Context, query string) (hit, error) {
	if b := f.health.admit(ctx, ExtractorYTDLP); b != nil {
		return hit{}, b.err(f.now())
	}
	room, err := newRoom(f.TempDir)
	if err != nil {
		return hit{}, fail(CodeConfig, f.clean.err(err))
	}
	defer room.remove()
	args := append([]string{}, f.YTDLPArgs...)
	args = append(args,
		"--ignore-config", "--no-exec", "--no-cache-dir", "--use-extractors", "youtube:search,youtube", "--no-update",
		"--socket-timeout", "15", "--retries", "3", "--extractor-retries", "1",
		"--flat-playlist", "--skip-download",
		"--print", "FOUND\t%(id)j\t%(duration)j\t%(live_status)j\t%(title)j\t%(uploader,channel)j",
		"--", fmt.Sprintf("ytsearch%d:%s", ytsearchResults, query))
	r := f.ytdlp.run(ctx, room, args)
	if r.err != nil {
		f.health.report(ctx, ExtractorYTDLP, r.err)
		return hit{}, r.err
	}
	if len(r.all) == 0 && r.code != 0 {
		err := f.ytdlp.classify(r)
		f.health.report(ctx, ExtractorYTDLP, err)
		if e := asError(err); e.Class == jobs.ClassPermanent {
			err = fail(CodeUpstream, e.Err) // it is no verdict on a video
		}
		return hit{}, err
	}
	f.health.report(ctx, ExtractorYTDLP, nil)
	var all []candidate
	for _, e := range r.all {
		if jobs.ValidSongID(e.id) && !e.live {
			all = append(all, candidate{hit{ID: e.id, Title: e.title, Artist: e.uploader, Duration: e.duration}})
		}
	}
	return f.pick(query, all)
}

// pick takes the best candidate that can be played.
func (f *search) pick(query string, all []candidate) (hit, error) {
	var fit []candidate
	for _, c := range all {
		if f.MaxDuration == 0 || c.Duration <= f.MaxDuration {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return hit{}, noResult(fmt.Errorf("%d candidates, none fit", len(all)))
	}
	return closest(query, fit).hit, nil
}

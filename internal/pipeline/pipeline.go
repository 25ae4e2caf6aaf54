package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline/dca"
)

// Config holds what a Pipeline needs. Source and Blobs must be set for Process;
// every other zero value is the default that its comment names.
type Config struct {
	Source Source
	Blobs  Blobs

	TempDir    string // for what must be spooled; the system's folder. Nothing in it outlives the process
	FFmpegPath string // "ffmpeg", looked up in PATH

	Profiles []Profile // Profiles()

	MaxDuration time.Duration // 3 h; negative: none
	MaxBytes    int64         // of the media, 512 MiB; negative: none
	IdleTimeout time.Duration // a source or an encoder that yields no byte for so long is given up; 30 s; negative: never

	Tool dca.Tool // named in the files' headers
}

// Pipeline makes songs. It implements jobs.Processor and may be used by any
// number of goroutines; it keeps nothing between songs.
type Pipeline struct {
	Config
}

// New fills in the defaults.
func New(c Config) *Pipeline {
	if c.TempDir == "" {
		c.TempDir = os.TempDir()
	}
	if c.FFmpegPath == "" {
		c.FFmpegPath = "ffmpeg"
	}
	if len(c.Profiles) == 0 {
		c.Profiles = Profiles()
	}
	setDefault(&c.MaxDuration, 3*time.Hour)
	setDefault(&c.MaxBytes, 512<<20)
	setDefault(&c.IdleTimeout, 30*time.Second)
	if c.Tool.Name == "" {
		c.Tool = dca.Tool{
			Name: "butakero", Version: "1", URL: "https://github.com/butakero/butakero", Author: "butakero",
		}
	}
	return &Pipeline{Config: c}
}

func setDefault[T ~int64](v *T, preset T) {
	if *v == 0 {
		*v = preset
	}
}

// profile finds a profile by its name; "" is the default one.
func (p *Pipeline) profile(name string) (Profile, error) {
	if name == "" {
		name = jobs.DefaultProfile
	}
	for _, profile := range p.Profiles {
		if profile.Name == name {
			if err := profile.validate(); err != nil {
				return Profile{}, jobs.Permanent(jobs.CodeUnknownProfile, "this profile is not usable", err)
			}
			return profile, nil
		}
	}
	return Profile{}, jobs.Permanent(jobs.CodeUnknownProfile, fmt.Sprintf("there is no profile %q", name), nil)
}

// Process implements jobs.Processor: it makes the song of a job, or finds that
// it was made before and adopts the file.
//
// The song is downloaded once. Only if packets that could be copied so far can
// not be any more, deep inside a stream whose beginning gave no sign of it, is
// the source asked a second time: keeping every byte of every song for that
// would cost more than the copying itself.
func (p *Pipeline) Process(ctx context.Context, job jobs.Job, report func(jobs.Stage, jobs.Progress, jobs.SongInfo)) (jobs.Result, error) {
	profile, err := p.profile(job.Key.Profile)
	if err != nil {
		return jobs.Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &song{Pipeline: p, key: job.Key, profile: profile, info: job.Info, report: report}
	defer s.abort()
	if s.info.Title != "" {
		if result, found, err := s.adopt(ctx); err != nil || found {
			return result, err
		}
	}
	f, err := s.open(ctx)
	if err != nil {
		return jobs.Result{}, err
	}
	// The feed may be replaced by a second one.
	m, err := s.download(ctx, f)
	if err != nil {
		if errors.Is(err, errAdopt) {
			return s.adopted, nil
		}
		return jobs.Result{}, err
	}
	return s.commit(ctx, m)
}

// song is one job in hand.
type song struct {
	*Pipeline
	key     jobs.Key
	profile Profile
	info    jobs.SongInfo
	report  func(jobs.Stage, jobs.Progress, jobs.SongInfo)

	path     string
	replace  bool // what lies under path is not whole
	adopted  jobs.Result
	announce time.Duration // by the source
	upload   Upload
}

// errAdopt says that the file was found as soon as the title was known.
var errAdopt = errors.New("the file is there already")

// adopt looks for a whole file of this song and profile under its key, and
// learns whether something else must be replaced.
func (s *song) adopt(ctx context.Context) (jobs.Result, bool, error) {
	s.path = SafeKey(s.key.Song, s.key.Profile, s.info.Title)
	s.replace = false
	found, err := s.Blobs.Stat(ctx, s.path)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return jobs.Result{}, false, nil
	case errors.Is(err, ErrNotWhole):
		s.replace = true
		return jobs.Result{}, false, nil
	case err != nil:
		if why := stopped(ctx); why != nil {
			return jobs.Result{}, false, why
		}
		return jobs.Result{}, false, storageError(fmt.Errorf("look for %s: %w", s.path, err))
	case found.Meta.Song != s.key.Song:
		return jobs.Result{}, false, jobs.Permanent(CodeConflict, "another song's file is where this one belongs",
			fmt.Errorf("%s holds %s", s.path, found.Meta.Song))
	case found.Meta.Profile != s.profile.Name || found.Meta.Frames < 1:
		s.replace = true
		return jobs.Result{}, false, nil
	}
	m := found.Meta
	info := s.info
	if info.Duration == 0 {
		info.Duration = m.Duration
	}
	return jobs.Result{
		Path: s.path, Bytes: m.Bytes, SHA256: m.SHA256, Frames: m.Frames, Duration: m.Duration,
		Transcoded: m.Transcoded, Info: info,
	}, true, nil
}

// open asks the source and checks what it announces.
func (s *song) open(ctx context.Context) (*feed, error) {
	ctx, stop := context.WithCancelCause(ctx)
	media, err := s.Source.Open(ctx, s.key.Song)
	if err != nil {
		why := stopped(ctx)
		stop(nil)
		if why != nil {
			return nil, why
		}
		return nil, sourceError(err)
	}
	s.info = merge(s.info, media.Info)
	s.announce = media.Duration
	if s.info.Duration == 0 {
		s.info.Duration = media.Duration
	}
	f := s.newFeed(ctx, stop, media.Body, media.Size, func(done int64) {
		s.report(jobs.StageFetching, jobs.Progress{Done: done, Total: max(media.Size, 0)}, s.info)
	})
	switch {
	case s.MaxBytes > 0 && media.Size > s.MaxBytes:
		err = tooLarge(s.MaxBytes)
	case s.MaxDuration > 0 && media.Duration > s.MaxDuration:
		err = s.tooLong()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	s.report(jobs.StageFetching, jobs.Progress{Total: max(media.Size, 0)}, s.info)
	return f, nil
}

// merge fills what is not known in a from b. What was known first stays, so that
// a song keeps its key from one attempt to the next.
func merge(a, b jobs.SongInfo) jobs.SongInfo {
	if a.Title == "" {
		a.Title = b.Title
	}
	if a.Artist == "" {
		a.Artist = b.Artist
	}
	if a.URL == "" {
		a.URL = b.URL
	}
	if a.Thumbnail == "" {
		a.Thumbnail = b.Thumbnail
	}
	if a.Duration == 0 {
		a.Duration = b.Duration
	}
	return a
}

// download turns the media into an upload that only has to be committed.
func (s *song) download(ctx context.Context, f *feed) (made, error) {
	if s.path == "" { // the title was not known before
		result, found, err := s.adopt(ctx)
		if err != nil || found {
			f.Close()
			s.adopted = result
			if err == nil {
				err = errAdopt
			}
			return made{}, err
		}
	}
	m := maker{
		Pipeline: s.Pipeline, profile: s.profile, meta: s.metadata(f.size), announced: s.announce,
		begin:  func() (*sink, error) { return s.begin(ctx) },
		reopen: func() (*feed, error) { return s.open(ctx) },
	}
	return m.run(ctx, f)
}

// begin starts the upload, anew if there was one.
func (s *song) begin(ctx context.Context) (*sink, error) {
	s.abort()
	upload, err := s.Blobs.Create(ctx, s.path)
	if err != nil {
		if why := stopped(ctx); why != nil {
			return nil, why
		}
		return nil, storageError(fmt.Errorf("create %s: %w", s.path, err))
	}
	s.upload = upload
	return newSink(upload), nil
}

// abort leaves nothing of an upload that was not committed. Its error is of no
// interest: whatever is left is invisible, and the blob store sweeps it up.
func (s *song) abort() {
	if s.upload != nil {
		_ = s.upload.Abort()
		s.upload = nil
	}
}

// commit publishes a proven file, or adopts the one that somebody else published
// meanwhile.
func (s *song) commit(ctx context.Context, m made) (jobs.Result, error) {
	s.report(jobs.StageStoring, jobs.Progress{Done: m.read, Total: m.read}, s.info)
	upload := s.upload
	s.upload = nil
	err := upload.Commit(ctx, BlobMeta{
		Song: s.key.Song, Profile: s.profile.Name, Title: s.info.Title, Bytes: m.bytes, SHA256: m.sha256,
		Frames: m.frames, Duration: m.duration, Transcoded: m.transcoded,
	}, s.replace)
	switch {
	case err == nil:
		info := s.info
		if info.Duration == 0 {
			info.Duration = m.duration
		}
		return jobs.Result{
			Path: s.path, Bytes: m.bytes, SHA256: m.sha256, Frames: m.frames, Duration: m.duration,
			Transcoded: m.transcoded, Info: info,
		}, nil
	case errors.Is(err, ErrExists):
		result, found, statErr := s.adopt(ctx)
		if statErr != nil || found {
			return result, statErr
		}
		// It was committed and spoilt, or removed, in the same moment: the next
		// attempt knows from the start.
		return jobs.Result{}, storageError(fmt.Errorf("commit %s: %w", s.path, err))
	default:
		if why := stopped(ctx); why != nil {
			return jobs.Result{}, why
		}
		return jobs.Result{}, storageError(fmt.Errorf("commit %s: %w", s.path, err))
	}
}

// metadata is the header of the song's file, as far as it is known before the
// media is.
func (s *song) metadata(size int64) dca.Metadata {
	meta := dca.NewMetadata(s.Tool)
	meta.Info.Title, meta.Info.Artist = headerText(s.info.Title), headerText(s.info.Artist)
	meta.Origin = dca.Origin{Source: s.key.Platform, URL: headerText(s.info.URL), Bitrate: bitrate(size, s.announce)}
	meta.Extra = map[string]any{"song_id": s.key.ID, "profile": s.profile.Name}
	return meta
}

// headerText bounds what comes from outside: readers hold the header in memory.
func headerText(s string) string {
	const limit = 1000
	return cut(strings.ToValidUTF8(s, "\uFFFD"), limit)
}

// bitrate in bits per second, 0 if it can not be known.
func bitrate(size int64, d time.Duration) dca.Bitrate {
	if size <= 0 || d < time.Second {
		return 0
	}
	return dca.Bitrate(float64(size) * 8 / d.Seconds())
}

func (p *Pipeline) tooLong() error {
	return jobs.Permanent(CodeTooLong, fmt.Sprintf("the song is too long (limit %s)", p.MaxDuration), nil)
}

package pipeline

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Source gets songs from where they are.
type Source interface {
	// Open asks for a song and returns its media, of which no or few bytes have
	// been fetched yet: bytes flow as fast as Body is read. Errors are *jobs.Error
	// with a verdict; so are the errors of Body's Read. The media ends with ctx.
	Open(ctx context.Context, song jobs.Song) (*Media, error)
}

// Media is a song on its way in.
type Media struct {
	// Body yields the container's bytes (WebM, Ogg, MP4, MP3 …); io.EOF only
	// after the last one. The reader closes it.
	Body io.ReadCloser

	Size     int64         // announced number of bytes; 0: not announced
	Duration time.Duration // announced by the source; 0: not announced
	Info     jobs.SongInfo // title, artist … as the source knows them

	Host      string // who serves it, for operators
	Extractor string // which way of the source got it, for operators
}

// Blobs keeps finished files under keys such as "audio/Title [id].dca": valid
// UTF-8, up to 512 bytes, segments separated by "/", none empty, "." or "..".
// Methods are safe for concurrent use. What can not be done for now wraps
// jobs.ErrUnavailable.
type Blobs interface {
	// Create starts an upload; nothing is visible under key before its Commit.
	// ctx bounds the whole upload.
	Create(ctx context.Context, key string) (Upload, error)

	// Stat describes a whole file. jobs.ErrNotFound; ErrNotWhole when the file
	// does not agree with what was recorded when it was committed, or nothing
	// was.
	Stat(ctx context.Context, key string) (BlobInfo, error)

	// Open reads a file from offset on. jobs.ErrNotFound.
	Open(ctx context.Context, key string, offset int64) (io.ReadCloser, error)

	// Remove deletes a file; none there is no error.
	Remove(ctx context.Context, key string) error

	// List returns the files whose keys start with prefix, by key, from the first
	// key greater than after; at most limit. Only Key, Bytes and ModTime need be
	// set.
	List(ctx context.Context, prefix, after string, limit int) ([]BlobInfo, error)
}

// Upload is a file being written by one goroutine. Either Commit or Abort ends
// it; after a failed Commit nothing of it is left. Abort after Commit does
// nothing.
type Upload interface {
	io.Writer

	// Commit makes the file visible, whole and durable, with its description, if
	// there is no file under the key. If there is one: ErrExists, and it stays as
	// it is, unless replace is set.
	Commit(ctx context.Context, meta BlobMeta, replace bool) error

	// Abort leaves nothing behind.
	Abort() error
}

// BlobMeta is what is recorded beside a file, so that somebody who finds it can
// tell that it is whole and which song it is.
type BlobMeta struct {
	Song       jobs.Song     `json:"song"`
	Profile    string        `json:"profile"`
	Title      string        `json:"title"`
	Bytes      int64         `json:"bytes"`
	SHA256     string        `json:"sha256"` // lower-case hexadecimal
	Frames     int64         `json:"frames"`
	Duration   time.Duration `json:"duration"`
	Transcoded bool          `json:"transcoded"`
}

// BlobInfo describes a stored file.
type BlobInfo struct {
	Key     string
	Bytes   int64
	ModTime time.Time
	Meta    BlobMeta
}

// ContentType is the media type of every file that the pipeline makes.
const ContentType = "audio/dca"

// Errors of blob adapters.
var (
	ErrExists   = errors.New("a file with this key exists")
	ErrNotWhole = errors.New("the file does not agree with its record")
	ErrBadKey   = errors.New("not a valid blob key")
	ErrNoSpace  = errors.New("no space left") // also wraps into jobs.Environment by the pipeline
)

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
	"github.com/butakero/butakero/internal/pipeline/webm"
)

// Codes of the *jobs.Error that the pipeline returns. They are stable. Sources
// have their own codes, which pass through unchanged.
const (
	// The media is at fault: permanent.
	CodeNotAudio   = "not_audio"  // the first bytes are those of no audio format
	CodeNoAudio    = "no_audio"   // a known container with no audio track, or no frame in it
	CodeUnreadable = "unreadable" // damaged or contradictory
	CodeTooLong    = "too_long"   // plays longer than Config.MaxDuration
	CodeTooLarge   = "too_large"  // has more bytes than Config.MaxBytes

	// CodeTruncated: the media ends before its own end. Permanent if every byte
	// that the source announced has come, transient if the source announced no
	// size, because then the connection may be to blame.
	CodeTruncated = "truncated"

	// The way here is at fault: transient.
	CodeIncomplete   = "incomplete"    // fewer or more bytes, or a shorter or longer song, than the source announced
	CodeStalled      = "stalled"       // no byte for Config.IdleTimeout
	CodeSource       = "source_failed" // the source failed and did not say how
	CodeStorage      = "storage_failed"
	CodeStorageDown  = "storage_unavailable"
	CodeFFmpegFailed = "ffmpeg_failed" // killed, hung, or failed for no reason that the media gave

	// CodeConflict: another song's file lies where this one belongs. Permanent,
	// because nothing of ours overwrites another song.
	CodeConflict = "key_conflict"

	// This machine is at fault: environment.
	CodeDiskFull      = "disk_full"      // no space for the file or for what is spooled
	CodeSpool         = "temp_failed"    // the folder for temporary files can not be used
	CodeFFmpegMissing = "ffmpeg_missing" // no ffmpeg, or one without libopus

	// CodeNoRestart is [Convert]'s own: the stream turned out to need transcoding
	// when part of it had been written already to an output that can not be
	// begun anew.
	CodeNoRestart = "needs_transcoding"
)

// errUncopyable marks a stream whose packets can not become 20 ms packets. The
// caller transcodes it.
var errUncopyable = errors.New("has to be transcoded")

func uncopyable(cause error) error { return fmt.Errorf("%w: %w", errUncopyable, cause) }

// sourceError gives an error of a source its verdict, if it brought none.
func sourceError(err error) error {
	var verdict *jobs.Error
	if errors.As(err, &verdict) {
		return err
	}
	return jobs.Transient(CodeSource, "the song could not be downloaded", err)
}

// storageError gives an error of a blob store its verdict.
func storageError(err error) error {
	var verdict *jobs.Error
	switch {
	case errors.As(err, &verdict):
		return err
	case isNoSpace(err):
		return jobs.Environment(CodeDiskFull, "the storage is full", err)
	case errors.Is(err, jobs.ErrUnavailable):
		return jobs.Transient(CodeStorageDown, "the storage can not be reached", err)
	default:
		return jobs.Transient(CodeStorage, "the file could not be stored", err)
	}
}

// spoolError gives an error of a temporary file its verdict.
func spoolError(err error) error {
	if isNoSpace(err) {
		return jobs.Environment(CodeDiskFull, "no space left for temporary files", err)
	}
	return jobs.Environment(CodeSpool, "temporary files can not be written", err)
}

func isNoSpace(err error) bool {
	return errors.Is(err, ErrNoSpace) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// stopped returns why ctx is done, nil if it is not.
func stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("stopped: %w", context.Cause(ctx))
}

// failure turns what a stage returned into the error that explains it best: a
// parser that runs out of bytes says "truncated", but the reason may be a lost
// connection, a full disk or a shutdown.
func failure(ctx context.Context, f *feed, s *sink, err error) error {
	if why := stopped(ctx); why != nil {
		return why
	}
	switch {
	case f != nil && f.err != nil:
		return f.err
	case s != nil && s.err != nil:
		return s.err
	}
	var verdict *jobs.Error
	if errors.Is(err, errUncopyable) || errors.As(err, &verdict) {
		return err
	}
	if f != nil {
		if short := f.checkSize(); short != nil {
			return short
		}
	}
	return mediaError(f, err)
}

// mediaError gives an error of a format's reader its verdict.
func mediaError(f *feed, err error) error {
	switch {
	case errors.Is(err, ogg.ErrTruncated), errors.Is(err, ogg.ErrNoEOS), errors.Is(err, webm.ErrTruncated),
		errors.Is(err, io.ErrUnexpectedEOF):
		return truncated(f, err)
	case errors.Is(err, ogg.ErrNoOpus), errors.Is(err, webm.ErrNoOpus):
		return jobs.Permanent(CodeNoAudio, "there is no audio in it", err)
	case errors.Is(err, webm.ErrEncrypted):
		return jobs.Permanent(CodeUnreadable, "the audio in it is encrypted", err)
	case errors.Is(err, opus.ErrMalformed), errors.Is(err, opus.ErrHead):
		return jobs.Permanent(CodeUnreadable, "the audio in it is damaged", err)
	default:
		return jobs.Permanent(CodeUnreadable, "the file is damaged", err)
	}
}

// truncated is for media that ends before its own end.
func truncated(f *feed, cause error) error {
	const message = "the file ends before its end"
	if f != nil && f.size == 0 {
		return jobs.Transient(CodeTruncated, message, cause)
	}
	return jobs.Permanent(CodeTruncated, message, cause)
}

package webm

import (
	"errors"
	"fmt"
	"strings"
)

// Kinds of errors, found with errors.Is. Errors of the source are returned as
// they are.
var (
	ErrNotWebM    = errors.New("not WebM or Matroska")
	ErrTruncated  = errors.New("the file ends too early")
	ErrMalformed  = errors.New("malformed WebM")
	ErrTooLarge   = errors.New("an element is too large")
	ErrNoOpus     = errors.New("no Opus track")
	ErrEncrypted  = errors.New("the track is encrypted")
	ErrCompressed = errors.New("the track's blocks are compressed")
)

// Error says what is wrong with a file, and where.
type Error struct {
	Kind   error
	Offset int64 // of the element, in bytes
	Detail string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%v at byte %d", e.Kind, e.Offset)
	}
	return fmt.Sprintf("%v: %s, at byte %d", e.Kind, e.Detail, e.Offset)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// NoOpusError is an ErrNoOpus that tells what there is instead.
type NoOpusError struct {
	Codecs []string // of the audio tracks, such as A_VORBIS
}

// Error implements error.
func (e *NoOpusError) Error() string {
	if len(e.Codecs) == 0 {
		return "no audio track"
	}
	return "no Opus track, but " + strings.Join(e.Codecs, ", ")
}

// Unwrap returns ErrNoOpus.
func (e *NoOpusError) Unwrap() error { return ErrNoOpus }

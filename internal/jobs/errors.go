package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Class says what kind of failure an error is, and so what becomes of the job.
type Class string

// The classes. See [Policy.Decide] for what each one leads to.
const (
	ClassPermanent   Class = "permanent"   // trying again can not help
	ClassTransient   Class = "transient"   // trying again may help
	ClassThrottled   Class = "throttled"   // somebody asked us to wait: not charged as an attempt
	ClassExtractor   Class = "extractor"   // the source has changed under us: few tries, then an operator's business
	ClassEnvironment Class = "environment" // this worker is unfit: disk full, ffmpeg missing
	ClassPanic       Class = "panic"       // a bug of ours
	ClassInterrupted Class = "interrupted" // shutdown: the attempt is given back
	ClassCancelled   Class = "cancelled"   // a person's wish
)

// Error is a failure with its verdict. It is found with errors.As; an error
// without one is transient with the code "internal".
type Error struct {
	Class      Class
	Code       string        // stable, lower case with underscores
	Message    string        // for the user; English, no secret, no address
	Host       string        // who failed, when it was somebody else
	Extractor  string        // which way into the source was tried last, where it has several
	RetryAfter time.Duration // throttled: at least so long
	Remember   time.Duration // permanent: how long new requests are answered from the record; 0: the policy's default
	Err        error         // the cause, for operators
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Permanent returns an error that ends the job at once.
func Permanent(code, message string, cause error) *Error {
	return &Error{Class: ClassPermanent, Code: code, Message: message, Err: cause}
}

// Transient returns an error after which the job is tried again.
func Transient(code, message string, cause error) *Error {
	return &Error{Class: ClassTransient, Code: code, Message: message, Err: cause}
}

// RetryAfter returns an error after which the job waits at least d, uncharged.
func RetryAfter(d time.Duration, code, message string, cause error) *Error {
	return &Error{Class: ClassThrottled, Code: code, Message: message, RetryAfter: d, Err: cause}
}

// Environment returns an error that blames this worker and not the job.
func Environment(code, message string, cause error) *Error {
	return &Error{Class: ClassEnvironment, Code: code, Message: message, Err: cause}
}

// Codes that the domain itself gives.
const (
	CodeInternal     = "internal"
	CodeInterrupted  = "interrupted"
	CodeLeaseLost    = "lease_lost"
	CodeTimeout      = "attempt_timeout"
	CodePanic        = "panic"
	CodeCrashLoop    = "crash_loop"
	CodeCancelled    = "cancelled"
	CodeBlocked      = "blocked"
	CodeInvalidSong  = "invalid_song"
	CodeStoreDown    = "store_unavailable"
	CodeFileMissing  = "file_missing"
	CodePaused       = "paused"
	CodeUnknownState = "unknown"
)

// AsError returns err's verdict. An error without one is transient: the message
// that users see then says nothing of the cause, which operators find in Err.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Transient(CodeTimeout, "the attempt took too long", err)
	}
	return Transient(CodeInternal, "an unexpected error", err)
}

// Refusals of conditional writes, found with errors.Is. The outcome that carries
// one holds the record as it was found.
var (
	ErrNotFound  = errors.New("no such record")
	ErrFenced    = errors.New("somebody else holds the job")           // stale fence or token
	ErrBusy      = errors.New("the job is running under a live lease") // claim
	ErrNotDue    = errors.New("the job is not due yet")                // claim, ring
	ErrEnded     = errors.New("the job or operation has ended")        // claim, finish, cancel
	ErrState     = errors.New("not possible in this state")            // replay, close, reopen, discard
	ErrStale     = errors.New("the generation has moved on")           // replay, close, published
	ErrConflict  = errors.New("the note was changed by somebody else") // notes
	ErrBadCursor = errors.New("not a cursor of this list")
	ErrUnsent    = errors.New("the event of the last end is not out yet") // reopen
)

// ErrUnavailable is wrapped by every error of a store, queue or blob adapter
// that says the backend can not be reached or refuses service for now: nothing
// is known about whether the write was applied.
var ErrUnavailable = errors.New("backend unavailable")

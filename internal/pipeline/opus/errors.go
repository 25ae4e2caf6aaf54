package opus

import (
	"errors"
	"fmt"
)

// Sentinels for errors.Is. Each is the kind of one of the typed errors below.
var (
	// ErrHead is the kind of every [HeadError]: the bytes are no OpusHead.
	ErrHead = errors.New("malformed opus head")
	// ErrMalformed is the kind of every [PacketError]: the bytes are no Opus packet.
	ErrMalformed = errors.New("malformed opus packet")
	// ErrNotCopyable is the kind of every [NotCopyableError]: valid Opus
	// that can not become 20 ms packets without decoding it.
	ErrNotCopyable = errors.New("opus stream can not be copied")
)

// Reason says why a valid stream can not be copied. The values are stable: they
// may be stored, counted and shown.
type Reason string

// Reasons of [Head.Copyable].
const (
	ReasonVersion     Reason = "opus_version"        // OpusHead of a version that is not 1-15
	ReasonGain        Reason = "opus_gain"           // DCA has no place for the output gain
	ReasonMultistream Reason = "opus_multistream"    // more than one stream in a packet
	ReasonMapping     Reason = "opus_mapping"        // channels swapped, silenced or doubled
	ReasonFamily      Reason = "opus_mapping_family" // neither family 0 nor family 1
)

// Reasons of [Repacker].
const (
	ReasonLongFrame Reason = "opus_long_frame" // a single frame of 40 or 60 ms
	ReasonMixed     Reason = "opus_mixed"      // mode or channels change inside 20 ms
	ReasonTooBig    Reason = "opus_too_big"    // 20 ms of audio need more than MaxEmitBytes
)

// NotCopyableError is returned for a stream or packet that is valid but has to be
// transcoded. errors.Is(err, ErrNotCopyable) holds.
type NotCopyableError struct {
	Reason Reason
	Detail string // for people, without the reason's name
}

func (e *NotCopyableError) Error() string {
	return fmt.Sprintf("%v: %s (%s)", ErrNotCopyable, e.Detail, e.Reason)
}

// Is reports whether target is [ErrNotCopyable].
func (e *NotCopyableError) Is(target error) bool { return target == ErrNotCopyable }

// PacketError names the rule of RFC 6716 section 3.4 that a packet breaks.
// errors.Is(err, ErrMalformed) holds.
type PacketError struct {
	Rule   int // 1 to 7, as in R1-R7
	Detail string
}

func (e *PacketError) Error() string {
	return fmt.Sprintf("%v: %s (R%d)", ErrMalformed, e.Detail, e.Rule)
}

// Is reports whether target is [ErrMalformed].
func (e *PacketError) Is(target error) bool { return target == ErrMalformed }

// HeadError says what is wrong with an OpusHead. errors.Is(err, ErrHead) holds.
type HeadError struct {
	Detail string
}

func (e *HeadError) Error() string { return fmt.Sprintf("%v: %s", ErrHead, e.Detail) }

// Is reports whether target is [ErrHead].
func (e *HeadError) Is(target error) bool { return target == ErrHead }

func headErrorf(format string, args ...any) error {
	return &HeadError{Detail: fmt.Sprintf(format, args...)}
}

func notCopyable(reason Reason, format string, args ...any) error {
	return &NotCopyableError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Malformed packets come in floods when a file is hostile, so their errors are made
// once and not formatted for each packet.
var (
	errEmpty      error = &PacketError{1, "no TOC byte"}
	errLongFrame  error = &PacketError{2, "frame longer than 1275 bytes"}
	errOdd        error = &PacketError{3, "two frames of equal size in an odd number of bytes"}
	errTwoLength  error = &PacketError{4, "length of the first of two frames runs out of the packet"}
	errNoCount    error = &PacketError{5, "no frame count byte"}
	errZeroCount  error = &PacketError{5, "frame count 0"}
	errTooLong    error = &PacketError{5, "packet longer than 120 ms"}
	errCBRPadding error = &PacketError{6, "padding runs out of the packet"}
	errCBRSize    error = &PacketError{6, "bytes do not divide by the frame count"}
	errVBRPadding error = &PacketError{7, "padding runs out of the packet"}
	errVBRLength  error = &PacketError{7, "frame lengths run out of the packet"}
)

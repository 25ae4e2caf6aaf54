package dca

import (
	"errors"
	"fmt"
)

// Code names a fault of a file. The values are stable: they are shown to users and may be
// matched by scripts.
type Code string

// Faults that end reading, because nothing behind them can be trusted.
const (
	CodeEmpty           Code = "empty"            // no bytes at all
	CodeVersion         Code = "version"          // a DCA version that is not known
	CodeTruncatedHeader Code = "truncated_header" // ends before the JSON is complete
	CodeHeaderLength    Code = "header_length"    // length below 2 or above MaxHeaderBytes
	CodeHeaderJSON      Code = "header_json"      // not one JSON object of the right types
	CodeTruncatedLength Code = "truncated_length" // ends inside a frame's length field
	CodeFrameLength     Code = "frame_length"     // length negative or zero
	CodeTruncatedFrame  Code = "truncated_frame"  // ends inside a frame
)

// Faults that [Verify] reports and reads on.
const (
	CodeHeaderKey     Code = "header_key"     // a required key is missing
	CodeHeaderValue   Code = "header_value"   // a value that players can not use
	CodeFrameTooBig   Code = "frame_too_big"  // above MaxFrameBytes
	CodeFrameInvalid  Code = "frame_invalid"  // not an Opus packet
	CodeFrameDuration Code = "frame_duration" // an Opus packet that does not last 20 ms
	CodeNoFrames      Code = "no_frames"      // nothing to play
)

// Sentinels for errors.Is.
var (
	// ErrFormat is the kind of every [FormatError].
	ErrFormat = errors.New("invalid dca file")
	// ErrFrameSize is what [Writer.WriteFrame] says to a frame that is empty or too long.
	ErrFrameSize = errors.New("dca frame size")
)

// FormatError is a fault of a file and its place. errors.Is(err, ErrFormat) holds.
type FormatError struct {
	Code   Code   `json:"code"`
	Offset int64  `json:"offset"` // byte at which the faulty thing begins
	Frame  int64  `json:"frame"`  // number of the frame from 0, -1 in the header or for the whole file
	Detail string `json:"detail"` // for people
}

func (e *FormatError) Error() string {
	if e.Frame < 0 {
		return fmt.Sprintf("%v: %s at byte %d (%s)", ErrFormat, e.Detail, e.Offset, e.Code)
	}
	return fmt.Sprintf("%v: frame %d: %s at byte %d (%s)", ErrFormat, e.Frame, e.Detail, e.Offset, e.Code)
}

// Is reports whether target is [ErrFormat].
func (e *FormatError) Is(target error) bool { return target == ErrFormat }

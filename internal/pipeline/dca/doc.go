// Package dca writes, reads and verifies DCA files, the form in which songs are stored
// for Discord bots.
//
// A DCA1 file (format notes: DCA1-specification in the wiki of bwmarrin/dca) is
//
//	"DCA1" | int32 LE length | one JSON object | frame | frame | ... until the end
//	frame = int16 LE length | one Opus packet
//
// DCA0, its predecessor, is the frames alone. There is no frame count, checksum or index: a
// file that is cut between two frames is a valid shorter file. Who stores a file
// therefore keeps its size, frame count and hash elsewhere ([Writer.Frames], [Report]) and publishes it
// atomically.
//
// [Writer] produces the shape that all known readers accept. [Reader] streams frames and
// refuses what it can not trust; [Verify] reads a whole file and reports every
// fault that it can find, with its place.
//
// The package imports only the standard library and knows nothing about Opus: what a
// packet lasts comes in as a function.
package dca

import "time"

// Limits and constants of the format as written here.
const (
	// MaxFrameBytes is the longest frame that Writer accepts and Verify lets pass: an
	// Opus frame of the maximum size and its TOC byte. Players allocate about that much.
	MaxFrameBytes = 1276
	// MaxHeaderBytes is the longest JSON header that is read or written.
	MaxHeaderBytes = 1 << 20
	// FrameSamples is the length of every frame in samples at 48 kHz. The
	// format can not express another one, because players step by it.
	FrameSamples = 960
	// FrameDuration is the same as a time.
	FrameDuration = 20 * time.Millisecond

	magic      = "DCA1"
	prefixSize = 8 // magic and header length
)

// Package ogg reads the packets of an Ogg Opus stream, strictly and in bounded memory,
// and writes such streams.
//
// Ogg (RFC 3533) cuts packets into pages, each with a checksum; RFC 7845 says how
// Opus lies in it: a page with OpusHead alone, then OpusTags, then audio. [Reader] is
// for sources that already are Ogg Opus and for the output of an
// encoder process, whose exit code alone does not prove that the stream is complete. It
// therefore tells every way in which a stream can be incomplete from the one legal
// end, and never passes over damage in silence: a caller that stops at
// the first error other than io.EOF has either everything or an error.
//
// [Writer] makes streams, and [Page] single pages, also wrong ones, for tests and
// corpora.
//
// The package imports only the standard library and never panics on any input.
package ogg

// Limits. What exceeds them is refused with an error and never held in memory.
const (
	// MaxPageBytes is the size of the largest page that the format can express: a
	// header with 255 lacing values and 255 times 255 bytes.
	MaxPageBytes = headerSize + 255 + 255*255
	// MaxPacketBytes is the longest audio packet that is read (RFC 7845 section 6 lets
	// readers refuse longer ones).
	MaxPacketBytes = 61440

	headerSize  = 27
	windowBytes = 64 << 10 // holds any page
)

// Flags of a page (RFC 3533 section 6).
const (
	FlagContinued = 1 << iota // the first packet began on an earlier page
	FlagBOS                   // first page of a logical stream
	FlagEOS                   // last page of a logical stream
)

// Package opus reads Opus packets and cuts or joins them into packets of
// exactly 20 ms without decoding a sample.
//
// Discord plays one packet every 20 ms and the DCA file carries no timing, so
// every frame in a file must last 960 samples at 48 kHz. Sources do not keep to
// that: browsers record 60 ms packets, low-latency encoders write 10 ms ones,
// and most songs end on a shorter one. An Opus packet is a TOC byte followed by
// one or more independent frames (RFC 6716 section 3), so packets can be regrouped
// by moving bytes around. [Repacker] does that; where it can not be done the error says
// so ([ErrNotCopyable]) and the caller has to transcode.
//
// Where to start: [ParseHead] and [Head.Copyable] decide from the stream's header
// whether copying is possible at all, [Samples] gives a packet's length, and [Repacker]
// turns packets into 20 ms frames.
//
// The package does no input or output, imports only the standard library, and
// never panics on any input.
package opus

// Lengths are in samples at 48 kHz, the only clock that Opus has (RFC 7845 section 4).
const (
	// SampleRate is the rate in Hz in which every length of this package counts.
	SampleRate = 48000
	// FrameSamples is the length of a frame that [Repacker] emits: 20 ms.
	FrameSamples = 960
	// MaxPacketSamples is the longest packet that the format allows: 120 ms.
	MaxPacketSamples = 5760
	// MaxFrameBytes is the longest compressed frame inside a packet (RFC 6716, R2).
	MaxFrameBytes = 1275
	// MaxEmitBytes is the longest packet that [Repacker] emits: a TOC byte and one
	// frame of the maximum size. Players reserve room for about that much.
	MaxEmitBytes = 1 + MaxFrameBytes

	maxFrames = 48 // 48 frames of 2.5 ms make 120 ms
)

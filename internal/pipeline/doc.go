// Package pipeline makes songs: it reads a song's media from a [Source],
// re-frames the Opus packets in it (or has ffmpeg transcode what can not be
// copied), writes them as a DCA1 file into [Blobs], and proves that the file is
// whole, all in one stream with bounded memory.
//
// The formats are in the packages opus, webm, ogg and dca below this one; they
// know nothing of each other. The adapters behind Source and Blobs are in
// internal/source and internal/blob.
//
// # The way of a song
//
// [Pipeline.Process] (pipeline.go) looks under the song's key ([SafeKey], key.go)
// whether the file is there and whole, and adopts it if so. Otherwise:
//
//	Source.Open → feed → sniff ─┬─ copy:      webm | ogg → opus.Repacker ─┬→ dca.Writer → sink → Upload → proofs → Commit
//	                            └─ transcode: spool → declare → ffmpeg → ogg ┘
//
// A feed (feed.go) is the media under limits and under watch: bytes, idle time,
// announced size. The first bytes (sniff.go) decide who reads it; playlists,
// pictures and pages end here. A maker (maker.go) runs the rest for Process and
// for [Convert] (convert.go). A sink (sink.go) hashes and counts what is stored.
//
// # Copying
//
// Opus in WebM or Ogg is copied whenever that is possible (copy.go): family 0 or
// what equals it, no gain, packets of any length made of frames of up to 20 ms.
// Nothing is kept of what has been read, because a packet of 20 ms at the
// beginning means that the encoder writes such packets; if the stream turns out to
// be something else in its middle, the source is opened a second time. A
// stream that begins with any other length is kept in a temporary file as it is
// read, and costs a second write instead.
//
// # Transcoding
//
// Everything else is spooled to a file without a name and read by exactly one
// ffmpeg (transcode.go, ffmpeg.go), which is told the sniffed format, may open
// nothing but its standard input, and dies with its group when the job or this
// process does. (A profile with loudness needs a measuring run before it.) Its exit code
// proves nothing; declared*.go reads how long the file claims to be, and what comes out has
// to be that long.
//
// # Proofs
//
// Before a file is published: the bytes that came are as many as announced, the
// container's own end was reached, there is a frame, every frame lasts 20 ms, and
// the duration is that which the container declares (within 0.5 s or 1 %) and the
// source announced (within 2 s or 2 %). Errors say with a verdict and a stable code
// what was wrong (errors.go).
package pipeline

// Package pipeline makes songs: it reads a song's media from a [Source],
// re-frames the Opus packets in it (or has ffmpeg transcode what can not be
// copied), writes them as a DCA1 file into [Blobs], and proves that the file is
// whole, all in one stream with bounded memory.
//
// The formats are in the packages opus, webm, ogg and dca below this one; they
// know nothing of each other. The adapters behind Source and Blobs are in
// internal/source and internal/blob.
package pipeline

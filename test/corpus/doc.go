// Package corpus makes the files that the pipeline is tested with: real music in
// every container and codec that songs come in, and everything that can be wrong
// with such files, row by row as listed in rows.go.
//
// [Load] is for tests: it returns the entries, and makes them first if they are
// not there. The command test/cmd/corpus does the same from a shell.
//
// # What is made of what
//
// The music is Debian's package hyperrogue-music, 17 tracks of Ogg Vorbis
// (music.go); it is fetched, never committed. ffmpeg and opusenc turn a piece of
// it into the valid files (encode.go). Everything that no encoder would write is
// put together byte by byte, out of packets that an encoder did write: ebml.go,
// oggpages.go and packets.go are the small writers, rows_*.go the faults.
//
// # Where it lies
//
// In the folder that BUTAKERO_TEST_CACHE names, by default butakero in the user's
// cache folder: the music once (hyperrogue-music), and the entries once per version
// of this package and of ffmpeg (corpus-HASH). A version is built beside its place
// under a lock and appears whole or not at all (build.go).
package corpus

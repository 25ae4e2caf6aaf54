// Package demo is a source that needs no network: some short pieces of music
// that come with the program, or a folder of audio files.
//
// It implements [pipeline.Source] and [jobs.Resolver]. Songs are found by words
// of their title, by demo:ID, and by any YouTube link whose id is in the
// catalogue, so that a demonstration looks as it will with YouTube behind it.
// Two of the bundled songs fail on purpose: one always, one twice.
//
// The music in samples is made by the program in gen, composed for this purpose
// and under the project's licence. The WebM files have the layout that YouTube
// gives its Opus audio; the m4a file has to be transcoded.
package demo

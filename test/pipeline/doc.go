// Package pipeline holds the pipeline against ffmpeg and against every kind of
// input in the corpus, over a real folder as blob store.
package pipeline

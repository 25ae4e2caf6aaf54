// Package webm reads the Opus packets of WebM and Matroska files, as a stream
// and in constant memory: EBML is RFC 8794, Matroska RFC 9559, and Opus in it is
// described on wiki.xiph.org/MatroskaOpus.
//
// A [Reader] pulls through one window of 64 KiB. It walks the levels Segment,
// Cluster and BlockGroup, looks into Info and Tracks, and steps over everything
// else without buffering it: other tracks, cues, tags, unknown elements. A child
// must fit into its parent, and the input may end only where every element of
// known size has ended, so that a file that was cut off is told from a whole one
// wherever the sizes are known.
package webm

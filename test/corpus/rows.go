package corpus

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Rows says what is in each row and what has to become of it. That depends on what
// a listener would want: ok, the whole song; err, a clear error, because what could
// be made of it would be noise, silence or a part that passes for the whole; any,
// either of the two. Row 0 are whole songs.
var Rows = map[int]string{
	0:  "whole songs",
	1:  "zero-length, one byte, magic numbers alone: err",
	2:  "random bytes, zeros, 0xff: err",
	3:  "error pages of web servers: err",
	4:  "HLS playlists: err, and nothing they name is opened",
	5:  "ffconcat, SDP, PLS, DASH manifests: the same",
	6:  "pictures, programs, documents, DCA: err",
	7:  "compressed audio, a gzip bomb: err",
	8:  "WebM that is cut in its header, tracks, an id, a block: err",
	9:  "WebM that is cut between blocks or clusters: err",
	10: "WebM without its last byte: err",
	11: "bytes missing from the middle: err; zeros in the middle: any",
	12: "MP4 with moov at its end: ok",
	13: "the same, cut; no moov; a box of 2^64-1 bytes: err",
	14: "MP4 with moov in front: ok; cut: err",
	15: "fragmented MP4: ok; cut: any",
	16: "FLAC that is cut, FLAC header alone: err",
	17: "WAV that is cut, empty, of no channels or no rate: err",
	18: "WAV of unknown length, of 65535 channels, of 4 GHz: any",
	19: "MP3 and Vorbis that are cut: any",
	20: "an ID3 tag that says 256 MiB: err",
	21: "MP3 with a comment of 99 kB: ok, and the comment is not in the result",
	22: "cover pictures: ok",
	23: "WebM Segment and Clusters of unknown size: ok",
	24: "a SimpleBlock of unknown size: any",
	25: "sizes near 2^56, 1 GiB, 100 MiB: err, with little memory",
	26: "lacing that contradicts itself: any",
	27: "Xiph, EBML and fixed lacing: ok",
	28: "100,000 nested elements, 20,000 tracks, 300,000 Voids: any",
	29: "Void, CRC-32 and unknown elements everywhere: ok",
	30: "blocks of an undeclared track: any",
	31: "BlockGroup with DiscardPadding: ok",
	32: "video beside the audio: ok",
	33: "two audio tracks: ok, one of them",
	34: "no audio track, no Tracks, no Cluster, empty Clusters: err",
	35: "an encrypted track: err",
	36: "header stripping: any",
	37: "Opus packets of 2.5, 5, 10 ms: ok, joined",
	38: "Opus packets of 40 to 120 ms: ok, split",
	39: "SILK frames of 40 and 60 ms: ok by transcoding",
	40: "packets of 20, 10 and 60 ms mixed; the last one of 10 ms: ok",
	41: "one packet of 10 ms between those of 20 ms: any",
	42: "DTX: ok",
	43: "padding of 600 bytes: ok; of 100 kB: any",
	44: "a malformed packet: any",
	45: "nothing but malformed packets: err",
	46: "coding mode and channel count changing: ok",
	47: "mono, 8 kHz, 510 kbit/s, voip, silence, 10 ms: ok",
	48: "5.1 channels: ok by transcoding",
	49: "strange channel mappings and damaged OpusHeads: any",
	50: "output gain: any",
	51: "timestamps that begin at 1 h or below 0: ok",
	52: "timestamps and durations that lie: any",
	53: "two files glued: any",
	54: "Ogg: continued packets, pages of one and of no segment, multiples of 255: ok",
	55: "OpusTags of 290 kB and more: ok; a vendor of 4 GiB: any",
	56: "chained Ogg: any, never the first part alone",
	57: "multiplexed Ogg: any, never mixed",
	58: "Ogg that is cut in a page, in the headers, behind them: err",
	59: "Ogg that is cut between pages, without end mark, in a packet: any",
	60: "one wrong checksum: any; all wrong: err",
	61: "pages lost, swapped, mislabelled, surrounded by junk: any",
	62: "granules near 2^63: any; end trim: ok",
	63: "wrong extensions: ok",
	64: "file names that are options, patterns, commands: ok",
	65: "all other formats: ok",
	66: "ten hours of silence: ok, with constant memory",
	67: "FLAC that says 60 s and holds ten hours: any, stopped early",
}

// sorted returns the entries in the order of rows and names.
func (b *builder) sorted() []Entry {
	return slices.SortedFunc(slices.Values(b.entries), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Name, b.Name))
	})
}

// items are files by their names.
type items map[string][]byte

// putAll adds files of which nothing is known but what is wanted.
func (b *builder) putAll(row int, format string, want Want, all items) error {
	return b.putPackets(row, format, want, 0, all)
}

// putPackets adds files of n frames each; 0: not known.
func (b *builder) putPackets(row int, format string, want Want, n int, all items) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := Entry{Row: row, Name: name, Format: format, Want: want, Frames: n, Duration: lasting(n)}
		if want == TranscodeOK {
			e.Frames = 0
		}
		if err := b.put(e, all[name]); err != nil {
			return err
		}
	}
	return nil
}

// lasting is how long frames last.
func lasting(frames int) time.Duration { return time.Duration(frames) * frameLength }

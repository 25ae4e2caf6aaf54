package webm

import (
	"math"
	"time"
)

// Element ids (RFC 9559 section 5).
const (
	idEBML        = 0x1A45DFA3
	idDocType     = 0x4282
	idMaxIDLength = 0x42F2
	idMaxSize     = 0x42F3
	idVoid        = 0xEC
	idCRC32       = 0xBF

	idSegment     = 0x18538067
	idSeekHead    = 0x114D9B74
	idInfo        = 0x1549A966
	idTracks      = 0x1654AE6B
	idCluster     = 0x1F43B675
	idCues        = 0x1C53BB6B
	idAttachments = 0x1941A469
	idChapters    = 0x1043A770
	idTags        = 0x1254C367

	idTimestampScale = 0x2AD7B1
	idDuration       = 0x4489
	idTitle          = 0x7BA9

	idTrackEntry   = 0xAE
	idTrackNumber  = 0xD7
	idTrackType    = 0x83
	idFlagEnabled  = 0xB9
	idFlagDefault  = 0x88
	idCodecID      = 0x86
	idCodecPrivate = 0x63A2
	idCodecDelay   = 0x56AA
	idSeekPreRoll  = 0x56BB
	idLanguage     = 0x22B59C
	idAudio        = 0xE1
	idSampling     = 0xB5
	idChannels     = 0x9F
	idEncodings    = 0x6D80
	idEncoding     = 0x6240
	idEncodingType = 0x5033

	idTimestamp      = 0xE7
	idSimpleBlock    = 0xA3
	idBlockGroup     = 0xA0
	idBlock          = 0xA1
	idDiscardPadding = 0x75A2
)

const (
	trackAudio = 2
	maxTracks  = 64
	codecOpus  = "A_OPUS"
)

// Track describes the Opus track whose packets a Reader returns.
type Track struct {
	Number       uint64
	Codec        string // A_OPUS
	CodecPrivate []byte // OpusHead (RFC 7845 section 5.1), nil if there is none
	Channels     int
	SamplingRate float64       // Hz
	CodecDelay   time.Duration // pre-skip
	SeekPreRoll  time.Duration
	Language     string
	Default      bool

	enabled    bool
	audio      bool
	encrypted  bool
	compressed bool
}

// isLevel1 reports whether an element is a child of Segment, and so ends a
// Cluster of unknown size.
func isLevel1(id uint32) bool {
	switch id {
	case idSeekHead, idInfo, idTracks, idCluster, idCues, idAttachments, idChapters, idTags:
		return true
	}
	return false
}

// misplaced reports whether an element can not be where it is found: blocks
// outside of their Cluster, a Cluster inside another, the start of a second file.
// Stepping over it would lose audio without a word.
func (l level) misplaced(id uint32) bool {
	switch id {
	case idEBML, idSegment:
		return true
	case idTimestamp, idSimpleBlock, idBlockGroup:
		return l != inCluster
	case idBlock:
		return l != inGroup
	}
	return isLevel1(id) && l != inSegment
}

// info is what a Reader keeps of the Info element.
type info struct {
	scale    uint64 // nanoseconds per tick
	duration float64
	title    string
}

func parseInfo(b []byte) (i info, ok bool) {
	i.scale = 1_000_000
	ok = children(b, func(id uint32, content []byte) bool {
		switch id {
		case idTimestampScale:
			if v := parseUint(content); v > 0 {
				i.scale = v
			}
		case idDuration:
			i.duration = parseFloat(content)
		case idTitle:
			i.title = parseString(content)
		}
		return true
	})
	return i, ok
}

// length is the announced duration, 0 if there is none that makes sense.
func (i info) length() time.Duration {
	ns := i.duration * float64(i.scale)
	if math.IsNaN(ns) || ns <= 0 || ns > float64(1<<62) {
		return 0
	}
	return time.Duration(ns)
}

func parseTracks(b []byte) (tracks []Track, ok bool) {
	ok = children(b, func(id uint32, content []byte) bool {
		if id != idTrackEntry || len(tracks) == maxTracks {
			return true
		}
		t, ok := parseTrack(content)
		tracks = append(tracks, t)
		return ok
	})
	return tracks, ok
}

func parseTrack(b []byte) (t Track, ok bool) {
	t = Track{enabled: true, Default: true, Channels: 1, SamplingRate: 8000, Language: "eng"} // the specification's defaults
	ok = children(b, func(id uint32, content []byte) bool {
		switch id {
		case idTrackNumber:
			t.Number = parseUint(content)
		case idTrackType:
			t.audio = parseUint(content) == trackAudio
		case idFlagEnabled:
			t.enabled = parseUint(content) != 0
		case idFlagDefault:
			t.Default = parseUint(content) != 0
		case idCodecID:
			t.Codec = parseString(content)
		case idCodecPrivate:
			t.CodecPrivate = append([]byte(nil), content...)
		case idCodecDelay:
			t.CodecDelay = nanoseconds(content)
		case idSeekPreRoll:
			t.SeekPreRoll = nanoseconds(content)
		case idLanguage:
			t.Language = parseString(content)
		case idAudio:
			return t.parseAudio(content)
		case idEncodings:
			return t.parseEncodings(content)
		}
		return true
	})
	return t, ok
}

func nanoseconds(content []byte) time.Duration {
	return time.Duration(min(parseUint(content), math.MaxInt64))
}

func (t *Track) parseAudio(b []byte) bool {
	return children(b, func(id uint32, content []byte) bool {
		switch id {
		case idSampling:
			t.SamplingRate = parseFloat(content)
		case idChannels:
			t.Channels = int(min(parseUint(content), 255))
		}
		return true
	})
}

// parseEncodings notes what was done to the blocks: compression (type 0, header
// stripping among them) or encryption (type 1).
func (t *Track) parseEncodings(b []byte) bool {
	return children(b, func(id uint32, content []byte) bool {
		if id != idEncoding {
			return true
		}
		encrypted := false
		ok := children(content, func(id uint32, content []byte) bool {
			if id == idEncodingType && parseUint(content) == 1 {
				encrypted = true
			}
			return true
		})
		t.encrypted = t.encrypted || encrypted
		t.compressed = t.compressed || !encrypted
		return ok
	})
}

// choose picks the first Opus track that is enabled and default, or else the
// first enabled one.
func choose(tracks []Track) (Track, error) {
	var chosen *Track
	var codecs []string
	for i := range tracks {
		t := &tracks[i]
		if !t.audio {
			continue
		}
		if t.Codec != codecOpus || !t.enabled || t.Number == 0 {
			if t.Codec != codecOpus {
				codecs = append(codecs, t.Codec)
			}
			continue
		}
		if chosen == nil || t.Default && !chosen.Default {
			chosen = t
		}
	}
	switch {
	case chosen == nil:
		return Track{}, &NoOpusError{Codecs: codecs}
	case chosen.encrypted:
		return *chosen, ErrEncrypted
	case chosen.compressed:
		return *chosen, ErrCompressed
	}
	return *chosen, nil
}

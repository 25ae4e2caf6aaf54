package pipeline

import (
	"bytes"
	"encoding/binary"
)

// format is a kind of file that is accepted. Everything else is refused before
// any decoder sees it: playlists, pictures and descriptions of streams make
// some decoders open other files and addresses.
type format struct {
	name    string // for people
	demuxer string // ffmpeg's name of what reads it
	opus    bool   // may hold Opus packets that can be copied
}

var (
	formatWebM = &format{"WebM", "matroska", true}
	formatOgg  = &format{"Ogg", "ogg", true}
	formatMP4  = &format{"MP4", "mov", false}
	formatFLAC = &format{"FLAC", "flac", false}
	formatWAV  = &format{"WAV", "wav", false}
	formatAIFF = &format{"AIFF", "aiff", false}
	formatMP3  = &format{"MP3", "mp3", false}
	formatADTS = &format{"AAC", "aac", false}
	formatAC3  = &format{"AC-3", "ac3", false}
	formatEAC3 = &format{"E-AC-3", "eac3", false}
)

// sniffBytes is how much of the beginning decides: enough for two of the
// longest frames of MPEG audio that are in use.
const sniffBytes = 4096

// sniff recognises a format by its first bytes, nil if it is none of ours. An
// ID3 tag counts as MP3 until the file behind it can be looked at (sniffID3).
func sniff(b []byte) *format {
	switch {
	case bytes.HasPrefix(b, []byte{0x1A, 0x45, 0xDF, 0xA3}):
		return formatWebM
	case bytes.HasPrefix(b, []byte("OggS")):
		return formatOgg
	case len(b) >= 12 && string(b[4:8]) == "ftyp":
		return formatMP4
	case bytes.HasPrefix(b, []byte("fLaC")):
		return formatFLAC
	case len(b) >= 12 && (string(b[:4]) == "RIFF" || string(b[:4]) == "RF64") && string(b[8:12]) == "WAVE":
		return formatWAV
	case len(b) >= 12 && string(b[:4]) == "FORM" && (string(b[8:12]) == "AIFF" || string(b[8:12]) == "AIFC"):
		return formatAIFF
	case len(b) >= 10 && string(b[:3]) == "ID3" && b[3] < 0xFF && b[4] < 0xFF:
		return formatMP3
	}
	for _, kind := range []struct {
		format *format
		frame  func([]byte) audioFrame
	}{{formatMP3, mpegFrame}, {formatADTS, adtsFrame}, {formatAC3, ac3Frame}} {
		if n := countFrames(b, kind.frame); n >= 2 {
			if kind.format == formatAC3 && b[5]>>3 > 10 {
				return formatEAC3
			}
			return kind.format
		}
	}
	return nil
}

// countFrames counts the frames that follow each other from the beginning of b; a
// header at the end of b counts if it is whole.
func countFrames(b []byte, parse func([]byte) audioFrame) int {
	n := 0
	for at := 0; at < len(b); n++ {
		frame := parse(b[at:])
		if frame.bytes == 0 {
			break
		}
		at += frame.bytes
	}
	return n
}

// audioFrame is what the header of a self-contained frame says. bytes is 0 if
// there is no valid header.
type audioFrame struct {
	bytes, samples, rate int
	mono                 bool
	version              int // of MPEG: 1, 2, 25
}

var (
	mpegBitrates = [2][3][15]int{ // kbit/s by version 1 or not, layer 1-3, index 1-14
		{
			{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
			{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
			{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
		},
		{
			{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
			{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
			{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
		},
	}
	mpegRates = [3]int{44100, 48000, 32000}
	adtsRates = [13]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
)

// mpegFrame reads a header of MPEG audio (ISO 11172-3, 2.4.1.3; MPEG 2.5 with
// its half rates). Free format, which nothing in use writes, is not accepted.
func mpegFrame(b []byte) audioFrame {
	if len(b) < 4 || b[0] != 0xFF || b[1]&0xE0 != 0xE0 {
		return audioFrame{}
	}
	version, layer := b[1]>>3&3, 4-int(b[1]>>1&3)
	bitrate, rate := int(b[2]>>4), int(b[2]>>2&3)
	if version == 1 || layer == 4 || bitrate == 0 || bitrate == 15 || rate == 3 || b[3]&3 == 2 {
		return audioFrame{}
	}
	f := audioFrame{rate: mpegRates[rate], samples: 1152, mono: b[3]>>6 == 3, version: 1}
	table := 0
	if version != 3 {
		table, f.rate, f.version = 1, f.rate/2, 2
		if version == 0 {
			f.rate, f.version = f.rate/2, 25
		}
		if layer == 3 {
			f.samples = 576
		}
	}
	bits := mpegBitrates[table][layer-1][bitrate] * 1000
	padding := int(b[2] >> 1 & 1)
	if layer == 1 {
		f.samples = 384
		f.bytes = (12*bits/f.rate + padding) * 4
	} else {
		f.bytes = f.samples/8*bits/f.rate + padding
	}
	return f
}

// adtsFrame reads a header of AAC in ADTS (ISO 13818-7, 6.2).
func adtsFrame(b []byte) audioFrame {
	if len(b) < 7 || b[0] != 0xFF || b[1]&0xF6 != 0xF0 {
		return audioFrame{}
	}
	rate := int(b[2] >> 2 & 15)
	size := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5]>>5)
	if rate >= len(adtsRates) || size < 7 {
		return audioFrame{}
	}
	return audioFrame{bytes: size, samples: 1024 * (1 + int(b[6]&3)), rate: adtsRates[rate]}
}

// ac3Frame reads a header of AC-3 or E-AC-3 (ETSI TS 102 366, 4.3.1 and E.1.2).
func ac3Frame(b []byte) audioFrame {
	if len(b) < 6 || b[0] != 0x0B || b[1] != 0x77 {
		return audioFrame{}
	}
	if id := b[5] >> 3; id > 10 && id <= 16 { // E-AC-3 codes its size
		words := int(binary.BigEndian.Uint16(b[2:])&0x7FF) + 1
		return audioFrame{bytes: 2 * words, samples: 1536, rate: 48000}
	}
	rate, size := int(b[4]>>6), int(b[4]&63)
	if rate == 3 || size > 37 || b[5]>>3 > 10 {
		return audioFrame{}
	}
	kbits := [19]int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}[size/2]
	hz := [3]int{48000, 44100, 32000}[rate]
	words := kbits * 1000 * 1536 / hz / 16
	if rate == 1 {
		words += size & 1
	}
	return audioFrame{bytes: 2 * words, samples: 1536, rate: hz}
}

// id3Size is the length of the ID3v2 tag at the beginning of b with its header,
// 0 if there is none.
func id3Size(b []byte) int64 {
	if len(b) < 10 || string(b[:3]) != "ID3" {
		return 0
	}
	var n int64
	for _, c := range b[6:10] {
		n = n<<7 | int64(c&0x7F)
	}
	n += 10
	if b[5]&0x10 != 0 { // footer
		n += 10
	}
	return n
}

package dca

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// Metadata is the JSON object at the beginning of a DCA1 file. All of it is written before the
// first frame, so it holds only what is known by then.
type Metadata struct {
	DCA    Format         `json:"dca"`
	Opus   Opus           `json:"opus"`
	Info   Info           `json:"info"`
	Origin Origin         `json:"origin"`
	Extra  map[string]any `json:"extra"` // free; written as {} when nil
}

// Format says which version of the format a file has and what wrote it.
type Format struct {
	Version int  `json:"version"` // 1
	Tool    Tool `json:"tool"`
}

// Tool is the program that wrote a file.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	URL     string `json:"url"`
	Author  string `json:"author"`
}

// Opus says how the frames are encoded.
type Opus struct {
	Mode       string  `json:"mode"`        // "audio", "voip" or "lowdelay"
	SampleRate int     `json:"sample_rate"` // Hz
	FrameSize  int     `json:"frame_size"`  // samples of a frame times channels: 1920
	Bitrate    Bitrate `json:"abr"`
	VBR        bool    `json:"vbr"`
	Channels   int     `json:"channels"`
}

// Info describes the song.
type Info struct {
	Title    string  `json:"title"`
	Artist   string  `json:"artist"`
	Album    string  `json:"album"`
	Genre    string  `json:"genre"`
	Comments string  `json:"comments"`
	Cover    *string `json:"cover"` // base64 of a picture; always null in files of this system
}

// Origin describes where the song came from.
type Origin struct {
	Source   string  `json:"source"` // "file", or the platform's name
	Bitrate  Bitrate `json:"abr"`
	Channels int     `json:"channels"`
	Encoding string  `json:"encoding"`
	URL      string  `json:"url"`
}

// Bitrate is in bits per second. 0 means unknown and is null in JSON, as the specification
// wants it.
type Bitrate int

// MarshalJSON writes the number, or null for 0.
func (b Bitrate) MarshalJSON() ([]byte, error) {
	if b == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int(b))
}

// NewMetadata returns metadata with everything filled in that is the same for all files:
// version 1, 48 kHz, two channels, 20 ms, variable bit rate. The frame size is 1920, that is
// 960 samples times two channels: of the three readings in use the one that
// computes to 20 ms in most readers.
func NewMetadata(tool Tool) Metadata {
	return Metadata{
		DCA:   Format{Version: 1, Tool: tool},
		Opus:  Opus{Mode: "audio", SampleRate: 48000, FrameSize: 2 * FrameSamples, VBR: true, Channels: 2},
		Extra: map[string]any{},
	}
}

// appendHeader appends magic, length and JSON to b.
func (m Metadata) appendHeader(b []byte) ([]byte, error) {
	if m.Extra == nil {
		m.Extra = map[string]any{}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // titles with & and < stay readable
	if err := encoder.Encode(m); err != nil {
		return nil, fmt.Errorf("encode dca metadata: %w", err)
	}
	object := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	if len(object) > MaxHeaderBytes {
		return nil, fmt.Errorf("dca metadata of %d bytes, the limit is %d", len(object), MaxHeaderBytes)
	}
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(object))) // #nosec G115 -- at most 1 MiB
	return append(b, object...), nil
}

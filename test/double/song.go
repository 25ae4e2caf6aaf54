package double

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"
)

// Song is a video of the catalogue.
type Song struct {
	ID      string // eleven characters
	Title   string
	Channel string

	// Length is what YouTube announces, in whole seconds.
	Length  time.Duration
	Formats []Format
}

// Format is one of the ways in which a song can be had.
type Format struct {
	Itag     int
	Mime     string
	Bitrate  int // bits a second
	Duration time.Duration
	Data     []byte

	Language string // of a dubbed track, "" for the only one
	Original bool   // of several languages, this one is the song's own
	DRC      bool   // the double with compressed dynamics
}

// itags of audio and what they are.
var itags = map[int]struct {
	mime, quality string
	bitrate, rate int
}{
	251: {`audio/webm; codecs="opus"`, "AUDIO_QUALITY_MEDIUM", 160_000, 48000},
	250: {`audio/webm; codecs="opus"`, "AUDIO_QUALITY_LOW", 70_000, 48000},
	249: {`audio/webm; codecs="opus"`, "AUDIO_QUALITY_LOW", 50_000, 48000},
	140: {`audio/mp4; codecs="mp4a.40.2"`, "AUDIO_QUALITY_MEDIUM", 128_000, 44100},
	139: {`audio/mp4; codecs="mp4a.40.5"`, "AUDIO_QUALITY_LOW", 48_000, 22050},
}

// NewSong puts a track into the catalogue's form.
func NewSong(id string, t Track) Song {
	s := Song{ID: id, Title: t.Title, Channel: t.Artist, Length: t.Duration.Round(time.Second)}
	for _, itag := range slices.Backward(slices.Sorted(maps.Keys(t.Files))) {
		s.Formats = append(s.Formats, Format{
			Itag: itag, Mime: itags[itag].mime, Bitrate: itags[itag].bitrate, Duration: t.Duration, Data: t.Files[itag],
		})
	}
	return s
}

// Format returns the song in one itag, the zero value if it is not there.
func (s Song) Format(itag int) Format {
	for _, f := range s.Formats {
		if f.Itag == itag {
			return f
		}
	}
	return Format{}
}

// Only returns the song without the formats that are not named.
func (s Song) Only(itags ...int) Song {
	s.Formats = slices.DeleteFunc(slices.Clone(s.Formats), func(f Format) bool { return !slices.Contains(itags, f.Itag) })
	return s
}

// modified is when YouTube made a format, in microseconds; a constant of the
// song.
func (s Song) modified() string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.ID)) // never fails
	return fmt.Sprintf("17%014d", h.Sum32())
}

// channelID makes one of the right form out of a channel's name.
func channelID(name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return fmt.Sprintf("UC%022x", h.Sum64())
}

// Pad makes an id of eleven characters out of a shorter text.
func Pad(text string) string {
	return (text + strings.Repeat("-", 11))[:11]
}

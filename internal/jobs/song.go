package jobs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Platforms that songs come from. The number of a platform is part of every
// operation id (see [NewOperationID]): never reuse or reorder one.
const (
	PlatformYouTube = "youtube"
	PlatformDemo    = "demo"
)

var platformCodes = map[string]byte{PlatformYouTube: 1, PlatformDemo: 2}

// DefaultProfile is the profile of a request that names none. It has no name
// on the wire.
const DefaultProfile = "default"

// SongIDLength is the length of a song id in characters, each one of
// A-Z a-z 0-9 _ and -: the form of YouTube's video ids, kept for every platform
// so that an operation id can carry its song.
const SongIDLength = 11

// Song names a piece of media.
type Song struct {
	Platform string `json:"platform"`
	ID       string `json:"id"`
}

// String returns platform:id.
func (s Song) String() string { return s.Platform + ":" + s.ID }

// Validate reports whether the platform is known and the id well formed.
func (s Song) Validate() error {
	if _, ok := platformCodes[s.Platform]; !ok {
		return fmt.Errorf("unknown platform %q", s.Platform)
	}
	if !ValidSongID(s.ID) {
		return fmt.Errorf("song id %q is not %d characters of A-Z a-z 0-9 _ -", s.ID, SongIDLength)
	}
	return nil
}

// ValidSongID reports whether id has the form of a song id.
func ValidSongID(id string) bool {
	if len(id) != SongIDLength {
		return false
	}
	for i := range len(id) {
		if strings.IndexByte(idAlphabet, id[i]) < 0 {
			return false
		}
	}
	return true
}

// SongInfo is what is known of a song beside its name. All of it may be empty
// until a worker has asked the source.
type SongInfo struct {
	Title     string        `json:"title,omitempty"`
	Artist    string        `json:"artist,omitempty"`
	URL       string        `json:"url,omitempty"`
	Thumbnail string        `json:"thumbnail,omitempty"`
	Duration  time.Duration `json:"duration,omitempty"`
}

// Key names a job: one song in one profile. There is at most one job per key,
// which is what makes a song be made once however many ask for it.
type Key struct {
	Song
	Profile string `json:"profile"`
}

// String returns platform:id:profile.
func (k Key) String() string { return k.Platform + ":" + k.ID + ":" + k.Profile }

// ErrBadKey is returned by [ParseKey] for a text that is no job key.
var ErrBadKey = errors.New("not a job key (platform:id:profile)")

// ParseKey reads what [Key.String] wrote. A missing profile is the default one.
func ParseKey(s string) (Key, error) {
	parts := strings.Split(s, ":")
	if len(parts) == 2 {
		parts = append(parts, DefaultProfile)
	}
	if len(parts) != 3 || !ValidProfileName(parts[2]) {
		return Key{}, fmt.Errorf("%w: %q", ErrBadKey, s)
	}
	k := Key{Song: Song{Platform: parts[0], ID: parts[1]}, Profile: parts[2]}
	if err := k.Validate(); err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrBadKey, err)
	}
	return k, nil
}

// ValidProfileName reports whether name is 1 to 32 characters of a-z 0-9 and -.
func ValidProfileName(name string) bool {
	if name == "" || len(name) > 32 {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

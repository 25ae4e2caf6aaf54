package pipeline

import (
	"fmt"
	"strconv"

	"github.com/butakero/butakero/internal/jobs"
)

// Profile is how a song is encoded.
type Profile struct {
	Name string // see jobs.ValidProfileName

	// Copy lets the packets of an Opus source through as they are, at whatever
	// bit rate it has. What is not Opus is encoded.
	Copy bool

	Bitrate    int // of what is encoded, in bits per second
	Complexity int // of libopus, 0 to 10: 0 takes about half the time of 10

	// Loudness is what the song is brought to, in LUFS (EBU R 128), by turning it
	// up or down as a whole; peaks that would clip are limited. 0: left alone.
	Loudness float64
}

// Profiles returns the profiles that are there if nothing else is said. The
// default one is the first.
func Profiles() []Profile {
	return []Profile{
		{Name: jobs.DefaultProfile, Copy: true, Bitrate: 96_000, Complexity: 10},
		{Name: "low", Bitrate: 48_000, Complexity: 10},
		{Name: "high", Copy: true, Bitrate: 128_000, Complexity: 10},
		{Name: "fast", Copy: true, Bitrate: 96_000, Complexity: 5},
		{Name: "normalized", Bitrate: 96_000, Complexity: 10, Loudness: -14},
	}
}

// ProfileNames returns the names of Profiles.
func ProfileNames() []string {
	profiles := Profiles()
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.Name
	}
	return names
}

// validate reports what ffmpeg would not understand.
func (p Profile) validate() error {
	switch {
	case !jobs.ValidProfileName(p.Name):
		return fmt.Errorf("profile %q: not a profile name", p.Name)
	case p.Bitrate < 6_000 || p.Bitrate > 256_000:
		return fmt.Errorf("profile %s: bit rate %d is not 6000 to 256000", p.Name, p.Bitrate)
	case p.Complexity < 0 || p.Complexity > 10:
		return fmt.Errorf("profile %s: complexity %d is not 0 to 10", p.Name, p.Complexity)
	case p.Loudness > 0 || p.Loudness < -40:
		return fmt.Errorf("profile %s: loudness %g is not -40 to 0 LUFS", p.Name, p.Loudness)
	case p.Copy && p.Loudness != 0:
		return fmt.Errorf("profile %s: what is copied can not change its loudness", p.Name)
	}
	return nil
}

// encoder returns ffmpeg's options for the profile's encoder.
func (p Profile) encoder() []string {
	return []string{
		"-ac", "2", "-ar", "48000", "-c:a", "libopus", "-b:a", strconv.Itoa(p.Bitrate), "-vbr", "on",
		"-compression_level", strconv.Itoa(p.Complexity), "-application", "audio", "-frame_duration", "20",
	}
}

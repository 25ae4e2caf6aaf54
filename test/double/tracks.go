package double

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Track is a piece of audio in YouTube's formats.
type Track struct {
	Title    string
	Artist   string
	Duration time.Duration
	Files    map[int][]byte // by itag
}

// Tracks are what tests play: short ones, a whole song, and one whose best
// format is larger than what may be asked for at once.
type Tracks struct {
	Short []Track // some seconds each
	Song  Track   // some minutes
	Large Track   // more than 10 MiB in itag 251
	Real  bool    // music; else tones
}

// tracksVersion changes with anything below.
const tracksVersion = "2"

// recipe is a track to be made.
type recipe struct {
	name, title, artist string
	music               string // file among the music
	tone                string // what else to make it of
	seconds             int
	loop                int // the finished files so often more, without encoding again
}

var recipes = []recipe{
	{"short-1", "Lanterns & Rain", "The Cartographers", "hr3-crossroads.ogg", "sine=frequency=220:beep_factor=4", 12, 0},
	{"short-2", "Río Claro", "Ana Peralta", "hr3-caves.ogg", "sine=frequency=330:beep_factor=3", 9, 0},
	{"short-3", `"Quoted" <Song>`, "Radio Vieja", "hr3-laboratory.ogg", "sine=frequency=262:beep_factor=2", 6, 0},
	{"song", "Crossroads at Midnight", "The Cartographers", "hr3-crossroads.ogg", "anoisesrc=colour=pink:amplitude=0.4", 150, 0},
	{"large", "The Long Way Home (Full Album)", "The Cartographers", "hr3-caves.ogg", "anoisesrc=colour=brown:amplitude=0.6", 150, 4},
}

// LoadTracks returns the tracks, and makes them first if they are not in the
// cache: with ffmpeg, of the music of package corpus if it is there, else of
// tones. The cache is BUTAKERO_TEST_CACHE, by default butakero in the user's
// cache folder. say is told what takes long.
func LoadTracks(ctx context.Context, say func(string)) (*Tracks, error) {
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	music := filepath.Join(cache, "hyperrogue-music")
	sounding := exists(filepath.Join(music, recipes[0].music))
	dir := filepath.Join(cache, "double", tracksKey(sounding))
	sweep(filepath.Dir(dir))
	if !exists(filepath.Join(dir, "tracks.json")) {
		say("making the songs of YouTube's double (half a minute, once)")
		if err := makeTracks(ctx, dir, music, sounding); err != nil {
			return nil, fmt.Errorf("songs of YouTube's double: %w", err)
		}
	}
	return readTracks(dir, sounding)
}

func cacheFolder() (string, error) {
	if dir := os.Getenv("BUTAKERO_TEST_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return filepath.Join(dir, "butakero"), nil
}

// CacheFolder is where scripts/setup.sh puts what tests need.
func CacheFolder() (string, error) { return cacheFolder() }

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// sweep removes what nobody has used for long, and what was broken off.
func sweep(dir string) {
	old, err := os.ReadDir(dir)
	if err != nil {
		return // it is not there yet
	}
	for _, e := range old {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > unusedFor {
			_ = os.RemoveAll(filepath.Join(dir, e.Name())) // next time
		}
	}
}

const unusedFor = 14 * 24 * time.Hour

func tracksKey(sounding bool) string {
	version, err := exec.Command("ffmpeg", "-hide_banner", "-version").Output()
	if err != nil {
		version = nil // said when it is needed
	}
	first, _, _ := strings.Cut(string(version), "\n")
	sum := sha256.Sum256([]byte(fmt.Sprint(tracksVersion, sounding, first, recipes)))
	return "v-" + hex.EncodeToString(sum[:6])
}

// makeTracks builds the folder beside its place; whoever is first wins.
func makeTracks(ctx context.Context, dir, music string, sounding bool) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	stage, err := os.MkdirTemp(filepath.Dir(dir), "stage-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(stage) }()
	lengths := map[string]time.Duration{}
	for _, r := range recipes {
		if err := r.make(ctx, stage, music, sounding); err != nil {
			return err
		}
		if lengths[r.name], err = probe(ctx, filepath.Join(stage, r.file(251))); err != nil {
			return err
		}
	}
	index, err := json.Marshal(lengths)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(stage, "tracks.json"), index, 0o600); err != nil {
		return err
	}
	if err := os.Rename(stage, dir); err != nil && !errors.Is(err, fs.ErrExist) && !exists(filepath.Join(dir, "tracks.json")) {
		return err
	}
	return nil
}

func (r recipe) file(itag int) string {
	ext := ".webm"
	if itag < 200 {
		ext = ".m4a"
	}
	return r.name + "-" + strconv.Itoa(itag) + ext
}

// DASH on-demand as YouTube's muxer writes it: WebM with its index before
// clusters of ten seconds, MP4 in fragments.
var (
	webmLayout = []string{"-f", "webm", "-dash", "1", "-cluster_time_limit", "10000", "-cues_to_front", "1"}
	mp4Layout  = []string{"-f", "mp4", "-brand", "dash", "-movflags", "+frag_keyframe+empty_moov+default_base_moof+global_sidx", "-frag_duration", "10000000"}
)

func (r recipe) make(ctx context.Context, stage, music string, sounding bool) error {
	args := []string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y"}
	if sounding {
		args = append(args, "-stream_loop", "20", "-i", filepath.Join(music, r.music)) // tracks are shorter than songs
	} else {
		args = append(args, "-f", "lavfi", "-i", r.tone)
	}
	first := func(name string) string {
		if r.loop > 0 {
			return filepath.Join(stage, "once-"+name)
		}
		return filepath.Join(stage, name)
	}
	for _, itag := range []int{251, 250, 249, 140, 139} {
		args = append(args, "-t", strconv.Itoa(r.seconds), "-map", "0:a:0", "-map_metadata", "-1", "-fflags", "+bitexact", "-ac", "2")
		if itag > 200 {
			args = append(args, "-c:a", "libopus", "-b:a", strconv.Itoa(itags[itag].bitrate), "-ar", "48000", "-compression_level", "5", "-frame_duration", "20")
			args = append(args, webmLayout...)
		} else {
			args = append(args, "-c:a", "aac", "-b:a", strconv.Itoa(itags[itag].bitrate), "-ar", strconv.Itoa(itags[itag].rate))
			args = append(args, mp4Layout...)
		}
		args = append(args, first(r.file(itag)))
	}
	if err := run(ctx, "ffmpeg", args...); err != nil {
		return err
	}
	if r.loop == 0 {
		return nil
	}
	for _, itag := range []int{251, 250, 249, 140, 139} {
		layout := webmLayout
		if itag < 200 {
			layout = mp4Layout
		}
		once := first(r.file(itag))
		again := append([]string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-stream_loop", strconv.Itoa(r.loop), "-i", once, "-c", "copy", "-fflags", "+bitexact"}, layout...)
		if err := run(ctx, "ffmpeg", append(again, filepath.Join(stage, r.file(itag)))...); err != nil {
			return err
		}
		if err := os.Remove(once); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func probe(ctx context.Context, name string) (time.Duration, error) {
	out, err := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", name).Output()
	if err != nil {
		return 0, fmt.Errorf("ffprobe: %w", err)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return 0, fmt.Errorf("ffprobe: %w", err)
	}
	return time.Duration(n * float64(time.Second)).Round(time.Millisecond), nil
}

func readTracks(dir string, sounding bool) (*Tracks, error) {
	index, err := os.ReadFile(filepath.Join(dir, "tracks.json"))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now) // used; see sweep
	lengths := map[string]time.Duration{}
	if err := json.Unmarshal(index, &lengths); err != nil {
		return nil, err
	}
	all := &Tracks{Real: sounding}
	for _, r := range recipes {
		t := Track{Title: r.title, Artist: r.artist, Duration: lengths[r.name], Files: map[int][]byte{}}
		for _, itag := range []int{251, 250, 249, 140, 139} {
			if t.Files[itag], err = os.ReadFile(filepath.Join(dir, r.file(itag))); err != nil {
				return nil, err
			}
		}
		switch r.name {
		case "song":
			all.Song = t
		case "large":
			all.Large = t
		default:
			all.Short = append(all.Short, t)
		}
	}
	return all, nil
}

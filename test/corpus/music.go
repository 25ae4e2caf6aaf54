package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	musicPackage = "hyperrogue-music"
	musicTracks  = 17
)

// The tracks of which the pieces and the whole songs are made.
const (
	clipTrack  = "hr3-hell.ogg"
	videoTrack = "hr3-motion.ogg"
)

var wholeTracks = []string{"hr3-crossroads.ogg", "hr3-caves.ogg", "hr3-laboratory.ogg"}

// damagedTracks have their three Vorbis headers a second time in the middle of the
// stream, so that ffmpeg 5.1 gives them up; others may play them.
var damagedTracks = []string{"hr-savino-caribbean.ogg", "hr-savino-ivory.ogg", "hr-savino-ocean.ogg"}

// fetchMusic returns the folder of the tracks, and fills it first if it has to.
// It is called under the lock.
func fetchMusic(ctx context.Context, cache string, say func(string, ...any)) (string, error) {
	dir := filepath.Join(cache, musicPackage)
	if tracks, err := musicIn(dir); err == nil && len(tracks) == musicTracks {
		return dir, nil
	}
	stage, err := os.MkdirTemp(cache, "corpus-stage-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage) //nolint:errcheck // swept up by the next build
	archive, err := findPackage(cache)
	if err != nil {
		return "", err
	}
	if archive == "" {
		say("fetching %s (64 MB, once)", musicPackage)
		if archive, err = download(ctx, stage, say); err != nil {
			return "", fmt.Errorf("%w\nthe music can not be fetched here. On Debian or Ubuntu run, as root, apt-get update, and try again; elsewhere "+
				"take the file %s_*.deb from a mirror of Debian and put it into %s (dpkg-deb is needed to unpack it)", err, musicPackage, cache)
		}
	}
	unpacked := filepath.Join(stage, "unpacked")
	if err := run(ctx, stage, "dpkg-deb", "-x", archive, unpacked); err != nil {
		return "", fmt.Errorf("%w\ndpkg-deb is needed to unpack %s; on other systems than Debian install the package dpkg", err, archive)
	}
	tracks, err := musicIn(filepath.Join(unpacked, "usr/share/hyperrogue/music"))
	if err != nil {
		return "", err
	}
	if len(tracks) != musicTracks {
		return "", fmt.Errorf("%s has %d tracks, not %d", archive, len(tracks), musicTracks)
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Rename(filepath.Dir(tracks[0]), dir)
}

func musicIn(dir string) ([]string, error) { return filepath.Glob(filepath.Join(dir, "*.ogg")) }

// findPackage looks for a package that somebody has put into the cache.
func findPackage(cache string) (string, error) {
	found, err := filepath.Glob(filepath.Join(cache, musicPackage+"_*.deb"))
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[len(found)-1], nil
}

// download has apt fetch the package into dir. That needs no rights, but package
// lists that are there; only root can renew them.
func download(ctx context.Context, dir string, say func(string, ...any)) (string, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", errors.New("there is no apt-get")
	}
	first := run(ctx, dir, "apt-get", "-qq", "download", musicPackage)
	if first != nil {
		say("renewing the package lists")
		if err := run(ctx, dir, "apt-get", "-qq", "update"); err != nil {
			return "", errors.Join(first, err)
		}
		if err := run(ctx, dir, "apt-get", "-qq", "download", musicPackage); err != nil {
			return "", err
		}
	}
	archive, err := findPackage(dir)
	if err == nil && archive == "" {
		err = fmt.Errorf("apt-get download %s left no file", musicPackage)
	}
	return archive, err
}

// run runs a program in a folder. What it says is part of the error.
func run(ctx context.Context, dir, name string, args ...string) error {
	_, err := output(ctx, dir, name, args...)
	return err
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		line := fmt.Sprintf("%s %.300s", name, strings.Join(args, " "))
		return "", fmt.Errorf("%s: %w %s", line, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

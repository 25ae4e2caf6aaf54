// Command gen makes the demo's music anew: it plays the scores in this folder on
// a small synthesiser and has ffmpeg encode them. The files are committed, so
// that nobody needs to run it; it takes some seconds.
//
//	go run ./internal/source/demo/gen internal/source/demo/samples
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// entry is one row of catalogue.json; the package demo reads it.
type entry struct {
	ID         string `json:"id"`
	Title      string `json:"title"`
	Artist     string `json:"artist"`
	File       string `json:"file"`
	DurationMS int64  `json:"duration_ms"`
}

func run(folder string) error {
	var entries []entry
	for i, p := range score {
		left, right := render(p.Tracks, p.Tempo, p.Seconds, uint64(i+1))
		size, err := encode(p, left, right, filepath.Join(folder, p.File))
		if err != nil {
			return fmt.Errorf("%s: %w", p.File, err)
		}
		fmt.Printf("%-24s %5.1f s %7d bytes\n", p.File, p.Seconds, size)
		entries = append(entries, entry{p.ID, p.Title, p.Artist, p.File, int64(p.Seconds * 1000)})
	}
	index, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "catalogue.json"), append(index, '\n'), 0o644) //nolint:gosec // a file of the source tree
}

// encode feeds ffmpeg with 16 bit PCM.
func encode(p piece, left, right []float64, path string) (int64, error) {
	var pcm bytes.Buffer
	for i := range left {
		for _, x := range [2]float64{left[i], right[i]} {
			sample := int16(math.Round(max(-1, min(1, x)) * math.MaxInt16))
			pcm.Write(binary.LittleEndian.AppendUint16(nil, uint16(sample)))
		}
	}
	args := []string{"-hide_banner", "-loglevel", "error", "-y", "-f", "s16le", "-ar", strconv.Itoa(sampleRate), "-ac", "2", "-i", "pipe:0",
		"-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"}
	args = append(append(args, p.Encode...), path)
	cmd := exec.CommandContext(context.Background(), "ffmpeg", args...) //nolint:gosec // arguments of our own
	cmd.Stdin, cmd.Stderr = &pcm, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, err
	}
	info, err := os.Stat(path) //nolint:gosec // the developer names the folder
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Command audiobench measures the pipeline beside the alternatives, in one run on
// one machine, and prints a Markdown table of goals, measured ratios and whether
// they are met.
//
//	audiobench [-strict] [-runs 9] [MUSIC]
//
// MUSIC is a file that ffmpeg can read, or a folder of which the largest file is
// taken; it is repeated to 212 s and encoded as YouTube would serve it. Without it
// a song is synthesized. Everything is measured in CPU time of this process and
// its children, on files in the page cache, in turns, and the medians are
// compared: ratios survive a busy machine where times do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func main() {
	var err error
	code := 0
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		err = child(os.Stdin, os.Stdout)
	} else {
		code, err = command()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "audiobench:", err)
		code = 1
	}
	os.Exit(code)
}

// command reads the flags, measures and returns the exit code.
func command() (code int, err error) {
	runs := flag.Int("runs", 9, "turns; the medians count")
	strict := flag.Bool("strict", false, "exit 1 if a goal is missed")
	program := flag.String("ffmpeg", "ffmpeg", "path of ffmpeg")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: audiobench [flags] [MUSIC]\n\nMUSIC is an audio file, or a folder of them; a song is synthesized without it.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 1 || *runs < 1 {
		flag.Usage()
		return 2, nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	met, err := run(ctx, flag.Arg(0), *program, *runs)
	if err == nil && !met && *strict {
		code = 1
	}
	return code, err
}

// goal is one row of the table. A ratio of 0 as limit means that there is none.
type goal struct {
	what     string
	measured string
	limit    string
	met      bool
}

func run(ctx context.Context, music, ffmpeg string, runs int) (met bool, err error) {
	dir, err := os.MkdirTemp("", "audiobench-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{ctx: ctx, dir: dir, ffmpeg: ffmpeg, runs: runs}
	if err := b.prepare(music); err != nil {
		return false, err
	}
	goals, err := b.goals()
	if err != nil {
		return false, err
	}
	version, err := exec.CommandContext(ctx, ffmpeg, "-version").Output() // #nosec G204 -- the user's own program
	if err != nil {
		return false, err
	}
	words := strings.Fields(string(version))
	fmt.Printf("%s, %d CPUs, %s; %s as WebM/Opus of %d bytes; CPU time, medians of %d turns.\n\n",
		runtime.Version(), runtime.NumCPU(), strings.Join(words[:min(3, len(words))], " "), b.song, b.size, runs)
	fmt.Println("| goal | measured | limit | met |")
	fmt.Println("|---|---|---|---|")
	met = true
	for _, g := range goals {
		verdict := "yes"
		if !g.met {
			verdict, met = "**no**", false
		}
		fmt.Printf("| %s | %s | %s | %s |\n", g.what, g.measured, g.limit, verdict)
	}
	fmt.Printf("\naudio: %d of %d goals met\n", countMet(goals), len(goals))
	return met, nil
}

func countMet(goals []goal) (n int) {
	for _, g := range goals {
		if g.met {
			n++
		}
	}
	return n
}

// bench holds the prepared files.
type bench struct {
	ctx    context.Context
	dir    string
	ffmpeg string
	runs   int
	song   string // described
	size   int64
	took   map[string][]float64 // CPU seconds by method
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

// prepare encodes the song as YouTube serves it: WebM with Opus, and as m4a.
func (b *bench) prepare(music string) error {
	wave := b.file("song.wav")
	input, err := b.input(music)
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		append(input, "-map", "0:a:0", "-t", "212", "-ac", "2", "-ar", "48000", wave),
		{"-i", wave, "-c:a", "libopus", "-b:a", "128k", "-f", "webm", "-dash", "1", "-cluster_time_limit", "10000", "-cues_to_front", "1", b.file("song.webm")},
		{"-i", wave, "-c:a", "aac", "-b:a", "128k", "-movflags", "faststart", b.file("song.m4a")},
	} {
		cmd := exec.CommandContext(b.ctx, b.ffmpeg, slices.Concat([]string{"-nostdin", "-v", "error", "-y"}, args)...) // #nosec G204 -- the user's own program
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("prepare the song: %w", err)
		}
	}
	info, err := os.Stat(b.file("song.webm"))
	if err != nil {
		return err
	}
	b.size = info.Size()
	return os.Remove(wave)
}

// input returns ffmpeg's options that name the music.
func (b *bench) input(music string) ([]string, error) {
	if music == "" {
		b.song = "212 s of synthesized sound"
		return []string{"-f", "lavfi", "-i", "aevalsrc='0.2*sin(220*2*PI*t)+0.1*sin(PI*t*(300+200*sin(t)))+0.1*random(0)|0.3*sin(331*2*PI*t*(1+0.01*sin(3*t)))+0.1*random(1)':s=48000"}, nil
	}
	info, err := os.Stat(music)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if music, err = largest(music); err != nil {
			return nil, err
		}
	}
	b.song = "212 s of " + filepath.Base(music)
	return []string{"-stream_loop", "99", "-i", music}, nil
}

// largest is the largest file in a folder.
func largest(dir string) (name string, err error) {
	var most int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Size() > most {
			name, most = filepath.Join(dir, e.Name()), info.Size()
		}
	}
	if name == "" {
		return "", fmt.Errorf("no file in %s", dir)
	}
	return name, nil
}

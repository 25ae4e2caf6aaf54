package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// childCommand makes this program process standard input and report its memory.
const childCommand = "child"

// usage is what a job took.
type usage struct {
	Objects uint64 `json:"objects"` // allocated
	Bytes   uint64 `json:"bytes"`   // allocated
	Peak    int64  `json:"peak"`    // resident, KiB
	Frames  int64  `json:"frames"`
}

func child(in *os.File, out io.Writer) error {
	// What the first job of a process sets up once is not the song's.
	var tiny bytes.Buffer
	if err := writeSong(closer{&tiny}, 1); err != nil {
		return err
	}
	if _, err := makeSong(io.NopCloser(&tiny)); err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result, err := makeSong(in)
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	u := usage{Objects: after.Mallocs - before.Mallocs, Bytes: after.TotalAlloc - before.TotalAlloc, Frames: result.Frames}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(line, &u.Peak); err != nil {
		return fmt.Errorf("peak memory: %w", err)
	}
	return json.NewEncoder(out).Encode(u)
}

func makeSong(in io.ReadCloser) (jobs.Result, error) {
	p := pipeline.New(pipeline.Config{Source: opened{in, 0}, Blobs: nowhere{io.Discard}, MaxBytes: -1, MaxDuration: -1})
	return p.Process(context.Background(), benchJob, func(jobs.Stage, jobs.Progress, jobs.SongInfo) {})
}

type closer struct{ io.Writer }

func (closer) Close() error { return nil }

// isolated has a fresh process make a song of so many seconds, which is made up
// as it goes.
func (b *bench) isolated(seconds int) (u usage, err error) {
	self, err := os.Executable()
	if err != nil {
		return u, err
	}
	cmd := exec.CommandContext(b.ctx, self, childCommand) // #nosec G204 -- this program
	in, err := cmd.StdinPipe()
	if err != nil {
		return u, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return u, err
	}
	written := writeSong(in, seconds)
	if err := errors.Join(cmd.Wait(), written); err != nil {
		return u, err
	}
	if err := json.Unmarshal(out.Bytes(), &u); err != nil {
		return u, err
	}
	if want := int64(seconds) * 50; u.Frames != want {
		return u, fmt.Errorf("%d frames, want %d", u.Frames, want)
	}
	return u, nil
}

// writeSong writes an Ogg Opus file of random packets at 128 kbit/s.
func writeSong(w io.WriteCloser, seconds int) error {
	packet := bytes.Repeat([]byte{0x55}, 320)
	packet[0] = 31<<3 | 4 // 20 ms, stereo
	out := ogg.NewWriter(w, 1)
	err := out.WriteHeaders(opus.Head{Version: 1, Channels: 2, PreSkip: 312, InputRate: 48000}.Append(nil), nil)
	for i := 0; err == nil && i < seconds*50; i++ {
		err = out.WritePacket(packet, opus.FrameSamples)
	}
	if err == nil {
		err = out.Close(0)
	}
	return errors.Join(err, w.Close())
}

// spawns counts the processes that a copy and a transcode start.
func (b *bench) spawns() ([]goal, error) {
	counted := b.file("starts")
	script := b.file("counting-ffmpeg")
	program, err := exec.LookPath(b.ffmpeg)
	if err != nil {
		return nil, err
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("#!/bin/sh\necho >> '%s'\nexec '%s' \"$@\"\n", counted, program)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil { // #nosec G306 -- a program
		return nil, err
	}
	if err := os.WriteFile(counted, nil, 0o600); err != nil {
		return nil, err
	}
	counting := *b
	counting.ffmpeg = script
	var counts []int
	for _, name := range []string{"song.webm", "song.m4a"} {
		if err := counting.job(b.file(name)); err != nil {
			return nil, err
		}
		starts, err := os.ReadFile(counted) // #nosec G304 -- ours
		if err != nil {
			return nil, err
		}
		counts = append(counts, len(starts))
	}
	copied, transcoded := counts[0], counts[1]-counts[0]
	return []goal{
		{"processes started by a copy", fmt.Sprint(copied), "0", copied == 0},
		{"processes started by a transcode", fmt.Sprint(transcoded), "1", transcoded == 1},
	}, nil
}

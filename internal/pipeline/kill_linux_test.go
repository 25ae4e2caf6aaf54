package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline"
)

// helperFFmpeg makes this test program convert a tone with the named ffmpeg and do
// nothing else.
const helperFFmpeg = "PIPELINE_TEST_FFMPEG"

func TestMain(m *testing.M) {
	if program := os.Getenv(helperFFmpeg); program != "" {
		_, err := pipeline.Convert(context.Background(), bytes.NewReader(wav(time.Second)), io.Discard, pipeline.ConvertOptions{
			Config: pipeline.Config{FFmpegPath: program, TempDir: os.TempDir()},
		})
		fmt.Fprintln(os.Stderr, "the conversion ended:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A worker that is killed takes its ffmpeg along and leaves no temporary file.
func TestKilledWorkerLeavesNothing(t *testing.T) {
	t.Parallel()
	dir, temp := t.TempDir(), t.TempDir()
	fifo := filepath.Join(dir, "pid")
	check(t, syscall.Mkfifo(fifo, 0o600))
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), helperFFmpeg+"="+fakeFFmpeg(t, "echo $$ > "+fifo+"; exec sleep 100"), "TMPDIR="+temp)
	worker.Stderr = os.Stderr
	check(t, worker.Start())
	text, err := os.ReadFile(fifo) // waits for the script
	check(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	check(t, err)
	check(t, worker.Process.Kill())
	if err := worker.Wait(); err == nil {
		t.Error("the worker ended by itself")
	}
	if !ended(pid) {
		t.Errorf("process %d runs on", pid)
	}
	empty(t, temp)
}

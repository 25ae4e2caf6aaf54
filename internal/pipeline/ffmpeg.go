package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

const (
	stderrBytes = 8 << 10         // of what ffmpeg says, its last words
	reapTime    = 2 * time.Second // after a kill, for what holds the pipes open
)

// ffmpeg is one running process. It reads the media from its standard input,
// which is a file, so that it can seek without ever being told a name.
type ffmpeg struct {
	cmd    *exec.Cmd
	ctx    context.Context
	cancel context.CancelFunc
	out    *os.File
	wake   func() bool
	idle   time.Duration
	read   int64
	ended  bool // its output has come to an end
	hung   bool
	stderr lastWords
}

// findFFmpeg returns the program's path.
func (p *Pipeline) findFFmpeg() (string, error) {
	path, err := exec.LookPath(p.FFmpegPath)
	if err != nil {
		return "", jobs.Environment(CodeFFmpegMissing, "ffmpeg is not installed here", err)
	}
	return path, nil
}

// startFFmpeg starts the program with media as its standard input. Until wait has
// returned, the calling goroutine stays on its thread: the kernel ends the
// process when the thread that started it ends.
func (p *Pipeline) startFFmpeg(ctx context.Context, path string, media *os.File, args []string) (*ffmpeg, error) {
	if _, err := media.Seek(0, io.SeekStart); err != nil {
		return nil, spoolError(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, jobs.Environment(CodeFFmpegMissing, "ffmpeg can not be started", err)
	}
	f := &ffmpeg{out: out, idle: p.IdleTimeout}
	f.ctx, f.cancel = context.WithCancel(ctx)
	f.cmd = exec.CommandContext(f.ctx, path, args...) // #nosec G204 -- the path is a setting, the arguments are ours
	f.cmd.Stdin, f.cmd.Stdout, f.cmd.Stderr = media, in, &f.stderr
	f.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	f.cmd.Dir = p.TempDir
	f.cmd.WaitDelay = reapTime
	bind(f.cmd)
	runtime.LockOSThread()
	err = f.cmd.Start()
	_ = in.Close() // the child has its own
	if err != nil {
		runtime.UnlockOSThread()
		f.cancel()
		_ = out.Close()
		if why := stopped(ctx); why != nil {
			return nil, why
		}
		return nil, jobs.Environment(CodeFFmpegMissing, "ffmpeg can not be started", err)
	}
	// The kill closes the pipe, unless somebody else got hold of it.
	f.wake = context.AfterFunc(f.ctx, func() { _ = out.SetReadDeadline(time.Now().Add(reapTime)) })
	return f, nil
}

// Read reads what the program writes. When nothing comes for too long, the
// program is killed.
func (f *ffmpeg) Read(b []byte) (int, error) {
	if f.idle > 0 && f.ctx.Err() == nil {
		if err := f.out.SetReadDeadline(time.Now().Add(f.idle)); err != nil {
			return 0, err
		}
	}
	n, err := f.out.Read(b)
	f.read += int64(n)
	f.ended = f.ended || err == io.EOF
	if errors.Is(err, os.ErrDeadlineExceeded) && f.ctx.Err() == nil {
		f.hung = true
		f.cancel()
	}
	return n, err
}

// wait ends the process, by force if its output was not read to the end, and says
// how it ended; nil: by itself with success, or by that force.
func (f *ffmpeg) wait(ctx context.Context) error {
	defer runtime.UnlockOSThread()
	forced := !f.ended
	if forced {
		f.cancel()
	} else { // it has closed its output, so it is about to end
		patience := time.AfterFunc(reapTime, f.cancel)
		defer patience.Stop()
	}
	err := f.cmd.Wait()
	f.wake()
	f.cancel()
	_ = f.out.Close()
	switch why := stopped(ctx); {
	case why != nil:
		return why
	case f.hung:
		return jobs.Transient(CodeFFmpegFailed, "the encoder stopped moving", f.said(fmt.Errorf("nothing for %v", f.idle)))
	case err == nil || forced:
		return nil
	}
	return f.verdict(err)
}

// verdict reads ffmpeg's exit code and last words.
func (f *ffmpeg) verdict(err error) error {
	said := f.stderr.String()
	state := f.cmd.ProcessState
	switch {
	case state == nil || !state.Exited(), errors.Is(err, exec.ErrWaitDelay): // by a signal, not ours
		return jobs.Transient(CodeFFmpegFailed, "the encoder was killed", f.said(err))
	case state.ExitCode() == 126, state.ExitCode() == 127, // a broken installation
		strings.Contains(said, "Unknown encoder"), strings.Contains(said, "Unrecognized option"),
		strings.Contains(said, "Unknown input format"):
		return jobs.Environment(CodeFFmpegMissing, "this ffmpeg can not do what is needed", f.said(err))
	case strings.Contains(said, "matches no streams"):
		return jobs.Permanent(CodeNoAudio, "there is no audio in it", f.said(err))
	case strings.Contains(said, "Cannot allocate memory"):
		return jobs.Transient(CodeFFmpegFailed, "the encoder ran out of memory", f.said(err))
	default:
		return jobs.Permanent(CodeUnreadable, "the audio in it can not be decoded", f.said(err))
	}
}

// said adds ffmpeg's last words to an error, for operators.
func (f *ffmpeg) said(err error) error {
	if words := f.stderr.String(); words != "" {
		return fmt.Errorf("ffmpeg: %w: %s", err, words)
	}
	return fmt.Errorf("ffmpeg: %w", err)
}

// lastWords keeps the end of what is written to it.
type lastWords struct{ buf bytes.Buffer }

func (l *lastWords) Write(b []byte) (int, error) {
	n := len(b)
	b = b[max(0, len(b)-stderrBytes):]
	if drop := l.buf.Len() + len(b) - stderrBytes; drop > 0 {
		l.buf.Next(drop)
	}
	l.buf.Write(b)
	return n, nil
}

// String is what was kept, as valid text on few lines.
func (l *lastWords) String() string {
	return strings.TrimSpace(strings.ToValidUTF8(l.buf.String(), "?"))
}

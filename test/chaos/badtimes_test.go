package chaos_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to damage databases

	"github.com/butakero/butakero/test/proc"
)

// slow makes the four songs of the bundle take seconds.
var slow = []string{"BUTAKERO_DEMO_RATE_BYTES=20000", "BUTAKERO_LOOK_SECONDS=0.2"}

// state returns an operation's state, and its job's stage.
func (p *process) state(t *testing.T, id string) operation {
	t.Helper()
	o, err := p.operation(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// SIGTERM in mid-job: the song is finished, and then the process goes with 0.
func TestTermDrains(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p, err := start(t, data, slow...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.submit(t.Context(), "paper lights")
	if err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "the song is not begun", func() bool { return p.state(t, a.Operation).Job.State == "running" })
	if err := p.End(t, syscall.SIGTERM, 30*time.Second); err != nil {
		t.Errorf("exit: %v\n%s", err, p.Process)
	}
	again, err := start(t, data)
	if err != nil {
		t.Fatal(err)
	}
	if o := again.state(t, a.Operation); o.State != "succeeded" || o.Job.Attempt != 1 {
		t.Errorf("%+v\n%s", o, p.Process)
	}
}

// A second SIGTERM does not wait: the song is given back uncharged, and the next
// process makes it at once.
func TestSecondTermGivesBack(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p, err := start(t, data, "BUTAKERO_DEMO_RATE_BYTES=500", "BUTAKERO_LOOK_SECONDS=0.2")
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.submit(t.Context(), "paper lights")
	if err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "the song is not begun", func() bool { return p.state(t, a.Operation).Job.State == "running" })
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "it does not stop taking work", func() bool { return strings.Contains(p.String(), "stopping") })
	if err := p.End(t, syscall.SIGTERM, 10*time.Second); err != nil {
		t.Errorf("exit: %v", err)
	}
	again, err := start(t, data)
	if err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "the song was not made at once", func() bool { return again.state(t, a.Operation).State == "succeeded" })
	if o := again.state(t, a.Operation); o.Job.Attempt != 1 {
		t.Errorf("the attempt was charged: %+v", o)
	}
}

// Two processes on one folder share the work.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	data, media := t.TempDir(), catalogue(t, 24)
	env := []string{"BUTAKERO_MEDIA_DIR=" + media, "BUTAKERO_DEMO_RATE_BYTES=40000", "BUTAKERO_WORKER_SLOTS=2"}
	one, err := start(t, data, env...)
	if err != nil {
		t.Fatal(err)
	}
	two, err := start(t, data, env...)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 24 {
		p := []*process{one, two}[i%2]
		a, err := p.submit(t.Context(), fmt.Sprintf("song %03d", i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.Operation)
	}
	for i, id := range ids {
		p := []*process{two, one}[i%2] // each is asked for what the other accepted
		until(t, 60*time.Second, id+" has not ended", func() bool { return p.state(t, id).State == "succeeded" })
		if o := p.state(t, id); o.Job.Attempt != 1 {
			t.Errorf("%+v", o)
		}
	}
	shared := 0
	for _, p := range []*process{one, two} {
		res, err := http.Get(p.base + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var n int
		for line := range lines(t, res) {
			if _, err := fmt.Sscanf(line, "butakero_jobs_claimed_total %d", &n); err == nil && n > 0 {
				shared++
			}
		}
	}
	if shared != 2 {
		t.Errorf("%d of 2 processes worked", shared)
	}
}

// What can not work is refused at the start, in words that say why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	newer, damaged := t.TempDir(), t.TempDir()
	if p, err := start(t, newer); err != nil {
		t.Fatal(err)
	} else if err := p.End(t, os.Interrupt, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(newer, "records.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "records.db"), []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		env  string
		code int
		want string
	}{
		"port in use":     {[]string{"--listen", taken.Addr().String()}, "", 1, "address already in use"},
		"folder is file":  {[]string{"--data-dir", filepath.Join(file, "data")}, "", 1, "can not be written"},
		"newer database":  {[]string{"--data-dir", newer}, "", 1, "newer version"},
		"damaged":         {[]string{"--data-dir", damaged}, "", 1, "damaged"},
		"misspelt":        {nil, "BUTAKERO_LISTN=x", 2, "did you mean BUTAKERO_LISTEN"},
		"wrong value":     {nil, "BUTAKERO_WORKER_SLOTS=many", 2, "BUTAKERO_WORKER_SLOTS"},
		"unknown flag":    {[]string{"--no-such-flag"}, "", 2, "unknown flag"},
		"no media folder": {[]string{"--media", filepath.Join(file, "x")}, "", 2, "BUTAKERO_MEDIA_DIR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"up", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}, c.args...)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, proc.Program(t), args...)
			cmd.Env = []string{"BUTAKERO_SOURCE=demo", c.env}
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); err == nil || code != c.code || !strings.Contains(string(out), c.want) {
				t.Errorf("exit %d, want %d and %q:\n%s", code, c.code, c.want, out)
			}
		})
	}
}

// A full disk fails songs with words that say so and leaves nothing partial;
// when there is room again, they are made.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("CAN NOT RUN: TestDiskFull needs root, to mount a small tmpfs")
	}
	files := t.TempDir()
	if err := syscall.Mount("tmpfs", files, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("CAN NOT RUN: TestDiskFull can not mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(files, syscall.MNT_DETACH) })
	filler := filepath.Join(files, "filler")
	if err := os.WriteFile(filler, make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := start(t, t.TempDir(), "LOCAL_STORAGE_PATH="+files, "BUTAKERO_LOOK_SECONDS=0.2", "SERVICE_MAX_ATTEMPTS=50")
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.submit(t.Context(), "paper lights")
	if err != nil {
		t.Fatal(err)
	}
	until(t, 20*time.Second, "the full disk is not told of", func() bool {
		o := p.state(t, a.Operation)
		return o.State == "waiting" && o.Job.Error != nil && o.Job.Error.Code == "disk_full"
	})
	if left, err := filepath.Glob(filepath.Join(files, "audio", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, 90*time.Second, "there is room, and the song is not made", func() bool { return p.state(t, a.Operation).State == "succeeded" })
}

// Without ffmpeg what is Opus is made, and what is not waits with a reason.
func TestFFmpegMissing(t *testing.T) {
	t.Parallel()
	p, err := start(t, t.TempDir(), "BUTAKERO_FFMPEG_PATH=/no/such/ffmpeg", "BUTAKERO_LOOK_SECONDS=0.2")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := p.submit(t.Context(), "paper lights")
	if err != nil {
		t.Fatal(err)
	}
	until(t, 20*time.Second, "Opus was not made", func() bool { return p.state(t, copied.Operation).State == "succeeded" })
	coded, err := p.submit(t.Context(), "radio vieja")
	if err != nil {
		t.Fatal(err)
	}
	until(t, 20*time.Second, "nobody says that ffmpeg is missing", func() bool {
		o := p.state(t, coded.Operation)
		return o.Job.Error != nil && o.Job.Error.Code == "ffmpeg_missing"
	})
}

package localfs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// The test program runs itself as another process: see child.
const (
	envFolder = "LOCALFS_TEST_FOLDER"
	envNamed  = "LOCALFS_TEST_NAMED"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envFolder); dir != "" {
		if err := child(dir, os.Getenv(envNamed) != "", os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child does what its input says, a line at a time, and answers every line.
func child(dir string, named bool, in io.Reader, out io.Writer) error {
	s, err := localfs.New(dir, localfs.Options{NamedTemp: named})
	if err != nil {
		return err
	}
	ctx := context.Background()
	var u pipeline.Upload
	for lines := bufio.NewScanner(in); lines.Scan(); {
		word, key, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "begin":
			if u, err = s.Create(ctx, key); err == nil {
				_, err = u.Write(make([]byte, 1<<20))
			}
		case "commit":
			err = u.Commit(ctx, pipeline.BlobMeta{Bytes: 1 << 20}, false)
		case "churn": // until killed
			for i := 0; ; i++ {
				if err := store(ctx, s, fmt.Sprintf("churn/%d", i), strings.Repeat("x", i%5000)); err != nil {
					return err
				}
				if u, err = s.Create(ctx, "churn/0"); err != nil {
					return err
				}
				data := strings.Repeat("y", i%7000)
				if _, err = u.Write([]byte(data)); err != nil {
					return err
				}
				if err = u.Commit(ctx, pipeline.BlobMeta{Bytes: int64(len(data)), Title: data, SHA256: sum(data)}, true); err != nil {
					return err
				}
				if i%10 == 0 {
					if _, err := fmt.Fprintln(out, "ok"); err != nil {
						return err
					}
				}
			}
		}
		answer := "ok"
		if err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return nil
}

type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func start(t *testing.T, dir string, o localfs.Options) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), envFolder+"="+dir)
	if o.NamedTemp {
		cmd.Env = append(cmd.Env, envNamed+"=1")
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{t: t, cmd: cmd, in: in, lines: bufio.NewScanner(out)}
}

func (p *process) do(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatal(err)
	}
	p.answer(line)
}

func (p *process) answer(line string) {
	p.t.Helper()
	if !p.lines.Scan() || p.lines.Text() != "ok" {
		p.t.Fatalf("%s: %q, %v", line, p.lines.Text(), p.lines.Err())
	}
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
}

func TestKilledInMidUpload(t *testing.T) {
	t.Parallel()
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := start(t, dir, o)
			p.do("begin " + aKey)
			p.kill()
			if left := files(t, filepath.Join(dir, ".butakero", "temp")); len(left) > 0 && !o.NamedTemp {
				t.Errorf("unnamed files left %q", left)
			}
			s := open(t, dir, o) // the next start
			if left := leftovers(t, dir); len(left) > 0 {
				t.Errorf("left after the next start: %q", left)
			}
			if _, err := s.Stat(t.Context(), aKey); !errors.Is(err, jobs.ErrNotFound) {
				t.Errorf("stat: %v", err)
			}
			put(t, s, aKey, "data") // no lock is left
		})
	}
}

// TestSweepSparesTheLiving: another process starts in the same folder while an
// upload is on its way.
func TestSweepSparesTheLiving(t *testing.T) {
	t.Parallel()
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := start(t, dir, o)
			p.do("begin " + aKey)
			s := open(t, dir, o)
			if err := s.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			mine, err := s.Create(t.Context(), aKey)
			if err != nil {
				t.Fatal(err)
			}
			if err := open(t, dir, o).Sweep(t.Context()); err != nil { // the living may be oneself
				t.Error(err)
			}
			p.do("commit")
			if info, err := s.Stat(t.Context(), aKey); err != nil || info.Bytes != 1<<20 {
				t.Errorf("stat = %+v, %v", info, err)
			}
			if err := mine.Commit(t.Context(), pipeline.BlobMeta{}, false); !errors.Is(err, pipeline.ErrExists) {
				t.Errorf("the slower process: %v, want ErrExists", err)
			}
			p.kill()
		})
	}
}

// TestKilledAtAnyTime kills a process that stores and replaces files as fast as
// it can. Whatever is there afterwards is whole.
func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	for _, o := range []localfs.Options{{}, {NamedTemp: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Parallel()
			for round := range 5 {
				dir := t.TempDir()
				p := start(t, dir, o)
				if _, err := fmt.Fprintln(p.in, "churn"); err != nil {
					t.Fatal(err)
				}
				for range round + 1 {
					p.answer("churn")
				}
				p.kill()
				s := open(t, dir, o)
				found, err := s.List(t.Context(), "", "", 10_000)
				if err != nil || len(found) == 0 {
					t.Fatalf("%d files, %v", len(found), err)
				}
				for _, info := range found {
					got, err := s.Stat(t.Context(), info.Key)
					if err != nil || int64(len(got.Meta.Title)) != info.Bytes { // the title is the content
						t.Errorf("%s: %+v, %v", info.Key, got, err)
					}
				}
				if err := s.Sweep(t.Context()); err != nil {
					t.Error(err)
				}
				if left := leftovers(t, dir); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
			}
		})
	}
}

// TestTwoProcessesOneFolder: locks hold between stores that know nothing of each
// other.
func TestTwoProcessesOneFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*localfs.Store{open(t, dir, localfs.Options{}), open(t, dir, localfs.Options{NamedTemp: true})}
	for round := range 20 {
		key := fmt.Sprintf("audio/%d", round)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = store(t.Context(), stores[i%2], key, fmt.Sprintf("content %d", i)) })
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			if err == nil && winner < 0 {
				winner = i
			} else if !errors.Is(err, pipeline.ErrExists) {
				t.Errorf("%d: %v", i, err)
			}
		}
		info, err := stores[0].Stat(t.Context(), key)
		if err != nil || info.Meta.Title != fmt.Sprintf("content %d", winner) {
			t.Errorf("%d won: %+v, %v", winner, info, err)
		}
	}
}

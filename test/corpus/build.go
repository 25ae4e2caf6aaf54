package corpus

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sources is this package's own text: the version of the corpus.
//
//go:embed *.go
var sources embed.FS

// Load returns the entries of the corpus and builds it first if it is not there,
// which takes a minute or two. A corpus that can not be built fails the test, and
// the message says what to do.
func Load(tb testing.TB) []Entry {
	tb.Helper()
	entries, err := Build(tb.Context(), func(format string, args ...any) {
		// Straight to the terminal: go test shows what a test logs when it is over.
		fmt.Fprintf(os.Stderr, "corpus: "+format+"\n", args...)
	})
	if err != nil {
		tb.Fatalf("the corpus can not be built: %v", err)
	}
	return entries
}

// Dir is the folder that all versions of the corpus lie in.
func Dir() (string, error) {
	if cache := os.Getenv("BUTAKERO_TEST_CACHE"); cache != "" {
		return filepath.Abs(cache)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; BUTAKERO_TEST_CACHE can name a folder", err)
	}
	return filepath.Join(cache, "butakero"), nil
}

// Build returns the entries, making them if they are not there. say is told what
// goes on, a line each.
func Build(ctx context.Context, say func(format string, args ...any)) ([]Entry, error) {
	cache, err := Dir()
	if err != nil {
		return nil, err
	}
	version, err := currentVersion(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, version)
	if entries, err := readIndex(dir); err == nil {
		return entries, touch(dir)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(cache, "corpus.lock"), say)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if entries, err := readIndex(dir); err == nil { // built while we waited
		return entries, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		say("building it anew: %v", err)
	}
	sweep(cache)
	music, err := fetchMusic(ctx, cache, say)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	stage, err := os.MkdirTemp(cache, "corpus-stage-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(stage) //nolint:errcheck // swept up by the next build
	begun := time.Now()
	say("building %s", dir)
	b := &builder{music: music, dir: stage, final: dir, say: say}
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	if err := os.Rename(stage, dir); err != nil {
		return nil, err
	}
	entries, err := readIndex(dir)
	say("%d entries after %.0f s", len(entries), time.Since(begun).Seconds())
	return entries, err
}

// currentVersion names what the entries depend on: this package and ffmpeg. It
// finds out early that a program is missing.
func currentVersion(ctx context.Context) (string, error) {
	h := sha256.New()
	names, err := fs.Glob(sources, "*.go")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := sources.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, name, len(text))
		h.Write(text)
	}
	for _, program := range []string{"ffmpeg", "ffprobe", "opusenc"} {
		flag := "-version"
		if program == "opusenc" {
			flag = "--version"
		}
		text, err := output(ctx, "", program, flag)
		if err != nil {
			return "", fmt.Errorf("%w\nffmpeg and opus-tools are needed: apt-get install -y ffmpeg opus-tools (make setup does it)", err)
		}
		line, _, _ := strings.Cut(text, "\n")
		fmt.Fprintln(h, line)
	}
	return "corpus-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// lock waits until no other process builds.
func lock(name string, say func(string, ...any)) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		say("waiting for another process that builds it")
		for {
			if err = syscall.Flock(fd, syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
				break
			}
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

const unusedFor = 48 * time.Hour

// touch notes that a version is in use.
func touch(dir string) error {
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return err
	}
	return nil
}

// sweep removes what broken builds have left, and versions that nobody has used
// for long.
func sweep(cache string) {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue
		}
		broken := strings.HasPrefix(e.Name(), "corpus-stage-")
		old := strings.HasPrefix(e.Name(), "corpus-") && time.Since(info.ModTime()) > unusedFor
		if broken || old {
			_ = os.RemoveAll(filepath.Join(cache, e.Name()))
		}
	}
}

// builder fills a folder.
type builder struct {
	music string
	dir   string // where it is built
	final string // where it will be
	say   func(string, ...any)

	mu      sync.Mutex
	entries []Entry
}

func (b *builder) build(ctx context.Context) error {
	for _, sub := range []string{"tmp", "files"} {
		if err := os.Mkdir(filepath.Join(b.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := b.encode(ctx); err != nil {
		return err
	}
	b.say("making the rest by hand")
	m, err := b.material()
	if err != nil {
		return err
	}
	for _, rows := range []func(*material) error{
		b.noAudio, b.webmCuts, b.webmLayouts, b.webmHostile, b.packetRows, b.oggLayouts, b.oggDamage, b.otherFormats, b.fileNames,
	} {
		if err := rows(m); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "tmp")); err != nil {
		return err
	}
	return writeIndex(b.dir, b.sorted())
}

func (b *builder) tmp(name string) string { return filepath.Join(b.dir, "tmp", name) }

// path is where an entry is built; relative to the builder's folder it is the same
// as later.
func (b *builder) path(e Entry) (string, error) {
	e.Path = filepath.Join("files", fmt.Sprintf("%02d", e.Row), e.Name)
	name := filepath.Join(b.dir, e.Path)
	return name, os.MkdirAll(filepath.Dir(name), 0o755)
}

// put adds an entry with its bytes.
func (b *builder) put(e Entry, data ...[]byte) error {
	name, err := b.path(e)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, join(data...), 0o600); err != nil {
		return err
	}
	return b.note(e)
}

// note adds an entry whose file is in its place.
func (b *builder) note(e Entry) error {
	name, err := b.path(e)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	e.Size = info.Size()
	if e.Path, err = filepath.Rel(b.dir, name); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, other := range b.entries {
		if other.Path == e.Path {
			return fmt.Errorf("two entries are called %s", e.ID())
		}
	}
	b.entries = append(b.entries, e)
	return nil
}

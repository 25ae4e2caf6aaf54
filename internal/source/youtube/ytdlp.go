package youtube

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
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// ytdlp gets songs through yt-dlp, a process of its own with a folder of its
// own. It writes to a file there, because what it writes to standard output is
// wrong after some breaks; the file is proved and then streamed.
type ytdlp struct {
	*Source
	rotated atomic.Pointer[string] // digest of the cookies that YouTube called no longer valid, as this process knows
	asked   atomic.Int64           // when the fleet's knowledge of that was read
}

// Lines that we make yt-dlp print. The values are JSON.
const (
	printFound = "FOUND\t%(id)j\t%(duration)j\t%(is_live)j\t%(title)j\t%(uploader,channel)j"
	printDone  = "DONE\t%(id)j\t%(duration)j\t%(format_id)j\t%(filesize)j\t%(title)j\t%(uploader,channel)j"
)

// args builds the arguments for one video. id is valid, but may begin with "-":
// hence the link, and "--" before it.
func (y *ytdlp) args(dir, id, cookies string) []string {
	args := append([]string{}, y.YTDLPArgs...)
	args = append(args,
		"--ignore-config", "--no-exec", "--no-cache-dir", "--no-playlist", "--use-extractors", "youtube", "--no-update",
		"--socket-timeout", "15", "--retries", "3", "--extractor-retries", "1")
	filter := "!is_live"
	if y.MaxDuration > 0 {
		filter += " & duration<?" + strconv.Itoa(int(y.MaxDuration.Seconds())+1)
	}
	if y.MaxBytes > 0 {
		args = append(args, "--max-filesize", strconv.FormatInt(y.MaxBytes, 10))
	}
	if cookies != "" {
		args = append(args, "--cookies", cookies)
	}
	return append(args,
		"--break-match-filters", filter,
		"-f", "bestaudio[ext=webm][acodec=opus]/bestaudio[ext=m4a]/bestaudio", "--newline", "--no-mtime",
		"--print", "pre_process:"+printFound, "--print", "after_move:"+printDone,
		"--no-simulate", "-o", filepath.Join(dir, "audio.%(ext)s"), "--", watchURL(id))
}

// entry is a line that yt-dlp printed for us.
type entry struct {
	id, title, uploader, format string
	duration                    time.Duration
	live                        bool
	size                        int64 // 0: not known
}

// open downloads the whole song.
func (y *ytdlp) open(ctx context.Context, id string, withCookies bool) (m *pipeline.Media, err error) {
	identity := "guest"
	if withCookies {
		identity = "cookies"
	}
	defer func() {
		if ctx.Err() == nil {
			code := ""
			if err != nil {
				code = codeOf(err)
			}
			y.observe(ExtractorYTDLP, identity, code)
		}
	}()
	room, err := newRoom(y.TempDir)
	if err != nil {
		return nil, fail(CodeConfig, y.clean.err(err))
	}
	defer func() {
		if err != nil {
			room.remove()
		}
	}()
	cookies := ""
	if withCookies {
		if cookies, err = room.cookies(y.Cookies, y.now()); err != nil {
			return nil, fail(CodeConfig, err)
		}
	}
	ran := y.run(ctx, room, y.args(room.media(), id, cookies))
	if ran.err != nil {
		return nil, ran.err
	}
	return y.prove(ctx, room, id, ran)
}

// ran is what a run of yt-dlp left.
type ran struct {
	found, done *entry
	all         []*entry // found
	code        int
	stderr      string
	err         error // it could not be run, or was stopped
}

// run starts yt-dlp and waits for it.
func (y *ytdlp) run(ctx context.Context, room *room, args []string) (r ran) {
	cmd := exec.CommandContext(ctx, y.YTDLPPath, args...) //nolint:gosec // the operator's program, our arguments
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir, cmd.Env = room.dir, y.environment(room)
	var stdout, stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	reap(cmd)
	if ctx.Err() != nil {
		return ran{err: context.Cause(ctx)}
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
	default:
		return ran{err: fail(CodeConfig, fmt.Errorf("yt-dlp does not start: %w", y.clean.err(err)))}
	}
	r.stderr = stderr.String()
	for line := range strings.SplitSeq(stdout.String(), "\n") {
		if e, ok := parseEntry(line, "FOUND"); ok {
			r.all = append(r.all, e)
			r.found = r.all[0]
		} else if e, ok := parseEntry(line, "DONE"); ok {
			r.done = e
		}
	}
	if has(plain(r.stderr), "cookies are no longer valid") {
		c, _ := ReadCookies(y.Cookies, y.now()) // which ones is all that is of interest
		y.reject(c)
	}
	return r
}

// environment is what yt-dlp sees: nothing of ours but the way to programs and
// proxies.
func (y *ytdlp) environment(room *room) []string {
	env := []string{
		"HOME=" + room.dir, "TMPDIR=" + room.dir, "XDG_CACHE_HOME=" + room.dir, "XDG_CONFIG_HOME=" + room.dir,
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1",
	}
	if y.Proxy != "" {
		// Not as an argument: everybody on the machine could read its password.
		return append(env, "HTTP_PROXY="+y.Proxy, "HTTPS_PROXY="+y.Proxy, "http_proxy="+y.Proxy, "https_proxy="+y.Proxy)
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// prove believes nothing but bytes: the exit code says 0 without a file, with
// half of one and with a page instead of one.
func (y *ytdlp) prove(ctx context.Context, room *room, id string, r ran) (*pipeline.Media, error) {
	told := r.done
	if told == nil {
		told = r.found
	}
	if told != nil && told.id != id {
		return nil, fail(CodeUpstream, errors.New("yt-dlp got another video"))
	}
	if r.code == exitFiltered && told != nil {
		return nil, y.filtered(told)
	}
	if r.code != 0 {
		return nil, y.classify(r)
	}
	file, size, err := room.audio()
	if err != nil {
		if r.done == nil && has(plain(r.stderr), "error") {
			return nil, y.classify(r)
		}
		if y.MaxBytes > 0 && r.found != nil {
			return nil, fail(CodeTooLarge, errors.New("yt-dlp left no file: it is larger than the limit"))
		}
		return nil, fail(CodeIncomplete, errors.New("yt-dlp says that all went well and left no file"))
	}
	if err := y.check(file, size, told); err != nil {
		_ = file.Close()
		return nil, err
	}
	m := &pipeline.Media{
		Body: &roomFile{ctx, file, room}, Size: size, Extractor: ExtractorYTDLP, Host: "youtube",
		Info: jobs.SongInfo{URL: watchURL(id)},
	}
	if told != nil {
		m.Duration = told.duration
		m.Info.Title, m.Info.Artist, m.Info.Duration = told.title, told.uploader, told.duration
	}
	return m, nil
}

func (y *ytdlp) check(file io.ReaderAt, size int64, told *entry) error {
	head := make([]byte, 16)
	n, err := file.ReadAt(head, 0)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return fail(CodeConfig, errors.New("what yt-dlp left can not be read"))
	case !isContainer(head[:n]):
		return fail(CodeUpstream, errors.New("what yt-dlp left is no audio"))
	case y.MaxBytes > 0 && size > y.MaxBytes:
		return fail(CodeTooLarge, fmt.Errorf("%d bytes", size))
	case told != nil && told.size > 0 && told.size != size && string(head[:4]) == "\x1a\x45\xdf\xa3":
		// MP4 is written anew after the download and is of another size.
		return fail(CodeIncomplete, fmt.Errorf("%d bytes, %d were announced", size, told.size))
	case told != nil && y.MaxDuration > 0 && told.duration > y.MaxDuration:
		return tooLong(y.MaxDuration, fmt.Errorf("it lasts %v", told.duration))
	}
	return nil
}

// filtered explains why our filter stopped the download.
func (y *ytdlp) filtered(e *entry) error {
	if e.live || y.MaxDuration == 0 {
		return fail(CodeLive, errors.New("is_live"))
	}
	return tooLong(y.MaxDuration, fmt.Errorf("it lasts %v", e.duration))
}

func (y *ytdlp) hasCookies() bool {
	if y.Cookies == "" {
		return false
	}
	c, err := ReadCookies(y.Cookies, y.now())
	return err == nil && !y.isRotated(c)
}

// rejected is the fleet's record of cookies that YouTube has refused. A digest of
// them is kept, never themselves.
type rejected struct {
	Digest string    `json:"digest"`
	Since  time.Time `json:"since"`
}

const (
	rejectedKeep = 30 * 24 * time.Hour
	rejectedAge  = 30 * time.Second // so old may what is known of the fleet be
)

func (y *ytdlp) rejectedKey() string { return "youtube/cookies/" + y.Egress }

// reject tells the fleet that YouTube no longer accepts these cookies.
func (y *ytdlp) reject(c Cookies) {
	if known := y.rotated.Swap(&c.digest); known != nil && *known == c.digest {
		return
	}
	y.Observer.CookiesRotated()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, _ = change(ctx, y.board, y.rejectedKey(), rejectedKeep, func(r *rejected) bool {
		*r = rejected{c.digest, y.now()}
		return true
	}) // else the others find out by themselves
}

// isRotated tells whether YouTube has refused these very cookies, here or elsewhere
// in the fleet. A new export gets a new chance.
func (y *ytdlp) isRotated(c Cookies) bool {
	if c.digest == "" {
		return false
	}
	if now := y.now(); now.UnixNano()-y.asked.Load() >= int64(rejectedAge) {
		y.asked.Store(now.UnixNano())
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		var r rejected
		if y.board.read(ctx, y.rejectedKey(), &r) && r.Digest == c.digest {
			if known := y.rotated.Swap(&r.Digest); known == nil || *known != r.Digest {
				y.Observer.CookiesRotated()
			}
		}
	}
	known := y.rotated.Load()
	return known != nil && *known == c.digest
}

func (y *ytdlp) missing() bool {
	_, err := exec.LookPath(y.YTDLPPath)
	return err != nil
}

// parseEntry reads a line of ours; values that are not as expected are left out.
func parseEntry(line, kind string) (*entry, bool) {
	fields := strings.Split(strings.TrimRight(line, "\r"), "\t")
	if len(fields) < 6 || fields[0] != kind {
		return nil, false
	}
	text := func(i int) string {
		var s string
		if i < len(fields) && json.Unmarshal([]byte(fields[i]), &s) != nil {
			return ""
		}
		return s
	}
	number := func(i int) float64 {
		var n float64
		if i < len(fields) && json.Unmarshal([]byte(fields[i]), &n) != nil {
			return 0
		}
		return n
	}
	e := &entry{id: text(1), duration: time.Duration(number(2) * float64(time.Second))}
	if kind == "FOUND" {
		e.live = fields[3] == "true" || fields[3] == `"is_live"` || fields[3] == `"is_upcoming"`
		e.title, e.uploader = text(4), text(5)
		return e, true
	}
	e.format, e.size = text(3), int64(number(4))
	e.title, e.uploader = text(5), text(6)
	return e, true
}

// tail keeps the last part of what is written to it.
type tail struct{ kept []byte }

const tailBytes = 64 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

// String returns what is kept.
func (t *tail) String() string { return string(bytes.ToValidUTF8(t.kept, []byte("?"))) }

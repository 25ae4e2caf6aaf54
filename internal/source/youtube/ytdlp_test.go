package youtube

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/memory"
)

// onlyYTDLP leaves the native extractor out.
func onlyYTDLP(edits ...func(*Options)) func(*Options) {
	return func(o *Options) {
		for _, edit := range edits {
			edit(o)
		}
		o.Extractors = []string{ExtractorYTDLP}
	}
}

func TestYTDLPArguments(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	audio := webm(5000)
	const id = "-kNoLLs_001"
	fake := d.withYTDLP("found; cp " + d.file(audio) + ` "$out"; done_ 5000; echo "WARNING: something" >&2`)
	s := d.source(onlyYTDLP(fake, func(o *Options) {
		o.YTDLPArgs = append(o.YTDLPArgs, "--extra", "two words")
		o.MaxDuration, o.MaxBytes, o.Proxy = 3*time.Hour, 1<<20, "http://user:"+secretProxy+"@proxy.example:3128"
	}))
	m, err := s.Open(t.Context(), song(id))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(m.Body)
	want(t, got, err, audio)
	if m.Info.Title != "A title" || m.Info.Artist != "A band" || m.Duration != 2*time.Minute || m.Extractor != ExtractorYTDLP {
		t.Errorf("media %+v", m)
	}
	log, err := os.ReadFile(s.YTDLPArgs[0] + ".log")
	if err != nil {
		t.Fatal(err)
	}
	args, env, _ := strings.Cut(string(log), "https://www.youtube.com/watch?v="+id+"\n")
	for _, line := range []string{
		"--extra\ntwo words\n", "--ignore-config\n--no-exec\n--no-cache-dir\n--no-playlist\n--use-extractors\nyoutube\n--no-update\n",
		"--socket-timeout\n15\n--retries\n3\n--extractor-retries\n1\n", "--max-filesize\n1048576\n", "!is_live & duration<?10801\n",
		"bestaudio[ext=webm][acodec=opus]/bestaudio[ext=m4a]/bestaudio\n--newline\n--no-mtime\n", "--no-simulate\n-o\n", "\n--\n",
	} {
		if !strings.Contains(args, line) {
			t.Errorf("arguments lack %q:\n%s", line, args)
		}
	}
	if strings.Contains(args, secretProxy) || !strings.Contains(env, "HTTPS_PROXY=http://user:"+secretProxy) {
		t.Error("the proxy has to be in the environment, and not among the arguments")
	}
	if home := "HOME=" + filepath.Dir(filepath.Dir(s.TempDir)); strings.Contains(env, home+"\n") || !strings.Contains(env, "HOME="+s.TempDir+"/"+roomPrefix) {
		t.Errorf("environment:\n%s", env)
	}
	if strings.Contains(env, "GOPATH") || strings.Contains(env, "USER=") {
		t.Errorf("more than needed is in the environment:\n%s", env)
	}
	if err := m.Body.Close(); err != nil {
		t.Error(err)
	}
	leaves(t, s)
}

// leaves fails if anything is left of yt-dlp's rooms.
func leaves(t *testing.T, s *Source) {
	t.Helper()
	left, err := os.ReadDir(s.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestYTDLPVerdicts(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	says := func(text string) string {
		return fmt.Sprintf("cat >&2 <<'X'\nWARNING: harmless\nERROR: [youtube] %s: %s\nX\nexit 1", anID, text)
	}
	for _, tt := range []struct {
		name, script string
		class        jobs.Class
		code         string
	}{
		{"private", says("Private video. Sign in if you've been granted access to this video"), jobs.ClassPermanent, CodePrivate},
		{"removed", says("Video unavailable. This video has been removed by the uploader"), jobs.ClassPermanent, CodeNotFound},
		{"unavailable", says("This video is unavailable"), jobs.ClassPermanent, CodeNotFound},
		{"terminated", says("Video unavailable. This video is no longer available because the YouTube account associated with this video has been terminated."), jobs.ClassPermanent, CodeNotFound},
		{"age", says("Sign in to confirm your age. This video may be inappropriate for some users."), jobs.ClassPermanent, CodeAgeRestricted},
		{"geo", says("Video unavailable. The uploader has not made this video available in your country"), jobs.ClassPermanent, CodeGeoBlocked},
		{"copyright", says("Video unavailable. This video contains content from X, who has blocked it in your country on copyright grounds"), jobs.ClassPermanent, CodeGeoBlocked},
		{"members", says("Join this channel to get access to members-only content like this video, and other exclusive perks."), jobs.ClassPermanent, CodeMembersOnly},
		{"level", says("This video is available to this channel's members on level: Gold (or any higher level)."), jobs.ClassPermanent, CodeMembersOnly},
		{"premium", says("This video is only available to Music Premium members"), jobs.ClassPermanent, CodeMembersOnly},
		{"upcoming", says("This live event will begin in 3 hours."), jobs.ClassPermanent, CodeUpcoming},
		{"premiere", says("Premieres in 5 hours"), jobs.ClassPermanent, CodeUpcoming},
		{"bot", says("Sign in to confirm you\u2019re not a bot. Use --cookies-from-browser"), jobs.ClassThrottled, CodeBotCheck},
		{"captcha", says("YouTube is requiring a captcha challenge before playback"), jobs.ClassThrottled, CodeBotCheck},
		{"later", says("This content isn\u2019t available, try again later."), jobs.ClassThrottled, CodeRateLimited},
		{"429", "echo 'WARNING: [youtube] HTTP Error 429: Too Many Requests' >&2\n" + says("No video formats found!"), jobs.ClassThrottled, CodeRateLimited},
		{"429 and no answer", "echo 'WARNING: [youtube] Unable to download API page: HTTP Error 429: Too Many Requests' >&2\n" + says("Failed to extract any player response"), jobs.ClassThrottled, CodeRateLimited},
		{"500 and no answer", "echo 'WARNING: [youtube] HTTP Error 500: no' >&2\n" + says("Failed to extract any player response"), jobs.ClassTransient, CodeUpstream},
		{"500 warned", "echo 'WARNING: [youtube] HTTP Error 500: oops' >&2\n" + says("No video formats found!"), jobs.ClassTransient, CodeUpstream},
		{"403", says("unable to download video data: HTTP Error 403: Forbidden"), jobs.ClassExtractor, CodeExpiredURL},
		{"503", says("unable to download video data: HTTP Error 503: no"), jobs.ClassTransient, CodeUpstream},
		{"cut", says("100 bytes read, 900 more expected. Giving up after 3 retries"), jobs.ClassTransient, CodeNetwork},
		{"timeout", says("Read timed out."), jobs.ClassTransient, CodeNetwork},
		{"refused", says("<urlopen error [Errno 111] Connection refused>"), jobs.ClassTransient, CodeNetwork},
		{"reload", says("The page needs to be reloaded."), jobs.ClassTransient, CodeUpstream},
		{"format", says("Requested format is not available. Use --list-formats"), jobs.ClassPermanent, CodeNoAudio},
		{"skipped", "echo 'WARNING: [youtube] Skipping player responses from visionos clients (got player responses for video \"x\" instead of \"y\")' >&2\n" + says("No video formats found!"), jobs.ClassTransient, CodeUpstream},
		{"unknown", says("A reason from next year"), jobs.ClassPermanent, CodeUnplayable},
		{"usage", "echo 'yt-dlp: error: no such option: --frobnicate' >&2; exit 2", jobs.ClassEnvironment, CodeConfig},
		{"traceback", "echo 'Traceback (most recent call last):' >&2; exit 1", jobs.ClassEnvironment, CodeConfig},
		{"killed", "kill -9 $$", jobs.ClassEnvironment, CodeConfig},
		{"too long", "found 7200; exit 101", jobs.ClassPermanent, CodeTooLong},
		{"live", "found null true; exit 101", jobs.ClassPermanent, CodeLive},
		{"exit 0 and no file", "found; done_", jobs.ClassPermanent, CodeTooLarge},
		{"exit 0 and nothing", "exit 0", jobs.ClassTransient, CodeIncomplete},
		{"exit 0 and a page", `found; echo '<html>sorry</html>' > "$out"; done_`, jobs.ClassTransient, CodeUpstream},
		{"exit 0 and half", "found; cp " + d.file(webm(500)) + ` "$out"; done_ 1000`, jobs.ClassTransient, CodeIncomplete},
		{"exit 0 and a part", "found; cp " + d.file(webm(501)) + ` "$out.part"; done_ 1000`, jobs.ClassPermanent, CodeTooLarge},
		{"another video", `id=aaaaaaaaaaa; found; cp ` + d.file(webm(502)) + ` "$out"; done_`, jobs.ClassTransient, CodeUpstream},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := d.source(onlyYTDLP(d.withYTDLP(tt.script), func(o *Options) { o.MaxDuration, o.MaxBytes = time.Hour, 1<<20 }))
			_, err := s.Open(t.Context(), song(anID))
			wantCode(t, err, tt.class, tt.code)
			leaves(t, s)
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		s := d.source(onlyYTDLP())
		_, err := s.Open(t.Context(), song(anID))
		wantCode(t, err, jobs.ClassEnvironment, CodeConfig)
		if s.Ping(t.Context()) == nil {
			t.Error("ping says that all is well")
		}
	})
}

// A run that is stopped dies with all its children, and leaves nothing.
func TestYTDLPIsStoppedWithItsChildren(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	fifo := filepath.Join(t.TempDir(), "alive")
	s := d.source(onlyYTDLP(d.withYTDLP("mkfifo " + fifo + "\nsleep 600 > " + fifo + " &\nsleep 600")))
	ctx, cancel := timeoutWhen(t, fifo)
	defer cancel()
	_, err := s.Open(ctx, song(anID))
	e := asError(err)
	if e == nil || e.Class != jobs.ClassInterrupted {
		t.Fatalf("error %v", err)
	}
	leaves(t, s)
}

// The native extractor's verdict is kept where yt-dlp is not installed.
func TestMissingYTDLPDoesNotHideTheReason(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.player[anID] = func(call) any { return status{500, nil, ""} }
	_, err := get(t, d.source(func(o *Options) { o.Extractors = nil }), anID)
	wantCode(t, err, jobs.ClassTransient, CodeUpstream)
}

const cookieFile = "# Netscape HTTP Cookie File\n" +
	"# a comment\n\n" +
	".example.com\tTRUE\t/\tTRUE\t0\tOTHER\tx\n" +
	"#HttpOnly_.youtube.com\tTRUE\t/\tTRUE\t1999999999\tLOGIN_INFO\t" + secretCookie + "=/=\n" +
	".youtube.com\tTRUE\t/\tTRUE\t1999999998\tSAPISID\t" + secretCookie + "\n" +
	".youtube.com\tTRUE\t/\tTRUE\t1000\tOLD\tx\n" +
	".youtube.com\tTRUE\t/\tFALSE\t\tPREF\thl=en\r\n"

func cookiesAt(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "cookies.txt")
	if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCookiesAreForBotChecksAndAgeAlone(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"Sign in to confirm you're not a bot", "Sign in to confirm your age"} {
		d := newDouble(t)
		audio := d.song(anID, 5000)
		d.song("freeForAll1", 3000)
		d.player[anID] = func(call) any { return unplayable("LOGIN_REQUIRED", reason) }
		fake := d.withYTDLP(`echo "run $cookies" >> $log.runs
if [ -z "$cookies" ]; then echo "ERROR: [youtube] x: ` + reason + `" >&2; exit 1; fi
cat "$cookies" > $log.jar; stat -c %a "$cookies" >> $log.jar; echo changed > "$cookies"
found; cp ` + d.file(audio) + ` "$out"; done_ 5000`)
		path := cookiesAt(t, cookieFile)
		s := d.source(func(o *Options) { fake(o); o.Cookies = path })
		got, err := get(t, s, "freeForAll1")
		if err != nil || len(got) != 3000 {
			t.Fatal(len(got), err)
		}
		log := s.YTDLPArgs[0] + ".log"
		if _, err := os.Stat(log + ".runs"); err == nil {
			t.Error("yt-dlp ran for a song that needs no cookies")
		}
		got, err = get(t, s, anID)
		want(t, got, err, audio)
		jar, err := os.ReadFile(log + ".jar")
		if err != nil {
			t.Fatal(err)
		}
		if text := string(jar); !strings.Contains(text, "#HttpOnly_.youtube.com") || strings.Contains(text, "example.com") ||
			strings.Contains(text, "OLD") || !strings.Contains(text, "PREF\thl=en\n") || !strings.HasSuffix(text, "600\n") {
			t.Errorf("the copy:\n%s", text)
		}
		if master, err := os.ReadFile(path); err != nil || string(master) != cookieFile {
			t.Error("the master was changed")
		}
		leaves(t, s)
		got, err = get(t, onlyGuest(d, s), anID) // yt-dlp first as a guest, then with cookies
		want(t, got, err, audio)
		runs, err := os.ReadFile(log + ".runs")
		if lines := strings.Split(strings.TrimSpace(string(runs)), "\n"); err != nil || len(lines) < 2 || lines[len(lines)-2] != "run " {
			t.Errorf("runs:\n%s", runs)
		}
	}
}

func onlyGuest(d *double, s *Source) *Source {
	o := s.Options
	return d.source(func(p *Options) { *p = o; p.Extractors = []string{ExtractorYTDLP} })
}

func TestRotatedCookiesRaiseAnAlert(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.player[anID] = func(call) any { return unplayable("LOGIN_REQUIRED", "Sign in to confirm you're not a bot") }
	fake := d.withYTDLP(`echo "WARNING: [youtube] The provided YouTube account cookies are no longer valid." >&2
echo "ERROR: [youtube] x: Sign in to confirm you're not a bot" >&2; exit 1`)
	var seen recorder
	notes := memory.New()
	s := d.source(func(o *Options) { fake(o); o.Cookies, o.Observer, o.Notes = cookiesAt(t, cookieFile), &seen, notes })
	_, err := get(t, s, anID)
	wantCode(t, err, jobs.ClassThrottled, CodeBotCheck)
	if e := asError(err); e.Extractor == "" {
		t.Error("the error does not say which extractor it came from")
	}
	if !slices.Contains(seen.all(), "cookies rotated") {
		t.Errorf("seen: %q", seen.all())
	}
	st := s.Status(t.Context())
	if st.Cookies == nil || !st.Cookies.Rotated || !st.Cookies.SignedIn || st.Problem == "" || s.ytdlp.hasCookies() {
		t.Errorf("status %+v", st)
	}
	// Another worker of the fleet knows it too, without having asked YouTube.
	var elsewhere recorder
	other := d.source(func(o *Options) { fake(o); o.Cookies, o.Observer, o.Notes = s.Options.Cookies, &elsewhere, notes })
	if other.ytdlp.hasCookies() || !slices.Contains(elsewhere.all(), "cookies rotated") {
		t.Errorf("the fleet does not know: %q", elsewhere.all())
	}
	renewed := strings.Replace(cookieFile, "\n", "\n.youtube.com\tTRUE\t/\tTRUE\t0\tNEW\tvalue\n", 1)
	if err := os.WriteFile(s.Options.Cookies, []byte(renewed), 0o600); err != nil {
		t.Fatal(err)
	}
	if !s.ytdlp.hasCookies() {
		t.Error("a new export is not used")
	}
}

func TestParseCookies(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	_, c, err := parseCookies([]byte(cookieFile), now)
	if err != nil || c.Count != 3 || !c.SignedIn || c.Expires.Unix() != 1999999998 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"json", ` [{"domain":".youtube.com","name":"SID"}]`, ErrCookiesJSON},
		{"json object", "{}", ErrCookiesJSON},
		{"no head", strings.TrimPrefix(cookieFile, "# Netscape HTTP Cookie File\n"), ErrCookiesFormat},
		{"empty", "", ErrCookiesFormat},
		{"guest", "# HTTP Cookie File\n.youtube.com\tTRUE\t/\tTRUE\t0\tPREF\tx\n", ErrCookiesGuest},
		{"another site's", "# HTTP Cookie File\n.notyoutube.com\tTRUE\t/\tTRUE\t0\tLOGIN_INFO\tx\n.notyoutube.com\tTRUE\t/\tTRUE\t0\tSAPISID\tx\n", ErrCookiesGuest},
		{"expired", strings.ReplaceAll(cookieFile, "19999999", "10999999"), ErrCookiesOld},
	} {
		_, _, err := parseCookies([]byte(tt.text), now)
		if err != tt.want { //nolint:errorlint // exactly this
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, _, err := parseCookies([]byte("# HTTP Cookie File\n.youtube.com TRUE / TRUE 0 SID "+secretCookie), now); err == nil || strings.Contains(err.Error(), secretCookie) {
		t.Errorf("blanks for tabs: %v", err)
	}
}

// What a killed worker left is removed by the next run; rooms in use are not.
func TestSweep(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	used, err := newRoom(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer used.remove()
	dead, err := newRoom(parent)
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.lock.Close(); err != nil { // as the kernel does for the killed
		t.Fatal(err)
	}
	sweep(parent)
	if _, err := os.Stat(used.media()); err != nil {
		t.Error("a room in use was swept away")
	}
	if _, err := os.Stat(dead.dir); err == nil {
		t.Error("a dead room is still there")
	}
}

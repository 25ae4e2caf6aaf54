package cookies

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/source/youtube"
)

const (
	head   = "# Netscape HTTP Cookie File\n"
	secret = "s3cr3t-value"
	login  = ".youtube.com\tTRUE\t/\tTRUE\t4000000000\tLOGIN_INFO\t" + secret + "\n"
	key    = "#HttpOnly_.youtube.com\tTRUE\t/\tTRUE\t4000000000\t__Secure-3PAPISID\t" + secret + "/=\n"
)

// run runs the script in a folder and returns its exit code and what it printed.
func run(t *testing.T, folder, stdin string, args ...string) (int, string) {
	t.Helper()
	script, err := filepath.Abs("../../filter_youtube_cookies.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{script}, args...)...)
	cmd.Dir, cmd.Stdin = folder, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(string(out), secret) {
		t.Errorf("a cookie was printed: %s", out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// leaves checks that nothing but the given files is in the folder.
func leaves(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("left behind: %q, want %q", names, want)
	}
}

// What is YouTube's is kept, for its owner alone, and the source can use it.
func TestFilter(t *testing.T) {
	t.Parallel()
	others := ".example.com\tTRUE\t/\tTRUE\t0\tA\t.youtube.com\n.notyoutube.com\tTRUE\t/\tTRUE\t0\tB\tx\n.example.org\tTRUE\t/.youtube.com\tTRUE\t0\tC\tx\n"
	old := ".youtube.com\tTRUE\t/\tTRUE\t1000000000\tOLD\tx\n"
	for name, text := range map[string]string{
		"plain": head + login + key + others + old, "windows": "\xef\xbb\xbf" + strings.ReplaceAll(head+others+login+key, "\n", "\r\n"),
		"comments": head + "# a comment\n\n" + login + key,
	} {
		folder := t.TempDir()
		code, out := run(t, folder, text, "-")
		if code != 0 || !strings.Contains(out, "2 cookies of YouTube") || !strings.Contains(out, "2096-10-02") {
			t.Errorf("%s: %d %s", name, code, out)
		}
		leaves(t, folder, "yt-cookies.txt")
		path := filepath.Join(folder, "yt-cookies.txt")
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != head+login+key {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if c, err := youtube.ReadCookies(path, time.Now()); err != nil || c.Count != 2 || !c.SignedIn {
			t.Errorf("%s: the source says %+v, %v", name, c, err)
		}
	}
}

// What can not be used is refused with the reason, and an older file stays.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		args []string
		code int
		want string
	}{
		"JSON":            {`[{"domain":".youtube.com","value":"` + secret + `"}]`, []string{"-"}, 1, "JSON"},
		"no header":       {login, []string{"-"}, 1, "first line"},
		"nothing":         {"", []string{"-"}, 1, "no cookie"},
		"other sites":     {head + ".example.com\tTRUE\t/\tTRUE\t0\tA\tx\n", []string{"-"}, 1, "no cookie of YouTube"},
		"expired":         {head + ".youtube.com\tTRUE\t/\tTRUE\t1000000000\tLOGIN_INFO\tx\n", []string{"-"}, 1, "expired"},
		"spaces for tabs": {head + strings.ReplaceAll(login, "\t", " "), []string{"-"}, 1, "seven fields"},
		"nobody there":    {"", []string{"missing.txt"}, 1, "can not be read"},
		"no such folder":  {head + login + key, []string{"-", "no/such/out.txt"}, 1, "can not be written"},
		"a folder":        {head + login + key, []string{"-", "."}, 1, "folder"},
		"an odd browser":  {"", []string{"--browser", "lynx; id"}, 2, "unknown browser"},
		"an odd option":   {"", []string{"--all"}, 2, "unknown option"},
		"too much":        {"", []string{"a", "b", "c"}, 2, "too many"},
	} {
		folder := t.TempDir()
		kept := filepath.Join(folder, "yt-cookies.txt")
		if err := os.WriteFile(kept, []byte("older"), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out := run(t, folder, c.text, c.args...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d, want %d: %s", name, code, c.code, out)
		}
		leaves(t, folder, "yt-cookies.txt")
		if got, err := os.ReadFile(kept); err != nil || string(got) != "older" {
			t.Errorf("%s: the older file is %q, %v", name, got, err)
		}
	}
	folder := t.TempDir()
	if code, out := run(t, folder, head+login, "-"); code != 3 || !strings.Contains(out, "nobody is signed in") {
		t.Errorf("a guest: %d %s", code, out)
	}
	if code, out := run(t, folder, "", "--help"); code != 0 || !strings.Contains(out, "Usage:") {
		t.Errorf("help: %d %s", code, out)
	}
}

// Interrupted in mid-work it leaves nothing behind.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	script, err := filepath.Abs("../../filter_youtube_cookies.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", script, "-")
	cmd.Dir = folder
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte(head + login)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) > 0 { // its private folder is there: it is at work
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not begin")
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil { // bash heeds a signal when its child has ended
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("%v: %s", err, out.String())
	}
	leaves(t, folder)
}

// Every code of YouTube's is in the table of docs/youtube.md, with its class.
func TestDocumentedTaxonomy(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/youtube.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, class := range youtube.Codes() {
		if !strings.Contains(string(page), "| `"+code+"` | "+string(class)+" | ") {
			t.Errorf("docs/youtube.md lacks a row for %s, %s", code, class)
		}
	}
}

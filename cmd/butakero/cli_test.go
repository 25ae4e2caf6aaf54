package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

// command runs a command line as main does.
func command(t *testing.T, stdin string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(args, strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

// server runs the whole system on a free port.
func server(t *testing.T) string {
	t.Helper()
	config, err := app.Load(nil, "", map[string]string{
		"BUTAKERO_SOURCE": "demo", "BUTAKERO_DATA_DIR": t.TempDir(), "BUTAKERO_LISTEN": "127.0.0.1:0",
		"BUTAKERO_LOG_LEVEL": "error", "BUTAKERO_DRAIN_SECONDS": "1", "BUTAKERO_LOOK_SECONDS": "0.2",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, context.Background(), config, app.NewLog(config, t.Output()), app.RoleUp, func(a string) { address <- a })
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server stays")
		}
	})
	select {
	case a := <-address:
		return config.Public(a)
	case err := <-ended:
		t.Fatal(err)
	}
	return ""
}

// Every command explains itself, with an example.
func TestHelp(t *testing.T) {
	t.Parallel()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Runnable() && cmd.Example == "" && cmd.Name() != "help" {
			t.Errorf("%s has no short help or example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk((&cli{}).root())
	code, out, _ := command(t, "", "--help")
	if code != exitDone || !strings.Contains(out, "submit") || !strings.Contains(out, "Examples:") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"no-such-command"}, {"submit"}, {"watch"}, {"watch", "a", "b"}, {"--no-such-flag"}, {"jobs", "list", "extra"},
		{"--server", "nonsense", "health"}, {"dca", "convert", "one"}, {"dca", "verify"},
	} {
		if code, _, errOut := command(t, "", args...); code != exitUsage || errOut == "" {
			t.Errorf("%v: exit %d, %q", args, code, errOut)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"health"}, {"submit", "x"}, {"jobs", "list"}, {"queue", "stats"}} {
		code, _, errOut := command(t, "", append([]string{"--server", "http://127.0.0.1:1"}, args...)...)
		if code != exitUnreachable || !strings.Contains(errOut, "can not reach") {
			t.Errorf("%v: exit %d, %q", args, code, errOut)
		}
	}
}

// The life of a song as a person at a terminal sees it.
func TestTalkingToAServer(t *testing.T) {
	t.Parallel()
	base := server(t)
	at := func(args ...string) (int, string, string) {
		return command(t, "", append([]string{"--server", base}, args...)...)
	}

	code, out, errOut := at("submit", "paper", "lights", "--wait")
	if code != exitDone || !strings.Contains(out, "Paper Lights: done") || !strings.Contains(out, "/api/v1/songs/PaperLights/audio") {
		t.Fatalf("submit: %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = at("submit", "--json", "--wait", "private room")
	var o operation
	if err := json.Unmarshal([]byte(out), &o); err != nil || code != exitFailed || o.State != "failed" || !strings.Contains(errOut, "(private)") {
		t.Errorf("a failure: %d, %v\n%s%s", code, err, out, errOut)
	}
	if code, out, _ = at("watch", o.ID); code != exitFailed {
		t.Errorf("watch an ended one: %d\n%s", code, out)
	}
	if code, _, errOut = at("watch", "22ee9da3-9cb6-8e6e-adeb-9bcf718ea5cf"); code != exitNotFound {
		t.Errorf("watch an unknown one: %d %s", code, errOut)
	}
	if code, _, errOut = at("submit", "no song is called so"); code != exitFailed || !strings.Contains(errOut, "not_found") {
		t.Errorf("unknown song: %d %s", code, errOut)
	}
	code, out, _ = at("jobs", "list", "--state", "dead")
	if code != exitDone || !strings.Contains(out, "demo:PrivateRoom:default") || strings.Contains(out, "PaperLights") {
		t.Errorf("list: %d\n%s", code, out)
	}
	code, out, _ = at("jobs", "show", "demo:PrivateRoom:default")
	if code != exitDone || !strings.Contains(out, `"history"`) {
		t.Errorf("show: %d\n%s", code, out)
	}
	if code, _, errOut = at("jobs", "replay", "demo:PaperLights:default"); code != exitFailed || !strings.Contains(errOut, "job_not_replayable") {
		t.Errorf("replay a done one: %d %s", code, errOut)
	}
	if code, _, errOut = at("jobs", "replay", "demo:PrivateRoom:default"); code != exitFailed || !strings.Contains(errOut, "replay_refused") {
		t.Errorf("replay what is private: %d %s", code, errOut)
	}
	if code, out, _ = at("jobs", "replay", "demo:PrivateRoom:default", "--force"); code != exitDone || !strings.Contains(out, "demo:PrivateRoom:default") {
		t.Errorf("replay: %d %s", code, out)
	}
	if code, _, _ = at("jobs", "cancel", "demo:NoSuchSong1:default"); code != exitNotFound {
		t.Errorf("cancel an unknown one: %d", code)
	}
	if code, out, _ = at("queue", "stats"); code != exitDone || !strings.Contains(out, `"jobs"`) {
		t.Errorf("stats: %d %s", code, out)
	}
	if code, out, _ = at("health"); code != exitDone {
		t.Errorf("health: %d %s", code, out)
	}
}

// The desk as an operator sees it.
func TestDesk(t *testing.T) {
	t.Parallel()
	base := server(t)
	at := func(args ...string) (int, string, string) {
		return command(t, "", append([]string{"--server", base}, args...)...)
	}
	if code, _, errOut := at("submit", "--wait", "private room"); code != exitFailed {
		t.Fatalf("%d %s", code, errOut)
	}
	export := filepath.Join(t.TempDir(), "dead.jsonl")
	for _, step := range []struct {
		args string
		code int
		out  string
		err  string
	}{
		{"jobs groups --state dead", exitDone, "private  1", ""},
		{"jobs groups --by class --json", exitDone, `"value": "permanent"`, ""},
		{"jobs groups --by colour", exitFailed, "", "by"},
		{"jobs list --since yesterday", exitUsage, "", "neither a time"},
		{"jobs list --since 1h --class permanent", exitDone, "demo:PrivateRoom:default", ""},
		{"jobs show demo:PrivateRoom:default", exitDone, `"failed": [`, ""},
		{"jobs replay --state dead --until 0s --dry-run", exitDone, "would replay 0 of 1 jobs; left alone: 1 permanent", ""},
		{"jobs replay --state dead --dry-run --force", exitDone, "would replay 1 of 1 jobs", ""},
		{"jobs replay", exitUsage, "", "name jobs"},
		{"jobs replay --state dead", exitDone, "done, 0 of 1 jobs changed; left alone: 1 permanent", ""},
		{"queue pause --reason deploy --for 1h", exitDone, "queue is paused", ""},
		{"queue pause everything", exitFailed, "", "invalid_pause_target"},
		{"queue resume", exitDone, "queue goes on", ""},
		{"queue resume", exitNotFound, "", "pause_not_found"},
		{"queue quarantine list", exitDone, "MESSAGE", ""},
		{"queue quarantine show x", exitNotFound, "", "message_not_found"},
		{"queue import", exitFailed, "", "no_dead_letters"},
		{"jobs discard --state dead", exitUsage, "", "--export"},
		{"jobs discard --state dead --dry-run", exitDone, "would discard 1 of 1", ""},
		{"jobs discard --state dead --export " + export, exitDone, "1 of 1 jobs changed", "1 records exported"},
		{"jobs show demo:PrivateRoom:default", exitNotFound, "", "job_not_found"},
		{"jobs runs list", exitDone, "discard  done", ""},
		{"jobs runs show nobody", exitNotFound, "", "run_not_found"},
		{"jobs audit", exitDone, "pause", ""},
	} {
		code, out, errOut := at(strings.Fields(step.args)...)
		if code != step.code || !strings.Contains(out, step.out) || !strings.Contains(errOut, step.err) {
			t.Errorf("%s: %d, want %d with %q and %q\n%s%s", step.args, code, step.code, step.out, step.err, out, errOut)
		}
	}
	raw, err := os.ReadFile(export)
	if err != nil || !strings.Contains(string(raw), `"key":"demo:PrivateRoom:default"`) || strings.Count(string(raw), "\n") != 1 {
		t.Errorf("%v\n%s", err, raw)
	}
}

func TestResolveOffline(t *testing.T) {
	t.Parallel()
	code, out, _ := command(t, "https://youtu.be/SRXH9AbT280\nsome title\nhttps://evil.example/watch?v=SRXH9AbT280\n", "resolve", "--offline", "-")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitDone || len(lines) != 3 {
		t.Fatalf("%d\n%s", code, out)
	}
	for i, want := range []string{`"kind":"video","song_id":"SRXH9AbT280"`, `"kind":"query"`, `"kind":"invalid"`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("%s, want %s", lines[i], want)
		}
	}
	if code, _, _ := command(t, "", "resolve", "--offline", "--", "-rf --exec id"); code != exitDone {
		t.Errorf("free text that looks like flags: %d", code)
	}
	if code, _, errOut := command(t, "", "resolve", "--offline", "https://www.youtube.com/playlist?list=PL1"); code != exitFailed || !strings.Contains(errOut, "playlist_only") {
		t.Errorf("%d %s", code, errOut)
	}
}

func TestDCAFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	song := filepath.Join("..", "..", "internal", "source", "demo", "samples", "paper-lights.webm")
	out := filepath.Join(dir, "song.dca")
	if code, _, errOut := command(t, "", "dca", "convert", song, out); code != exitDone || !strings.Contains(errOut, "copied, 401 frames") {
		t.Fatalf("convert: %d %s", code, errOut)
	}
	if code, _, errOut := command(t, "", "dca", "convert", song, out); code != exitFailed || !strings.Contains(errOut, "--force") {
		t.Errorf("overwrite: %d %s", code, errOut)
	}
	if code, _, _ := command(t, "", "dca", "convert", "--force", song, out); code != exitDone {
		t.Errorf("overwrite by force: %d", code)
	}
	if code, text, _ := command(t, "", "dca", "verify", out); code != exitDone || !strings.Contains(text, "valid, 401 frames") {
		t.Errorf("verify: %d %s", code, text)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if code, text, _ := command(t, string(raw[:3000]), "dca", "verify", "-"); code != exitFailed || !strings.Contains(text, "truncated_frame") {
		t.Errorf("verify a cut one: %d %s", code, text)
	}
	if code, text, _ := command(t, string(raw), "dca", "inspect", "-"); code != exitDone || !strings.Contains(text, `"frames": 401`) {
		t.Errorf("inspect: %d %s", code, text)
	}
	if code, _, _ := command(t, "", "dca", "verify", filepath.Join(dir, "none.dca")); code != exitNotFound {
		t.Errorf("verify nothing: %d", code)
	}
	if code, _, _ := command(t, "this is no audio", "dca", "convert", "-", filepath.Join(dir, "bad.dca")); code != exitFailed {
		t.Errorf("convert nonsense: %d", code)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestConfigCheck(t *testing.T) {
	const secret = "s3cr3t-value"
	t.Setenv("YOUTUBE_API_KEY", secret)
	code, out, _ := command(t, "", "config", "check")
	if code != exitDone || strings.Contains(out, secret) || !strings.Contains(out, "no problems") {
		t.Errorf("%d\n%s", code, out)
	}
	t.Setenv("BUTAKERO_LISTN", "x")
	code, _, errOut := command(t, "", "config", "check", "--json")
	if code != exitUsage || !strings.Contains(errOut, "did you mean BUTAKERO_LISTEN") {
		t.Errorf("%d %s", code, errOut)
	}
}

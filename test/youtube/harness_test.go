package youtube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/app"
	"github.com/butakero/butakero/test/double"
)

// Secrets that no log, event or answer may show.
const (
	plantedKey    = "AIzaSyPLANTED_KEY_0123456789abcdefghij"
	plantedCookie = "PLANTEDCOOKIEVALUEabcdef0123456789"
)

var (
	tracks *double.Tracks
	ytdlp  string // the real one; "": it is not installed
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		// Most of the time they wait for a clock.
		if err := flag.Set("test.parallel", "12"); err != nil {
			fmt.Println(err)
			return 1
		}
		var err error
		if tracks, err = double.LoadTracks(context.Background(), func(s string) { fmt.Println(s) }); err != nil {
			fmt.Println("CAN NOT RUN: the songs can not be made:", err)
			return 1
		}
		if cache, err := double.CacheFolder(); err == nil {
			bin := filepath.Join(cache, "ytdlp", "bin")
			if _, err := os.Stat(filepath.Join(bin, "yt-dlp")); err == nil {
				ytdlp = filepath.Join(bin, "yt-dlp")
				// It finds its JavaScript runtime there.
				if err := os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
					fmt.Println(err)
					return 1
				}
			}
		}
		defer removeProgram()
		return m.Run()
	}())
}

// needYTDLP stops a test that is nothing without yt-dlp.
func needYTDLP(t *testing.T) {
	t.Helper()
	if ytdlp == "" {
		t.Skipf("CAN NOT RUN %s: yt-dlp is not installed; scripts/setup.sh ytdlp installs it", t.Name())
	}
}

// output collects what is said, from any goroutine.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// settings are those of a system over the double, quick enough for tests. Those
// in more win.
func settings(t *testing.T, d *double.Double, more ...string) []string {
	t.Helper()
	all := append([]string{
		"BUTAKERO_LISTEN=127.0.0.1:0", "BUTAKERO_DATA_DIR=" + t.TempDir(), "BUTAKERO_TEMP_DIR=" + t.TempDir(),
		"BUTAKERO_RATE_PER_SECOND=0", "BUTAKERO_LOG_LEVEL=debug", "BUTAKERO_WORKER_SLOTS=8", "BUTAKERO_LOOK_SECONDS=0.2",
		"BUTAKERO_YOUTUBE_EVERY_SECONDS=0", "BUTAKERO_YOUTUBE_PAUSE_SECONDS=1", "SERVICE_MAX_ATTEMPTS=2",
		"YOUTUBE_API_KEY=" + plantedKey, "BUTAKERO_DRAIN_SECONDS=1",
	}, d.Settings()...)
	if ytdlp != "" {
		all = append(all, "BUTAKERO_YTDLP_PATH="+ytdlp)
	} else {
		all = append(all, "BUTAKERO_EXTRACTORS=native")
	}
	for _, m := range more {
		name, _, _ := strings.Cut(m, "=")
		all = slices.DeleteFunc(all, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	}
	return append(all, more...)
}

// system is a running API and worker in this process.
type system struct {
	t    *testing.T
	base string
	data string // folder of the songs
	log  *output
}

// run starts a system and ends it with the test.
func run(t *testing.T, d *double.Double, more ...string) *system {
	t.Helper()
	c, err := app.Load(settings(t, d, more...), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, log: &output{}, data: c.LocalStoragePath}
	work, cutOff := context.WithCancel(context.Background())
	intake, stop := context.WithCancel(work)
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(intake, work, c, slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), app.RoleUp,
			func(address string) { ready <- "http://" + address })
	}()
	t.Cleanup(func() {
		if s.base != "" {
			s.searchForSecrets(d)
		}
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the system ended with %v", err)
		}
		cutOff()
	})
	select {
	case s.base = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the system did not start: %v", err)
	}
	return s
}

// operation is what the API shows of one.
type operation struct {
	ID      string    `json:"id"`
	SongID  string    `json:"song_id"`
	State   string    `json:"state"`
	Title   string    `json:"title"`
	EndedAt time.Time `json:"ended_at"`
	Job     struct {
		State   string `json:"state"`
		Attempt int    `json:"attempt"`
		Error   *struct {
			Class   string    `json:"class"`
			Code    string    `json:"code"`
			Message string    `json:"message"`
			RetryAt time.Time `json:"retry_at"`
		} `json:"last_error"`
	} `json:"job"`
	File *struct {
		Path   string `json:"path"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
		Frames int    `json:"frames"`
	} `json:"file"`
}

func (o operation) code() string {
	if o.Job.Error == nil {
		return ""
	}
	return o.Job.Error.Code
}

var client = &http.Client{Timeout: time.Minute}

// call makes a request and returns status and body.
func call(t *testing.T, method, address string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func fetch(t *testing.T, method, address string, into any) {
	t.Helper()
	status, body := call(t, method, address)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, address, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s %s: %v: %s", method, address, err, body)
	}
}

// submit asks for a song by the original's way and returns the operation's id.
func submit(t *testing.T, base, song string) string {
	t.Helper()
	var accepted struct {
		Operation string `json:"operation_id"`
		Song      string `json:"song_id"`
	}
	fetch(t, http.MethodPost, base+"/api/v1/audio/start?song="+url.QueryEscape(song), &accepted)
	if accepted.Operation == "" {
		t.Fatalf("no operation id for %q", song)
	}
	return accepted.Operation
}

func look(t *testing.T, base, id string) operation {
	t.Helper()
	var o operation
	fetch(t, http.MethodGet, base+"/api/v1/operations/"+id, &o)
	return o
}

// await polls an operation until something holds of it.
func await(t *testing.T, base, id string, within time.Duration, holds func(operation) bool) operation {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		o := look(t, base, id)
		if holds(o) {
			return o
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s operation %s is %+v, last error %+v", within, id, o, o.Job.Error)
		}
		<-tick.C
	}
}

func ended(o operation) bool { return o.State != "waiting" }

// finish submits a song and waits for the end of its operation.
func finish(t *testing.T, s *system, song string) operation {
	t.Helper()
	return await(t, s.base, submit(t, s.base, song), 100*time.Second, ended)
}

// event returns the event of an operation: the one that is there, or a failure.
func event(t *testing.T, base, id string) operation {
	t.Helper()
	cursor := ""
	var found []operation
	for {
		var page struct {
			Events []struct {
				Type    string    `json:"type"`
				Subject string    `json:"subject"`
				Data    operation `json:"data"`
			} `json:"events"`
			Next string `json:"next"`
		}
		fetch(t, http.MethodGet, base+"/api/v1/events?limit=100&cursor="+url.QueryEscape(cursor), &page)
		for _, e := range page.Events {
			if e.Subject == id {
				if want := "io.github.butakero.operation." + e.Data.State; e.Type != want {
					t.Errorf("the event's type is %s, not %s", e.Type, want)
				}
				found = append(found, e.Data)
			}
		}
		if len(page.Events) == 0 {
			break
		}
		cursor = page.Next
	}
	if len(found) != 1 {
		t.Fatalf("operation %s has %d events, not one", id, len(found))
	}
	return found[0]
}

// watch is the link of a video.
func watch(id string) string { return "https://www.youtube.com/watch?v=" + id }

// add puts a short song under a fresh id.
func add(t *testing.T, d *double.Double, id string) double.Song {
	t.Helper()
	return addTrack(t, d, id, tracks.Short[len(id)%len(tracks.Short)])
}

func addTrack(t *testing.T, d *double.Double, id string, track double.Track) double.Song {
	t.Helper()
	s := double.NewSong(double.Pad(id), track)
	if err := d.Add(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// players counts the player calls for a video, by who made them.
func players(d *double.Double, id string) (native, fallback int) {
	for _, r := range d.Requests() {
		switch {
		case r.Kind != double.KindPlayer || r.ID != id:
		case r.Proxied:
			fallback++
		default:
			native++
		}
	}
	return native, fallback
}

// tryGet gets a text.
func tryGet(address string, into *string) error {
	b, err := try(http.MethodGet, address)
	*into = string(b)
	return err
}

// tryJSON is fetch for goroutines.
func tryJSON(method, address string, into any) error {
	b, err := try(method, address)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func try(method, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %s", method, address, resp.StatusCode, body)
	}
	return body, nil
}

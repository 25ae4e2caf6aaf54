package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/butakero/butakero/internal/app"
)

func (c *cli) demoCommand() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A guided run with bundled music: no account, key or network",
		Long: `Starts API and worker in this process, asks for songs over HTTP as a bot would,
shows their progress, a failure with its reason, a retry, and one song asked for
by fifty callers at once; then verifies the files. Ends by itself, with exit
code 1 if any check failed.`,
		Example: `  butakero demo
  butakero demo --data-dir /tmp/demo`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if folder == "" {
				made, err := os.MkdirTemp("", "butakero-demo-")
				if err != nil {
					return err
				}
				folder = made
			}
			return c.demo(cmd.Context(), folder)
		},
	}
	cmd.Flags().StringVar(&folder, "data-dir", "", "folder of databases and songs; nothing: a new one in the system's temporary folder")
	return cmd
}

// demo is the guided run.
type demo struct {
	*cli
	api    *client
	folder string
	failed []string
	made   int // songs that there should be files of
}

func (c *cli) demo(parent context.Context, folder string) error {
	config, err := app.Load(nil, "", map[string]string{
		"BUTAKERO_SOURCE": "demo", "BUTAKERO_DATA_DIR": folder, "BUTAKERO_LISTEN": "127.0.0.1:0",
		"BUTAKERO_WORKER_SLOTS": "4", "BUTAKERO_DEMO_RATE_BYTES": "60000", "BUTAKERO_LOOK_SECONDS": "0.25",
		"BUTAKERO_LOG_LEVEL": "warn", "BUTAKERO_DRAIN_SECONDS": "1",
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	address := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, parent, config, app.NewLog(config, c.err), app.RoleUp, func(a string) { address <- a })
	}()
	select {
	case err := <-ended:
		return err
	case a := <-address:
		c.server = config.Public(a)
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	d := &demo{cli: c, api: api, folder: folder}
	err = d.run(ctx)
	cancel()
	return errors.Join(err, <-ended)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) check(ok bool, what string, args ...any) {
	text := fmt.Sprintf(what, args...)
	if ok {
		d.say("  ok    %s", text)
		return
	}
	d.failed = append(d.failed, text)
	d.say("  WRONG %s", text)
}

func (d *demo) run(ctx context.Context) error {
	d.say("Butakero is up on %s, in one process: API, worker, SQLite, a folder.\n", d.server)
	for _, part := range []func(context.Context) error{d.original, d.many, d.failure, d.crowd, d.verify} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if len(d.failed) > 0 {
		return failWith(exitFailed, "%d checks failed: %s", len(d.failed), strings.Join(d.failed, "; "))
	}
	d.say("\nEvery check passed. The files are in %s", filepath.Join(d.folder, "audio-files", "audio"))
	d.say(`
Next:
  bin/butakero up --source demo                    the same, to stay
  bin/butakero up --media ~/Music                  your own music
  bin/butakero submit "luna de octubre" --wait     from another terminal
  bin/butakero dca inspect FILE                    what is in a file
  README.md                                        the tour with curl`)
	return nil
}

// original shows the original system's requests and answers.
func (d *demo) original(ctx context.Context) error {
	d.say("1. The original's API: a song by its title")
	raw, err := d.api.call(ctx, http.MethodPost, "/api/v1/audio/start?song="+url.QueryEscape("luna de octubre"), nil)
	if err != nil {
		return err
	}
	d.say("   POST /api/v1/audio/start?song=luna+de+octubre\n   %s", strings.TrimSpace(string(raw)))
	var started struct {
		Operation string `json:"operation_id"`
		Song      string `json:"song_id"`
	}
	if err := json.Unmarshal(raw, &started); err != nil {
		return err
	}
	o, err := d.follow(ctx, started.Operation)
	if err != nil {
		return err
	}
	d.check(o.State == "succeeded", "the song was made")
	d.made++
	raw, err = d.api.call(ctx, http.MethodGet, "/api/v1/audio/status?operation_id="+started.Operation+"&song_id="+started.Song, nil)
	if err != nil {
		return err
	}
	var status struct {
		Status struct {
			Status string `json:"status"`
			File   struct {
				URL string `json:"public_url"`
			} `json:"file_data"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return err
	}
	d.check(status.Status.Status == "success" && status.Status.File.URL != "", "GET /api/v1/audio/status says success and where the file is")
	return nil
}

// many makes several songs at once, by title and by link, with their progress.
func (d *demo) many(ctx context.Context) error {
	d.say("\n2. Several at once, by title and by link")
	texts := []string{"río claro", "https://youtu.be/PaperLights"}
	if _, err := exec.LookPath("ffmpeg"); err == nil {
		texts = append(texts, "radio vieja")
	} else {
		d.say("   (ffmpeg is not there: the song in AAC is left out; on Debian: apt-get install ffmpeg)")
	}
	ends, err := d.makeAll(ctx, texts)
	if err != nil {
		return err
	}
	good := 0
	for _, o := range ends {
		if o.State == "succeeded" {
			good++
		}
	}
	d.check(good == len(texts), "%d of %d songs were made", good, len(texts))
	d.made += good
	return nil
}

// failure shows a song that can not be had, and one that takes three tries.
func (d *demo) failure(ctx context.Context) error {
	d.say("\n3. A private video, and a source that breaks off twice")
	ends, err := d.makeAll(ctx, []string{"private room", "third time lucky"})
	if err != nil {
		return err
	}
	private, flaky := ends[0], ends[1]
	e := private.Job.LastError
	d.check(private.State == "failed" && e != nil && e.Code == "private", "the private one failed, and says why")
	d.made++
	d.check(flaky.State == "succeeded" && flaky.Job.Attempt == 3, "the other one was made at its third attempt")
	return nil
}

// crowd lets many callers ask for one song at the same time.
func (d *demo) crowd(ctx context.Context) error {
	const callers = 50
	d.say("\n4. One song, %d callers at once", callers)
	before, err := d.attempts(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, callers)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			raw, err := d.api.call(ctx, http.MethodPost, "/api/v1/operations", map[string]string{"song": "cafe del puerto"})
			if err != nil {
				errs[i] = err
				return
			}
			o, err := decodeOperation(raw)
			ids[i], errs[i] = o.ID, err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	unique, done := map[string]bool{}, 0
	for _, id := range ids {
		o, err := d.api.follow(ctx, id, func(operation) {})
		if err != nil {
			return err
		}
		unique[id] = true
		if o.State == "succeeded" {
			done++
		}
	}
	after, err := d.attempts(ctx)
	if err != nil {
		return err
	}
	d.check(len(unique) == callers && done == callers, "%d operations, %d succeeded", len(unique), done)
	d.check(after-before == 1, "%d download", after-before)
	d.made++
	return nil
}

// attempts is how often a worker has gone to work, by its own metrics.
func (d *demo) attempts(ctx context.Context) (int, error) {
	raw, err := d.api.call(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		var n int
		if _, err := fmt.Sscanf(line, "butakero_jobs_claimed_total %d", &n); err == nil {
			return n, nil
		}
	}
	return 0, failWith(exitFailed, "no metric butakero_jobs_claimed_total")
}

// verify reads every file that was made.
func (d *demo) verify(context.Context) error {
	d.say("\n5. The files")
	files, err := filepath.Glob(filepath.Join(d.folder, "audio-files", "audio", "*.dca"))
	if err != nil {
		return err
	}
	d.check(len(files) == d.made, "%d files", len(files))
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		report, problem := app.VerifyDCA(f)
		if err := f.Close(); err != nil {
			return err
		}
		d.check(problem == nil, "%s: %d frames, %s, %d kbit/s", filepath.Base(name), report.Frames,
			report.Duration.Round(time.Millisecond), report.Bitrate/1000)
	}
	return nil
}

func (d *demo) follow(ctx context.Context, id string) (operation, error) {
	show := d.newBars()
	defer show.finish()
	return d.api.follow(ctx, id, show.update)
}

// makeAll asks for songs and follows them together.
func (d *demo) makeAll(ctx context.Context, texts []string) ([]operation, error) {
	show := d.newBars()
	ends := make([]operation, len(texts))
	errs := make([]error, len(texts))
	var wg sync.WaitGroup
	for i, text := range texts {
		wg.Go(func() {
			raw, err := d.api.call(ctx, http.MethodPost, "/api/v1/operations", map[string]string{"song": text})
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", text, err)
				return
			}
			o, err := decodeOperation(raw)
			if err == nil {
				ends[i], err = d.api.follow(ctx, o.ID, show.update)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	show.finish()
	return ends, errors.Join(errs...)
}

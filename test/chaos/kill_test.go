package chaos_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline/dca"
	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
)

// catalogue makes a folder of n different songs: Ogg Opus of a few seconds, so
// that they are copied, at a rate that makes each last a while.
func catalogue(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("song %03d.opus", i)))
		if err != nil {
			t.Fatal(err)
		}
		w := ogg.NewWriter(f, uint32(i+1))
		head := opus.Head{Version: 1, Channels: 2, PreSkip: 312, InputRate: 48000}
		if err := w.WriteHeaders(head.Append(nil), ogg.Tags("chaos")); err != nil {
			t.Fatal(err)
		}
		for range 100 + r.IntN(100) {
			packet := make([]byte, 80+r.IntN(80))
			for k := range packet {
				packet[k] = byte(r.Uint32())
			}
			packet[0] = 0xfc // CELT, 20 ms, stereo, one frame
			if err := w.WritePacket(packet, 960); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestKilled kills the real process with SIGKILL at random moments, 50 times,
// while 200 songs are made. Afterwards every accepted operation has ended, every
// event has one id, every file is whole, and no temporary file is left.
func TestKilled(t *testing.T) {
	const songs, kills = 200, 50
	media, data := catalogue(t, songs), t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	// The rate is such that 200 songs outlast 50 lives of about 150 ms.
	env := []string{
		"BUTAKERO_MEDIA_DIR=" + media, "BUTAKERO_DEMO_RATE_BYTES=100000", "BUTAKERO_WORKER_SLOTS=4",
		"BUTAKERO_LEASE_SECONDS=1", "BUTAKERO_LOOK_SECONDS=0.1", "BUTAKERO_RING_SECONDS=1", "SERVICE_MAX_ATTEMPTS=1000",
	}
	ledger := map[string]string{} // operation → song, written only after the answer came
	next, lives := 0, 0
	for kill := range kills {
		p, err := start(t, data, env...)
		if err != nil {
			t.Fatalf("life %d: %v", kill, err)
		}
		lives++
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+r.IntN(250))*time.Millisecond)
		for ctx.Err() == nil && next < songs*(kill+1)/kills {
			a, err := p.submit(ctx, fmt.Sprintf("song %03d", next))
			if err != nil {
				continue // nobody was told that it was accepted
			}
			ledger[a.Operation] = a.Song
			next++
		}
		<-ctx.Done()
		cancel()
		p.Kill()
	}
	p, err := start(t, data, env...)
	if err != nil {
		t.Fatal(err)
	}
	for ; next < songs; next++ {
		a, err := p.submit(t.Context(), fmt.Sprintf("song %03d", next))
		if err != nil {
			t.Fatal(err)
		}
		ledger[a.Operation] = a.Song
	}
	files, failed := map[string]operation{}, map[string]bool{} // by path; by song
	for id := range ledger {
		var o operation
		until(t, 3*time.Minute, "operation "+id+" has not ended", func() bool {
			o, err = p.operation(t.Context(), id)
			return err == nil && o.State != "waiting"
		})
		if o.State == "succeeded" {
			files[o.File.Path] = o
			continue
		}
		failed[ledger[id]] = true
		if o.Job.Error == nil || o.Job.Error.Code != "crash_loop" {
			t.Errorf("%s: %+v", id, o)
		}
	}
	copies, silent := events(t, p, ledger)
	if err := p.End(t, os.Interrupt, 30*time.Second); err != nil {
		t.Errorf("the end: %v\n%s", err, p.Process)
	}
	whole(t, data, files, failed)
	duplicates := 0
	for _, n := range copies {
		duplicates += n - 1
	}
	fmt.Printf("chaos: 1 mix, %d kills, %d accepted, %d ended, %d lost, %d duplicates\n",
		kills, len(ledger), len(files)+len(failed), len(ledger)-len(files)-len(failed)+silent, duplicates)
}

// events reads the outbox from its begin: every operation of the ledger has
// exactly one event id. It returns how many copies of each there were, and how
// many operations had none.
func events(t *testing.T, p *process, ledger map[string]string) (copies map[string]int, silent int) {
	t.Helper()
	copies = map[string]int{}
	idOf := map[string]string{}
	for cursor := ""; ; {
		var page struct {
			Events []json.RawMessage `json:"events"`
			Next   string            `json:"next"`
		}
		if _, err := call(t.Context(), http.MethodGet, p.base+"/api/v1/events?limit=100&cursor="+cursor, &page); err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Events {
			var e struct {
				ID      string `json:"id"`
				Subject string `json:"subject"`
			}
			if err := json.Unmarshal(raw, &e); err != nil || e.ID == "" || e.Subject == "" {
				t.Fatalf("event %s: %v", raw, err)
			}
			if old := idOf[e.Subject]; old != "" && old != e.ID {
				t.Errorf("operation %s has the events %s and %s", e.Subject, old, e.ID)
			}
			idOf[e.Subject] = e.ID
			copies[e.ID]++
		}
		if len(page.Events) == 0 {
			break
		}
		cursor = page.Next
	}
	for id := range ledger {
		if idOf[id] == "" {
			t.Errorf("operation %s has no event", id)
			silent++
		}
	}
	return copies, silent
}

// whole checks the folder: every file is the one that its operation reported,
// and nothing temporary is left. A song that killed three workers in a row may
// have left a file, published right before the last one died: it is whole too,
// and would be adopted by a replay.
func whole(t *testing.T, data string, files map[string]operation, failed map[string]bool) {
	t.Helper()
	top := filepath.Join(data, "audio-files")
	for path, o := range files {
		raw, err := os.ReadFile(filepath.Join(top, path))
		if err != nil {
			t.Error(err)
			continue
		}
		sum := sha256.Sum256(raw)
		if hex.EncodeToString(sum[:]) != o.File.SHA256 || int64(len(raw)) != o.File.Bytes {
			t.Errorf("%s is not the file that was reported", path)
		}
		report, err := dca.Verify(strings.NewReader(string(raw)), opus.Samples)
		if err != nil || report.Frames != o.File.Frames {
			t.Errorf("%s: %v, %d frames of %d", path, err, report.Frames, o.File.Frames)
		}
	}
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(top, path)
		if strings.HasPrefix(rel, "audio"+string(filepath.Separator)) {
			if _, ok := files[filepath.ToSlash(rel)]; ok {
				return nil
			}
			song := strings.TrimSuffix(rel[strings.LastIndexByte(rel, '[')+1:], "].dca")
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if _, err := dca.Verify(strings.NewReader(string(raw)), opus.Samples); err != nil || !failed[song] {
				t.Errorf("%s belongs to nobody, or is not whole: %v", rel, err)
			}
		} else if strings.Contains(rel, "temp") || strings.Contains(rel, "tmp") {
			t.Errorf("%s was left behind", rel)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

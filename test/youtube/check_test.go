package youtube_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	reference "github.com/jonas747/dca"

	"github.com/butakero/butakero/test/double"
)

// wantSong checks that an operation has succeeded with the right file: the
// source's packets, all of them, one by one.
func wantSong(t *testing.T, s *system, o operation, f double.Format) {
	t.Helper()
	if o.State != "succeeded" || o.File == nil {
		t.Fatalf("the operation is %+v, last error %+v", o, o.Job.Error)
	}
	status, file := call(t, http.MethodGet, s.base+"/api/v1/songs/"+o.SongID+"/audio")
	if status != http.StatusOK {
		t.Fatalf("GET audio: %d", status)
	}
	sum := sha256.Sum256(file)
	if int64(len(file)) != o.File.Bytes || hex.EncodeToString(sum[:]) != o.File.SHA256 {
		t.Errorf("the file has %d bytes and hash %x, the operation says %d and %s", len(file), sum, o.File.Bytes, o.File.SHA256)
	}
	got, want := packetsOfDCA(t, file), packetsOf(t, f)
	if !slices.Equal(got, want) {
		t.Errorf("%d packets, the source has %d; or they differ", len(got), len(want))
	}
}

// packetsOfDCA reads a file with the format's reference library.
func packetsOfDCA(t *testing.T, file []byte) []string {
	t.Helper()
	d := reference.NewDecoder(bytes.NewReader(file))
	if err := d.ReadMetadata(); err != nil {
		t.Fatalf("read the metadata of the file: %v", err)
	}
	var all []string
	for {
		p, err := d.OpusFrame()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("packet %d: %v", len(all), err)
		}
		sum := sha256.Sum256(p)
		all = append(all, strconv.Itoa(len(p))+" "+hex.EncodeToString(sum[:]))
	}
}

var packetCache sync.Map // hash of the data → []string

// packetsOf lists the packets of a format as ffmpeg finds them.
func packetsOf(t *testing.T, f double.Format) []string {
	t.Helper()
	key := sha256.Sum256(f.Data)
	if kept, ok := packetCache.Load(key); ok {
		return kept.([]string)
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-hide_banner", "-loglevel", "error", "-i", "-", "-map", "0:a:0", "-c", "copy", "-f", "framehash", "-hash", "sha256", "-")
	cmd.Stdin = bytes.NewReader(f.Data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	var all []string
	for line := range strings.SplitSeq(string(out), "\n") {
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' })
		if len(fields) >= 6 && !strings.HasPrefix(line, "#") {
			all = append(all, fields[4]+" "+fields[5])
		}
	}
	if len(all) == 0 {
		t.Fatalf("no packets:\n%s", out)
	}
	packetCache.Store(key, all)
	return all
}

// searchForSecrets looks at all that a system has said in a test. Nothing of it is
// made for secrets, so whatever test runs, none may be found.
func (s *system) searchForSecrets(d *double.Double) {
	texts := map[string]string{"the log": s.log.String()}
	for _, path := range []string{"/api/v1/events?limit=200", "/api/v1/jobs?limit=200", "/api/v1/queue", "/metrics"} {
		body, err := try(http.MethodGet, s.base+path)
		if err != nil {
			s.t.Error(err)
		}
		texts["GET "+path] = string(body)
	}
	noSecrets(s.t, d, texts)
}

// noSecrets fails if any text shows what must not be seen.
func noSecrets(t *testing.T, d *double.Double, texts map[string]string) {
	t.Helper()
	given := d.Secrets()
	if d.Count(double.KindMedia, "") > 0 && len(given) < 2 {
		t.Error("songs were fetched, and no signature is known to look for")
	}
	secrets := slices.Concat(given, []string{plantedKey, plantedCookie, "&sig=", "videoplayback?"})
	for name, text := range texts {
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows %q: …%s…", name, secret, text[max(0, at-100):min(len(text), at+len(secret)+50)])
				break
			}
		}
	}
}

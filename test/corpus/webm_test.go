package corpus_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline/webm"
	"github.com/butakero/butakero/test/corpus"
)

// packet is what ffmpeg's framemd5 says of a packet.
type packet struct {
	size int
	md5  string
}

// ffmpegPackets asks ffmpeg for the packets of the first audio track.
func ffmpegPackets(t *testing.T, path string) (all []packet) {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", "file:"+path, "-map", "0:a:0", "-c", "copy", "-f", "framemd5", "-")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v %s", err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) < 6 {
			t.Fatalf("framemd5 says %q", line)
		}
		size, err := strconv.Atoi(strings.TrimSpace(fields[4]))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, packet{size, strings.TrimSpace(fields[5])})
	}
	return all
}

// read takes the packets out of a file with our reader.
func read(t *testing.T, path string) (all []packet, err error) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read
	r := webm.NewReader(file)
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		sum := md5.Sum(p)
		all = append(all, packet{len(p), hex.EncodeToString(sum[:])})
	}
}

// The reader returns the very packets that ffmpeg copies, in whatever way the file
// is laid out.
func TestWebMEqualsFFmpeg(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, e := range corpus.Load(t) {
		if e.Format != "webm" || e.Want != corpus.OK || e.Row == 66 {
			continue
		}
		compared++
		t.Run(e.ID(), func(t *testing.T) {
			t.Parallel()
			want := ffmpegPackets(t, e.Path)
			got, err := read(t, e.Path)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d packets, ffmpeg has %d", len(got), len(want))
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("packet %d is %+v, ffmpeg's %+v", i, got[i], want[i])
				}
			}
		})
	}
	if compared < 40 {
		t.Errorf("only %d files were there to compare", compared)
	}
}

// What is wrong with the container, the reader finds by itself: it returns an
// error, or at least no packet.
func TestWebMFaultsAreFound(t *testing.T) {
	t.Parallel()
	faults := map[int]bool{8: true, 9: true, 10: true, 11: true, 25: true, 34: true, 35: true}
	tried := 0
	for _, e := range corpus.Load(t) {
		if e.Format != "webm" || e.Want != corpus.Err || !faults[e.Row] {
			continue
		}
		tried++
		t.Run(e.ID(), func(t *testing.T) {
			t.Parallel()
			packets, err := read(t, e.Path)
			if err == nil && len(packets) > 0 {
				t.Errorf("%d packets and no error", len(packets))
			}
			if (e.Row == 8 || e.Row == 9 || e.Row == 10) && !errors.Is(err, webm.ErrTruncated) {
				t.Errorf("the file was cut, the error is %v", err)
			}
		})
	}
	if tried < 20 {
		t.Errorf("only %d files were there to try", tried)
	}
}

// Nothing in the corpus, of whatever format, makes the reader panic, hang, or
// return more than there is.
func TestWebMSurvivesAll(t *testing.T) {
	t.Parallel()
	for _, e := range corpus.Load(t) {
		begun := time.Now()
		packets, err := read(t, e.Path)
		var sum int64
		for _, p := range packets {
			sum += int64(p.size)
		}
		if took := time.Since(begun); sum > e.Size || took > time.Minute {
			t.Errorf("%s: %d bytes from %d, after %s: %v", e.ID(), sum, e.Size, took, err)
		}
	}
}

// Ten hours take no more memory than a minute. It does not run beside other tests,
// whose memory would count.
func TestWebMTenHours(t *testing.T) {
	tried := 0
	for _, e := range corpus.Load(t) {
		if e.Row != 66 || e.Format != "webm" {
			continue
		}
		tried++
		file, err := os.Open(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := countPackets(file)
		runtime.ReadMemStats(&after)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		if n != e.Frames {
			t.Errorf("%d packets, want %d", n, e.Frames)
		}
		if bytes, count := after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs; bytes > 128<<10 || count > 50 {
			t.Errorf("%d bytes in %d allocations", bytes, count)
		}
	}
	if tried == 0 {
		t.Error("row 66 is not there")
	}
}

func countPackets(r io.Reader) (n int, err error) {
	for reader := webm.NewReader(r); ; n++ {
		_, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

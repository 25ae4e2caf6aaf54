package demo_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

const maxSampleBytes = 400_000

// TestSamples holds the committed files against what is said of them: small, in
// YouTube's layout for DASH, and as long as the catalogue announces.
func TestSamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("samples/catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		ID         string
		File       string
		DurationMS int64 `json:"duration_ms"`
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	total, other := 0, 0
	for _, row := range rows {
		if !jobs.ValidSongID(row.ID) {
			t.Errorf("%q is no song id", row.ID)
		}
		data, err := os.ReadFile(filepath.Join("samples", row.File))
		if err != nil {
			t.Fatal(err)
		}
		total += len(data)
		if filepath.Ext(row.File) != ".webm" {
			other++
			continue
		}
		order, duration := walkWebM(t, row.File, data)
		cues, cluster := slices.Index(order, 0x1C53BB6B), slices.Index(order, 0x1F43B675)
		if cues < 0 || cluster < 0 || cues > cluster {
			t.Errorf("%s: elements %x; cues are to come before clusters", row.File, order)
		}
		if want := time.Duration(row.DurationMS) * time.Millisecond; duration < want || duration > want+20*time.Millisecond {
			t.Errorf("%s: lasts %v, announced are %v", row.File, duration, want)
		}
	}
	if total > maxSampleBytes {
		t.Errorf("%d bytes of samples in every program; %d is enough", total, maxSampleBytes)
	}
	if other == 0 || len(rows)-other < 3 {
		t.Errorf("%d of %d songs need transcoding", other, len(rows))
	}
}

// walkWebM returns the ids of the segment's children and the announced duration.
// Every size has to be known and to fit.
func walkWebM(t *testing.T, name string, data []byte) (order []uint32, duration time.Duration) {
	t.Helper()
	id, _, rest := element(t, name, data) // EBML head
	if id != 0x1A45DFA3 {
		t.Fatalf("%s: begins with %x", name, id)
	}
	id, segment, rest := element(t, name, rest)
	if id != 0x18538067 || len(rest) != 0 {
		t.Fatalf("%s: segment %x, %d bytes behind it", name, id, len(rest))
	}
	for len(segment) > 0 {
		var body []byte
		id, body, segment = element(t, name, segment)
		order = append(order, id)
		for id == 0x1549A966 && len(body) > 0 { // Info
			var child uint32
			var value []byte
			child, value, body = element(t, name, body)
			if child != 0x4489 { // Duration, in milliseconds with the usual scale
				continue
			}
			if len(value) != 8 {
				t.Fatalf("%s: a duration of %d bytes", name, len(value))
			}
			duration = time.Duration(math.Float64frombits(binary.BigEndian.Uint64(value)) * float64(time.Millisecond))
		}
	}
	return order, duration
}

// element cuts one EBML element off (RFC 8794 section 4).
func element(t *testing.T, name string, data []byte) (id uint32, body, rest []byte) {
	t.Helper()
	number := func(keepMarker bool) (n uint64) {
		length := bits.LeadingZeros8(data[0]) + 1
		if length > 8 || length > len(data) {
			t.Fatalf("%s: damaged", name)
		}
		n = uint64(data[0])
		if !keepMarker {
			n &= 1<<(8-length) - 1
		}
		for _, b := range data[1:length] {
			n = n<<8 | uint64(b)
		}
		data = data[length:]
		return n
	}
	id = uint32(number(true))
	size := number(false)
	if size > uint64(len(data)) {
		t.Fatalf("%s: element %x has %d bytes, %d are left", name, id, size, len(data))
	}
	return id, data[:size], data[size:]
}

package jobs_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
)

func ExampleNewOperationID() {
	song := jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}
	id := jobs.NewOperationID(song, [8]byte{1, 2, 3})
	back, err := jobs.SongOf(id)
	fmt.Println(id[14:15], back, err)
	// Output: 8 youtube:SRXH9AbT280 <nil>
}

// Every song comes back from its operation ids, the ids are valid UUIDs of
// version 8 and differ with their entropy.
func TestOperationIDsCarryTheirSong(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	seen := map[string]bool{}
	for range 5000 {
		id := make([]byte, jobs.SongIDLength)
		for i := range id {
			id[i] = alphabet[mathrand.IntN(len(alphabet))]
		}
		song := jobs.Song{Platform: jobs.PlatformDemo, ID: string(id)}
		var entropy [8]byte
		if _, err := rand.Read(entropy[:]); err != nil {
			t.Fatal(err)
		}
		op := jobs.NewOperationID(song, entropy)
		if len(op) != 36 || op[14] != '8' || !strings.ContainsRune("89ab", rune(op[19])) {
			t.Fatalf("%s is no UUID of version 8", op)
		}
		if seen[op] {
			t.Fatalf("%s came twice", op)
		}
		seen[op] = true
		if back, err := jobs.SongOf(op); err != nil || back != song {
			t.Fatalf("%s carries %v, %v; want %v", op, back, err, song)
		}
	}
}

func TestSongOfRefusesWhatIsNoOperationID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", "x", "19f6c66f-26f3-4ccf-bfc7-967449a95ad4", // version 4: the original's
		"ffffffff-ffff-8fff-bfff-ffffffffffff", // no such platform
		"19f6c66f-26f3-8ccf-bfc7-967449a95ad4x", strings.Repeat("z", 36),
	} {
		if s, err := jobs.SongOf(id); !errors.Is(err, jobs.ErrBadOperationID) {
			t.Errorf("SongOf(%q) = %v, %v", id, s, err)
		}
	}
}

func TestEventIDIsStablePerGeneration(t *testing.T) {
	t.Parallel()
	a, b := jobs.EventID("op", 1), jobs.EventID("op", 1)
	if a != b || a == jobs.EventID("op", 2) || a == jobs.EventID("oq", 1) || a[14] != '5' {
		t.Fatalf("event ids: %s %s", a, b)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"youtube:SRXH9AbT280:default": "youtube:SRXH9AbT280:default",
		"youtube:SRXH9AbT280":         "youtube:SRXH9AbT280:default",
		"demo:-_-_-_-_-_-:low":        "demo:-_-_-_-_-_-:low",
		"":                            "",
		"youtube":                     "",
		"youtube:short:default":       "",
		"vimeo:SRXH9AbT280:default":   "",
		"youtube:SRXH9AbT280:":        "",
		"youtube:SRXH9AbT280:A b":     "",
		"youtube:SRXH9AbT28/:default": "",
	} {
		key, err := jobs.ParseKey(text)
		if want == "" {
			if !errors.Is(err, jobs.ErrBadKey) {
				t.Errorf("ParseKey(%q) = %v, %v", text, key, err)
			}
			continue
		}
		if err != nil || key.String() != want {
			t.Errorf("ParseKey(%q) = %v, %v", text, key, err)
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte(`{"v":1,"job":"youtube:SRXH9AbT280:default","gen":1}`))
	f.Add([]byte(`{"v":9}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := jobs.DecodeMessage(body)
		if err != nil {
			if !errors.Is(err, jobs.ErrUndecodable) && !errors.Is(err, jobs.ErrNewerSchema) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		out := jobs.EncodeMessage(m)
		if len(out) > jobs.MaxMessageBytes {
			t.Fatalf("%d bytes", len(out))
		}
		if again, err := jobs.DecodeMessage(out); err != nil || again.Key != m.Key || again.Generation != m.Generation {
			t.Fatalf("%v became %v, %v", m, again, err)
		}
	})
}

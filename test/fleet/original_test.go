package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline/dca"
)

// consumer is a small system with the faults of the one that Butakero replaces, or
// without: it keeps no record of work in hand, and deletes a message before the work
// or after it.
type consumer struct {
	deleteFirst bool
	song        []byte

	mu       sync.Mutex
	messages []string
	done     map[string]bool
	taken    int
}

// work takes one message. Every third worker is killed in mid-work.
func (c *consumer) work() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.messages) == 0 {
		return
	}
	id := c.messages[0]
	if c.deleteFirst {
		c.messages = c.messages[1:]
	}
	if c.taken++; c.taken%3 == 0 {
		return // killed: nothing of what comes below is done
	}
	c.done[id] = true
	if !c.deleteFirst {
		c.messages = c.messages[1:]
	}
}

// ServeHTTP answers as the API does.
func (c *consumer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch {
	case strings.HasSuffix(r.URL.Path, "/start"):
		id := fmt.Sprintf("operation-%d", len(c.messages)+len(c.done)+c.taken)
		c.messages = append(c.messages, id)
		answer(map[string]string{"operation_id": id, "song_id": id})
	case strings.HasSuffix(r.URL.Path, "/queue"):
		answer(map[string]any{"jobs": map[string]int{"pending": len(c.messages)}, "operations_waiting": len(c.messages)})
	case strings.HasSuffix(r.URL.Path, "/audio"):
		_, _ = w.Write(c.song)
	default:
		id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		o := map[string]any{"id": id, "song_id": id, "state": "waiting"}
		if c.done[id] {
			sum := sha256.Sum256(c.song)
			o["state"] = "succeeded"
			o["file"] = map[string]any{"path": "audio/" + id + ".dca", "bytes": len(c.song), "sha256": hex.EncodeToString(sum[:]), "frames": 1}
		}
		answer(o)
	}
}

func aSong(t *testing.T) []byte {
	t.Helper()
	var b strings.Builder
	w, err := dca.NewWriter(&b, dca.NewMetadata(dca.Tool{Name: "test", Version: "1"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteFrame([]byte{0xfc, 1, 2, 3}), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// The checker of the ledger convicts a consumer that deletes its messages before the
// work, and lets one go that does so afterwards.
func TestLedgerConvictsTheOriginal(t *testing.T) {
	t.Parallel()
	for _, deleteFirst := range []bool{true, false} {
		c := &consumer{deleteFirst: deleteFirst, done: map[string]bool{}, song: aSong(t)}
		server := httptest.NewServer(c)
		t.Cleanup(server.Close)
		api, l := &process{base: server.URL}, newLedger(t)
		for i := range 30 {
			id, _, err := api.submit(t.Context(), songName(i))
			if err != nil {
				t.Fatal(err)
			}
			l.accept(t, id, id)
		}
		for range 100 {
			c.work()
		}
		out := l.judge(t.Context(), api, nil, time.Second)
		if deleteFirst && (out.lost != 10 || len(out.wrong) < 10) {
			t.Errorf("not convicted: %d lost, %q", out.lost, out.wrong)
		}
		if !deleteFirst && (out.lost != 0 || len(out.wrong) != 0) {
			t.Errorf("convicted without a fault: %d lost, %q", out.lost, out.wrong)
		}
	}
}

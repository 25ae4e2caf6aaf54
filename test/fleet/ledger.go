package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/pipeline/dca"
)

// ledger is what clients were told, kept outside the system: appended to a file and
// synced before the client goes on.
type ledger struct {
	file *os.File

	mu       sync.Mutex
	accepted map[string]string // operation: song
}

func newLedger(tb testing.TB) *ledger {
	tb.Helper()
	f, err := os.CreateTemp(tb.TempDir(), "ledger")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return &ledger{file: f, accepted: map[string]string{}}
}

func (l *ledger) accept(tb testing.TB, id, song string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := fmt.Fprintf(l.file, "accepted %s %s\n", id, song); err != nil {
		tb.Error(err)
	}
	if err := l.file.Sync(); err != nil {
		tb.Error(err)
	}
	l.accepted[id] = song
}

func (l *ledger) all() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]string, len(l.accepted))
	for id, song := range l.accepted {
		all[id] = song
	}
	return all
}

// outcome is what the check of a ledger has found.
type outcome struct {
	accepted, ended, succeeded, failed, lost, copies int
	slowest                                          time.Duration // until the last one had ended
	operations                                       map[string]operation
	last                                             operation // that the check had to wait for

	wrong []string // what was promised and does not hold
}

func (o *outcome) bad(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// check waits until all that was accepted has ended and its event is out, and holds
// the promises: every accepted operation ends and has an event, all copies of an
// event are alike, a file is whole and is what the record says, no two songs share
// one, and nothing is left to do. allowed are codes of failures that the test
// provokes.
func (l *ledger) check(tb testing.TB, api *process, n *news, within time.Duration, allowed ...string) outcome {
	tb.Helper()
	out := l.judge(tb.Context(), api, n, within, allowed...)
	for _, wrong := range out.wrong {
		tb.Error(wrong)
	}
	return out
}

// judge is check without a test that fails.
func (l *ledger) judge(ctx context.Context, api *process, n *news, within time.Duration, allowed ...string) outcome {
	begun := time.Now()
	accepted := l.all()
	out := outcome{accepted: len(accepted), operations: map[string]operation{}}
	deadline := begun.Add(within)
	for id := range accepted {
		for waited := false; ; {
			o, err := api.operation(ctx, id)
			if err == nil && o.State != "waiting" && (n == nil || n.of(id) > 0) {
				out.ended++
				out.operations[id] = o
				if waited {
					out.last = o
				}
				break
			}
			waited = true
			if time.Now().After(deadline) {
				out.lost++
				out.bad("lost: operation %s (%s): %+v, %v", id, accepted[id], o, err)
				break
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	out.slowest = time.Since(begun)
	files := map[string]string{} // path: song
	for id, o := range out.operations {
		switch {
		case o.State != "succeeded":
			code := ""
			if o.Job.LastError != nil {
				code = o.Job.LastError.Code
			}
			if slices.Contains(allowed, code) {
				out.failed++
				continue
			}
			out.bad("operation %s of %s %s: %s", id, accepted[id], o.State, code)
			continue
		case o.File == nil:
			out.bad("operation %s succeeded without a file", id)
			continue
		}
		out.succeeded++
		if song, ok := files[o.File.Path]; ok && song != o.SongID {
			out.bad("%s is the file of %s and of %s", o.File.Path, song, o.SongID)
		} else if !ok {
			files[o.File.Path] = o.SongID
			whole(ctx, &out, api, o)
		}
	}
	if n != nil {
		n.mu.Lock()
		out.copies = n.copies
		for id, all := range n.events {
			if _, ok := accepted[id]; ok && len(all) != 1 {
				out.bad("operation %s has %d different events", id, len(all))
			}
		}
		for _, wrong := range n.differ {
			out.bad("%s", wrong)
		}
		n.mu.Unlock()
	}
	rest(ctx, &out, api, within)
	return out
}

// whole fetches a file and holds it against its record.
func whole(ctx context.Context, out *outcome, api *process, o operation) {
	a, err := call(ctx, http.MethodGet, api.base+"/api/v1/songs/"+o.SongID+"/audio")
	if err != nil || a.status != http.StatusOK {
		out.bad("the file of %s: status %d, %v", o.SongID, a.status, err)
		return
	}
	sum := sha256.Sum256(a.body)
	if int64(len(a.body)) != o.File.Bytes || hex.EncodeToString(sum[:]) != o.File.SHA256 {
		out.bad("the file of %s is not what its record says: %d bytes, %d said", o.SongID, len(a.body), o.File.Bytes)
	}
	report, err := dca.Verify(bytes.NewReader(a.body), nil)
	if err != nil || report.Frames != o.File.Frames {
		out.bad("the file of %s: %+v, %v; %d frames said", o.SongID, report, err, o.File.Frames)
	}
}

// rest waits until the records show nothing left to do.
func rest(ctx context.Context, out *outcome, api *process, within time.Duration) {
	for deadline := time.Now().Add(within); ; {
		a, err := call(ctx, http.MethodGet, api.base+"/api/v1/queue")
		var q struct {
			Jobs    map[string]int64 `json:"jobs"`
			Waiting int64            `json:"operations_waiting"`
			Events  int64            `json:"events_pending"`
		}
		if err == nil && a.status == http.StatusOK && json.Unmarshal(a.body, &q) == nil && q.Waiting == 0 && q.Events == 0 &&
			q.Jobs["pending"]+q.Jobs["running"]+q.Jobs["retry"] == 0 {
			return
		}
		if time.Now().After(deadline) {
			out.bad("something is left to do: %s, %v", a.body, err)
			return
		}
		pause(50 * time.Millisecond)
	}
}

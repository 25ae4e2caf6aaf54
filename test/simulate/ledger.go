package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// ledger is kept outside the system: what clients were told, what was written and
// what came out.
type ledger struct {
	mu       sync.Mutex
	begun    time.Time
	accepted map[string]bool              // operations whose client has the answer
	commits  map[string]int64             // by record and generation: the fence
	ends     map[string]string            // operation and generation: state
	events   map[string]map[string]string // operation: event id: body
	files    map[string]bool
	copies   int
	counts   map[string]int
	trace    uint64 // of all that happened and when
	wrong    []string
}

func newLedger() *ledger {
	return &ledger{
		begun: time.Now(), accepted: map[string]bool{}, commits: map[string]int64{}, ends: map[string]string{},
		events: map[string]map[string]string{}, files: map[string]bool{}, counts: map[string]int{},
	}
}

func (l *ledger) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
	l.note(what)
}

// note adds to the trace; the lock is held.
func (l *ledger) note(what string) {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d", what, time.Since(l.begun))
	l.trace += h.Sum64()
}

func (l *ledger) bad(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf("%s: ", time.Since(l.begun))+fmt.Sprintf(format, args...))
}

// accept: a client has the answer.
func (l *ledger) accept(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[id] = true
	l.counts["accepted"]++
}

// jobs writes down what was applied to jobs.
func (l *ledger) jobs(commands []jobs.JobCommand, outs []jobs.JobOutcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, c := range commands {
		o := outs[i]
		if !o.Changed || o.Err != nil {
			continue
		}
		l.note(string(c.Kind) + c.Key.String())
		for _, op := range o.Finished {
			l.end(op)
		}
		// Lost leases count apart: at most two in a row at each of two stages.
		if o.Job.Attempt > maxAttempts+4 {
			l.bad("%s has had %d attempts", c.Key, o.Job.Attempt)
		}
		if o.Job.State == jobs.JobDead && (o.Job.LastError == nil || o.Job.LastError.Class == "" || o.Job.LastError.Code == "") {
			l.bad("%s is dead without a reason", c.Key)
		}
		if c.Kind != jobs.JobCommit {
			continue
		}
		// A record that was forgotten and made again begins at generation 1 anew.
		name := fmt.Sprintf("%s of %d, generation %d", c.Key, o.Job.CreatedAt.UnixNano(), o.Job.Generation)
		if fence, twice := l.commits[name]; twice {
			l.bad("two commits: %s, fences %d and %d", name, fence, c.Fence)
		}
		l.commits[name] = c.Fence
		l.counts["commits"]++
		if o.Job.Result == nil || !l.files[o.Job.Result.SHA256] {
			l.bad("%s is done and its file is not there", c.Key)
		}
	}
}

// operations writes down what was applied to operations.
func (l *ledger) operations(commands []jobs.OperationCommand, outs []jobs.OperationOutcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, c := range commands {
		o := outs[i]
		if !o.Changed || o.Err != nil {
			continue
		}
		l.note(string(c.Kind))
		switch c.Kind {
		case jobs.OperationFinish:
			l.end(o.Operation)
		case jobs.OperationReopen:
			l.counts["reopened"]++
		case jobs.OperationAnnounced:
			if len(l.events[c.ID]) == 0 {
				l.bad("operation %s is marked as announced, and no event came", c.ID)
			}
		}
	}
}

func (l *ledger) end(o jobs.Operation) {
	name := fmt.Sprintf("%s generation %d", o.ID, o.Generation)
	if before, twice := l.ends[name]; twice {
		l.bad("operation %s ended as %s and as %s", name, before, o.State)
	}
	l.ends[name] = string(o.State)
	l.counts["ended "+string(o.State)]++
}

// published: an event came out.
func (l *ledger) published(e jobs.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note("event")
	o := e.Operation
	name := fmt.Sprintf("%s generation %d", o.ID, o.Generation)
	if state, ok := l.ends[name]; !ok || state != string(o.State) {
		l.bad("an event tells of an end that is not written: %s as %s", name, o.State)
	}
	// The outbox's own marks move on; what is told of the end must not.
	o.Event, o.DueAt, o.ExpireAt = "", time.Time{}, time.Time{}
	b, _ := json.Marshal(o)
	if l.events[o.ID] == nil {
		l.events[o.ID] = map[string]string{}
	}
	if before, ok := l.events[o.ID][e.ID]; ok {
		l.copies++
		if before != string(b) {
			l.bad("two copies of event %s differ:\n%s\n%s", e.ID, before, b)
		}
	}
	l.events[o.ID][e.ID] = string(b)
}

// stored: a worker has put a file there.
func (l *ledger) stored(j jobs.Job) jobs.Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := fmt.Sprintf("%x", j.Key.ID)
	l.files[sum] = true
	return jobs.Result{Path: "audio/" + j.Key.ID + ".dca", Bytes: 1, SHA256: sum, Frames: 1, Duration: 20 * time.Millisecond}
}

// Exists implements jobs.Files.
func (l *ledger) Exists(_ context.Context, r jobs.Result) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.files[r.SHA256], nil
}

// unfinished names accepted operations that have not ended or whose event is not
// out.
func (l *ledger) unfinished(ctx context.Context, s jobs.Backend) (all []string) {
	l.mu.Lock()
	ids := slices.Sorted(maps.Keys(l.accepted))
	l.mu.Unlock()
	for _, id := range ids {
		o, err := s.Operation(ctx, id)
		if err != nil || !o.Ended() || o.Event != jobs.EventPublished {
			all = append(all, fmt.Sprintf("%s: %s, event %s, due %s, %v", id, o.State, o.Event, o.DueAt, err))
		}
	}
	return all
}

// check holds the ledger and the records against the promises. All has healed and
// come to rest.
func (l *ledger) check(ctx context.Context, s jobs.Backend) []string {
	for _, lost := range l.unfinished(ctx, s) {
		l.mu.Lock()
		l.bad("lost: %s", lost)
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.accepted)) {
		o, err := s.Operation(ctx, id)
		if err != nil {
			continue // said above
		}
		if _, ok := l.events[id][jobs.EventID(id, o.Generation)]; !ok {
			l.bad("no event of operation %s, generation %d", id, o.Generation)
		}
		if int64(len(l.events[id])) > o.Generation {
			l.bad("operation %s has had %d ends and %d different events", id, o.Generation, len(l.events[id]))
		}
	}
	for n := range songs {
		j, err := s.Job(ctx, keyOf(n))
		if errors.Is(err, jobs.ErrNotFound) {
			continue
		}
		if err != nil || !j.State.Ended() || !j.DueAt.IsZero() {
			l.bad("job %s did not come to rest: %s, due %s, %v", keyOf(n), j.State, j.DueAt, err)
		}
	}
	due, err := s.Due(ctx, time.Now().Add(10000*time.Hour), 1000)
	if err != nil || len(due.Jobs)+len(due.Operations) > 0 {
		l.bad("still due: %d jobs, %d operations, %v", len(due.Jobs), len(due.Operations), err)
	}
	return l.wrong
}

package jobs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// BulkKind is what a bulk run does to the jobs that it selects.
type BulkKind string

// The kinds.
const (
	BulkReplay  BulkKind = "replay"
	BulkDiscard BulkKind = "discard" // forgets the records of dead and cancelled jobs
)

// BulkState says where a bulk run is.
type BulkState string

// The states of a bulk run.
const (
	BulkRunning BulkState = "running"
	BulkDone    BulkState = "done"
	BulkStopped BulkState = "stopped" // by a person
)

// Bulk is an operator's action on many ended jobs. It is a record that the workers
// carry out, whoever asked for it has long gone: a worker that stops leaves it to
// the next.
type Bulk struct {
	ID    string    `json:"id"`
	Kind  BulkKind  `json:"kind"`
	State BulkState `json:"state"`

	// What is selected: jobs by key, or by a filter. Only what was dead or cancelled
	// when the run was asked for is touched.
	Keys   []string  `json:"keys,omitempty"`
	Filter JobFilter `json:"filter,omitzero"`

	Force  bool    `json:"force,omitempty"` // also what is refused otherwise: see RefuseReplay
	Rate   float64 `json:"rate,omitempty"`  // jobs a second; 0: as fast as it goes
	Limit  int64   `json:"limit,omitempty"` // stop after so many; 0: no limit
	By     string  `json:"by,omitempty"`
	Reason string  `json:"reason,omitempty"`

	// Progress.
	Cursor  string           `json:"cursor,omitempty"`
	Seen    int64            `json:"seen"`
	Changed int64            `json:"changed"`
	Refused map[string]int64 `json:"refused,omitempty"` // by reason
	Failed  int64            `json:"failed,omitempty"`  // left as they were by an error
	Error   string           `json:"error,omitempty"`   // the last one

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`

	Owner      string    `json:"owner,omitempty"` // the process that carries it out
	LeaseUntil time.Time `json:"lease_until,omitzero"`
}

// MaxBulkKeys bounds a selection by key: a run is one note.
const MaxBulkKeys = 1000

// ErrBulk refuses a bulk run that can not be meant.
var ErrBulk = errors.New("not a bulk run")

// check completes and validates what was asked for.
func (b Bulk) check() (Bulk, error) {
	if b.Kind != BulkReplay && b.Kind != BulkDiscard {
		return b, fmt.Errorf("%w: kind %q is neither replay nor discard", ErrBulk, b.Kind)
	}
	if b.Rate < 0 || b.Limit < 0 {
		return b, fmt.Errorf("%w: rate and limit are not below 0", ErrBulk)
	}
	if len(b.Keys) > MaxBulkKeys {
		return b, fmt.Errorf("%w: at most %d keys; select more by a filter", ErrBulk, MaxBulkKeys)
	}
	for _, k := range b.Keys {
		if _, err := ParseKey(k); err != nil {
			return b, fmt.Errorf("%w: %w", ErrBulk, err)
		}
	}
	if len(b.Keys) > 0 {
		if b.Filter != (JobFilter{}) {
			return b, fmt.Errorf("%w: keys or a filter, not both", ErrBulk)
		}
		return b, nil
	}
	switch b.Filter.State {
	case "":
		b.Filter.State = JobDead
	case JobDead, JobCancelled:
	default:
		return b, fmt.Errorf("%w: only dead and cancelled jobs can be selected, not %s ones", ErrBulk, b.Filter.State)
	}
	if b.Filter.Until.IsZero() || b.Filter.Until.After(b.CreatedAt) {
		b.Filter.Until = b.CreatedAt // what dies again on the way is not taken twice
	}
	return b, nil
}

// Why a job of a selection is left as it is.
const (
	RefusedState     = "state"     // it is not dead or cancelled any more
	RefusedPermanent = "permanent" // trying again can not help
	RefusedLoop      = "loop"      // it died of the same code after two replays
	RefusedGone      = "gone"      // there is no such record
	RefusedBusy      = "busy"      // its operations are still being ended
)

// RefusedError says that a job is not replayed unless it is forced.
type RefusedError struct{ Reason string }

// Error implements error.
func (e *RefusedError) Error() string {
	switch e.Reason {
	case RefusedPermanent:
		return "the failure is permanent: trying again can not help (force it if you know better)"
	case RefusedLoop:
		return "the job has died of the same failure after two replays (force it if the cause is mended)"
	}
	return "the job can not be replayed: " + e.Reason
}

// RefuseReplay tells why a replay of the job is refused, or "".
func RefuseReplay(j Job, force bool) string {
	switch {
	case j.Generation == 0:
		return RefusedGone
	case j.State != JobDead && j.State != JobCancelled:
		return RefusedState
	case force || j.LastError == nil:
		return ""
	case j.State == JobDead && j.LastError.Class == ClassPermanent:
		return RefusedPermanent
	case j.State == JobDead && j.Replays >= 2 && j.diedOf(j.Generation) == j.diedOf(j.Generation-1):
		return RefusedLoop
	}
	return ""
}

// diedOf is the code of the last failure of a generation, "" if none is remembered.
func (j Job) diedOf(generation int64) (code string) {
	for _, f := range j.History {
		if f.Generation == generation {
			code = f.Code
		}
	}
	return code
}

// refusal tells why a job of the selection is left alone.
func (b Bulk) refusal(j Job) string {
	if b.Kind == BulkReplay {
		return RefuseReplay(j, b.Force)
	}
	switch {
	case j.Generation == 0:
		return RefusedGone
	case j.State != JobDead && j.State != JobCancelled:
		return RefusedState
	case !j.DueAt.IsZero():
		return RefusedBusy
	}
	return ""
}

// String describes the selection for people and logs.
func (f JobFilter) String() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	add("state", string(f.State))
	add("class", string(f.Class))
	add("code", f.Code)
	add("host", f.Host)
	add("stage", string(f.Stage))
	add("extractor", f.Extractor)
	add("requester", f.Requester)
	add("song", f.Song)
	add("profile", f.Profile)
	if !f.Since.IsZero() {
		add("since", f.Since.UTC().Format(time.RFC3339))
	}
	if !f.Until.IsZero() {
		add("until", f.Until.UTC().Format(time.RFC3339))
	}
	add("text", f.Text)
	return strings.Join(parts, " ")
}

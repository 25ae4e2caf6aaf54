package jobs

import "time"

// JobState says where a job is in its life.
type JobState string

// The states of a job. Done, dead and cancelled are ends; only a logged replay
// or a new request leads out of them, and always into a new generation.
const (
	JobPending   JobState = "pending"   // waits for a worker
	JobRunning   JobState = "running"   // held under a lease
	JobRetry     JobState = "retry"     // waits for run_at after a failed attempt
	JobDone      JobState = "done"      // the file is stored and described by Result
	JobDead      JobState = "dead"      // will not be tried again by itself
	JobCancelled JobState = "cancelled" // given up because nobody waited for it
)

// Ended reports whether the state is an end.
func (s JobState) Ended() bool { return s == JobDone || s == JobDead || s == JobCancelled }

// Job is the record of making one song in one profile. It is the truth about
// that work; the queue only rings. Adapters store every field; zero times mean
// "not set".
type Job struct {
	Key        Key      `json:"key"`
	State      JobState `json:"state"`
	Generation int64    `json:"generation"` // grows when an ended job is made anew

	// The claim. Fence grows at every claim and never shrinks while the record
	// lives; Token is fresh at every claim, so that a lost answer can be told
	// from a lost race and a record that was deleted and made again can not be
	// mistaken for the old one. Both stay after the job has left running.
	Fence      int64     `json:"fence"`
	Token      string    `json:"token,omitempty"`
	Owner      string    `json:"owner,omitempty"`
	LeaseUntil time.Time `json:"lease_until,omitzero"`

	Attempt int   `json:"attempt"` // charged attempts of this generation
	Crashes int   `json:"crashes"` // leases lost or panics in a row without reaching a new stage
	Reached int   `json:"reached"` // rank of the furthest stage of this generation
	Replays int   `json:"replays"`
	Reopen  int64 `json:"reopen,omitempty"` // generation whose failed operations a replay has yet to reopen; 0 none

	RunAt    time.Time `json:"run_at,omitzero"`    // not to be claimed before
	DueAt    time.Time `json:"due_at,omitzero"`    // when the reconciler has to look; zero: never
	ForgetAt time.Time `json:"forget_at,omitzero"` // a dead job answers new requests until then (negative cache)

	Stage    Stage    `json:"stage,omitempty"`
	Progress Progress `json:"progress"`

	Info      SongInfo  `json:"info"`
	Requester string    `json:"requester,omitempty"` // who asked first in this generation
	Trace     string    `json:"trace,omitempty"`     // W3C traceparent of the request that made this generation
	LastError *Failure  `json:"last_error,omitempty"`
	History   []Failure `json:"history,omitempty"` // the last HistoryLimit failures, oldest first
	Result    *Result   `json:"result,omitempty"`

	CreatedAt    time.Time `json:"created_at"`
	GenerationAt time.Time `json:"generation_at"` // when the present generation was asked for
	UpdatedAt    time.Time `json:"updated_at"`
	EndedAt      time.Time `json:"ended_at,omitzero"`
}

// HistoryLimit bounds Job.History.
const HistoryLimit = 20

// Stage is what a worker is doing with a running job.
type Stage string

// The stages in their order.
const (
	StageFetching Stage = "fetching" // asking the source, reading its bytes and re-framing or transcoding them
	StageStoring  Stage = "storing"  // proving and publishing the file
)

// Rank orders stages; 0 is none.
func (s Stage) Rank() int {
	switch s {
	case StageFetching:
		return 1
	case StageStoring:
		return 2
	}
	return 0
}

// Progress counts the bytes of the source that were read. Total is 0 while it
// is not known.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// Percent returns 0 to 100, and 0 while the total is not known.
func (p Progress) Percent() int {
	if p.Total <= 0 || p.Done <= 0 {
		return 0
	}
	return int(min(100, p.Done*100/p.Total))
}

// Result describes the stored file of a done job.
type Result struct {
	Path       string        `json:"path"`   // key in the blob store: audio/<safe title> [<song id>].dca
	Bytes      int64         `json:"bytes"`  // size of the file
	SHA256     string        `json:"sha256"` // of the file, lower-case hexadecimal
	Frames     int64         `json:"frames"` // Opus frames of 20 ms
	Duration   time.Duration `json:"duration"`
	Transcoded bool          `json:"transcoded"` // false: the packets of the source were copied
	Info       SongInfo      `json:"info"`
}

// Failure is what is remembered of one failed attempt.
type Failure struct {
	Class      Class     `json:"class"`
	Code       string    `json:"code"`                 // stable, for programs
	Message    string    `json:"message"`              // for people; holds no secret
	Detail     string    `json:"detail,omitempty"`     // for operators: cause or stack, bounded by DetailLimit
	Stage      Stage     `json:"stage,omitempty"`      // where it happened
	Host       string    `json:"host,omitempty"`       // who failed us, when it was somebody else
	Extractor  string    `json:"extractor,omitempty"`  // which way into the source was tried last
	Worker     string    `json:"worker,omitempty"`     // who tried
	Attempt    int       `json:"attempt,omitempty"`    // which attempt it was
	Generation int64     `json:"generation,omitempty"` // of the job
	At         time.Time `json:"at"`
	RetryAt    time.Time `json:"retry_at,omitzero"` // when it will be tried again; zero: never
}

// DetailLimit bounds Failure.Detail, in bytes.
const DetailLimit = 4096

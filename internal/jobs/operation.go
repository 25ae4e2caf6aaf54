package jobs

import "time"

// OperationState says whether an accepted request still waits.
type OperationState string

// The states of an operation.
const (
	OperationWaiting   OperationState = "waiting"
	OperationSucceeded OperationState = "succeeded"
	OperationFailed    OperationState = "failed"
	OperationCancelled OperationState = "cancelled"
)

// EventState says whether the news of an operation's end is out. The flag is
// set in the same write that ends the operation and cleared only after the
// event's target has acknowledged it: the outbox pattern on one record.
type EventState string

// The states of an event.
const (
	EventNone      EventState = "none"
	EventPending   EventState = "pending"
	EventPublished EventState = "published"
)

// Operation is one accepted request. It waits for a job and ends once per
// generation.
type Operation struct {
	ID         string         `json:"id"`
	Key        Key            `json:"key"` // of the job it waits for
	Requester  string         `json:"requester,omitempty"`
	Text       string         `json:"text,omitempty"` // what was asked for
	State      OperationState `json:"state"`
	Generation int64          `json:"generation"` // grows when a replay reopens it
	Event      EventState     `json:"event"`

	// How it ended. JobGeneration is the generation of the job that ended it.
	JobGeneration int64    `json:"job_generation,omitempty"`
	After         int64    `json:"after,omitempty"` // only a later generation of the job may end it (set by a replay)
	Attempts      int      `json:"attempts,omitempty"`
	Result        *Result  `json:"result,omitempty"`
	Failure       *Failure `json:"failure,omitempty"`

	CreatedAt time.Time `json:"created_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	DueAt     time.Time `json:"due_at,omitzero"`    // when the reconciler has to look; zero: never
	ExpireAt  time.Time `json:"expire_at,omitzero"` // may be deleted after; set only when ended and published
}

// Ended reports whether the operation is over.
func (o Operation) Ended() bool { return o.State != OperationWaiting }

// Event is the news that an operation ended. Everything in it derives from the
// operation's record, so all copies are alike.
type Event struct {
	ID        string // EventID(operation id, generation)
	Operation Operation
}

// EventOf returns the event of an ended operation.
func EventOf(o Operation) Event {
	return Event{ID: EventID(o.ID, o.Generation), Operation: o}
}

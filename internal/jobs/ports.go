package jobs

import (
	"context"
	"time"
)

// Store keeps the records of jobs and operations. It is the truth.
//
// Every command is one conditional write on one record, linearizable with every
// other command on that record; commands of one call are independent of each
// other, may be applied in any order and need no common transaction (batching
// is the adapter's chance to save round trips). Outcomes are returned in the
// order of the commands, one each. Methods are safe for concurrent use.
//
// An error for a whole call, or in an outcome, that is none of the refusals of
// [Transition] wraps ErrUnavailable or the context's error; the write may or may
// not have been applied then.
type Store interface {
	// ApplyJobs does what Transition says, per command.
	ApplyJobs(ctx context.Context, commands []JobCommand) ([]JobOutcome, error)

	// ApplyOperations does what TransitionOperation says, per command.
	ApplyOperations(ctx context.Context, commands []OperationCommand) ([]OperationOutcome, error)

	// Job reads one job: consistent with all writes that were answered before.
	// ErrNotFound.
	Job(ctx context.Context, key Key) (Job, error)

	// Operation reads one operation by its id alone, consistently. ErrNotFound,
	// also for an id that is no operation id.
	Operation(ctx context.Context, id string) (Operation, error)

	// OperationsOf returns the operations of a job key in one state, by id, from
	// the first id greater than after; at most limit. Consistent: an operation
	// whose put was answered before the call and which is in that state is
	// there.
	OperationsOf(ctx context.Context, key Key, state OperationState, after string, limit int) ([]Operation, error)

	// Due returns up to limit jobs and up to limit operations whose due_at is
	// not after now, the longest due first as far as the engine can tell. It may
	// be stale: what it returns is a hint to look again, and what it misses has
	// to turn up within a minute. What needs no attention (zero due_at) costs
	// nothing.
	Due(ctx context.Context, now time.Time, limit int) (Due, error)
}

// JobOutcome is the answer to a JobCommand. Job is the record after the write
// or, beside a refusal, as it was found (zero if there is none).
type JobOutcome struct {
	Job     Job
	Changed bool
	Err     error

	// Set only by adapters that heed JobCommand.FanOut.
	Finished []Operation // what was ended in the same transaction
	Closed   bool        // nothing waits any more, and the job is closed
}

// OperationOutcome is the answer to an OperationCommand.
type OperationOutcome struct {
	Operation Operation
	Changed   bool
	Err       error
}

// Due is what the reconciler has to look at.
type Due struct {
	Jobs       []Job
	Operations []Operation
}

// Notes keeps the small records that the fleet shares beside its jobs:
// idempotency keys, cached searches, pauses, circuits. Each is changed by
// compare-and-swap on its version.
type Notes interface {
	// Note reads a note, consistently. ErrNotFound, also when it has expired.
	Note(ctx context.Context, key string) (Note, error)

	// SwapNote stores n if the kept note has the version n.Version (0: there is
	// none, or it has expired) and returns it with its new version. Otherwise
	// ErrConflict and the kept note.
	SwapNote(ctx context.Context, n Note) (Note, error)

	// ListNotes returns the notes whose key starts with prefix, by key, from the
	// first key greater than after; at most limit.
	ListNotes(ctx context.Context, prefix, after string, limit int) ([]Note, error)
}

// Note is a small shared record: key up to 512 bytes, value up to 256 KiB.
type Note struct {
	Key       string
	Value     []byte
	Version   int64
	ExpiresAt time.Time // zero: never
}

// Backend is what a store adapter provides.
type Backend interface {
	Store
	Desk
	Notes
}

// Queue carries messages from the API to the workers: at least once, in any
// order, late or doubled. Losing one is repaired by the reconciler. Methods are
// safe for concurrent use; what can not be done for now wraps ErrUnavailable.
type Queue interface {
	// Send makes the messages receivable after their delays. An error means that
	// some may not have been sent; sending again is harmless.
	Send(ctx context.Context, messages []Outgoing) error

	// Receive waits for messages and returns 1 to limit of them, or none when the
	// engine's own wait is over; ctx's error when ctx is done. A delivery is
	// hidden from others for the queue's visibility time. Undecodable messages
	// come as deliveries with Err.
	Receive(ctx context.Context, limit int) ([]Delivery, error)

	// Extend hides deliveries for d from now on. One error per delivery; a
	// receipt that is no longer valid is ErrFenced.
	Extend(ctx context.Context, deliveries []Delivery, d time.Duration) []error

	// Settle acknowledges or releases. One error per settlement; a stale receipt
	// changes nothing and is ErrFenced or nil (some engines do not tell).
	Settle(ctx context.Context, settlements []Settlement) []error

	// Depth asks the engine for its counts.
	Depth(ctx context.Context) (Depth, error)

	// Held tells the runner when to acknowledge: true, when the job has ended
	// (the delivery is extended meanwhile, so that work in hand counts); false,
	// as soon as the job is claimed, because the engine can not hold single
	// messages (Kafka).
	Held() bool
}

// Events is where completion events go. One error per event; publishing an
// event again is harmless, its id stays the same.
type Events interface {
	Publish(ctx context.Context, events []Event) []error
}

// Resolver turns what a user typed into a song. Errors carry verdicts; only
// permanent and throttled ones are the user's to see.
type Resolver interface {
	Resolve(ctx context.Context, text string) (Song, SongInfo, error)
}

// Files is the little that the use cases ask of the blob store.
type Files interface {
	// Exists reports whether the file of a result is there and whole.
	Exists(ctx context.Context, r Result) (bool, error)
}

// Processor makes a song: it downloads, re-frames or transcodes, stores and
// proves. It reports as it goes (cheap, from one goroutine) and stops when ctx
// is done. Errors carry verdicts. It may be called for a job that somebody else
// is making too (a lost lease): it must not harm the other's file.
type Processor interface {
	Process(ctx context.Context, job Job, report func(Stage, Progress, SongInfo)) (Result, error)
}

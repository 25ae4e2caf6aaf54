package jobs

import "time"

// OperationCommandKind names a step of the protocol on an operation's record.
type OperationCommandKind string

// The commands on an operation.
const (
	OperationPut       OperationCommandKind = "put"       // W1
	OperationFinish    OperationCommandKind = "finish"    // W9, also cancels
	OperationAnnounced OperationCommandKind = "announced" // W11: the event is out
	OperationDefer     OperationCommandKind = "defer"     // the reconciler looks again later
	OperationReopen    OperationCommandKind = "reopen"    // replay: a failed operation waits again
)

// OperationCommand is one conditional write on one operation's record.
type OperationCommand struct {
	Kind OperationCommandKind
	ID   string
	Now  time.Time

	Operation Operation // put: the record to insert

	Generation int64 // announced: of the event; reopen, finish: the operation's, when it was read; 0 in finish: any

	State         OperationState // finish
	JobGeneration int64          // finish: of the job that ends it, 0 for a person's cancel; reopen: the generation that the replay left
	Attempts      int            // finish
	Result        *Result        // finish as succeeded
	Failure       *Failure       // finish as failed or cancelled

	DueAt    time.Time // finish, defer, reopen
	ExpireAt time.Time // announced
}

// TransitionOperation is the table of the protocol for operations, with the
// rules of [Transition]. o is the zero Operation when there is none. Refusals:
// ErrNotFound, ErrEnded (finish, defer), ErrStale, ErrState, ErrUnsent (reopen
// while the event of the last end is pending). A put on an existing record
// succeeds unchanged; the caller compares.
func TransitionOperation(o Operation, c OperationCommand) (next Operation, changed bool, err error) {
	exists := o.ID != ""
	if !exists && c.Kind != OperationPut {
		return o, false, ErrNotFound
	}
	switch c.Kind {
	case OperationPut:
		if exists {
			return o, false, nil
		}
		n := c.Operation
		n.State, n.Event, n.Generation = OperationWaiting, EventNone, 1
		return n, true, nil
	case OperationFinish:
		return finish(o, c)
	case OperationAnnounced:
		return announced(o, c)
	case OperationDefer:
		if o.Ended() {
			return o, false, ErrEnded
		}
		o.DueAt = c.DueAt
		return o, true, nil
	case OperationReopen:
		return reopen(o, c)
	}
	return o, false, ErrState
}

func finish(o Operation, c OperationCommand) (Operation, bool, error) {
	if c.Generation != 0 && c.Generation != o.Generation {
		return o, false, ErrStale
	}
	if o.Ended() {
		return o, false, ErrEnded
	}
	if c.JobGeneration != 0 && c.JobGeneration <= o.After {
		return o, false, ErrStale
	}
	if c.State != OperationSucceeded && c.State != OperationFailed && c.State != OperationCancelled {
		return o, false, ErrState
	}
	o.State, o.Event = c.State, EventPending
	o.JobGeneration, o.Attempts = c.JobGeneration, c.Attempts
	o.Result, o.Failure = c.Result, c.Failure
	o.EndedAt, o.DueAt = c.Now, c.DueAt
	return o, true, nil
}

func announced(o Operation, c OperationCommand) (Operation, bool, error) {
	if o.Generation != c.Generation {
		return o, false, ErrStale
	}
	if o.Event == EventPublished {
		return o, false, nil
	}
	if o.Event != EventPending {
		return o, false, ErrState
	}
	o.Event = EventPublished
	o.DueAt, o.ExpireAt = time.Time{}, c.ExpireAt
	return o, true, nil
}

func reopen(o Operation, c OperationCommand) (Operation, bool, error) {
	if o.Generation != c.Generation {
		return o, false, ErrStale
	}
	if o.State != OperationFailed || o.JobGeneration > c.JobGeneration {
		return o, false, ErrState
	}
	if o.Event != EventPublished {
		return o, false, ErrUnsent
	}
	o.State, o.Event = OperationWaiting, EventNone
	o.Generation++
	o.After = c.JobGeneration
	o.JobGeneration, o.Attempts = 0, 0
	o.Result, o.Failure = nil, nil
	o.EndedAt, o.ExpireAt = time.Time{}, time.Time{}
	o.DueAt = c.DueAt
	return o, true, nil
}

package awssqs

import "sync/atomic"

// Counters counts since the queue was opened.
type Counters struct {
	Receives       int64 // requests
	Empty          int64 // calls of Receive that brought nothing
	Messages       int64 // delivered to receivers
	Undecodable    int64 // of them with Err
	Sent           int64
	Acknowledged   int64
	Unacknowledged int64 // deletes that failed: one more delivery each
	Released       int64
	Extended       int64 // heartbeats that went through
	Late           int64 // heartbeats that did not: tried again at the next
	Lost           int64 // deliveries that were not ours any more
}

type counters struct {
	receives, empty, messages, undecodable, sent, acknowledged, unacknowledged, released, extended, late, lost atomic.Int64
}

// Counters returns the present counts.
func (q *Queue) Counters() Counters {
	c := &q.counters
	return Counters{
		Receives: c.receives.Load(), Empty: c.empty.Load(), Messages: c.messages.Load(), Undecodable: c.undecodable.Load(),
		Sent: c.sent.Load(), Acknowledged: c.acknowledged.Load(), Unacknowledged: c.unacknowledged.Load(),
		Released: c.released.Load(), Extended: c.extended.Load(), Late: c.late.Load(), Lost: c.lost.Load(),
	}
}

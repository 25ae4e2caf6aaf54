package kafka

import "sync/atomic"

// Counters counts since the queue was opened.
type Counters struct {
	Messages       int64 // delivered to receivers
	Undecodable    int64 // of them with Err
	Acknowledged   int64
	Released       int64
	Reproduced     int64 // released and produced again, to let the offset go on
	Stale          int64 // settlements of deliveries that were not ours any more
	Offsets        int64 // marks: a commit has one for each partition that moved
	Joins          int64 // sessions of the group that began
	Assigned       int64 // partitions that came
	Revoked        int64 // partitions that went
	InvalidOffsets int64 // alarm: committed offsets that are not in the topic any more
	Errors         int64 // of the group and its partitions
	DelayedLost    int64 // delayed messages that were given up; the records ring them
}

type counters struct {
	messages, undecodable, acknowledged, released, reproduced, stale, offsets,
	joins, assigned, revoked, invalidOffsets, errors, delayedLost atomic.Int64
}

// Counters returns the present counts.
func (q *Queue) Counters() Counters {
	c := &q.counters
	return Counters{
		Messages: c.messages.Load(), Undecodable: c.undecodable.Load(), Acknowledged: c.acknowledged.Load(),
		Released: c.released.Load(), Reproduced: c.reproduced.Load(), Stale: c.stale.Load(), Offsets: c.offsets.Load(),
		Joins: c.joins.Load(), Assigned: c.assigned.Load(), Revoked: c.revoked.Load(),
		InvalidOffsets: c.invalidOffsets.Load(), Errors: c.errors.Load(), DelayedLost: c.delayedLost.Load(),
	}
}

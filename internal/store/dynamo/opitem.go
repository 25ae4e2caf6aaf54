package dynamo

import (
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Attributes of an operation by which an index finds it, beside its fields.
const (
	attrOpen       = "open"        // state#id of one that waits, or failed and may be reopened
	attrEndedShard = "ended_shard" // there as long as it has ended
	attrEnded      = "ended"       // when its end was written, and its id: the order of events
)

// operationKey is where an operation lies; ok is false for what is none of our
// ids.
func operationKey(id string) (key item, ok bool) {
	song, err := jobs.SongOf(id)
	if err != nil {
		return nil, false
	}
	return itemKey(song.String(), id), true
}

// encodeOperation returns the whole item. order is where its end stands among
// the events, "" if it has not ended.
func encodeOperation(o jobs.Operation, rev, order string) item {
	w := whole{}
	if key, ok := operationKey(o.ID); ok { // else DynamoDB refuses it
		w = whole(key)
	}
	w.put(attrVersion, number(schemaVersion))
	w.put(attrRev, text(rev))
	w.put("profile", text(o.Key.Profile))
	w.put("platform", text(o.Key.Platform))
	w.put("song", text(o.Key.ID))
	w.put("requester", text(o.Requester))
	w.put("text", text(o.Text))
	w.put("state", text(o.State))
	putOpen(w, o.ID, o.State)
	w.put("generation", number(o.Generation))
	w.put("event", text(o.Event))
	w.put("job_generation", number(o.JobGeneration))
	w.put("after", number(o.After))
	w.put("attempts", count(o.Attempts))
	w.put("result", encodeResult(o.Result))
	w.put("failure", encodeFailure(o.Failure))
	w.put("created_at", moment(o.CreatedAt))
	w.put("ended_at", moment(o.EndedAt))
	putDue(w, o.ID, o.DueAt)
	putExpiry(w, o.ExpireAt)
	putOrder(w, o.ID, order)
	return item(w)
}

// putOpen keeps an operation in the index of those that a job's end or a replay
// looks for, and takes it out of it.
func putOpen(f fields, id string, s jobs.OperationState) {
	if s != jobs.OperationWaiting && s != jobs.OperationFailed {
		f.put(attrOpen, nil)
		return
	}
	f.put(attrOpen, text(string(s)+"#"+id))
}

func putExpiry(f fields, at time.Time) {
	f.put("expire_at", moment(at))
	f.put(attrTTL, seconds(at))
}

func putOrder(f fields, id, order string) {
	f.put(attrEnded, text(order))
	if order == "" {
		f.put(attrEndedShard, nil)
		return
	}
	f.put(attrEndedShard, text(shard(id)))
}

// endOrder is the place among the events of an end that is written at a time.
func endOrder(id string, at time.Time) string { return sortable(at) + "#" + id }

// decodeOperation reads an item; none is the zero Operation.
func decodeOperation(from item) (jobs.Operation, error) {
	if len(from) == 0 {
		return jobs.Operation{}, nil
	}
	r := reader{item: from}
	r.version()
	if r.err != nil {
		return jobs.Operation{}, r.err
	}
	o := jobs.Operation{
		ID: r.text(attrSK),
		Key: jobs.Key{
			Song: jobs.Song{Platform: r.text("platform"), ID: r.text("song")}, Profile: r.text("profile"),
		},
		Requester: r.text("requester"), Text: r.text("text"), State: jobs.OperationState(r.text("state")),
		Generation: r.number("generation"), Event: jobs.EventState(r.text("event")),
		JobGeneration: r.number("job_generation"), After: r.number("after"), Attempts: int(r.number("attempts")),
		Result: r.result(r.inner("result")), Failure: r.failure(r.inner("failure")),
		CreatedAt: r.time("created_at"), EndedAt: r.time("ended_at"), DueAt: r.time(attrDueAt), ExpireAt: r.time("expire_at"),
	}
	return o, r.err
}

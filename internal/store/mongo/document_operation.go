package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/butakero/butakero/internal/jobs"
)

// Fields of operations that queries name.
const (
	// fieldOpen is there while an operation needs attention: openWaiting or
	// openUnsent. One partial index on it and due_at serves what is due and what
	// is counted, and an operation whose event is out costs it nothing.
	fieldOpen = "open"

	// fieldEnd is the server's logical time of the write that ended the operation:
	// the order of events. fieldEndAt is the server's clock at that write.
	fieldEnd   = "end"
	fieldEndAt = "end_at"
)

const (
	openWaiting = 1
	openUnsent  = 2
)

func openOf(o jobs.Operation) int64 {
	switch {
	case o.State == jobs.OperationWaiting:
		return openWaiting
	case o.Event == jobs.EventPending:
		return openUnsent
	}
	return 0
}

// encodeOperation returns an operation's document, without its write id and the
// stamps of its end, which the server gives.
func encodeOperation(o jobs.Operation) bson.Raw {
	f := newFields()
	f.text(fieldID, o.ID)
	f.number(fieldSchema, schemaVersion)
	f.text("key", o.Key.String())
	f.text("state", string(o.State))
	f.number("generation", o.Generation)
	f.text("event", string(o.Event))
	f.number(fieldOpen, openOf(o))
	f.text("requester", o.Requester)
	f.text("text", o.Text)
	f.number("job_generation", o.JobGeneration)
	f.number("after", o.After)
	f.number("attempts", int64(o.Attempts))
	f.result(o.Result)
	f.failure("failure", o.Failure)
	f.date("created_at", o.CreatedAt)
	f.date("ended_at", o.EndedAt)
	f.date("due_at", o.DueAt)
	f.date("expire_at", o.ExpireAt)
	return f.done()
}

var operationFields = set(fieldOpen, "requester", "text", "job_generation", "after", "attempts", "result", "failure",
	"created_at", "ended_at", "due_at", "expire_at")

func decodeOperation(doc []byte) (o jobs.Operation, write bson.ObjectID, err error) {
	schema, jobKey := int64(0), ""
	err = each(doc, func(key string, v bsoncore.Value) {
		switch key {
		case fieldID:
			o.ID = text(v)
		case fieldSchema:
			schema = number(v)
		case fieldWrite:
			write = writeID(v)
		case "key":
			jobKey = text(v)
		case "state":
			o.State = jobs.OperationState(text(v))
		case "generation":
			o.Generation = number(v)
		case "event":
			o.Event = jobs.EventState(text(v))
		case "requester":
			o.Requester = text(v)
		case "text":
			o.Text = text(v)
		case "job_generation":
			o.JobGeneration = number(v)
		case "after":
			o.After = number(v)
		case "attempts":
			o.Attempts = int(number(v))
		case "result":
			o.Result = result(v)
		case "failure":
			o.Failure = failure(v)
		case "created_at":
			o.CreatedAt = date(v)
		case "ended_at":
			o.EndedAt = date(v)
		case "due_at":
			o.DueAt = date(v)
		case "expire_at":
			o.ExpireAt = date(v)
		}
	})
	if err != nil {
		return jobs.Operation{}, write, err
	}
	if schema == 0 {
		return jobs.Operation{}, write, jobs.ErrNotFound
	}
	if o.Key, err = jobs.ParseKey(jobKey); err != nil {
		return jobs.Operation{}, write, err
	}
	return o, write, nil
}

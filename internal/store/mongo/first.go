package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// claimOne takes a waiting job in one findAndModify, with the guard of
// jobs.Transition in the filter: the usual claim, of a record that this process
// has not seen. ok is false if the guard refused, for whatever reason.
func (s *Store) claimOne(ctx context.Context, c *jobs.JobCommand) (out jobs.JobOutcome, ok bool, err error) {
	id := c.Key.String()
	write := bson.NewObjectID()
	now := bson.DateTime(millis(c.Now))
	doc, err := s.jobs.docs.FindOneAndUpdate(ctx,
		bson.D{
			{Key: fieldID, Value: id},
			{Key: "state", Value: bson.D{{Key: "$in", Value: bson.A{string(jobs.JobPending), string(jobs.JobRetry)}}}},
			{Key: "run_at", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: now}}}}},
		},
		bson.D{
			{Key: "$set", Value: claimed(c, now, write)},
			{Key: "$inc", Value: bson.D{{Key: "fence", Value: int64(1)}, {Key: "attempt", Value: int64(1)}}},
			{Key: "$unset", Value: unclaimed(c)},
		},
		options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
	if none(err) || err != nil && ctx.Err() == nil && retriable(err) {
		return out, false, nil // whoever looks at the record finds the token in it, if it was applied
	}
	if err != nil {
		return out, false, failed(ctx, "claim", err)
	}
	j, _, err := decodeJob(doc)
	if err != nil {
		return out, false, failed(ctx, "claim", err)
	}
	s.jobs.seen.put(id, held{doc: doc, write: write})
	return jobs.JobOutcome{Job: j, Changed: true}, true, nil
}

// claimed is what a claim sets.
func claimed(c *jobs.JobCommand, now bson.DateTime, write bson.ObjectID) bson.D {
	d := bson.D{
		{Key: "state", Value: string(jobs.JobRunning)},
		{Key: "updated_at", Value: now},
		{Key: fieldWrite, Value: write},
	}
	for _, f := range []struct {
		name, value string
	}{{"token", c.Token}, {"owner", c.Owner}} {
		if f.value != "" {
			d = append(d, bson.E{Key: f.name, Value: f.value})
		}
	}
	if !c.Until.IsZero() {
		d = append(d, bson.E{Key: "lease_until", Value: bson.DateTime(millis(c.Until))})
	}
	if due := c.Until.Add(c.Margin); !due.IsZero() {
		d = append(d, bson.E{Key: "due_at", Value: bson.DateTime(millis(due))})
	}
	return d
}

// unclaimed is what a claim removes: what claimed leaves out because it is empty,
// and the last attempt's progress.
func unclaimed(c *jobs.JobCommand) bson.D {
	d := bson.D{{Key: "stage", Value: 1}, {Key: "progress", Value: 1}}
	if c.Token == "" {
		d = append(d, bson.E{Key: "token", Value: 1})
	}
	if c.Owner == "" {
		d = append(d, bson.E{Key: "owner", Value: 1})
	}
	if c.Until.IsZero() {
		d = append(d, bson.E{Key: "lease_until", Value: 1})
	}
	if c.Until.Add(c.Margin).IsZero() {
		d = append(d, bson.E{Key: "due_at", Value: 1})
	}
	return d
}

package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// write sends the planned writes, each on the condition that its record is still
// what the plan rests on. It returns the steps that lost, ready to be planned
// again, with their action taken back.
func (b *book[R, C]) write(ctx context.Context, writes []*step[R]) (lost []*step[R], err error) {
	if len(writes) == 1 && writes[0].action == insert {
		return b.insertOne(ctx, writes[0])
	}
	var by [remove + 1][]*step[R]
	for _, s := range writes {
		by[s.action] = append(by[s.action], s)
	}
	var doubtful []*step[R]
	for _, send := range []struct {
		steps []*step[R]
		how   func(context.Context, []*step[R]) ([]*step[R], error)
	}{{by[insert], b.insertAll}, {by[update], b.updateAll}, {by[remove], b.removeAll}} {
		if len(send.steps) == 0 {
			continue
		}
		more, err := send.how(ctx, send.steps)
		if err != nil {
			return nil, err
		}
		doubtful = append(doubtful, more...)
	}
	return b.whoWon(ctx, doubtful)
}

// insertOne makes a record, or brings the one that is there: no second trip to
// see it.
func (b *book[R, C]) insertOne(ctx context.Context, s *step[R]) (lost []*step[R], err error) {
	var doc bson.Raw
	for range 2 {
		doc, err = b.docs.FindOneAndUpdate(ctx, byID(s.id),
			bson.D{{Key: "$setOnInsert", Value: withWrite(s.after.doc, s.write, true)}},
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
		if err == nil || ctx.Err() != nil || !retriable(err) {
			break
		}
	}
	switch {
	case driver.IsDuplicateKeyError(err): // a race of upserts: the record is there now
		s.lose()
		return []*step[R]{s}, nil
	case err != nil:
		return nil, failed(ctx, "insert", err)
	}
	if s.meets(hold(doc)) {
		return nil, nil
	}
	return []*step[R]{s}, nil
}

// insertAll returns the steps whose record is there already, whoever made it.
func (b *book[R, C]) insertAll(ctx context.Context, steps []*step[R]) (doubtful []*step[R], err error) {
	c := newCommand("insert", b.docs.Name(), "documents")
	for i, s := range steps {
		c.document(withWrite(s.after.doc, s.write, false))
		if !c.full() && i+1 < len(steps) {
			continue
		}
		from := i + 1 - c.n
		answer, err := c.send(ctx, b.docs.Database())
		if err != nil {
			return nil, failed(ctx, "insert", err)
		}
		for _, at := range answer.duplicates {
			doubtful = append(doubtful, steps[from+at])
		}
	}
	return doubtful, nil
}

// updateAll returns the steps of which it is not known that they won: MongoDB
// tells only how many did.
func (b *book[R, C]) updateAll(ctx context.Context, steps []*step[R]) (doubtful []*step[R], err error) {
	c := newCommand("update", b.docs.Name(), "updates")
	for i, s := range steps {
		if len(s.marks.now) > 0 || len(s.after.doc) > cacheDocument {
			c.change(s.id, s.from.write, difference(s.from.doc, s.after.doc, b.optional, s.write, s.marks))
		} else {
			c.replace(s.id, s.from.write, s.after.doc, s.write, s.marks.keep)
		}
		if !c.full() && i+1 < len(steps) {
			continue
		}
		sent := steps[i+1-c.n : i+1]
		answer, err := c.send(ctx, b.docs.Database())
		if err != nil {
			return nil, failed(ctx, "update", err)
		}
		if answer.modified != int64(len(sent)) {
			doubtful = append(doubtful, sent...)
		}
	}
	return doubtful, nil
}

// removeAll is rare: one command each.
func (b *book[R, C]) removeAll(ctx context.Context, steps []*step[R]) (doubtful []*step[R], err error) {
	for _, s := range steps {
		r, err := b.docs.DeleteOne(ctx, bson.D{{Key: fieldID, Value: s.id}, {Key: fieldWrite, Value: s.from.write}})
		if err != nil {
			return nil, failed(ctx, "delete", err)
		}
		if r.DeletedCount == 0 {
			doubtful = append(doubtful, s)
		}
	}
	return doubtful, nil
}

// whoWon reads back what is in doubt and returns the steps that lost. A step whose
// write was followed by another's at once reads as lost: planned again it finds its
// own token in the record.
func (b *book[R, C]) whoWon(ctx context.Context, doubtful []*step[R]) (lost []*step[R], err error) {
	if len(doubtful) == 0 {
		return nil, nil
	}
	asked := make([]*step[R], len(doubtful))
	for i, s := range doubtful {
		asked[i] = &step[R]{id: s.id}
	}
	if err := b.read(ctx, asked); err != nil {
		return nil, err
	}
	for i, s := range doubtful {
		if !s.meets(asked[i].from) {
			lost = append(lost, s)
		}
	}
	return lost, nil
}

// meets compares what a step wrote with what is there: true if its write is the
// last one. Otherwise the step starts over from there.
func (s *step[R]) meets(there held) bool {
	if s.action != remove && there.doc != nil && there.write == s.write {
		return true
	}
	s.lose()
	s.from, s.known, s.fresh = there, true, true
	return false
}

// lose takes the step's write back.
func (s *step[R]) lose() {
	s.action, s.known, s.fresh = nothing, false, false
}

// retriable reports whether an error leaves open what became of a command, so that
// it is worth sending again: the write ids in it tell a repeated write from a race.
func retriable(err error) bool {
	if driver.IsNetworkError(err) {
		return true
	}
	var answered driver.ServerError
	if !errors.As(err, &answered) {
		return false
	}
	for _, code := range []int{6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436} { // hosts gone, stepping down, shutting down
		if answered.HasErrorCode(code) {
			return true
		}
	}
	return false
}

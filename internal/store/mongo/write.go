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
	switch len(writes) {
	case 0:
		return nil, nil
	case 1:
		s := writes[0]
		won, err := b.writeOne(ctx, s)
		if err != nil || won {
			return nil, err
		}
		return writes, nil
	}
	return b.writeMany(ctx, writes)
}

func (b *book[R, C]) writeOne(ctx context.Context, s *step[R]) (won bool, err error) {
	switch s.action {
	case insert: // or the document that is there: no second trip to see it
		doc, err := b.docs.FindOneAndUpdate(ctx, byID(s.id),
			bson.D{{Key: "$setOnInsert", Value: withWrite(s.update, s.write, true)}},
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
		switch {
		case driver.IsDuplicateKeyError(err): // a race of upserts: the document is there now
			s.lose()
			return false, nil
		case err != nil:
			return false, failed(ctx, "insert", err)
		}
		there := hold(doc)
		if there.write == s.write {
			return true, nil
		}
		s.lose()
		s.from, s.known, s.fresh = there, true, true
		return false, nil
	case update:
		r, err := b.docs.UpdateOne(ctx, s.condition(), s.update)
		if err != nil {
			return false, failed(ctx, "update", err)
		}
		won = r.MatchedCount == 1
	case remove:
		r, err := b.docs.DeleteOne(ctx, s.condition())
		if err != nil {
			return false, failed(ctx, "delete", err)
		}
		won = r.DeletedCount == 1
	}
	if !won {
		s.lose()
	}
	return won, nil
}

func (s *step[R]) condition() bson.D {
	return bson.D{{Key: fieldID, Value: s.id}, {Key: fieldWrite, Value: s.from.write}}
}

// lose takes the step's write back.
func (s *step[R]) lose() {
	s.action, s.known, s.fresh = nothing, false, false
}

// writeMany sends all writes as one bulk. Of its updates MongoDB tells only how
// many matched: if not all of them did, the write ids in the documents tell which.
func (b *book[R, C]) writeMany(ctx context.Context, writes []*step[R]) (lost []*step[R], err error) {
	models := make([]driver.WriteModel, len(writes))
	var inserts, updates, removes int64
	for i, s := range writes {
		switch s.action {
		case insert:
			models[i] = driver.NewInsertOneModel().SetDocument(withWrite(s.update, s.write, false))
			inserts++
		case update:
			models[i] = driver.NewUpdateOneModel().SetFilter(s.condition()).SetUpdate(s.update)
			updates++
		default:
			models[i] = driver.NewDeleteOneModel().SetFilter(s.condition())
			removes++
		}
	}
	result, err := b.docs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	var refused driver.BulkWriteException
	switch {
	case errors.As(err, &refused) && onlyDuplicates(refused):
		for _, e := range refused.WriteErrors {
			s := writes[e.Index]
			s.lose()
			lost = append(lost, s)
		}
	case err != nil:
		return nil, failed(ctx, "bulk write", err)
	}
	if result == nil {
		return nil, failed(ctx, "bulk write", errors.New("no result"))
	}
	if result.MatchedCount == updates && result.DeletedCount == removes {
		return lost, nil
	}
	more, err := b.whoWon(ctx, writes)
	return append(lost, more...), err
}

// onlyDuplicates reports whether inserts of records that are there are all that
// went wrong.
func onlyDuplicates(e driver.BulkWriteException) bool {
	if e.WriteConcernError != nil {
		return false
	}
	for _, one := range e.WriteErrors {
		if one.Code != duplicateKey {
			return false
		}
	}
	return len(e.WriteErrors) > 0
}

// whoWon reads back what was updated or removed. A step whose write was followed
// by another's at once reads as lost: planned again it finds its own token.
func (b *book[R, C]) whoWon(ctx context.Context, writes []*step[R]) (lost []*step[R], err error) {
	var asked []*step[R]
	for _, s := range writes {
		if s.action == update || s.action == remove {
			asked = append(asked, &step[R]{id: s.id})
		}
	}
	if err := b.read(ctx, asked); err != nil {
		return nil, err
	}
	now := make(map[string]held, len(asked))
	for _, a := range asked {
		now[a.id] = a.from
	}
	for _, s := range writes {
		there := now[s.id]
		switch {
		case s.action == update && there.doc != nil && there.write == s.write:
		case s.action == remove && there.doc == nil:
		case s.action == update || s.action == remove:
			s.lose()
			s.from, s.known, s.fresh = there, true, true
			lost = append(lost, s)
		}
	}
	return lost, nil
}

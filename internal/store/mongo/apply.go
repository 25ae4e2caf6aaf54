package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// book is a collection of records of one kind, with the table of their steps.
type book[R, C any] struct {
	docs    *driver.Collection // writes: majority and journal; reads: majority
	certain *driver.Collection // reads: linearizable

	id         func(*C) string
	creates    func(*C) bool // the command most likely finds no record
	transition func(R, C) (R, bool, error)
	gone       func(*R) bool
	encode     func(R) bson.Raw
	decode     func([]byte) (R, bson.ObjectID, error)
	optional   map[string]bool
	marks      func(before, after *R) marks

	seen *cache
}

// outcome is the answer to one command.
type outcome[R any] struct {
	record  R
	changed bool
	err     error
}

// step is what the commands of one call make of one record.
type step[R any] struct {
	id       string
	commands []int // their places in the call
	known    bool  // from is what the record is, or was a while ago
	fresh    bool  // from was read in this call: a refusal may rest on it
	from     held

	action  action
	write   bson.ObjectID // the id of the planned write
	after   held          // what the record is then
	marks   marks
	outcome []outcome[R]
}

type action int

const (
	nothing action = iota
	insert
	update
	remove
)

// maxTries bounds how often a step starts over. Each time somebody else has
// written to the same record meanwhile, so the fleet as a whole gets on.
const maxTries = 64

// apply applies the commands: one conditional write per record. What one call has
// for one record is folded into one write.
func (b *book[R, C]) apply(ctx context.Context, commands []C, known map[string]held) ([]outcome[R], error) {
	outs := make([]outcome[R], len(commands))
	todo := b.steps(commands, known)
	for try := 0; len(todo) > 0; try++ {
		if try == maxTries {
			return nil, failed(ctx, "apply", errors.New("the record changes faster than it can be written"))
		}
		if err := b.plan(ctx, todo, commands); err != nil {
			return nil, err
		}
		var writes []*step[R]
		for _, s := range todo {
			if s.action != nothing {
				writes = append(writes, s)
				continue
			}
			b.settle(s, outs)
		}
		lost, err := b.write(ctx, writes)
		if err != nil {
			for _, s := range writes {
				b.seen.drop(s.id)
			}
			return nil, err
		}
		for _, s := range writes {
			if s.action != nothing { // won
				s.from = s.after
				b.settle(s, outs)
			}
		}
		todo = lost
	}
	return outs, nil
}

// steps groups the commands by their records.
func (b *book[R, C]) steps(commands []C, known map[string]held) []*step[R] {
	todo := make([]*step[R], 0, len(commands))
	byID := make(map[string]*step[R], len(commands))
	for i := range commands {
		id := b.id(&commands[i])
		s := byID[id]
		if s == nil {
			s = &step[R]{id: id}
			if s.from, s.known = known[id]; !s.known {
				s.from, s.known = b.seen.get(id)
			}
			if !s.known && b.creates(&commands[i]) {
				s.known = true // there is none; the insert tells
			}
			byID[id] = s
			todo = append(todo, s)
		}
		s.commands = append(s.commands, i)
	}
	return todo
}

func (b *book[R, C]) settle(s *step[R], outs []outcome[R]) {
	b.seen.put(s.id, s.from)
	for n, i := range s.commands {
		outs[i] = s.outcome[n]
	}
}

// plan decides what becomes of each record. What is only remembered may be the
// ground for a conditional write and nothing else: otherwise it is read.
func (b *book[R, C]) plan(ctx context.Context, todo []*step[R], commands []C) error {
	var unread []*step[R]
	for _, s := range todo {
		if s.known {
			b.fold(s, commands)
		}
		if !s.known || s.action == nothing && !s.fresh {
			unread = append(unread, s)
		}
	}
	if len(unread) == 0 {
		return nil
	}
	if err := b.read(ctx, unread); err != nil {
		return err
	}
	for _, s := range unread {
		b.fold(s, commands)
	}
	return nil
}

// fold takes a record through its commands and decides on the write.
func (b *book[R, C]) fold(s *step[R], commands []C) {
	var before R
	s.action = nothing
	s.outcome = s.outcome[:0]
	if s.from.doc != nil {
		var err error
		before, _, err = b.decode(s.from.doc)
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			err = fmt.Errorf("%w: document %s: %w", jobs.ErrUnavailable, s.id, err)
			for range s.commands {
				s.outcome = append(s.outcome, outcome[R]{err: err})
			}
			return
		}
	}
	record, doc, changed := before, s.from.doc, false
	for _, i := range s.commands {
		next, ch, err := b.transition(record, commands[i])
		if ch && err == nil {
			was := doc
			changed, doc = true, nil
			if !b.gone(&next) {
				doc = carry(was, b.encode(next), b.optional)
				next, _, _ = b.decode(doc) // as it will be read: times in milliseconds, nothing shared with the command
			}
			record = next
		}
		s.outcome = append(s.outcome, outcome[R]{record: next, changed: ch && err == nil, err: err})
	}
	if !changed {
		return
	}
	s.write = bson.NewObjectID()
	s.after = held{doc: doc, write: s.write}
	switch {
	case s.from.doc == nil && doc == nil:
	case s.from.doc == nil:
		s.action = insert
	case doc == nil:
		s.action = remove
	default:
		s.action, s.marks = update, b.marks(&before, &record)
	}
}

// read fetches the records of the steps.
func (b *book[R, C]) read(ctx context.Context, steps []*step[R]) error {
	for _, s := range steps {
		s.known, s.fresh, s.from = true, true, held{}
	}
	if len(steps) == 1 {
		doc, err := b.docs.FindOne(ctx, byID(steps[0].id)).Raw()
		if none(err) {
			return nil
		}
		if err != nil {
			return failed(ctx, "read", err)
		}
		steps[0].from = hold(doc)
		return nil
	}
	ids := make(bson.A, len(steps))
	at := make(map[string]*step[R], len(steps))
	for i, s := range steps {
		ids[i] = s.id
		at[s.id] = s
	}
	cursor, err := b.docs.Find(ctx, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetBatchSize(int32(len(ids))))
	if err != nil {
		return failed(ctx, "read", err)
	}
	return rows(ctx, cursor, func(doc bson.Raw) {
		if s := at[idOf(doc)]; s != nil {
			s.from = hold(doc)
		}
	})
}

func byID(id string) bson.D { return bson.D{{Key: fieldID, Value: id}} }

// rows reads a cursor to its end. The documents are the callee's to keep.
func rows(ctx context.Context, cursor *driver.Cursor, each func(bson.Raw)) error {
	defer cursor.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what counts is cursor.Err
	for cursor.Next(ctx) {
		each(append(bson.Raw(nil), cursor.Current...))
	}
	return failed(ctx, "read", cursor.Err())
}

func idOf(doc bson.Raw) string {
	id, _ := doc.Lookup(fieldID).StringValueOK()
	return id
}

func hold(doc bson.Raw) held {
	write, _ := doc.Lookup(fieldWrite).ObjectIDOK()
	return held{doc: doc, write: write}
}

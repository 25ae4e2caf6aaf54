package mongo

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// Store keeps the records in MongoDB. It is safe for concurrent use.
type Store struct {
	client     *driver.Client
	database   *driver.Database
	jobs       *book[jobs.Job, jobs.JobCommand]
	operations *book[jobs.Operation, jobs.OperationCommand]
	notes      *driver.Collection
	certain    *driver.Collection // of the notes
	lag        time.Duration
	now        func() time.Time
	log        *slog.Logger
}

var _ jobs.Backend = (*Store)(nil)

func jobBook(docs, certain *driver.Collection) *book[jobs.Job, jobs.JobCommand] {
	return &book[jobs.Job, jobs.JobCommand]{
		docs: docs, certain: certain,
		id:         func(c *jobs.JobCommand) string { return c.Key.String() },
		creates:    func(c *jobs.JobCommand) bool { return c.Kind == jobs.JobEnsure },
		transition: jobs.Transition,
		gone:       func(j *jobs.Job) bool { return j.Generation == 0 },
		encode:     encodeJob,
		decode:     decodeJob,
		optional:   jobFields,
		marks:      func(_, _ *jobs.Job) marks { return marks{} },
		seen:       newCache(cacheEntries),
	}
}

func operationBook(docs, certain *driver.Collection) *book[jobs.Operation, jobs.OperationCommand] {
	return &book[jobs.Operation, jobs.OperationCommand]{
		docs: docs, certain: certain,
		id:         func(c *jobs.OperationCommand) string { return c.ID },
		creates:    func(c *jobs.OperationCommand) bool { return c.Kind == jobs.OperationPut },
		transition: transitionOperation,
		gone:       func(o *jobs.Operation) bool { return o.ID == "" },
		encode:     encodeOperation,
		decode:     decodeOperation,
		optional:   operationFields,
		marks:      endMarks,
		seen:       newCache(cacheEntries),
	}
}

// transitionOperation refuses what could never be found again.
func transitionOperation(o jobs.Operation, c jobs.OperationCommand) (jobs.Operation, bool, error) {
	if c.Kind == jobs.OperationPut {
		if _, err := jobs.SongOf(c.ID); err != nil || c.Operation.ID != c.ID {
			return o, false, jobs.ErrBadOperationID
		}
	}
	return jobs.TransitionOperation(o, c)
}

// endMarks has the server stamp the end of an operation, which is its place among
// the events.
func endMarks(before, after *jobs.Operation) marks {
	switch {
	case !after.Ended() && before.Ended():
		return marks{unset: []string{fieldEnd, fieldEndAt}}
	case after.Ended() && !before.Ended():
		return marks{now: []string{fieldEnd, fieldEndAt}}
	case after.Ended():
		return marks{keep: []string{fieldEnd, fieldEndAt}}
	}
	return marks{}
}

// ApplyJobs implements jobs.Store.
func (s *Store) ApplyJobs(ctx context.Context, commands []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	if len(commands) == 1 && commands[0].Kind == jobs.JobClaim {
		if _, seen := s.jobs.seen.get(commands[0].Key.String()); !seen {
			out, ok, err := s.claimOne(ctx, &commands[0])
			if err != nil {
				return nil, err
			}
			if ok {
				return []jobs.JobOutcome{out}, nil
			}
		}
	}
	got, err := s.jobs.apply(ctx, commands, nil)
	if err != nil {
		return nil, err
	}
	outs := make([]jobs.JobOutcome, len(got))
	for i, o := range got {
		outs[i] = jobs.JobOutcome{Job: o.record, Changed: o.changed, Err: o.err}
	}
	s.fanOut(ctx, commands, outs)
	return outs, nil
}

// ApplyOperations implements jobs.Store.
func (s *Store) ApplyOperations(ctx context.Context, commands []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	got, err := s.operations.apply(ctx, commands, nil)
	if err != nil {
		return nil, err
	}
	outs := make([]jobs.OperationOutcome, len(got))
	for i, o := range got {
		outs[i] = jobs.OperationOutcome{Operation: o.record, Changed: o.changed, Err: o.err}
	}
	return outs, nil
}

// get reads a record. What is not there is looked for again linearizably, so
// that a primary that has been voted out and does not know it yet can not deny
// what its successor has.
func (b *book[R, C]) get(ctx context.Context, id string) (r R, err error) {
	doc, err := b.docs.FindOne(ctx, byID(id)).Raw()
	if none(err) {
		doc, err = b.certain.FindOne(ctx, byID(id)).Raw()
	}
	if none(err) {
		return r, jobs.ErrNotFound
	}
	if err != nil {
		return r, failed(ctx, "read", err)
	}
	r, _, err = b.decode(doc)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		err = failed(ctx, "document "+id, err)
	}
	return r, err
}

// Job implements jobs.Store. A song that only the original service knows is
// translated from what it left; see original.go.
func (s *Store) Job(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	j, err := s.jobs.get(ctx, key.String())
	if errors.Is(err, jobs.ErrNotFound) {
		return s.originalJob(ctx, key)
	}
	return j, err
}

// Operation implements jobs.Store. It also finds the original service's.
func (s *Store) Operation(ctx context.Context, id string) (jobs.Operation, error) {
	if _, err := jobs.SongOf(id); err != nil {
		return s.originalOperation(ctx, id)
	}
	return s.operations.get(ctx, id)
}

// OperationsOf implements jobs.Store.
func (s *Store) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) ([]jobs.Operation, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	filter := bson.D{{Key: "key", Value: key.String()}, {Key: "state", Value: string(state)}}
	if after != "" {
		filter = append(filter, bson.E{Key: fieldID, Value: bson.D{{Key: "$gt", Value: after}}})
	}
	return s.operations.list(ctx, filter, options.Find().SetSort(bson.D{{Key: fieldID, Value: 1}}).SetHint(indexWaiters), limit)
}

// list reads the records that a query selects, and remembers them: they are
// asked for because something is about to happen to them.
func (b *book[R, C]) list(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder, limit int) (all []R, err error) {
	cursor, err := b.docs.Find(ctx, filter, o.SetLimit(int64(limit)).SetBatchSize(int32(min(limit, 1000))))
	if err != nil {
		return nil, failed(ctx, "list", err)
	}
	var broken error
	err = rows(ctx, cursor, func(doc bson.Raw) {
		r, write, err := b.decode(doc)
		if err != nil {
			broken = err
			return
		}
		b.seen.put(idOf(doc), held{doc: doc, write: write})
		all = append(all, r)
	})
	if err == nil && broken != nil {
		err = failed(ctx, "list", broken)
	}
	return all, err
}

// Due implements jobs.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due jobs.Due, err error) {
	if limit <= 0 {
		return due, ctx.Err()
	}
	until := bson.E{Key: "due_at", Value: bson.D{{Key: "$lte", Value: bson.DateTime(millis(now))}}}
	order := bson.D{{Key: "due_at", Value: 1}}
	if due.Jobs, err = s.jobs.list(ctx, bson.D{until}, options.Find().SetSort(order).SetHint(indexDue), limit); err != nil {
		return jobs.Due{}, err
	}
	open := bson.E{Key: fieldOpen, Value: bson.D{{Key: "$in", Value: bson.A{int64(openWaiting), int64(openUnsent)}}}}
	due.Operations, err = s.operations.list(ctx, bson.D{open, until}, options.Find().SetSort(order).SetHint(indexOpen), limit)
	return due, err
}

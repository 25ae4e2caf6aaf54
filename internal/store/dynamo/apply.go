package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

// newRev returns what no other write has.
func newRev() string {
	return strconv.FormatUint(rand.Uint64(), 36) + strconv.FormatUint(rand.Uint64(), 36)
}

// kind is what jobs and operations do each in their own way.
type kind[R any] struct {
	table  string
	decode func(item) (R, error)
	encode func(next R, rev string, before item) item // of a changed record; nil deletes it
}

// step applies one command to the record at key. first, if there is one, is the
// write for the common case; whatever it does not cover is decided by transition
// on the record as it is.
func step[R any](ctx context.Context, s *Store, k kind[R], key item, rev string, first func() (item, error), transition func(R) (R, bool, error)) (next R, changed bool, err error) {
	var zero R
	var current item
	known := false // current is the record as it is; nil: there is none
	write := first
	for try := 0; ; try++ {
		if write != nil {
			after, err := write()
			if err == nil {
				next, err := k.decode(after)
				return next, err == nil, err
			}
			var failed *types.ConditionalCheckFailedException
			if !errors.As(err, &failed) {
				return zero, false, err
			}
			current, known = failed.Item, len(failed.Item) > 0
		}
		if !known {
			if current, err = s.get(ctx, k.table, key); err != nil {
				return zero, false, err
			}
			known = true
		}
		record, err := k.decode(current)
		if err != nil {
			return zero, false, err
		}
		if seen, ok := current[attrRev].(*types.AttributeValueMemberS); ok && seen.Value == rev {
			return record, true, nil // an earlier try was applied, and its answer lost
		}
		next, changed, err := transition(record)
		if err != nil || !changed {
			return next, changed, err
		}
		if try > 2 && !pause(ctx, try) { // a record that many write to
			return zero, false, ctx.Err()
		}
		before := current
		write = func() (item, error) { return s.replace(ctx, k.table, key, k.encode(next, rev, before), before) }
	}
}

// get reads one item, consistently; nil if there is none.
func (s *Store) get(ctx context.Context, table string, key item) (found item, err error) {
	consistent := true
	err = s.call(ctx, "read", func(ctx context.Context) error {
		out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: &consistent})
		if err == nil {
			found = out.Item
		}
		return err
	})
	return found, err
}

// change sends an update and returns the item after it.
func (s *Store) change(ctx context.Context, table string, key item, u *update) (after item, err error) {
	err = s.call(ctx, "update", func(ctx context.Context) error {
		if u.fresh != nil {
			u.fresh(u)
		}
		changes, condition := u.expressions()
		out, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &table, Key: key, UpdateExpression: &changes, ConditionExpression: &condition,
			ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
			ReturnValues:                        types.ReturnValueAllNew,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		if err == nil {
			after = out.Attributes
			s.learn(out.ResultMetadata)
		}
		return err
	})
	return after, err
}

// replace puts an item, or deletes it when next is nil, if it has not changed
// since before was read, and returns it. before is nil where there was none.
func (s *Store) replace(ctx context.Context, table string, key, next, before item) (item, error) {
	condition := "attribute_not_exists(#pk)"
	names, values := map[string]string{"#pk": attrPK}, item(nil)
	if before != nil {
		condition = "#rev = :rev"
		names, values = map[string]string{"#rev": attrRev}, item{":rev": before[attrRev]}
	}
	err := s.call(ctx, "put", func(ctx context.Context) error {
		if next == nil {
			_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: &table, Key: key, ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			})
			return err
		}
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &table, Item: next, ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	return next, err
}

func (s *Store) jobKind() kind[jobs.Job] {
	return kind[jobs.Job]{
		table: s.options.SongsTable, decode: decodeJob,
		encode: func(next jobs.Job, rev string, _ item) item {
			if next.Generation == 0 {
				return nil
			}
			return encodeJob(next, rev)
		},
	}
}

func (s *Store) operationKind() kind[jobs.Operation] {
	return kind[jobs.Operation]{
		table: s.options.OperationsTable, decode: decodeOperation,
		encode: func(next jobs.Operation, rev string, before item) item {
			order := ""
			if next.Ended() {
				in := reader{item: before}
				if order = in.text(attrEnded); order == "" {
					order = endOrder(next.ID, s.serverNow())
				}
			}
			return encodeOperation(next, rev, order)
		},
	}
}

// ApplyJobs implements jobs.Store.
func (s *Store) ApplyJobs(ctx context.Context, commands []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dynamodb: %w", err)
	}
	outs := make([]jobs.JobOutcome, len(commands))
	each(len(commands), func(i int) { outs[i] = s.applyJob(ctx, commands[i]) })
	for _, o := range outs {
		if !lost(o.Err) {
			return outs, nil
		}
	}
	if len(outs) > 0 {
		return nil, outs[0].Err
	}
	return outs, nil
}

// lost says that nothing is known of whether the command was applied.
func lost(err error) bool {
	return errors.Is(err, jobs.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (s *Store) applyJob(ctx context.Context, c jobs.JobCommand) jobs.JobOutcome {
	rev, key := newRev(), jobKey(c.Key)
	var first func() (item, error)
	if c.Kind == jobs.JobEnsure {
		made, _, _ := jobs.Transition(jobs.Job{}, c)
		first = func() (item, error) { return s.replace(ctx, s.options.SongsTable, key, encodeJob(made, rev), nil) }
	} else if u := jobUpdate(c, rev); u != nil {
		first = func() (item, error) { return s.change(ctx, s.options.SongsTable, key, u) }
	}
	j, changed, err := step(ctx, s, s.jobKind(), key, rev, first, func(j jobs.Job) (jobs.Job, bool, error) { return jobs.Transition(j, c) })
	return jobs.JobOutcome{Job: j, Changed: changed, Err: err}
}

// ApplyOperations implements jobs.Store.
func (s *Store) ApplyOperations(ctx context.Context, commands []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dynamodb: %w", err)
	}
	outs := make([]jobs.OperationOutcome, len(commands))
	each(len(commands), func(i int) { outs[i] = s.applyOperation(ctx, commands[i]) })
	for _, o := range outs {
		if !lost(o.Err) {
			return outs, nil
		}
	}
	if len(outs) > 0 {
		return nil, outs[0].Err
	}
	return outs, nil
}

func (s *Store) applyOperation(ctx context.Context, c jobs.OperationCommand) jobs.OperationOutcome {
	rev := newRev()
	key, ok := operationKey(c.ID)
	if !ok { // also what the original service wrote: it can be read, and nothing else
		return jobs.OperationOutcome{Err: jobs.ErrNotFound}
	}
	var first func() (item, error)
	if c.Kind == jobs.OperationPut {
		made, _, _ := jobs.TransitionOperation(jobs.Operation{}, c)
		first = func() (item, error) {
			return s.replace(ctx, s.options.OperationsTable, key, encodeOperation(made, rev, ""), nil)
		}
	} else if u := operationUpdate(c, rev, s.serverNow); u != nil {
		first = func() (item, error) { return s.change(ctx, s.options.OperationsTable, key, u) }
	}
	o, changed, err := step(ctx, s, s.operationKind(), key, rev, first, func(o jobs.Operation) (jobs.Operation, bool, error) {
		return jobs.TransitionOperation(o, c)
	})
	return jobs.OperationOutcome{Operation: o, Changed: changed, Err: err}
}

package dynamo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

// Job implements jobs.Store. A song of which there is no job, but a record of the
// original service, comes as a job that is done.
func (s *Store) Job(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	found, err := s.get(ctx, s.options.SongsTable, jobKey(key))
	if err != nil {
		return jobs.Job{}, err
	}
	if found == nil {
		return s.originalJob(ctx, key)
	}
	return decodeJob(found)
}

// Operation implements jobs.Store: one read, as the id carries the partition.
// Other ids are looked for among what the original service wrote.
func (s *Store) Operation(ctx context.Context, id string) (jobs.Operation, error) {
	key, ok := operationKey(id)
	if !ok {
		return s.originalOperation(ctx, id)
	}
	found, err := s.get(ctx, s.options.OperationsTable, key)
	if err != nil {
		return jobs.Operation{}, err
	}
	if found == nil {
		return jobs.Operation{}, jobs.ErrNotFound
	}
	return decodeOperation(found)
}

// OperationsOf implements jobs.Store. Those that wait, or failed, come from an
// index that holds no others; for the rest all operations of the song are read.
func (s *Store) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) (found []jobs.Operation, err error) {
	q := query{
		table: s.options.OperationsTable, pk: attrPK, partition: key.Song.String(), consistent: true,
		filter: "#profile = :profile", names: map[string]string{"#profile": "profile"}, values: item{":profile": text(key.Profile)},
	}
	if (state == jobs.OperationWaiting || state == jobs.OperationFailed) && !s.noOpenIndex {
		prefix := string(state) + "#"
		q.index, q.sk, q.above, q.below = indexOpen, attrOpen, prefix+after, string(state)+"$" // $ follows #
	} else {
		q.sk, q.above = attrSK, after
		q.filter += " AND #state = :state"
		q.names["#state"], q.values[":state"] = "state", text(state)
	}
	for len(found) < limit {
		// The filter takes little away: what it leaves is about what is wanted.
		q.limit = limit - len(found)
		page, more, err := s.query(ctx, &q)
		if err != nil {
			return nil, err
		}
		for _, one := range page {
			o, err := decodeOperation(one)
			if err != nil {
				return nil, err
			}
			found = append(found, o)
		}
		if !more {
			break
		}
	}
	return found[:min(limit, len(found))], nil
}

// Due implements jobs.Store: from an index in several partitions that holds only
// what is due at some time, and then from the tables. A partition in which
// nothing was due is asked again after Options.DueEvery.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due jobs.Due, err error) {
	jobKeys, err := s.dueKeys(ctx, s.options.SongsTable, now, limit)
	if err != nil {
		return due, err
	}
	operationKeys, err := s.dueKeys(ctx, s.options.OperationsTable, now, limit)
	if err != nil {
		return due, err
	}
	items, err := s.getAll(ctx, s.options.SongsTable, jobKeys)
	if err != nil {
		return due, err
	}
	for _, one := range items {
		j, err := decodeJob(one)
		if err != nil {
			s.options.Log.Error("a due job can not be read", "error", err)
			continue
		}
		if !j.DueAt.IsZero() && !j.DueAt.After(now) { // the index may lag
			due.Jobs = append(due.Jobs, j)
		}
	}
	if items, err = s.getAll(ctx, s.options.OperationsTable, operationKeys); err != nil {
		return due, err
	}
	for _, one := range items {
		o, err := decodeOperation(one)
		if err != nil {
			s.options.Log.Error("a due operation can not be read", "error", err)
			continue
		}
		if !o.DueAt.IsZero() && !o.DueAt.After(now) {
			due.Operations = append(due.Operations, o)
		}
	}
	return due, nil
}

// dueKeys returns the keys of what is due, the longest due first.
func (s *Store) dueKeys(ctx context.Context, table string, now time.Time, limit int) ([]item, error) {
	pages := make([][]item, shards)
	errs := make([]error, shards)
	each(shards, func(i int) {
		name := table + "#" + fmt.Sprint(i)
		if s.quiet.are(name, s.options.Now()) {
			return
		}
		q := query{
			table: table, index: indexDue, pk: attrDueShard, partition: fmt.Sprint(i),
			sk: attrDueAt, until: moment(now), limit: limit,
		}
		for len(pages[i]) < limit {
			page, more, err := s.query(ctx, &q)
			if err != nil {
				errs[i] = err
				return
			}
			pages[i] = append(pages[i], page...)
			if !more {
				break
			}
		}
		if len(pages[i]) == 0 {
			s.quiet.set(name, s.options.Now().Add(s.options.DueEvery))
		}
	})
	var all []item
	for i := range pages {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all = append(all, pages[i]...)
	}
	slices.SortStableFunc(all, func(a, b item) int {
		x, y := reader{item: a}, reader{item: b}
		return x.time(attrDueAt).Compare(y.time(attrDueAt))
	})
	return all[:min(limit, len(all))], nil
}

// query is a Query, page by page.
type query struct {
	table, index  string
	pk, partition string
	sk            string
	above, below  string // sort key, exclusive; "" none
	until         value  // sort key, inclusive; instead of above and below
	backwards     bool
	consistent    bool
	limit         int
	filter        string
	names         map[string]string
	values        item

	from item // where the next page begins
}

// query reads one page, and says whether there may be more.
func (s *Store) query(ctx context.Context, q *query) (found []item, more bool, err error) {
	condition := "#p = :p"
	names, values := map[string]string{"#p": q.pk}, item{":p": text(q.partition)}
	for k, v := range q.names {
		names[k] = v
	}
	for k, v := range q.values {
		values[k] = v
	}
	switch {
	case q.until != nil:
		condition += " AND #s <= :until"
		names["#s"], values[":until"] = q.sk, q.until
	case q.above != "" && q.below != "":
		if q.above >= q.below {
			return nil, false, nil
		}
		// BETWEEN takes both ends: they are left out below.
		condition += " AND #s BETWEEN :above AND :below"
		names["#s"], values[":above"], values[":below"] = q.sk, text(q.above), text(q.below)
	case q.above != "":
		condition += " AND #s > :above"
		names["#s"], values[":above"] = q.sk, text(q.above)
	case q.below != "":
		condition += " AND #s < :below"
		names["#s"], values[":below"] = q.sk, text(q.below)
	}
	in := &dynamodb.QueryInput{
		TableName: &q.table, KeyConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ExclusiveStartKey: q.from,
	}
	if q.index != "" {
		in.IndexName = &q.index
	}
	if q.filter != "" {
		in.FilterExpression = &q.filter
	}
	if q.limit > 0 {
		limit := int32(min(q.limit+1, 1000)) // one more for an end that is left out
		in.Limit = &limit
	}
	forward := !q.backwards
	in.ScanIndexForward, in.ConsistentRead = &forward, &q.consistent
	err = s.call(ctx, "query", func(ctx context.Context) error {
		out, err := s.client.Query(ctx, in)
		if err == nil {
			found, q.from = out.Items, out.LastEvaluatedKey
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if q.above != "" && q.below != "" {
		found = slices.DeleteFunc(found, func(one item) bool {
			r := reader{item: one}
			at := r.text(q.sk)
			return at <= q.above || at >= q.below
		})
	}
	return found, q.from != nil, nil
}

// getAll reads items by their keys, consistently, in the order of the keys. What
// is not there is left out.
func (s *Store) getAll(ctx context.Context, table string, keys []item) ([]item, error) {
	const most = 100 // of one BatchGetItem
	pages := (len(keys) + most - 1) / most
	if pages == 0 {
		return nil, nil
	}
	errs := make([]error, pages)
	var mu sync.Mutex
	byKey := make(map[string]item, len(keys))
	consistent := true
	each(pages, func(i int) {
		var want []map[string]types.AttributeValue
		seen := map[string]bool{}
		for _, k := range keys[i*most : min(len(keys), (i+1)*most)] {
			if name := keyName(k); !seen[name] {
				seen[name] = true
				want = append(want, item{attrPK: k[attrPK], attrSK: k[attrSK]})
			}
		}
		for try := 0; len(want) > 0; try++ {
			if try > 0 && !pause(ctx, try) {
				errs[i] = fmt.Errorf("dynamodb: read: %w", ctx.Err())
				return
			}
			if try >= 4*s.options.Attempts {
				errs[i] = fmt.Errorf("dynamodb: read: %w: throttled", jobs.ErrUnavailable)
				return
			}
			errs[i] = s.call(ctx, "read", func(ctx context.Context) error {
				out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
					RequestItems: map[string]types.KeysAndAttributes{table: {Keys: want, ConsistentRead: &consistent}},
				})
				if err != nil {
					return err
				}
				mu.Lock()
				for _, one := range out.Responses[table] {
					byKey[keyName(one)] = one
				}
				mu.Unlock()
				want = out.UnprocessedKeys[table].Keys // what was too much at once
				return nil
			})
			if errs[i] != nil {
				return
			}
		}
	})
	found := make([]item, 0, len(keys))
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	for _, k := range keys {
		if one, ok := byKey[keyName(k)]; ok {
			found = append(found, one)
		}
	}
	return found, nil
}

func keyName(k item) string {
	r := reader{item: k}
	return r.text(attrPK) + "\x00" + r.text(attrSK)
}

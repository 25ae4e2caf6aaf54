package dynamo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

const (
	// oldestOf is how many of the least recently updated waiting jobs of each
	// partition are looked at for the oldest.
	oldestOf = 250

	// A count that took more than cheapPages pages of an index (of about 10,000
	// entries each) is kept for keepCount a page.
	cheapPages = 2
	keepCount  = 20 * time.Second
)

// countCache keeps the counts that are dear: of the millions of songs that are
// done.
type countCache struct {
	mu     sync.Mutex
	counts map[jobs.JobState]keptCount
}

type keptCount struct {
	n     int64
	until time.Time
}

// Stats implements jobs.Desk. It counts in the indexes; a count of very many is
// up to some minutes old.
func (s *Store) Stats(ctx context.Context, now time.Time) (jobs.Stats, error) {
	stats := jobs.Stats{Jobs: map[jobs.JobState]int64{}}
	counts := make([]int64, len(states))
	oldest := make([]time.Time, len(states))
	errs := make([]error, len(states)+1)
	each(len(states)+1, func(i int) {
		if i == len(states) {
			stats.Waiting, stats.PendingEvents, errs[i] = s.countOperations(ctx)
			return
		}
		if counts[i], errs[i] = s.countJobs(ctx, states[i]); errs[i] != nil || counts[i] == 0 {
			return
		}
		if states[i] == jobs.JobPending || states[i] == jobs.JobRetry {
			oldest[i], errs[i] = s.oldest(ctx, states[i], now)
		}
	})
	for _, err := range errs {
		if err != nil {
			return jobs.Stats{}, err
		}
	}
	for i, state := range states {
		if counts[i] > 0 {
			stats.Jobs[state] = counts[i]
		}
		if at := oldest[i]; !at.IsZero() && (stats.OldestPending.IsZero() || at.Before(stats.OldestPending)) {
			stats.OldestPending = at
		}
	}
	return stats, nil
}

func (s *Store) countJobs(ctx context.Context, state jobs.JobState) (n int64, err error) {
	s.counts.mu.Lock()
	kept := s.counts.counts[state]
	s.counts.mu.Unlock()
	if s.options.Now().Before(kept.until) {
		return kept.n, nil
	}
	pages := 0
	for _, partition := range sharded(string(state)) {
		condition, index := "#p = :p", indexState
		var from item
		for {
			err := s.call(ctx, "count", func(ctx context.Context) error {
				out, err := s.client.Query(ctx, &dynamodb.QueryInput{
					TableName: &s.options.SongsTable, IndexName: &index, KeyConditionExpression: &condition, Select: types.SelectCount,
					ExpressionAttributeNames: map[string]string{"#p": attrDesk}, ExpressionAttributeValues: item{":p": text(partition)},
					ExclusiveStartKey: from,
				})
				if err == nil {
					n += int64(out.Count)
					from = out.LastEvaluatedKey
				}
				return err
			})
			if err != nil {
				return 0, err
			}
			if from == nil {
				break
			}
			pages++
		}
	}
	if pages > cheapPages {
		s.counts.mu.Lock()
		if s.counts.counts == nil {
			s.counts.counts = map[jobs.JobState]keptCount{}
		}
		s.counts.counts[state] = keptCount{n: n, until: s.options.Now().Add(time.Duration(pages) * keepCount)}
		s.counts.mu.Unlock()
	}
	return n, nil
}

// countOperations counts what waits and what has ended without its event being
// out: all of that is due at some time, and nothing else is.
func (s *Store) countOperations(ctx context.Context) (waiting, unsent int64, err error) {
	for i := range shards {
		q := query{table: s.options.OperationsTable, index: indexDue, pk: attrDueShard, partition: fmt.Sprint(i)}
		for more := true; more; {
			var page []item
			if page, more, err = s.query(ctx, &q); err != nil {
				return 0, 0, err
			}
			for _, one := range page {
				r := reader{item: one}
				if jobs.OperationState(r.text("state")) == jobs.OperationWaiting {
					waiting++
				} else {
					unsent++
				}
			}
		}
	}
	return waiting, unsent, nil
}

func (s *Store) oldest(ctx context.Context, state jobs.JobState, now time.Time) (oldest time.Time, err error) {
	for _, partition := range sharded(string(state)) {
		q := query{table: s.options.SongsTable, index: indexState, pk: attrDesk, partition: partition, limit: oldestOf}
		page, _, err := s.query(ctx, &q)
		if err != nil {
			return oldest, err
		}
		for _, one := range page {
			j := entryJob(one)
			if !j.RunAt.After(now) && (oldest.IsZero() || j.GenerationAt.Before(oldest)) {
				oldest = j.GenerationAt
			}
		}
	}
	return oldest, nil
}

package mongo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// Events implements jobs.Desk. The write that ends an operation has the server
// stamp it with its logical time, which only grows, over elections too. Of two
// writes in flight the later stamp may be seen first; so what was written within
// the last moments (Options.EventLag, by the server's clock) is held back, and all
// that stands behind it.
func (s *Store) Events(ctx context.Context, cursor string, limit int) (ended []jobs.Operation, next string, err error) {
	from, err := openEnd(cursor)
	if err != nil {
		return nil, "", err
	}
	next = endCursor(from)
	if limit <= 0 {
		return nil, next, ctx.Err()
	}
	rows, err := s.operations.docs.Aggregate(ctx, driver.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: fieldEnd, Value: bson.D{{Key: "$gt", Value: from}}}}}},
		{{Key: "$sort", Value: bson.D{{Key: fieldEnd, Value: 1}, {Key: fieldID, Value: 1}}}},
		{{Key: "$limit", Value: limit}},
		{{Key: "$set", Value: bson.D{{Key: "now", Value: "$$NOW"}}}},
	}, options.Aggregate().SetHint(indexEnds))
	if err != nil {
		return nil, "", failed(ctx, "list events", err)
	}
	defer rows.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what counts is cursor.Err
	for rows.Next(ctx) {
		now, _ := rows.Current.Lookup("now").DateTimeOK()
		at, _ := rows.Current.Lookup(fieldEndAt).DateTimeOK()
		if time.Duration(now-at)*time.Millisecond < s.lag {
			return ended, next, nil
		}
		o, _, err := decodeOperation(rows.Current)
		if err != nil {
			return nil, "", failed(ctx, "list events", err)
		}
		var end bson.Timestamp
		end.T, end.I, _ = rows.Current.Lookup(fieldEnd).TimestampOK()
		ended, next = append(ended, o), endCursor(end)
	}
	if err := rows.Err(); err != nil {
		return nil, "", failed(ctx, "list events", err)
	}
	return ended, next, nil
}

func endCursor(t bson.Timestamp) string { return fmt.Sprintf("%d.%d", t.T, t.I) }

func openEnd(cursor string) (t bson.Timestamp, err error) {
	if cursor == "" {
		return t, nil
	}
	a, b, ok := strings.Cut(cursor, ".")
	seconds, errA := strconv.ParseUint(a, 10, 32)
	count, errB := strconv.ParseUint(b, 10, 32)
	if !ok || errA != nil || errB != nil {
		return t, jobs.ErrBadCursor
	}
	return bson.Timestamp{T: uint32(seconds), I: uint32(count)}, nil
}

// Stats implements jobs.Desk: counts of index entries. The oldest claimable job is
// looked for among those that have not changed for longest.
func (s *Store) Stats(ctx context.Context, now time.Time) (jobs.Stats, error) {
	stats := jobs.Stats{Jobs: map[jobs.JobState]int64{}}
	for _, state := range allStates {
		n, err := s.count(ctx, s.jobs.docs, bson.D{{Key: "state", Value: state}}, indexStates)
		if err != nil {
			return jobs.Stats{}, err
		}
		if n > 0 {
			stats.Jobs[jobs.JobState(state.(string))] = n //nolint:forcetypeassert // see allStates
		}
	}
	var err error
	if stats.Waiting, err = s.count(ctx, s.operations.docs, bson.D{{Key: fieldOpen, Value: openWaiting}}, indexOpen); err != nil {
		return jobs.Stats{}, err
	}
	if stats.PendingEvents, err = s.count(ctx, s.operations.docs, bson.D{{Key: fieldOpen, Value: openUnsent}}, indexOpen); err != nil {
		return jobs.Stats{}, err
	}
	for _, state := range []jobs.JobState{jobs.JobPending, jobs.JobRetry} {
		if stats.Jobs[state] == 0 {
			continue
		}
		if err := s.oldest(ctx, state, now, &stats.OldestPending); err != nil {
			return jobs.Stats{}, err
		}
	}
	return stats, nil
}

// count uses the count command, which counts index entries without reading
// documents.
func (s *Store) count(ctx context.Context, c *driver.Collection, filter bson.D, hint string) (int64, error) {
	var answer struct {
		N int64 `bson:"n"`
	}
	err := s.database.RunCommand(ctx, bson.D{
		{Key: "count", Value: c.Name()}, {Key: "query", Value: filter}, {Key: "hint", Value: hint},
	}).Decode(&answer)
	if err != nil {
		return 0, failed(ctx, "count", err)
	}
	return answer.N, nil
}

// oldestAmong bounds the jobs that are looked at for the oldest.
const oldestAmong = 500

func (s *Store) oldest(ctx context.Context, state jobs.JobState, now time.Time, oldest *time.Time) error {
	rows, err := s.jobs.docs.Find(ctx, bson.D{{Key: "state", Value: string(state)}},
		options.Find().SetSort(bson.D{{Key: "updated_at", Value: 1}, {Key: fieldID, Value: 1}}).SetHint(indexStates).SetLimit(oldestAmong).
			SetBatchSize(oldestAmong).SetProjection(bson.D{{Key: "run_at", Value: 1}, {Key: "generation_at", Value: 1}}))
	if err != nil {
		return failed(ctx, "oldest job", err)
	}
	var some []struct {
		RunAt time.Time `bson:"run_at"`
		Asked time.Time `bson:"generation_at"`
	}
	if err := rows.All(ctx, &some); err != nil {
		return failed(ctx, "oldest job", err)
	}
	for _, j := range some {
		if !j.RunAt.After(now) && (oldest.IsZero() || j.Asked.Before(*oldest)) {
			*oldest = j.Asked.UTC()
		}
	}
	return nil
}

package dynamo_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/dynamo"
)

// operations sends commands in batches and wants them to change something.
func operations(tb testing.TB, s jobs.Store, commands []jobs.OperationCommand) {
	tb.Helper()
	for batch := range slices.Chunk(commands, 500) {
		outs, err := s.ApplyOperations(tb.Context(), batch)
		if err != nil {
			tb.Fatal(err)
		}
		for _, o := range outs {
			if o.Err != nil || !o.Changed {
				tb.Fatalf("%+v", o)
			}
		}
	}
}

// 10,000 operations wait for a song of which as many have ended: the pages bring
// each once, and cost what those that wait cost.
func TestManyWaiters(t *testing.T) {
	t.Parallel()
	n := scale("BUTAKERO_TEST_DYNAMODB_WAITING", 10_000)
	wire := newTap()
	s := open(t, settings(t, wire))
	key, now := randomKey(), time.Now()
	var puts, ends []jobs.OperationCommand
	want := map[string]bool{}
	for i := range 2 * n {
		id := jobs.NewOperationID(key.Song, entropy())
		puts = append(puts, jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: now, Operation: jobs.Operation{ID: id, Key: key, CreatedAt: now, DueAt: now}})
		if i%2 == 0 {
			ends = append(ends, jobs.OperationCommand{Kind: jobs.OperationFinish, ID: id, Now: now, State: jobs.OperationSucceeded, DueAt: now})
		} else {
			want[id] = true
		}
	}
	operations(t, s, puts)
	operations(t, s, ends)
	const page = 100
	wire.reset(nil)
	pages, last := 0, ""
	for {
		found, err := s.OperationsOf(t.Context(), key, jobs.OperationWaiting, last, page)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, o := range found {
			if o.ID <= last || !want[o.ID] {
				t.Fatalf("%s after %s", o.ID, last)
			}
			delete(want, o.ID)
			last = o.ID
		}
		if len(found) < page {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("%d were not listed", len(want))
	}
	if queries := wire.count(); queries > pages+1 {
		t.Errorf("%d queries for %d pages", queries, pages)
	}
}

// seed writes n operations that are due at the given times: the first as the
// store does it, and the rest like it in batches, past the store, for speed.
func seed(t *testing.T, o dynamo.Options, s *dynamo.Store, n int, due func(i int) time.Time) {
	t.Helper()
	put := func(i int) (jobs.Key, jobs.OperationCommand) {
		key := randomKey()
		id := jobs.NewOperationID(key.Song, entropy())
		return key, jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: due(0), Operation: jobs.Operation{ID: id, Key: key, CreatedAt: due(0), DueAt: due(i)}}
	}
	key, first := put(0)
	operations(t, s, []jobs.OperationCommand{first})
	c := client(o)
	like, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &o.OperationsTable, Key: texts("PK", key.Song.String(), "SK", first.ID)})
	if err != nil {
		t.Fatal(err)
	}
	var requests []types.WriteRequest
	for i := 1; i < n; i++ {
		key, c := put(i)
		one := maps.Clone(like.Item)
		maps.Copy(one, texts("PK", key.Song.String(), "SK", c.ID, "song", key.ID, "open", "waiting#"+c.ID, "due_shard", strconv.Itoa(i%4)))
		one["due_at"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(due(i).UnixNano(), 10)}
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: one}})
	}
	work := make(chan []types.WriteRequest)
	var writers sync.WaitGroup
	for range 16 {
		writers.Go(func() {
			for batch := range work {
				for len(batch) > 0 {
					out, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{o.OperationsTable: batch}})
					if err != nil {
						t.Error(err)
						break
					}
					batch = out.UnprocessedItems[o.OperationsTable]
				}
			}
		})
	}
	for batch := range slices.Chunk(requests, 25) {
		work <- batch
	}
	close(work)
	writers.Wait()
}

// 100,000 records are due: the reconciler gets the longest due of them, at the
// price of what it takes.
func TestManyDue(t *testing.T) {
	t.Parallel()
	n := scale("BUTAKERO_TEST_DYNAMODB_DUE", 100_000)
	wire := newTap()
	o := settings(t, wire)
	s := open(t, o)
	now := time.Now().Truncate(time.Millisecond)
	began := time.Now()
	seed(t, o, s, n, func(i int) time.Time { return now.Add(time.Duration(i) * time.Millisecond) })
	t.Logf("%d records in %s", n, time.Since(began).Round(time.Millisecond))
	const limit = 200
	for _, part := range []int{limit / 2, n / 2, n} {
		wire.reset(nil)
		began = time.Now()
		due, err := s.Due(t.Context(), now.Add(time.Duration(part-1)*time.Millisecond), limit)
		if err != nil || len(due.Operations) != min(limit, part) {
			t.Fatalf("%d due, %v", len(due.Operations), err)
		}
		for i, o := range due.Operations {
			if !o.DueAt.Equal(now.Add(time.Duration(i) * time.Millisecond)) {
				t.Fatalf("place %d of %d: due at %s", i, part, o.DueAt)
			}
		}
		if calls := wire.count(); calls > 12 {
			t.Errorf("%d of %d due: %d calls: %v", limit, part, calls, wire.counts)
		}
		t.Logf("%d of %d due in %s: %v", limit, part, time.Since(began).Round(time.Millisecond), wire.counts)
	}
}

// A page of the dead costs the same however many there are, with every filter.
func TestCostOfAPage(t *testing.T) {
	t.Parallel()
	wire := newTap()
	s := open(t, settings(t, wire))
	now := time.Now()
	made := 0
	die := func(n int) {
		var lives [3][]jobs.JobCommand
		for range n {
			key := randomKey()
			failure := &jobs.Failure{
				Class: jobs.ClassPermanent, Code: fmt.Sprint("code_", made%3), Host: "youtube", Stage: jobs.StageFetching, Extractor: "native", At: now,
			}
			made++
			for i, c := range []jobs.JobCommand{
				{Kind: jobs.JobEnsure, Requester: "guild"},
				{Kind: jobs.JobClaim, Token: "t", Until: now.Add(time.Minute)},
				{Kind: jobs.JobFail, Fence: 1, Token: "t", To: jobs.JobDead, Failure: failure},
			} {
				c.Key, c.Now = key, now.Add(time.Duration(made)*time.Second)
				lives[i] = append(lives[i], c)
			}
		}
		for _, commands := range lives {
			outs, err := s.ApplyJobs(t.Context(), commands)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range outs {
				if o.Err != nil || !o.Changed {
					t.Fatalf("%+v", o)
				}
			}
		}
	}
	filters := []jobs.JobFilter{
		{}, {State: jobs.JobDead}, {State: jobs.JobDead, Code: "code_1"}, {Class: jobs.ClassPermanent}, {Host: "youtube"}, {Stage: jobs.StageFetching},
		{Extractor: "native"}, {Requester: "guild"}, {State: jobs.JobDead, Requester: "guild", Code: "code_2"},
	}
	measure := func() (costs []int) {
		for _, f := range filters {
			wire.reset(nil)
			page, _, err := s.Jobs(t.Context(), f, "", 10)
			if err != nil || len(page) != 10 {
				t.Fatalf("%+v: %d jobs, %v", f, len(page), err)
			}
			costs = append(costs, wire.count())
		}
		return costs
	}
	die(60)
	few := measure()
	die(600)
	many := measure()
	for i := range filters {
		if many[i] > few[i]+4 {
			t.Errorf("%+v: %d calls among 60, %d among 660", filters[i], few[i], many[i])
		}
	}
	t.Logf("calls a page: %v, later %v", few, many)
}

package dynamo_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/dynamo"
	"github.com/butakero/butakero/internal/store/storetest"
	"github.com/butakero/butakero/test/servers/servers"
)

// settings are for tables of the test's own, behind a client that the test may
// disturb.
func settings(tb testing.TB, client aws.HTTPClient) dynamo.Options {
	tb.Helper()
	at := servers.DynamoDB(tb)
	name := "butakero-" + uniqueName()
	config := servers.AWS(tb, at)
	remover := dynamodb.NewFromConfig(config)
	tb.Cleanup(func() {
		for _, table := range []string{name + "-songs", name + "-operations"} {
			_, _ = remover.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table}) // some were never made
		}
	})
	config.HTTPClient = client
	return dynamo.Options{
		SongsTable: name + "-songs", OperationsTable: name + "-operations", CreateResources: true, DueEvery: -1, Config: &config,
	}
}

var names atomic.Int64

func uniqueName() string { return fmt.Sprintf("test-%x-%d", entropy(), names.Add(1)) }

func open(tb testing.TB, o dynamo.Options) *dynamo.Store {
	tb.Helper()
	s, err := dynamo.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func entropy() (e [8]byte) { _, _ = rand.Read(e[:]); return e }

func randomKey() jobs.Key {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var b [jobs.SongIDLength]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: string(b[:])}, Profile: jobs.DefaultProfile}
}

// scale is how much of a long test is run: a number from the environment.
func scale(name string, normal int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return normal
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobs.Backend { return open(t, settings(t, nil)) }, storetest.Features{
		Eventually: 20 * time.Second,
		Rounds:     scale("BUTAKERO_TEST_DYNAMODB_ROUNDS", 4),
		Commands:   scale("BUTAKERO_TEST_DYNAMODB_COMMANDS", 4000),
		Waiters:    scale("BUTAKERO_TEST_DYNAMODB_WAITERS", 1000),
	})
}

// The same against a server that returns the item with a condition that failed,
// as DynamoDB does and others do not: no refusal costs a read then.
func TestConformanceWithOldItems(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobs.Backend {
		wire := newTap()
		wire.olds = true
		return open(t, settings(t, wire))
	}, storetest.Features{Eventually: 20 * time.Second, Rounds: 1, Commands: 2500, Waiters: 200})
}

// apply sends one job command and wants it to change the record.
func apply(ctx context.Context, tb testing.TB, s jobs.Store, c jobs.JobCommand) jobs.Job {
	tb.Helper()
	outs, err := s.ApplyJobs(ctx, []jobs.JobCommand{c})
	if err != nil || outs[0].Err != nil || !outs[0].Changed {
		tb.Fatalf("%s: %+v, %v", c.Kind, outs, err)
	}
	return outs[0].Job
}

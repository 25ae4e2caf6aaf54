package mongo_test

import (
	"context"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/mongo"
	"github.com/butakero/butakero/internal/store/storetest"
	"github.com/butakero/butakero/test/servers/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobs.Backend { return open(t, mongo.Options{}) },
		storetest.Features{FanOut: true, Eventually: 10 * time.Second})
}

func address(tb testing.TB) string {
	tb.Helper()
	return servers.Mongo(tb)
}

// open opens a store on a database of the test's own.
func open(tb testing.TB, o mongo.Options) *mongo.Store {
	tb.Helper()
	if o.URI == "" {
		o.URI = address(tb)
	}
	if o.Database == "" {
		o.Database = database(tb, o.URI)
	}
	o.CreateResources = true
	if o.EventLag == 0 {
		o.EventLag = 500 * time.Millisecond
	}
	s, err := mongo.Open(tb.Context(), o)
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

// database names a fresh database and drops it after the test.
func database(tb testing.TB, uri string) string {
	tb.Helper()
	name := "butakero_test_" + jobs.RandomID()[:13]
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		client, err := driver.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			tb.Error(err)
			return
		}
		if err := client.Database(name).Drop(ctx); err != nil {
			tb.Logf("drop %s: %v", name, err) // its server may be gone
		}
		_ = client.Disconnect(ctx)
	})
	return name
}

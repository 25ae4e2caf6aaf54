package servers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// MongoSet is a replica set that belongs to one test.
type MongoSet struct {
	Address string // URI that names all members
	Members []*Server
}

// NewMongoSet starts a replica set of n members for this test alone, and returns when
// it has a primary and the rest follow it. A primary that goes is replaced after
// about 2 s.
func NewMongoSet(tb testing.TB, n int) *MongoSet {
	tb.Helper()
	set := &MongoSet{Members: make([]*Server, n)}
	for i := range set.Members {
		set.Members[i] = private(tb, mongo(), func(o *choices) { o.member = true })
	}
	hosts := make([]string, n)
	for i, m := range set.Members {
		hosts[i] = local(m.ports[0])
	}
	set.Address = mongoURI(hosts...)
	for _, m := range set.Members {
		m.Address = set.Address
	}
	err := hello(tb.Context(), hosts[0], func(ctx context.Context, admin *driver.Database) error { return initiate(ctx, admin, hosts...) })
	if err == nil {
		err = set.await(tb.Context(), func(primary *Server, secondaries int) bool { return primary != nil && secondaries == n-1 })
	}
	if err != nil {
		tb.Fatalf("server mongo can not be had: a set of %d: %v", n, err)
	}
	return set
}

// Primary is the member that takes writes now. It waits for an election.
func (set *MongoSet) Primary(tb testing.TB) *Server {
	tb.Helper()
	var found *Server
	err := set.await(tb.Context(), func(primary *Server, _ int) bool { found = primary; return primary != nil })
	if err != nil {
		tb.Fatalf("the set has no primary: %v", err)
	}
	return found
}

// await asks all members until their roles are as wanted.
func (set *MongoSet) await(ctx context.Context, wanted func(primary *Server, secondaries int) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		primary, secondaries, err := set.roles(ctx)
		if wanted(primary, secondaries) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not in time: %d secondaries", secondaries), err)
		case <-tick.C:
		}
	}
}

// roles asks every member that runs.
func (set *MongoSet) roles(ctx context.Context) (primary *Server, secondaries int, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, m := range set.Members {
		if !m.Running() {
			continue
		}
		all.Go(func() {
			var is state
			failed := hello(ctx, local(m.ports[0]), func(ctx context.Context, admin *driver.Database) (err error) {
				is, err = role(ctx, admin)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case failed != nil:
				err = errors.Join(err, failed)
			case is.Primary:
				primary = m
			case is.Secondary:
				secondaries++
			}
		})
	}
	all.Wait()
	return primary, secondaries, err
}

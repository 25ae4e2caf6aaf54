package mongo_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/mongo"
	"github.com/butakero/butakero/test/servers/servers"
)

// again applies a command until the store answers, as the use cases do.
func again(ctx context.Context, s jobs.Store, c jobs.JobCommand) (jobs.JobOutcome, error) {
	for {
		outs, err := s.ApplyJobs(ctx, []jobs.JobCommand{c})
		if err == nil {
			return outs[0], outs[0].Err
		}
		if !errors.Is(err, jobs.ErrUnavailable) || ctx.Err() != nil {
			return jobs.JobOutcome{}, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// The primary of three is killed among claims: every job is claimed once, by the
// one who was told so.
func TestElectionAmongClaims(t *testing.T) {
	t.Parallel()
	set := servers.NewMongoSet(t, 3)
	db := database(t, set.Address)
	const claimers, n = 8, 1500
	keys := ensure(t, open(t, mongo.Options{URI: set.Address, Database: db}), n)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var (
		mu       sync.Mutex
		winners  = map[jobs.Key][]string{}
		claims   int
		halfway  = make(chan struct{})
		gap      time.Duration
		last     = time.Now()
		claiming sync.WaitGroup
	)
	for c := range claimers {
		s := open(t, mongo.Options{URI: set.Address, Database: db, Timeout: 3 * time.Second})
		claiming.Go(func() {
			for i := range keys {
				c := claimCommand(keys[(i+c*n/claimers)%n], time.Now())
				_, err := again(ctx, s, c)
				if err != nil && !errors.Is(err, jobs.ErrBusy) {
					t.Error(err)
					return
				}
				if err != nil {
					continue
				}
				mu.Lock()
				winners[c.Key] = append(winners[c.Key], c.Token)
				gap, last = max(gap, time.Since(last)), time.Now()
				if claims++; claims == n/3 {
					close(halfway)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-halfway:
	case <-ctx.Done():
		t.Fatal("no claims")
	}
	set.Primary(t).Kill()
	claiming.Wait()
	s := open(t, mongo.Options{URI: set.Address, Database: db})
	for _, key := range keys {
		j, err := s.Job(t.Context(), key)
		if err != nil || len(winners[key]) != 1 || j.Token != winners[key][0] || j.Fence != 1 {
			t.Fatalf("%s: winners %v, record %+v, %v", key, winners[key], j, err)
		}
	}
	t.Logf("%d claims over an election, 0 lost, 0 doubled, longest gap %s", claims, gap.Round(time.Millisecond))
}

// What was acknowledged is there after kill -9.
func TestKilledAmongWrites(t *testing.T) {
	t.Parallel()
	server := servers.NewMongo(t)
	s := open(t, mongo.Options{URI: server.Address, Timeout: 2 * time.Second})
	var (
		mu      sync.Mutex
		kept    []jobs.Key
		enough  = make(chan struct{})
		writing sync.WaitGroup
	)
	for w := range 16 {
		writing.Go(func() {
			for {
				now := time.Now()
				var commands []jobs.JobCommand
				for range 1 + w%3*8 {
					commands = append(commands, jobs.JobCommand{Kind: jobs.JobEnsure, Key: randomKey(), Now: now, DueAt: now})
				}
				outs, err := s.ApplyJobs(t.Context(), commands)
				if err != nil {
					if !errors.Is(err, jobs.ErrUnavailable) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				for _, o := range outs {
					kept = append(kept, o.Job.Key)
				}
				if len(kept) >= 3000 && len(kept)-len(outs) < 3000 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	server.Kill()
	writing.Wait()
	if err := s.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("ping of a dead server: %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, mongo.Options{URI: server.Address, Database: s.Database()})
	for _, key := range kept {
		if _, err := fresh.Job(t.Context(), key); err != nil {
			t.Fatalf("%s was acknowledged: %v", key, err)
		}
	}
	t.Logf("%d acknowledged, 0 lost", len(kept))
}

// A step whose answer is lost, whether or not it was applied, is one step.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	server := servers.NewMongo(t)
	admin, err := driver.Connect(options.Client().ApplyURI(server.Address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Disconnect(context.WithoutCancel(t.Context())) })
	fail := func(how bson.E) {
		t.Helper()
		data := bson.D{{Key: "failCommands", Value: bson.A{"update", "insert", "findAndModify"}}, {Key: "appName", Value: "victim"}, how}
		if how.Key == "writeConcernError" {
			data = append(data, bson.E{Key: "errorLabels", Value: bson.A{"RetryableWriteError"}})
		}
		err := admin.Database("admin").RunCommand(t.Context(), bson.D{
			{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: bson.D{{Key: "times", Value: 1}}}, {Key: "data", Value: data},
		}).Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	db := database(t, server.Address)
	s := open(t, mongo.Options{URI: server.Address + "&appName=victim", Database: db})
	for name, how := range map[string]bson.E{
		"cut before it was applied": {Key: "closeConnection", Value: true},
		"no answer after it was":    {Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "waiting for the majority timed out"}}},
		"refused for a moment":      {Key: "errorCode", Value: 262},
	} {
		for _, n := range []int{1, 5} { // alone, and in a batch
			var ensures, claims, commits []jobs.JobCommand
			var puts []jobs.OperationCommand
			now := time.Now()
			for range n {
				key := randomKey()
				id := jobs.NewOperationID(key.Song, entropy())
				puts = append(puts, jobs.OperationCommand{Kind: jobs.OperationPut, ID: id, Now: now, Operation: jobs.Operation{ID: id, Key: key, CreatedAt: now, DueAt: now}})
				ensures = append(ensures, jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now})
				claims = append(claims, claimCommand(key, now))
			}
			step := func(commands []jobs.JobCommand) []jobs.JobOutcome {
				t.Helper()
				fail(how)
				outs, err := s.ApplyJobs(t.Context(), commands)
				if err != nil {
					t.Fatalf("%s, %d at a time: %s: %v", name, n, commands[0].Kind, err)
				}
				for _, o := range outs {
					if o.Err != nil {
						t.Fatalf("%s, %d at a time: %s: %+v", name, n, commands[0].Kind, o)
					}
				}
				return outs
			}
			fail(how)
			if outs, err := s.ApplyOperations(t.Context(), puts); err != nil || outs[0].Err != nil {
				t.Fatalf("%s: put: %v", name, err)
			}
			step(ensures)
			for i, o := range step(claims) {
				if o.Job.Fence != 1 || o.Job.Attempt != 1 || o.Job.Token != claims[i].Token {
					t.Fatalf("%s: claimed %+v", name, o.Job)
				}
				commits = append(commits, jobs.JobCommand{
					Kind: jobs.JobCommit, Key: o.Job.Key, Now: now, Fence: o.Job.Fence, Token: o.Job.Token, Result: &jobs.Result{Path: "p"}, FanOut: 10, DueAt: now,
				})
			}
			for i, o := range step(commits) {
				if o.Job.State != jobs.JobDone || len(o.Finished) != 1 || o.Finished[0].ID != puts[i].ID || !o.Closed {
					t.Fatalf("%s: committed %+v", name, o)
				}
			}
		}
	}
}

// A server that does not answer is unavailable after the timeout, and well again
// when it answers.
func TestSilence(t *testing.T) {
	t.Parallel()
	server := servers.NewMongo(t)
	s := open(t, mongo.Options{URI: server.Address, Timeout: time.Second})
	key := ensure(t, s, 1)[0]
	server.Pause()
	began := time.Now()
	_, err := s.Job(t.Context(), key)
	server.Resume()
	if !errors.Is(err, jobs.ErrUnavailable) || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if _, err := s.Job(t.Context(), key); err != nil {
		t.Error(err)
	}
}

// Package storetest is the conformance suite of store adapters: what the
// protocol of package jobs relies on, wherever the records are kept. An
// adapter's test calls [Run] with a function that opens an empty backend.
//
// # What is compared
//
// [jobs.Transition] and [jobs.TransitionOperation] are the contract. Nearly every
// command of the suite is therefore checked twice: by a literal expectation of
// the test and, field by field, against what these functions make of the record
// that was read before. Thousands of random commands on random records follow
// (see [Generator]).
//
// # Times
//
// An adapter keeps times to the millisecond or finer. Everything is compared
// after truncation to milliseconds, in UTC. Texts are valid UTF-8 and come back
// as they went in.
package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Features says what an adapter does beyond the contract, and how much of the
// suite its engine can stand. The zero value asks for the whole of it.
type Features struct {
	// FanOut: the adapter heeds JobCommand.FanOut.
	FanOut bool

	// Eventually is how long what may be stale (Due, the Desk's lists, Stats) may
	// lag behind: those are asked again until then. 0: not at all.
	Eventually time.Duration

	// Unordered: what is due comes in no order (a sharded index).
	Unordered bool

	Rounds   int // of each race; 20
	Racers   int // in each race; 64
	Commands int // of the random comparison; 6000
	Waiters  int // operations that wait for one job; 2500
}

// Open returns an empty backend that lives as long as the test. The suite calls
// it about fifteen times.
type Open func(t *testing.T) jobs.Backend

// Run runs the suite.
func Run(t *testing.T, open Open, f Features) {
	t.Helper()
	fill(&f.Rounds, 20)
	fill(&f.Racers, 64)
	fill(&f.Commands, 6000)
	fill(&f.Waiters, 2500)
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Jobs", jobTests},
		{"Operations", operationTests},
		{"Replay", replayTests},
		{"Batches", batchTests},
		{"Records", recordTests},
		{"Races", raceTests},
		{"Pages", pageTests},
		{"FanOut", fanOutTests},
		{"Due", dueTests},
		{"Desk", deskTests},
		{"Events", eventTests},
		{"Stats", statsTests},
		{"Notes", noteTests},
		{"Random", randomTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			var shared jobs.Backend
			for _, test := range group.tests {
				if test.alone {
					t.Run(test.name, func(t *testing.T) { test.run(newSuite(t, open(t), f)) })
					continue
				}
				if shared == nil {
					shared = open(t)
				}
				t.Run(test.name, func(t *testing.T) { test.run(newSuite(t, shared, f)) })
			}
		})
	}
}

func fill(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

// test is one test of the suite. Those that are alone need a backend that holds
// nothing else; the others share one with their group, under keys of their own.
type test struct {
	name  string
	alone bool
	run   func(s *suite)
}

// suite is what every test has at hand.
type suite struct {
	*testing.T
	b   jobs.Backend
	f   Features
	ctx context.Context
	now time.Time // some moment near the present, in whole milliseconds
}

func newSuite(t *testing.T, b jobs.Backend, f Features) *suite {
	return &suite{T: t, b: b, f: f, ctx: t.Context(), now: time.Now().UTC().Truncate(time.Millisecond)}
}

// at is so long after the test's moment.
func (s *suite) at(d time.Duration) time.Time { return s.now.Add(d) }

const (
	songAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	lease        = time.Minute
	margin       = 5 * time.Second
)

// newKey returns a key that nobody else has.
func newKey() jobs.Key {
	var id [jobs.SongIDLength]byte
	for i := range id {
		id[i] = songAlphabet[rand.IntN(len(songAlphabet))]
	}
	return jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: string(id[:])}, Profile: jobs.DefaultProfile}
}

func newOperationID(song jobs.Song) string {
	var e [8]byte
	for i := range e {
		e[i] = byte(rand.IntN(256))
	}
	return jobs.NewOperationID(song, e)
}

// job applies one command, holds outcome and record against jobs.Transition and
// returns the outcome. Nobody else may write to the record meanwhile.
func (s *suite) job(c jobs.JobCommand) jobs.JobOutcome {
	s.Helper()
	before := s.readJob(c.Key)
	out := s.applyJob(c)
	want, changed, refusal := jobs.Transition(before, c)
	s.sameJobOutcome(string(c.Kind), jobs.JobOutcome{Job: want, Changed: changed, Err: refusal}, out)
	s.same(string(c.Kind)+": the record afterwards", normalJob(want), normalJob(s.readJob(c.Key)))
	return out
}

func (s *suite) applyJob(c jobs.JobCommand) jobs.JobOutcome {
	s.Helper()
	outs, err := s.b.ApplyJobs(s.ctx, []jobs.JobCommand{c})
	if err != nil || len(outs) != 1 {
		s.Fatalf("%s: %d outcomes, %v", c.Kind, len(outs), err)
	}
	return outs[0]
}

// readJob returns the record, or the zero Job if there is none.
func (s *suite) readJob(key jobs.Key) jobs.Job {
	s.Helper()
	j, err := s.b.Job(s.ctx, key)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		s.Fatalf("read job %s: %v", key, err)
	}
	return j
}

// operation is to operations what job is to jobs.
func (s *suite) operation(c jobs.OperationCommand) jobs.OperationOutcome {
	s.Helper()
	before := s.readOperation(c.ID)
	out := s.applyOperation(c)
	want, changed, refusal := jobs.TransitionOperation(before, c)
	s.sameOperationOutcome(string(c.Kind), jobs.OperationOutcome{Operation: want, Changed: changed, Err: refusal}, out)
	s.same(string(c.Kind)+": the record afterwards", normalOperation(want), normalOperation(s.readOperation(c.ID)))
	return out
}

func (s *suite) applyOperation(c jobs.OperationCommand) jobs.OperationOutcome {
	s.Helper()
	outs, err := s.b.ApplyOperations(s.ctx, []jobs.OperationCommand{c})
	if err != nil || len(outs) != 1 {
		s.Fatalf("%s: %d outcomes, %v", c.Kind, len(outs), err)
	}
	return outs[0]
}

func (s *suite) readOperation(id string) jobs.Operation {
	s.Helper()
	o, err := s.b.Operation(s.ctx, id)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		s.Fatalf("read operation %s: %v", id, err)
	}
	return o
}

// eventually asks again until ask returns "" or the engine's lag is over.
func (s *suite) eventually(ask func() string) {
	s.Helper()
	deadline := time.Now().Add(s.f.Eventually)
	for {
		wrong := ask()
		if wrong == "" {
			return
		}
		if !time.Now().Before(deadline) {
			s.Fatal(wrong)
		}
		<-time.After(20 * time.Millisecond)
	}
}

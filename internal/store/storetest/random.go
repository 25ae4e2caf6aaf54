package storetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var randomTests = []test{
	{name: "Jobs", run: testRandomJobs},
	{name: "Operations", run: testRandomOperations},
}

var jobKinds = []jobs.JobCommandKind{
	jobs.JobEnsure, jobs.JobRing, jobs.JobClaim, jobs.JobRenew, jobs.JobCommit, jobs.JobFail,
	jobs.JobCancel, jobs.JobReplay, jobs.JobReopened, jobs.JobClose, jobs.JobDiscard,
}

var operationKinds = []jobs.OperationCommandKind{
	jobs.OperationPut, jobs.OperationFinish, jobs.OperationAnnounced, jobs.OperationDefer, jobs.OperationReopen,
}

// Generator makes random commands that are likely to matter: their fields are
// drawn from what the record holds, one beside it, or anything.
type Generator struct {
	*rand.Rand
	Start time.Time // the range of all times begins here
}

// Job returns a command on a job that was last seen as j.
func (g Generator) Job(key jobs.Key, j jobs.Job) jobs.JobCommand {
	now := g.time(j.RunAt, j.DueAt, j.LeaseUntil, j.ForgetAt)
	c := jobs.JobCommand{
		Kind: pick(g, jobKinds), Key: key, Now: now,
		Generation: g.near(j.Generation), Fence: g.near(j.Fence), Token: pick(g, []string{j.Token, j.Token, j.Token, g.word(), ""}),
		Owner: g.word(), Until: now.Add(g.span()), Margin: pick(g, []time.Duration{0, 5 * time.Second}), MaxCrashes: 1 + g.IntN(4),
		DueAt: now.Add(g.span()), Stage: pick(g, []jobs.Stage{"", jobs.StageFetching, jobs.StageStoring}),
		Progress: jobs.Progress{Done: g.Int64N(1 << 30), Total: g.Int64N(1 << 31)}, Info: g.info(),
		To:    pick(g, []jobs.JobState{jobs.JobRetry, jobs.JobPending, jobs.JobDead, jobs.JobRetry, jobs.JobPending, jobs.JobDead, jobs.JobDone, ""}),
		RunAt: pick(g, []time.Time{{}, now, now.Add(g.span())}), ForgetAt: pick(g, []time.Time{{}, now.Add(g.span())}),
		Refund: g.IntN(2) == 0, Crash: g.IntN(3) == 0, Requester: g.word(), Trace: g.word(),
	}
	if j.State.Ended() && g.IntN(2) == 0 { // ends are rare to get out of
		c.Kind = pick(g, []jobs.JobCommandKind{jobs.JobEnsure, jobs.JobReplay, jobs.JobReopened, jobs.JobClose, jobs.JobDiscard})
	}
	if c.Kind == jobs.JobClaim {
		c.Token = pick(g, []string{g.word(), g.word(), j.Token})
	}
	if g.IntN(4) > 0 {
		c.Failure = g.failure(now)
		c.Result = g.result()
	}
	if g.IntN(8) == 0 {
		c.DueAt = time.Time{}
	}
	return c
}

// Operation returns a command on an operation of a key that was last seen as o.
func (g Generator) Operation(id string, key jobs.Key, o jobs.Operation) jobs.OperationCommand {
	now := g.time(o.DueAt, o.EndedAt)
	c := jobs.OperationCommand{
		Kind: pick(g, operationKinds), ID: id, Now: now, Generation: pick(g, []int64{o.Generation, o.Generation, g.near(o.Generation)}),
		State: pick(g, []jobs.OperationState{
			jobs.OperationFailed, jobs.OperationFailed, jobs.OperationFailed, jobs.OperationSucceeded, jobs.OperationCancelled, jobs.OperationWaiting, "",
		}),
		JobGeneration: pick(g, []int64{g.near(o.JobGeneration), g.near(o.After), g.Int64N(5)}), Attempts: g.IntN(9),
		DueAt: now.Add(g.span()), ExpireAt: now.Add(1000 * time.Hour),
		Operation: jobs.Operation{
			ID: id, Key: key, Requester: g.word(), Text: g.word(), CreatedAt: now, DueAt: now.Add(g.span()),
			After: g.Int64N(2), State: jobs.OperationSucceeded, Generation: 9,
		},
	}
	if g.IntN(2) == 0 {
		c.Failure = g.failure(now)
	} else {
		c.Result = g.result()
	}
	if g.IntN(8) == 0 {
		c.DueAt = time.Time{}
	}
	return c
}

func pick[T any](g Generator, from []T) T { return from[g.IntN(len(from))] }

func (g Generator) near(n int64) int64 { return max(0, n+pick(g, []int64{0, 0, 0, 0, -1, 1})) }

func (g Generator) word() string {
	return pick(g, []string{"", "a", "b", "worker-1", "ñ 東京 🎵", fmt.Sprint(g.IntN(1000)), "it's \"quoted\"\n"})
}

func (g Generator) span() time.Duration {
	return time.Duration(g.IntN(120_000)-10_000) * time.Millisecond
}

// time is any moment, or one at the edge of a time that the record holds.
func (g Generator) time(edges ...time.Time) time.Time {
	if e := pick(g, edges); !e.IsZero() && g.IntN(2) == 0 {
		return e.Add(pick(g, []time.Duration{0, -time.Millisecond, time.Millisecond, 5 * time.Second, 5*time.Second - time.Millisecond}))
	}
	return g.Start.Add(time.Duration(g.IntN(600_000)) * time.Millisecond)
}

func (g Generator) info() jobs.SongInfo {
	return jobs.SongInfo{Title: g.word(), Artist: g.word(), URL: g.word(), Thumbnail: g.word(), Duration: time.Duration(g.IntN(3)) * time.Second}
}

func (g Generator) failure(at time.Time) *jobs.Failure {
	return &jobs.Failure{
		Class: pick(g, []jobs.Class{jobs.ClassPermanent, jobs.ClassTransient, jobs.ClassPanic}), Code: g.word(), Message: g.word(), Detail: g.word(),
		Stage: jobs.StageFetching, Host: g.word(), Worker: g.word(), Extractor: g.word(), Attempt: g.IntN(9), Generation: g.Int64N(4), At: at, RetryAt: pick(g, []time.Time{{}, at.Add(time.Second)}),
	}
}

func (g Generator) result() *jobs.Result {
	return &jobs.Result{
		Path: g.word(), Bytes: g.Int64N(1 << 40), SHA256: g.word(), Frames: g.Int64N(1 << 20), Duration: time.Duration(g.IntN(1 << 40)),
		Transcoded: g.IntN(2) == 0, Info: g.info(),
	}
}

// seeded returns a generator whose seed is in the test's log.
func (s *suite) seeded() Generator {
	seed := rand.Uint64()
	s.Logf("seed %d", seed)
	return Generator{Rand: rand.New(rand.NewPCG(seed, 0)), Start: s.now}
}

// testRandomJobs sends random commands, in batches of random size, and holds
// every outcome, and in the end every record, against the model.
func testRandomJobs(s *suite) {
	g := s.seeded()
	keys := make([]jobs.Key, 40)
	for i := range keys {
		keys[i] = newKey()
	}
	model := map[jobs.Key]jobs.Job{}
	counts := map[string]int{}
	for sent := 0; sent < s.f.Commands; {
		var commands []jobs.JobCommand
		for _, i := range g.Perm(len(keys))[:1+g.IntN(12)] { // each record once: the order within a batch is the engine's
			commands = append(commands, g.Job(keys[i], model[keys[i]]))
		}
		for i, out := range s.applyJobs(commands) {
			c := commands[i]
			before := model[c.Key]
			next, changed, err := jobs.Transition(before, c)
			if wrong := differentJobOutcome(jobs.JobOutcome{Job: next, Changed: changed, Err: err}, out); wrong != "" {
				s.Fatalf("command %d: %s\nrecord:  %+v\ncommand: %+v", sent+i, wrong, before, c)
			}
			model[c.Key] = next
			counts[fmt.Sprintf("%s changed=%t %v", c.Kind, changed, err)]++
		}
		sent += len(commands)
	}
	for _, key := range keys {
		s.same("in the end", normalJob(model[key]), normalJob(s.readJob(key)))
	}
	s.covered(counts, jobKinds)
}

func testRandomOperations(s *suite) {
	g := s.seeded()
	keys := make([]jobs.Key, 40)
	ids := make([]string, len(keys))
	for i := range keys {
		keys[i] = newKey()
		ids[i] = newOperationID(keys[i].Song)
	}
	model := map[string]jobs.Operation{}
	counts := map[string]int{}
	for sent := 0; sent < s.f.Commands; {
		var commands []jobs.OperationCommand
		for _, i := range g.Perm(len(keys))[:1+g.IntN(12)] {
			commands = append(commands, g.Operation(ids[i], keys[i], model[ids[i]]))
			if g.IntN(30) == 0 { // a new one, as the old ones end
				ids[i] = newOperationID(keys[i].Song)
			}
		}
		for i, out := range s.applyOperations(commands) {
			c := commands[i]
			before := model[c.ID]
			next, changed, err := jobs.TransitionOperation(before, c)
			if wrong := differentOperationOutcome(jobs.OperationOutcome{Operation: next, Changed: changed, Err: err}, out); wrong != "" {
				s.Fatalf("command %d: %s\nrecord:  %+v\ncommand: %+v", sent+i, wrong, before, c)
			}
			model[c.ID] = next
			counts[fmt.Sprintf("%s changed=%t %v", c.Kind, changed, err)]++
		}
		sent += len(commands)
	}
	for id, want := range model {
		s.same("in the end", normalOperation(want), normalOperation(s.readOperation(id)))
	}
	s.covered(counts, operationKinds)
}

// covered checks that the commands were worth something: every kind changed a
// record at some time.
func (s *suite) covered(counts map[string]int, kinds any) {
	s.Helper()
	for outcome, n := range counts {
		s.Logf("%6d %s", n, outcome)
	}
	for _, kind := range kindNames(kinds) {
		if counts[kind+" changed=true <nil>"] == 0 {
			s.Errorf("no random %s changed anything: more commands are needed", kind)
		}
	}
}

func kindNames(kinds any) (names []string) {
	switch kinds := kinds.(type) {
	case []jobs.JobCommandKind:
		for _, k := range kinds {
			names = append(names, string(k))
		}
	case []jobs.OperationCommandKind:
		for _, k := range kinds {
			names = append(names, string(k))
		}
	}
	return names
}

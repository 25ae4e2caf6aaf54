package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var batchTests = []test{
	{name: "Empty", run: testEmptyBatch},
	{name: "MixedOutcomes", run: testMixedOutcomes},
	{name: "OneKeyTwice", run: testOneKeyTwice},
	{name: "OneOperationTwice", run: testOneOperationTwice},
	{name: "Cancelled", run: testCancelledContext},
}

var recordTests = []test{
	{name: "Texts", run: testTexts},
	{name: "LongTexts", run: testLongTexts},
	{name: "Numbers", run: testNumbers},
	{name: "Precision", run: testPrecision},
	{name: "Profiles", run: testProfiles},
}

func testEmptyBatch(s *suite) {
	if outs := s.applyJobs(nil); len(outs) != 0 {
		s.Fatalf("%d outcomes", len(outs))
	}
	if outs := s.applyOperations([]jobs.OperationCommand{}); len(outs) != 0 {
		s.Fatalf("%d outcomes", len(outs))
	}
}

// Outcomes come in the order of the commands, and one refusal is nobody else's.
func testMixedOutcomes(s *suite) {
	for range 3 {
		pending, running, done := s.pending(), s.running(), s.done()
		fresh, nowhere := newKey(), newKey()
		outs := s.applyJobs([]jobs.JobCommand{
			s.claimCommand(done.Key, "t", s.now), s.claimCommand(pending.Key, "t", s.now), s.claimCommand(nowhere, "t", s.now),
			s.claimCommand(running.Key, "t", s.now), s.ensureCommand(fresh), s.closeCommand(done),
		})
		for i, want := range []error{jobs.ErrEnded, nil, jobs.ErrNotFound, jobs.ErrBusy, nil, nil} {
			if !sameError(want, outs[i].Err) || outs[i].Changed != (want == nil) {
				s.Fatalf("outcome %d: %+v, want %v", i, outs[i], want)
			}
		}
		if outs[1].Job.Key != pending.Key || outs[4].Job.Key != fresh || outs[0].Job.Key != done.Key {
			s.Fatal("the outcomes are not in the order of the commands")
		}
	}
	var commands []jobs.OperationCommand
	for i := range 120 { // more than any engine takes in one batch
		c := s.putCommand(newKey())
		if i%3 == 1 {
			c = jobs.OperationCommand{Kind: jobs.OperationDefer, ID: newOperationID(newKey().Song), Now: s.now, DueAt: s.now}
		}
		commands = append(commands, c)
	}
	for i, out := range s.applyOperations(commands) {
		if i%3 == 1 {
			s.refused(out.Err, jobs.ErrNotFound)
			continue
		}
		s.succeeded(out.Changed, out.Err)
		if out.Operation.ID != commands[i].ID {
			s.Fatal("the outcomes are not in the order of the commands")
		}
	}
}

// Commands of one call on one record are still one write after the other, in
// some order.
func testOneKeyTwice(s *suite) {
	key := newKey()
	made := 0
	for _, out := range s.applyJobs([]jobs.JobCommand{s.ensureCommand(key), s.ensureCommand(key), s.ensureCommand(key)}) {
		if out.Err != nil || out.Job.Generation != 1 {
			s.Fatalf("%+v", out)
		}
		if out.Changed {
			made++
		}
	}
	if made != 1 {
		s.Fatalf("the job was made %d times", made)
	}
	var claims []jobs.JobCommand
	for i := range 5 {
		claims = append(claims, s.claimCommand(key, fmt.Sprintf("t%d", i), s.now))
	}
	won := 0
	for _, out := range s.applyJobs(claims) {
		if out.Err == nil {
			won++
			continue
		}
		s.refused(out.Err, jobs.ErrBusy)
	}
	if j := s.readJob(key); won != 1 || j.Fence != 1 {
		s.Fatalf("%d claims of one call won, fence %d", won, j.Fence)
	}
}

func testOneOperationTwice(s *suite) {
	put := s.putCommand(newKey())
	other := put
	other.Operation.Text = "other"
	changed := 0
	outs := s.applyOperations([]jobs.OperationCommand{put, other, put})
	for _, out := range outs {
		if out.Err != nil {
			s.Fatal(out.Err)
		}
		if out.Changed {
			changed++
		}
	}
	if changed != 1 {
		s.Fatalf("put %d times", changed)
	}
	o := s.readOperation(put.ID)
	succeed := jobs.FinishCommand(s.done(), o, s.now, s.now)
	ended := 0
	for _, out := range s.applyOperations([]jobs.OperationCommand{s.failOperation(o, 1), succeed}) {
		if out.Err == nil {
			ended++
			continue
		}
		s.refused(out.Err, jobs.ErrEnded)
	}
	if ended != 1 {
		s.Fatalf("ended %d times", ended)
	}
}

func testCancelledContext(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	j := s.pending()
	key := newKey()
	calls := map[string]func() error{
		"ApplyJobs": func() error { _, err := s.b.ApplyJobs(ctx, []jobs.JobCommand{s.ensureCommand(key)}); return err },
		"ApplyOperations": func() error {
			_, err := s.b.ApplyOperations(ctx, []jobs.OperationCommand{s.putCommand(key)})
			return err
		},
		"Job":          func() error { _, err := s.b.Job(ctx, j.Key); return err },
		"Operation":    func() error { _, err := s.b.Operation(ctx, newOperationID(key.Song)); return err },
		"OperationsOf": func() error { _, err := s.b.OperationsOf(ctx, key, jobs.OperationWaiting, "", 1); return err },
		"Due":          func() error { _, err := s.b.Due(ctx, s.now, 1); return err },
		"Jobs":         func() error { _, _, err := s.b.Jobs(ctx, jobs.JobFilter{}, "", 1); return err },
		"Events":       func() error { _, _, err := s.b.Events(ctx, "", 1); return err },
		"Stats":        func() error { _, err := s.b.Stats(ctx, s.now); return err },
		"Note":         func() error { _, err := s.b.Note(ctx, "k"); return err },
		"SwapNote":     func() error { _, err := s.b.SwapNote(ctx, jobs.Note{Key: "k"}); return err },
		"ListNotes":    func() error { _, err := s.b.ListNotes(ctx, "k", "", 1); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			s.Errorf("%s under a cancelled context: %v", name, err)
		}
	}
}

var texts = []string{
	"Über-Fußgänger ñandú", "東京事変 – 群青日和", "🎵👩‍👩‍👧‍👦🎶", "שלום \u202e right to left", "e\u0301 and \u00e9 differ", "a\tb\r\nc",
	`"quotes" 'and' back\slashes; DROP TABLE jobs; -- {"$set": 1} #{x} :y ?`, " leading and trailing ", "\u00a0\ufeff", "%_*?[a]",
}

func testTexts(s *suite) {
	for _, text := range texts {
		c := s.ensureCommand(newKey())
		c.Info = jobs.SongInfo{Title: text, Artist: text, URL: text, Thumbnail: text}
		c.Requester, c.Trace = text, text
		s.job(c)
		claim := s.claimCommand(c.Key, text, s.now)
		claim.Owner = text
		j := s.job(claim).Job
		fail := s.failCommand(j, jobs.JobDead)
		fail.Failure.Message, fail.Failure.Detail, fail.Failure.Host, fail.Failure.Worker = text, text, text, text
		s.job(fail) // held against the model, field by field
		put := s.putCommand(c.Key)
		put.Operation.Text, put.Operation.Requester = text, text
		s.operation(put)
		end := s.failOperation(s.readOperation(put.ID), 1)
		end.Failure.Message = text
		if out := s.operation(end); out.Operation.Text != text || out.Operation.Failure.Message != text {
			s.Errorf("%q came back as %q", text, out.Operation.Text)
		}
	}
}

func testLongTexts(s *suite) {
	long := strings.Repeat("ñ🎵", 5000)
	c := s.ensureCommand(newKey())
	c.Info.Title, c.Info.URL = long, long
	s.job(c)
	j := s.job(s.claimCommand(c.Key, "t", s.now)).Job
	for i := range jobs.HistoryLimit {
		fail := s.failCommand(j, jobs.JobRetry)
		fail.Failure.Detail = strings.Repeat("x", jobs.DetailLimit)
		s.job(fail)
		j = s.job(s.claimCommand(c.Key, fmt.Sprintf("t%d", i), s.at(time.Hour))).Job
	}
	put := s.putCommand(c.Key)
	put.Operation.Text = long
	s.operation(put)
}

func testNumbers(s *suite) {
	j := s.running()
	c := s.commitCommand(j)
	c.Result = &jobs.Result{Path: "p", Bytes: math.MaxInt64, Frames: math.MaxInt64 - 1, Duration: math.MaxInt64, Info: jobs.SongInfo{Duration: time.Nanosecond}}
	if out := s.job(c); *out.Job.Result != *c.Result {
		s.Fatalf("%+v", out.Job.Result)
	}
	empty := s.commitCommand(s.running())
	empty.Result = &jobs.Result{}
	s.job(empty)
}

// Times come back to the millisecond, whatever zone they were given in.
func testPrecision(s *suite) {
	zone := time.FixedZone("far", -11*3600)
	now := s.now.Add(123456 * time.Nanosecond).In(zone)
	c := s.ensureCommand(newKey())
	c.Now, c.DueAt, c.RunAt = now, now.Add(time.Hour), now.Add(time.Minute)
	s.job(c)
	j := s.readJob(c.Key)
	for name, pair := range map[string][2]time.Time{
		"created_at": {j.CreatedAt, now}, "due_at": {j.DueAt, c.DueAt}, "run_at": {j.RunAt, c.RunAt}, "updated_at": {j.UpdatedAt, now},
	} {
		if !pair[0].Truncate(time.Millisecond).Equal(pair[1].Truncate(time.Millisecond)) {
			s.Errorf("%s is %s, was %s", name, pair[0], pair[1])
		}
	}
	if !j.EndedAt.IsZero() || !j.LeaseUntil.IsZero() || !j.ForgetAt.IsZero() {
		s.Errorf("times that are not set came back as %s, %s, %s", j.EndedAt, j.LeaseUntil, j.ForgetAt)
	}
	// A millisecond before run_at is too early, the time itself is not.
	s.refused(s.applyJob(s.claimCommand(c.Key, "t", c.RunAt.Add(-time.Millisecond))).Err, jobs.ErrNotDue)
	out := s.applyJob(s.claimCommand(c.Key, "t", c.RunAt.Add(time.Millisecond)))
	s.succeeded(out.Changed, out.Err)
}

func testProfiles(s *suite) {
	key := newKey()
	first := s.waiting(key)
	low, demo := key, key
	low.Profile, demo.Platform = "low", jobs.PlatformDemo
	second, third := s.waiting(low), s.waiting(demo)
	s.listed(key, jobs.OperationWaiting, first.ID)
	s.listed(low, jobs.OperationWaiting, second.ID)
	s.listed(demo, jobs.OperationWaiting, third.ID)
}

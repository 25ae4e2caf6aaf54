package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// desk is what operators sit at.
type desk struct {
	*world
	pauses     *jobs.Pauses
	audit      *jobs.Audit
	bulks      *jobs.Bulks
	quarantine *jobs.Quarantine
}

func deskOf(w *world) desk {
	d := desk{world: w, pauses: jobs.NewPauses(w.store, 0, nil), audit: jobs.NewAudit(w.store, nil), quarantine: jobs.NewQuarantine(w.store, w.store, w.bell)}
	d.bulks = d.another("first")
	return d
}

func (d desk) another(worker string) *jobs.Bulks {
	return jobs.NewBulks(jobs.BulksConfig{
		Store: d.store, Desk: d.store, Notes: d.store, Operator: d.operator, Audit: d.audit, Worker: worker,
	})
}

// die makes n dead jobs of a code.
func (d desk) die(n int, name string, failure error) (keys []jobs.Key) {
	d.t.Helper()
	stop := d.work(&steps{do: []step{fails(failure)}})
	for i := range n {
		text := fmt.Sprintf("%s%d", name, i)
		if o := d.ended(d.accept(text).Operation.ID); o.State != jobs.OperationFailed {
			d.t.Fatalf("%+v", o)
		}
		keys = append(keys, keyOf(text))
	}
	stop()
	pass(time.Second)
	return keys
}

func (d desk) finished(id string) jobs.Bulk {
	d.t.Helper()
	for range 10_000 {
		run, err := d.bulks.Get(d.t.Context(), id)
		if err != nil {
			d.t.Fatal(err)
		}
		if run.State != jobs.BulkRunning {
			return run
		}
		pass(time.Second)
	}
	d.t.Fatalf("run %s does not end", id)
	return jobs.Bulk{}
}

func (d desk) serve(b *jobs.Bulks) (stop func()) {
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	return func() { cancel(); <-done }
}

var (
	private = jobs.Permanent("video_private", "the video is private", nil)
	broken  = &jobs.Error{Class: jobs.ClassExtractor, Code: "extractor_broken", Message: "new player", Host: "youtube", Extractor: "native"}
)

// A filter selects what is replayed; what can not get better is refused, a dry run
// says so before and costs nothing.
func TestBulkReplay(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		d.die(3, "private", private)
		keys := d.die(7, "broken", broken)
		ask := jobs.Bulk{Kind: jobs.BulkReplay, By: "ana", Rate: 1, Limit: 6}
		preview, err := d.bulks.Preview(t.Context(), ask)
		if err != nil || preview.Would != 6 || !preview.Complete || len(preview.Keys) != 6 {
			t.Fatalf("%+v, %v", preview, err)
		}
		ask.Limit = 0
		if preview, err = d.bulks.Preview(t.Context(), ask); err != nil || preview.Would != 7 || preview.Refused[jobs.RefusedPermanent] != 3 || preview.Seen != 10 {
			t.Fatalf("%+v, %v", preview, err)
		}
		if j := d.job(keys[0]); j.State != jobs.JobDead || j.Generation != 1 {
			t.Fatalf("a dry run changed %+v", j)
		}
		run, err := d.bulks.Start(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		d.work(&steps{do: []step{makes(0)}})
		begun := time.Now()
		stop := d.serve(d.bulks)
		pass(4 * time.Second)
		stop() // this worker goes, in mid-run
		if run, _ = d.bulks.Get(t.Context(), run.ID); run.State != jobs.BulkRunning {
			t.Fatalf("ended too early: %+v", run)
		}
		defer d.serve(d.another("second"))()
		run = d.finished(run.ID)
		if run.State != jobs.BulkDone || run.Changed != 7 || run.Failed != 0 || run.Refused[jobs.RefusedPermanent] < 3 {
			t.Errorf("%+v", run)
		}
		if took := time.Since(begun); took < 7*time.Second {
			t.Errorf("seven jobs at one a second took %s", took)
		}
		for i, key := range keys {
			if j := d.job(key); j.State != jobs.JobDone || j.Generation != 2 {
				t.Errorf("job %d: %+v", i, j)
			}
		}
		entries, _, err := d.audit.List(t.Context(), "", 10)
		if err != nil || len(entries) != 2 || entries[0].Result != "done" || entries[0].Count != 7 || entries[1].By != "ana" || entries[1].Count != -1 {
			t.Errorf("%+v, %v", entries, err)
		}
	})
}

// A job that dies of the same failure after two replays is let be.
func TestReplayLoopIsGuarded(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		key := d.die(1, "again", broken)[0]
		for range 2 {
			stop := d.work(&steps{do: []step{fails(broken)}})
			if _, err := d.operator.Replay(t.Context(), key, false); err != nil {
				t.Fatal(err)
			}
			for d.job(key).State != jobs.JobDead {
				pass(time.Minute)
			}
			stop()
		}
		var refused *jobs.RefusedError
		if _, err := d.operator.Replay(t.Context(), key, false); !errors.As(err, &refused) || refused.Reason != jobs.RefusedLoop {
			t.Errorf("the third replay: %v", err)
		}
		if _, err := d.operator.Replay(t.Context(), key, true); err != nil {
			t.Errorf("forced: %v", err)
		}
	})
}

func TestBulkDiscard(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		keys := d.die(2, "gone", private)
		defer d.serve(d.bulks)()
		run, err := d.bulks.Start(t.Context(), jobs.Bulk{Kind: jobs.BulkDiscard, Keys: []string{keys[0].String(), keyOf("never").String()}})
		if err != nil {
			t.Fatal(err)
		}
		run = d.finished(run.ID)
		if run.Changed != 1 || run.Refused[jobs.RefusedGone] != 1 {
			t.Errorf("%+v", run)
		}
		if _, err := d.store.Job(t.Context(), keys[0]); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("still there: %v", err)
		}
		if j := d.job(keys[1]); j.State != jobs.JobDead {
			t.Errorf("%+v", j)
		}
	})
}

func TestBulkRefusesNonsense(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		for name, b := range map[string]jobs.Bulk{
			"no kind":        {},
			"done jobs":      {Kind: jobs.BulkReplay, Filter: jobs.JobFilter{State: jobs.JobDone}},
			"keys and more":  {Kind: jobs.BulkReplay, Keys: []string{keyOf("x").String()}, Filter: jobs.JobFilter{Code: "x"}},
			"no key":         {Kind: jobs.BulkReplay, Keys: []string{"x"}},
			"negative rate":  {Kind: jobs.BulkReplay, Rate: -1},
			"too many keys":  {Kind: jobs.BulkReplay, Keys: slices.Repeat([]string{keyOf("x").String()}, jobs.MaxBulkKeys+1)},
			"negative limit": {Kind: jobs.BulkDiscard, Limit: -1},
		} {
			if _, err := d.bulks.Start(t.Context(), b); !errors.Is(err, jobs.ErrBulk) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := d.bulks.Stop(t.Context(), "nobody", ""); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("stop nothing: %v", err)
		}
	})
}

func TestBulkStop(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		d.die(5, "slow", broken)
		run, err := d.bulks.Start(t.Context(), jobs.Bulk{Kind: jobs.BulkReplay, Rate: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		defer d.serve(d.bulks)()
		pass(5 * time.Second)
		if _, err := d.bulks.Stop(t.Context(), run.ID, "eva"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if run, _ = d.bulks.Get(t.Context(), run.ID); run.State != jobs.BulkStopped {
			t.Errorf("%+v", run)
		}
		if _, err := d.bulks.Stop(t.Context(), run.ID, "eva"); !errors.Is(err, jobs.ErrEnded) {
			t.Errorf("stopped twice: %v", err)
		}
	})
}

// A paused queue gives nothing out; a paused source lets its jobs wait without a
// charge; requests are accepted all the while.
func TestPauses(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		p := &steps{do: []step{makes(0)}}
		d.work(jobs.Pausable{Processor: p, Pauses: d.pauses, Hosts: func(jobs.Key) []string { return []string{"media"} }}, func(c *jobs.RunnerConfig) { c.Gate = d.pauses.Gate })
		operators := jobs.NewPauses(w.store, 0, nil) // in another process
		for name, target := range map[string]string{"whole": jobs.PauseQueue, "source": "source:demo", "host": "host:media"} {
			if _, err := operators.Set(t.Context(), jobs.Pause{Target: target, Reason: "deploy", By: "ana"}); err != nil {
				t.Fatal(err)
			}
			pass(5 * time.Second)
			a := d.accept(name)
			pass(time.Hour)
			j := d.job(a.Job.Key)
			if j.State == jobs.JobDone || j.Attempt != 0 || p.count() != 0 {
				t.Errorf("%s: %+v after %d calls", target, j, p.count())
			}
			if target != jobs.PauseQueue && (j.LastError == nil || j.LastError.Code != jobs.CodePaused) {
				t.Errorf("%s: it does not say why it waits: %+v", target, j.LastError)
			}
			if list, err := d.pauses.List(t.Context()); err != nil || len(list) != 1 || list[0].By != "ana" {
				t.Errorf("%+v, %v", list, err)
			}
			if _, err := operators.Lift(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			if o := d.ended(a.Operation.ID); o.State != jobs.OperationSucceeded {
				t.Errorf("%s: %+v", target, o)
			}
			p.mu.Lock()
			p.calls = 0
			p.mu.Unlock()
		}
		if _, err := operators.Lift(t.Context(), "queue"); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("lifted twice: %v", err)
		}
		if _, err := operators.Set(t.Context(), jobs.Pause{Target: "everything"}); !errors.Is(err, jobs.ErrTarget) {
			t.Errorf("paused everything: %v", err)
		}
		if _, err := operators.Set(t.Context(), jobs.Pause{Target: "queue", Until: time.Now().Add(-time.Second)}); !errors.Is(err, jobs.ErrState) {
			t.Errorf("paused in the past: %v", err)
		}
	})
}

// A pause of more than a day kills nobody; one with an end ends by itself.
func TestLongPause(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		d.work(jobs.Pausable{Processor: &steps{do: []step{makes(0)}}, Pauses: d.pauses})
		if _, err := d.pauses.Set(t.Context(), jobs.Pause{Target: "source:demo", Until: time.Now().Add(30 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		a := d.accept("patient")
		pass(29 * time.Hour)
		if j := d.job(a.Job.Key); j.State.Ended() {
			t.Fatalf("%+v", j)
		}
		pass(2 * time.Hour)
		if o := d.ended(a.Operation.ID); o.State != jobs.OperationSucceeded {
			t.Errorf("%+v", o)
		}
	})
}

// broker is a queue that has set messages aside.
type broker struct{ letters []jobs.DeadLetter }

func (b *broker) DeadLetters(_ context.Context, limit int) ([]jobs.DeadLetter, error) {
	return b.letters[:min(limit, len(b.letters))], nil
}

func (b *broker) DropDeadLetters(_ context.Context, letters []jobs.DeadLetter) error {
	b.letters = b.letters[len(letters):]
	return nil
}

// What the broker gave up on becomes a record; after a fix it is sent again.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	life(t, func(t *testing.T, w *world) {
		d := deskOf(w)
		good := jobs.EncodeMessage(jobs.Message{Key: keyOf("poison").String(), Generation: 1})
		b := &broker{letters: []jobs.DeadLetter{
			{Body: good, Origin: "q/1", Receives: 20, Receipt: "a"},
			{Body: []byte("\xff\x00rubbish"), Origin: "q/2", Receives: 3, Receipt: "b"},
		}}
		if n, err := d.quarantine.Import(t.Context(), b); n != 2 || err != nil || len(b.letters) != 0 {
			t.Fatalf("%d imported, %v, %d left", n, err, len(b.letters))
		}
		all, next, err := d.quarantine.List(t.Context(), "", 10)
		if err != nil || len(all) != 2 || next != "" {
			t.Fatalf("%+v, %v", all, err)
		}
		d.work(&steps{do: []step{makes(0)}})
		for _, q := range all {
			j, err := d.quarantine.Resend(t.Context(), q.ID)
			if q.Origin == "q/2" {
				if !errors.Is(err, jobs.ErrUndecodable) || string(q.Raw) != "\xff\x00rubbish" {
					t.Errorf("%+v: %v", q, err)
				}
				continue
			}
			if err != nil || q.Receives != 20 {
				t.Fatalf("%+v: %v", q, err)
			}
			pass(time.Minute)
			if j = d.job(j.Key); j.State != jobs.JobDone {
				t.Errorf("%+v", j)
			}
		}
		all, _, _ = d.quarantine.List(t.Context(), "", 10)
		if len(all) != 1 {
			t.Fatalf("%+v", all)
		}
		if _, err := d.quarantine.Drop(t.Context(), all[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := d.quarantine.Get(t.Context(), all[0].ID); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("dropped and yet: %v", err)
		}
	})
}

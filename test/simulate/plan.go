package simulate

import (
	"context"
	"fmt"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// live lets the fleet work among faults for some minutes of fake time: clients ask,
// processes come and go, clocks jump, operators meddle.
func (w *world) live(ctx context.Context) {
	d := w.dice
	apis, workers := 1+d.int(2), 2+d.int(3)
	for range apis {
		pass(d.between(time.Millisecond, time.Second))
		w.start("api", false)
	}
	for range workers {
		pass(d.between(time.Millisecond, time.Second))
		w.start("worker", true)
	}
	for step := range 40 + d.int(60) {
		pass(d.between(100*time.Millisecond, 15*time.Second))
		if w.rate == 0 && step > 0 && !d.chance(0.9) {
			continue // a calm run: clients and graceful restarts only
		}
		w.event(ctx)
	}
}

// event is one thing that happens to the fleet.
func (w *world) event(ctx context.Context) {
	d := w.dice
	roll := d.float()
	calm := w.rate == 0
	switch {
	case roll < 0.55:
		w.request(ctx)
	case roll < 0.62:
		if p := w.any("worker"); p != nil {
			p.quit()
			w.start("worker", true)
		}
	case calm:
	case roll < 0.72:
		kind := []string{"worker", "worker", "api"}[d.int(3)]
		if p := w.any(kind); p != nil {
			p.crash()
			w.stopped.Go(func() {
				pass(d.between(time.Second, 2*time.Minute))
				w.start(kind, kind == "worker")
			})
		}
	case roll < 0.76:
		if p := w.any("worker"); p != nil {
			w.ledger.count("clocks jumped")
			p.skew.Store(int64(d.between(-10*time.Minute, 10*time.Minute)))
		}
	case roll < 0.80:
		w.ledger.count("strange messages")
		newer := fmt.Sprintf(`{"v":2,"job":%q,"gen":1,"colour":"blue"}`, keyOf(d.int(songs)))
		w.queue.SendRaw([]byte([]string{newer, "rubbish", ""}[d.int(3)]))
	case roll < 0.85:
		w.operate(ctx)
	case roll < 0.90:
		w.forgetRecord(ctx)
	default:
		w.request(ctx)
	}
}

// request asks as a client does: with an idempotency key, again when there was no
// answer, for a while.
func (w *world) request(ctx context.Context) {
	d := w.dice
	song, key := d.int(songs), d.token()
	w.stopped.Go(func() {
		for range 5 {
			pass(d.between(time.Millisecond, 3*time.Second))
			p := w.any("api")
			if p == nil {
				continue
			}
			a, err := p.intake.Accept(ctx, jobs.Request{Text: fmt.Sprintf("song %d", song), Requester: "guild", Client: "bot", IdempotencyKey: key})
			if err == nil && !p.dead.Load() {
				w.ledger.accept(a.Operation.ID)
				return
			}
		}
		w.ledger.count("requests given up")
	})
}

// operate is what an operator does.
func (w *world) operate(ctx context.Context) {
	d := w.dice
	p := w.any("api")
	if p == nil {
		return
	}
	key, what := keyOf(d.int(songs)), d.int(4)
	w.stopped.Go(func() {
		p.rest("operate")
		switch what {
		case 0:
			w.ledger.count("cancelled")
			_, _ = p.operator.CancelJob(ctx, key) // refused or not: it must do no harm
		case 1:
			w.ledger.count("replayed")
			_, _ = p.operator.Replay(ctx, key, true)
		case 2:
			w.ledger.count("bulk replays")
			_, _ = p.bulks.Start(ctx, jobs.Bulk{Kind: jobs.BulkReplay, Force: true, Filter: jobs.JobFilter{State: jobs.JobDead}})
		case 3:
			w.ledger.count("pauses")
			_, _ = p.pauses.Set(ctx, jobs.Pause{Target: []string{"queue", "source:demo"}[d.int(2)], Until: time.Now().Add(d.between(time.Second, 2*time.Minute))})
		}
	})
}

// forgetRecord is retention that comes too early: an ended record goes.
func (w *world) forgetRecord(ctx context.Context) {
	key := keyOf(w.dice.int(songs))
	j, err := w.store.Job(ctx, key)
	if err != nil {
		return
	}
	outs, err := w.store.ApplyJobs(ctx, []jobs.JobCommand{{Kind: jobs.JobDiscard, Key: key, Now: time.Now(), Generation: j.Generation}})
	if err == nil && outs[0].Changed {
		w.ledger.count("records forgotten")
	}
}

// heal ends all faults: what is dead comes back, clocks are set right, and newer
// messages find a newer worker. It waits until all that was accepted has ended.
func (w *world) heal(ctx context.Context) {
	w.faulty.Store(false)
	pass(3 * time.Minute) // who was to come back has come back
	for _, kind := range []string{"api", "worker"} {
		if w.any(kind) == nil {
			w.start(kind, kind == "worker")
		}
	}
	w.mu.Lock()
	for _, p := range w.processes {
		p.skew.Store(0)
	}
	w.mu.Unlock()
	for range 1000 {
		pass(time.Minute)
		w.takeNewer(ctx)
		if len(w.ledger.unfinished(ctx, w.store)) > 0 {
			continue
		}
		due, err := w.store.Due(ctx, time.Now().Add(10000*time.Hour), 1)
		if err == nil && len(due.Jobs)+len(due.Operations) == 0 {
			break
		}
	}
	// Late messages and copies of events come in.
	pass(20 * time.Minute)
}

// takeNewer is a worker that knows the next schema of messages.
func (w *world) takeNewer(ctx context.Context) {
	short, cancel := context.WithTimeout(ctx, time.Nanosecond)
	defer cancel()
	all, err := w.queue.Receive(short, 100)
	if err != nil {
		return
	}
	for _, d := range all {
		s := jobs.Settlement{Delivery: d, Release: d.Err == nil}
		_ = w.queue.Settle(ctx, []jobs.Settlement{s})
	}
}

// end stops every process and waits for the last.
func (w *world) end() {
	w.mu.Lock()
	all := append([]*process(nil), w.processes...)
	w.mu.Unlock()
	for _, p := range all {
		p.stop()
	}
	w.stopped.Wait()
}

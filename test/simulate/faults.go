package simulate

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var errLost = fmt.Errorf("%w: the answer was lost", jobs.ErrUnavailable)

// call is what every call of a process to an engine goes through: it takes time,
// may be refused, may lose its answer, and nothing of a dead process arrives.
func (p *process) call(ctx context.Context, what, about string, apply func() error) error {
	d := p.roll(what + about)
	pass(d.between(time.Microsecond, 20*time.Millisecond))
	if p.dead.Load() {
		return jobs.ErrUnavailable
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	faulty := p.w.faulty.Load()
	if faulty && d.chance(p.w.rate) {
		p.w.ledger.count(what + " refused")
		return jobs.ErrUnavailable
	}
	err := apply()
	pass(d.between(time.Microsecond, 20*time.Millisecond))
	if p.dead.Load() {
		return jobs.ErrUnavailable // it died before the answer came
	}
	if faulty && d.chance(p.w.rate) {
		p.w.ledger.count(what + " answers lost")
		return errors.Join(errLost, err)
	}
	return err
}

// store is a process's way to the records.
type store struct {
	jobs.Backend
	p *process
}

// ApplyJobs implements jobs.Store. What is applied goes into the ledger, whatever
// becomes of the answer.
func (s *store) ApplyJobs(ctx context.Context, commands []jobs.JobCommand) (outs []jobs.JobOutcome, err error) {
	err = s.p.call(ctx, "store", about(commands), func() (err error) {
		if outs, err = s.Backend.ApplyJobs(context.WithoutCancel(ctx), commands); err == nil {
			s.p.w.ledger.jobs(commands, outs)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// Throttled by the engine: some of a batch get no answer.
	if s.p.w.faulty.Load() {
		for i := range outs {
			d := s.p.roll("part" + commands[i].Key.String())
			if len(outs) > 1 && d.chance(s.p.w.rate) {
				s.p.w.ledger.count("store partly throttled")
				outs[i] = jobs.JobOutcome{Err: jobs.ErrUnavailable}
			}
		}
	}
	return outs, nil
}

// ApplyOperations implements jobs.Store.
func (s *store) ApplyOperations(ctx context.Context, commands []jobs.OperationCommand) (outs []jobs.OperationOutcome, err error) {
	err = s.p.call(ctx, "store", aboutOperations(commands), func() (err error) {
		if outs, err = s.Backend.ApplyOperations(context.WithoutCancel(ctx), commands); err == nil {
			s.p.w.ledger.operations(commands, outs)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return outs, nil
}

// Job implements jobs.Store.
func (s *store) Job(ctx context.Context, key jobs.Key) (j jobs.Job, err error) {
	err = s.p.call(ctx, "read", key.String(), func() (err error) { j, err = s.Backend.Job(context.WithoutCancel(ctx), key); return err })
	return j, err
}

// Operation implements jobs.Store.
func (s *store) Operation(ctx context.Context, id string) (o jobs.Operation, err error) {
	err = s.p.call(ctx, "read", id, func() (err error) { o, err = s.Backend.Operation(context.WithoutCancel(ctx), id); return err })
	return o, err
}

// OperationsOf implements jobs.Store.
func (s *store) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) (all []jobs.Operation, err error) {
	err = s.p.call(ctx, "read", key.String()+after, func() (err error) {
		all, err = s.Backend.OperationsOf(context.WithoutCancel(ctx), key, state, after, limit)
		return err
	})
	return all, err
}

// Due implements jobs.Store. It may be stale: what it found has had time to change
// on the way back.
func (s *store) Due(ctx context.Context, now time.Time, limit int) (due jobs.Due, err error) {
	err = s.p.call(ctx, "read", "due", func() (err error) { due, err = s.Backend.Due(context.WithoutCancel(ctx), now, limit); return err })
	if d := s.p.roll("stale"); s.p.w.faulty.Load() && d.chance(0.2) {
		pass(d.between(0, 20*time.Second))
	}
	return due, err
}

// Note implements jobs.Notes.
func (s *store) Note(ctx context.Context, key string) (n jobs.Note, err error) {
	err = s.p.call(ctx, "read", "note "+family(key), func() (err error) { n, err = s.Backend.Note(context.WithoutCancel(ctx), key); return err })
	return n, err
}

// SwapNote implements jobs.Notes.
func (s *store) SwapNote(ctx context.Context, n jobs.Note) (kept jobs.Note, err error) {
	err = s.p.call(ctx, "store", "note "+family(n.Key), func() (err error) { kept, err = s.Backend.SwapNote(context.WithoutCancel(ctx), n); return err })
	return kept, err
}

// ListNotes implements jobs.Notes.
func (s *store) ListNotes(ctx context.Context, prefix, after string, limit int) (all []jobs.Note, err error) {
	err = s.p.call(ctx, "read", "notes "+prefix, func() (err error) {
		all, err = s.Backend.ListNotes(context.WithoutCancel(ctx), prefix, after, limit)
		return err
	})
	return all, err
}

// queue is a process's way to the messages.
type queue struct {
	jobs.Queue
	p *process
}

// Held implements jobs.Queue.
func (q *queue) Held() bool { return !q.p.w.atOnce }

// Send implements jobs.Queue: a message may be lost, doubled or late.
func (q *queue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	return q.p.call(ctx, "send", "", func() error {
		var sent []jobs.Outgoing
		for _, m := range messages {
			d := q.p.roll("fate" + m.Message.Key)
			if !q.p.w.faulty.Load() {
				sent = append(sent, m)
				continue
			}
			if d.chance(q.p.w.rate) {
				q.p.w.ledger.count("messages lost")
				continue
			}
			if d.chance(q.p.w.rate) {
				q.p.w.ledger.count("messages late")
				m.Delay += d.between(0, 5*time.Minute)
			}
			if d.chance(q.p.w.rate) {
				q.p.w.ledger.count("messages doubled")
				sent = append(sent, m)
			}
			sent = append(sent, m)
		}
		return q.Queue.Send(context.WithoutCancel(ctx), sent)
	})
}

// Receive implements jobs.Queue. It looks again and again, each process at its own
// moments: who gets a message does not depend on the scheduler.
func (q *queue) Receive(ctx context.Context, limit int) (all []jobs.Delivery, err error) {
	for range 20 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(q.p.roll("look").between(50*time.Millisecond, 1500*time.Millisecond)):
		}
		err = q.p.call(ctx, "receive", "", func() error {
			short, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Nanosecond)
			defer cancel()
			all, err = q.Queue.Receive(short, limit)
			if errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			return err
		})
		if err != nil {
			return nil, err // what was received comes again after its visibility
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, nil
}

// Extend implements jobs.Queue.
func (q *queue) Extend(ctx context.Context, deliveries []jobs.Delivery, d time.Duration) (errs []error) {
	err := q.p.call(ctx, "extend", "", func() error {
		errs = q.Queue.Extend(context.WithoutCancel(ctx), deliveries, d)
		return nil
	})
	return each(err, errs, len(deliveries))
}

// Settle implements jobs.Queue.
func (q *queue) Settle(ctx context.Context, settlements []jobs.Settlement) (errs []error) {
	err := q.p.call(ctx, "settle", settled(settlements), func() error {
		errs = q.Queue.Settle(context.WithoutCancel(ctx), settlements)
		return nil
	})
	return each(err, errs, len(settlements))
}

func each(err error, errs []error, n int) []error {
	if err == nil {
		return errs
	}
	all := make([]error, n)
	for i := range all {
		all[i] = err
	}
	return all
}

// target is where a process's completion events go.
type target struct{ p *process }

// Publish implements jobs.Events.
func (t *target) Publish(ctx context.Context, events []jobs.Event) []error {
	errs := make([]error, len(events))
	err := t.p.call(ctx, "publish", sum(events, func(e jobs.Event) string { return e.ID }), func() error {
		for i, e := range events {
			d := t.p.roll("taken" + e.ID)
			if t.p.w.faulty.Load() && d.chance(t.p.w.rate) {
				errs[i] = jobs.ErrUnavailable
				continue
			}
			t.p.w.ledger.published(e)
		}
		return nil
	})
	return each(err, errs, len(events))
}

// about names what a call is about, so that its chance is its own, whatever the
// order within a batch.
func about(commands []jobs.JobCommand) string {
	return sum(commands, func(c jobs.JobCommand) string { return string(c.Kind) + c.Key.String() })
}

func aboutOperations(commands []jobs.OperationCommand) string {
	return sum(commands, func(c jobs.OperationCommand) string { return string(c.Kind) + c.ID })
}

func settled(all []jobs.Settlement) string {
	return sum(all, func(s jobs.Settlement) string { return s.Delivery.Message.Key })
}

func sum[T any](all []T, name func(T) string) string {
	total := uint64(0)
	for _, one := range all {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name(one)))
		total += h.Sum64()
	}
	return fmt.Sprintf("%x", total)
}

// family is the part of a note's key that is not drawn at random.
func family(key string) string {
	prefix, _, _ := strings.Cut(key, "/")
	return prefix
}

package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// fanOut ends what waits for jobs that have just ended, and closes those for
// which nothing is left: for a batch of jobs, one query, one bulk write of ends
// and one of closes. It is not one transaction with the end of the job and needs
// not be: whoever puts an operation later reads the job later, and finds it ended.
// What fails here is left to the caller and the reconciler, as the record says.
func (s *Store) fanOut(ctx context.Context, commands []jobs.JobCommand, outs []jobs.JobOutcome) {
	var ended []int
	for i := range outs {
		o := &outs[i]
		if o.Err == nil && o.Changed && commands[i].FanOut > 0 && o.Job.Reopen == 0 &&
			(o.Job.State == jobs.JobDone || o.Job.State == jobs.JobDead) {
			ended = append(ended, i)
		}
	}
	if len(ended) == 0 {
		return
	}
	waiting, whole, err := s.waiting(ctx, commands, ended)
	if err != nil {
		return
	}
	var (
		finish []jobs.OperationCommand
		of     []int // whose
		left   = map[int]bool{}
	)
	for _, i := range ended {
		c := &commands[i]
		rest := waiting[c.Key]
		if len(rest) > c.FanOut {
			rest, left[i] = rest[:c.FanOut], true
		}
		left[i] = left[i] || !whole[c.Key]
		for _, o := range rest {
			finish = append(finish, jobs.FinishCommand(outs[i].Job, o, c.Now, c.DueAt))
			of = append(of, i)
		}
	}
	if len(finish) > 0 {
		got, err := s.operations.apply(ctx, finish, nil)
		if err != nil {
			return
		}
		for n, o := range got {
			if o.err == nil && o.changed {
				outs[of[n]].Finished = append(outs[of[n]].Finished, o.record)
			}
		}
	}
	s.closeAll(ctx, commands, outs, ended, left)
}

// closeAll closes the ended jobs that nothing waits for any more.
func (s *Store) closeAll(ctx context.Context, commands []jobs.JobCommand, outs []jobs.JobOutcome, ended []int, left map[int]bool) {
	var closes []jobs.JobCommand
	var of []int
	for _, i := range ended {
		if !left[i] {
			closes = append(closes, jobs.JobCommand{Kind: jobs.JobClose, Key: commands[i].Key, Now: commands[i].Now, Generation: outs[i].Job.Generation})
			of = append(of, i)
		}
	}
	if len(closes) == 0 {
		return
	}
	got, err := s.jobs.apply(ctx, closes, nil)
	if err != nil {
		return
	}
	for n, o := range got {
		if o.err == nil {
			outs[of[n]].Job, outs[of[n]].Closed = o.record, true
		}
	}
}

// waiting returns the operations that wait for the jobs of the commands, and for
// which of them these are all. The query reads at most a few per job, or what one
// job wants to end and one more.
func (s *Store) waiting(ctx context.Context, commands []jobs.JobCommand, ended []int) (all map[jobs.Key][]jobs.Operation, whole map[jobs.Key]bool, err error) {
	keys := make(bson.A, len(ended))
	whole = make(map[jobs.Key]bool, len(ended))
	limit := 4 * len(ended)
	for n, i := range ended {
		keys[n] = commands[i].Key.String()
		whole[commands[i].Key] = true
		limit = max(limit, commands[i].FanOut+1)
	}
	match := bson.E{Key: "key", Value: bson.D{{Key: "$in", Value: keys}}}
	if len(keys) == 1 {
		match.Value = keys[0]
	}
	found, err := s.operations.list(ctx, bson.D{match, {Key: "state", Value: string(jobs.OperationWaiting)}},
		options.Find().SetSort(bson.D{{Key: "key", Value: 1}, {Key: fieldID, Value: 1}}).SetHint(indexWaiters), limit)
	if err != nil {
		return nil, nil, err
	}
	all = make(map[jobs.Key][]jobs.Operation, len(ended))
	for _, o := range found {
		all[o.Key] = append(all[o.Key], o)
	}
	if len(found) == limit { // the last one's may go on, and who comes behind it was not looked at
		last := found[limit-1].Key
		for k := range whole {
			if k.String() >= last.String() {
				whole[k] = false
			}
		}
	}
	return all, whole, nil
}

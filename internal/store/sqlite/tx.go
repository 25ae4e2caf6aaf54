package sqlite

import (
	"database/sql/driver"
	"errors"

	"github.com/butakero/butakero/internal/jobs"
)

// tx is one transaction of the writer. Transitions happen in memory; flush
// writes every record that has changed once, however many commands it took.
type tx struct {
	w          *writer
	jobs       []*jobEntry       // dirty
	operations []*operationEntry // dirty
	counts     [numCounts]int64  // by how much they have changed
	end        int64             // number of the last end
	catchingUp bool
}

func (t *tx) apply(r *request) error {
	if len(r.jobs) > 0 {
		if err := t.applyJobs(r); err != nil {
			return err
		}
	}
	if len(r.operations) > 0 {
		r.operationOutcomes = make([]jobs.OperationOutcome, len(r.operations))
		for i := range r.operations {
			var err error
			r.operationOutcomes[i], err = t.operation(&r.operations[i])
			if errors.Is(err, errCodec) { // one bad record is nobody else's trouble
				r.operationOutcomes[i].Err, err = err, nil
			}
			if err != nil {
				return err
			}
		}
	}
	if r.note != nil {
		r.noteOutcome, r.err = jobs.Note{}, nil
		return t.note(r)
	}
	if r.catchUp {
		return t.catchUp()
	}
	if r.purge != nil {
		return t.purge(r.purge)
	}
	return nil
}

func (t *tx) applyJobs(r *request) error {
	r.jobOutcomes = make([]jobs.JobOutcome, len(r.jobs))
	var ended []int // commands that fan out
	for i := range r.jobs {
		c, out := &r.jobs[i], &r.jobOutcomes[i]
		e, err := t.job(c.Key)
		if errors.Is(err, errCodec) {
			out.Err = err
			continue
		}
		if err != nil {
			return err
		}
		out.Job, out.Changed, out.Err = jobs.Transition(e.job, *c)
		if !out.Changed {
			continue
		}
		plainJobTimes(&out.Job)
		t.change(e, out.Job)
		if c.FanOut > 0 && (out.Job.State == jobs.JobDone || out.Job.State == jobs.JobDead) && out.Job.Reopen == 0 {
			ended = append(ended, i)
		}
	}
	if len(ended) > 0 {
		return t.fanOut(r, ended)
	}
	return nil
}

func (t *tx) change(e *jobEntry, j jobs.Job) {
	e.job = j
	if !e.dirty {
		e.dirty = true
		t.jobs = append(t.jobs, e)
	}
}

// operation applies one command to an operation.
func (t *tx) operation(c *jobs.OperationCommand) (out jobs.OperationOutcome, err error) {
	if c.Kind == jobs.OperationPut {
		if _, ok := packID(c.ID); !ok || c.Operation.ID != c.ID {
			out.Err = jobs.ErrBadOperationID
			return out, nil
		}
	}
	e, err := t.operationEntry(c.ID)
	if err != nil {
		return out, err
	}
	return t.transition(e, c), nil
}

func (t *tx) transition(e *operationEntry, c *jobs.OperationCommand) (out jobs.OperationOutcome) {
	out.Operation, out.Changed, out.Err = jobs.TransitionOperation(e.operation, *c)
	if !out.Changed {
		return out
	}
	plainOperationTimes(&out.Operation)
	e.operation = out.Operation
	switch c.Kind {
	case jobs.OperationFinish:
		t.end++
		e.ended = t.end
	case jobs.OperationReopen:
		e.ended = 0
	}
	if !e.dirty {
		e.dirty = true
		t.operations = append(t.operations, e)
	}
	return out
}

// fanOut ends what waits for jobs that have just ended, and closes those for
// which nothing is left.
func (t *tx) fanOut(r *request, ended []int) error {
	if err := t.flushOperations(); err != nil { // the query sees the table only
		return err
	}
	commands := make([]*jobs.JobCommand, len(ended))
	for n, i := range ended {
		commands[n] = &r.jobs[i]
	}
	waiting, more, err := t.waiting(commands)
	if err != nil {
		return err
	}
	for n, i := range ended {
		c, out := commands[n], &r.jobOutcomes[i]
		rest := waiting[n]
		for k := 0; k < c.FanOut && len(rest) > 0; k++ {
			finish := jobs.FinishCommand(out.Job, rest[0].operation, c.Now, c.DueAt)
			if o := t.transition(rest[0], &finish); o.Err == nil {
				out.Finished = append(out.Finished, o.Operation)
			}
			rest = rest[1:]
		}
		if len(rest) > 0 || more[n] {
			continue
		}
		e, err := t.job(c.Key)
		if err != nil {
			return err
		}
		closed, changed, refusal := jobs.Transition(e.job, jobs.JobCommand{
			Kind: jobs.JobClose, Key: c.Key, Now: c.Now, Generation: out.Job.Generation,
		})
		if refusal != nil { // a later command of the batch has taken it elsewhere
			continue
		}
		if changed {
			t.change(e, closed)
		}
		out.Job, out.Closed = closed, true
	}
	return nil
}

// fanOutChunk is how many jobs' waiting operations are asked for at a time.
const fanOutChunk = 16

var waitingQuery = `SELECT o.row, o.ended, o.doc, v.column1 FROM (VALUES ` + tuples(fanOutChunk, 3) + `) AS v
	CROSS JOIN operations AS o ON o.ended IS NULL AND o.id > v.column2 AND o.id <= v.column3 LIMIT ?`

const waitingOfOneQuery = `SELECT row, ended, doc FROM operations WHERE ended IS NULL AND id > ? AND id <= ? ORDER BY id LIMIT ?`

// waiting returns the entries of operations that wait for each of the commands'
// jobs, at most one more than the command wants to end, and whether there may be
// others.
func (t *tx) waiting(commands []*jobs.JobCommand) (all [][]*operationEntry, more []bool, err error) {
	all, more = make([][]*operationEntry, len(commands)), make([]bool, len(commands))
	for from := 0; from < len(commands); from += fanOutChunk {
		chunk := commands[from:min(from+fanOutChunk, len(commands))]
		hits, err := t.hits(chunk, more[from:])
		if err != nil {
			return nil, nil, err
		}
		for _, h := range hits {
			// Other profiles of the song have their operations in the same range.
			to, c, e := from+h.job, chunk[h.job], h.entry
			if e.operation.Key == c.Key && e.operation.State == jobs.OperationWaiting && len(all[to]) <= c.FanOut {
				all[to] = append(all[to], e)
			}
		}
	}
	return all, more, nil
}

// hit is a waiting operation of a song for whose job there is a command.
type hit struct {
	entry *operationEntry
	job   int
}

func (t *tx) hits(chunk []*jobs.JobCommand, more []bool) ([]hit, error) {
	const limit = 50 * fanOutChunk
	var hits []hit
	args := make([]any, 0, 3*fanOutChunk+1)
	for i := range fanOutChunk {
		if i >= len(chunk) { // an empty range
			args = append(args, int64(0), []byte{1}, []byte{0})
			continue
		}
		first, last := idRange(chunk[i].Key.Song)
		args = append(args, int64(i), first, last)
	}
	err := t.w.conn.query(waitingQuery, func(row []driver.Value) error {
		e, err := t.keepOperation(row)
		hits = append(hits, hit{e, int(integer(row[3]))})
		return err
	}, append(args, int64(limit))...)
	if err != nil || len(hits) < limit {
		return hits, err
	}
	hits = nil // many wait for one of them: ask one by one
	for i, c := range chunk {
		first, last := idRange(c.Key.Song)
		atMost, found := c.FanOut+100, 0
		err := t.w.conn.query(waitingOfOneQuery, func(row []driver.Value) error {
			found++
			e, err := t.keepOperation(row)
			hits = append(hits, hit{e, i})
			return err
		}, first, last, int64(atMost))
		if err != nil {
			return nil, err
		}
		more[i] = found == atMost
	}
	return hits, nil
}

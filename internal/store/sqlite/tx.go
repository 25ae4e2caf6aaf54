package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"hash/fnv"

	"github.com/butakero/butakero/internal/jobs"
)

// tx is one transaction of the writer. Transitions happen in memory; flush
// writes every record that has changed once, however many commands it took.
type tx struct {
	w          *writer
	ctx        context.Context
	jobs       []*jobEntry       // dirty
	operations []*operationEntry // dirty
	counts     map[string]int64
}

func (t *tx) apply(r *request) error {
	if len(r.jobs) > 0 {
		if err := t.applyJobs(r); err != nil {
			return err
		}
	}
	if len(r.operations) > 0 {
		r.operationOutcomes = make([]jobs.OperationOutcome, len(r.operations))
		for i, c := range r.operations {
			out, err := t.operation(c)
			if errors.Is(err, errCodec) {
				out.Err, err = err, nil
			}
			if err != nil {
				return err
			}
			r.operationOutcomes[i] = out
		}
	}
	if r.note != nil {
		r.noteOutcome, r.err = jobs.Note{}, nil
		return t.note(r)
	}
	if r.purge != nil {
		return t.purge(r.purge)
	}
	return nil
}

func (t *tx) applyJobs(r *request) error {
	r.jobOutcomes = make([]jobs.JobOutcome, len(r.jobs))
	var ended []int // commands that may fan out
	for i, c := range r.jobs {
		e, err := t.job(c.Key)
		if errors.Is(err, errCodec) { // one bad record is nobody else's trouble
			r.jobOutcomes[i].Err = err
			continue
		}
		if err != nil {
			return err
		}
		next, changed, refusal := jobs.Transition(e.job, c)
		r.jobOutcomes[i] = jobs.JobOutcome{Job: next, Changed: changed, Err: refusal}
		if !changed {
			continue
		}
		e.job = next
		t.mark(e)
		if c.FanOut > 0 && (next.State == jobs.JobDone || next.State == jobs.JobDead) && next.Reopen == 0 {
			ended = append(ended, i)
		}
	}
	if len(ended) > 0 {
		return t.fanOut(r, ended)
	}
	return nil
}

func (t *tx) mark(e *jobEntry) {
	if !e.dirty {
		e.dirty = true
		t.jobs = append(t.jobs, e)
	}
}

// fanOut ends what waits for jobs that have just ended, and closes those for
// which nothing is left.
func (t *tx) fanOut(r *request, ended []int) error {
	if err := t.flushOperations(); err != nil { // the query sees the table only
		return err
	}
	for _, i := range ended {
		c, out := r.jobs[i], &r.jobOutcomes[i]
		waiting, err := t.waiting(c.Key, c.FanOut+1)
		if err != nil {
			return err
		}
		for n, e := range waiting {
			if n == c.FanOut {
				break
			}
			o, err := t.operation(jobs.FinishCommand(out.Job, e.operation, c.Now, c.DueAt))
			if err != nil {
				return err
			}
			if o.Err == nil {
				out.Finished = append(out.Finished, o.Operation)
			}
		}
		if len(waiting) > c.FanOut {
			continue
		}
		e, err := t.job(c.Key)
		if err != nil {
			return err
		}
		next, changed, refusal := jobs.Transition(e.job, jobs.JobCommand{
			Kind: jobs.JobClose, Key: c.Key, Now: c.Now, Generation: e.job.Generation,
		})
		if refusal != nil {
			continue
		}
		if changed {
			e.job = next
			t.mark(e)
		}
		out.Job, out.Closed = next, true
	}
	return nil
}

// job returns a job's entry, from memory or from the table.
func (t *tx) job(key jobs.Key) (*jobEntry, error) {
	name := key.String()
	if e, ok := t.w.cache.jobs.get(name); ok {
		return e, nil
	}
	e := &jobEntry{key: name}
	var doc []byte
	err := t.w.row(t.ctx, "SELECT row, doc FROM jobs WHERE key = ?", name).Scan(&e.row, &doc)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	default:
		if e.job, err = decodeJob(doc); err != nil {
			return nil, err
		}
		e.kept = e.job
	}
	t.w.cache.jobs.put(name, e)
	return e, nil
}

// operation applies one command to an operation.
func (t *tx) operation(c jobs.OperationCommand) (jobs.OperationOutcome, error) {
	e, err := t.operationEntry(c.ID)
	if err != nil {
		return jobs.OperationOutcome{}, err
	}
	next, changed, refusal := jobs.TransitionOperation(e.operation, c)
	if changed {
		e.operation = next
		if c.Kind == jobs.OperationFinish {
			e.ended = true
		}
		if !e.dirty {
			e.dirty = true
			t.operations = append(t.operations, e)
		}
	}
	return jobs.OperationOutcome{Operation: next, Changed: changed, Err: refusal}, nil
}

func (t *tx) operationEntry(id string) (*operationEntry, error) {
	if e, ok := t.w.cache.operations.get(id); ok {
		return e, nil
	}
	e := &operationEntry{id: id}
	var doc []byte
	err := t.w.row(t.ctx, "SELECT row, doc FROM operations WHERE id = ?", packID(id)).Scan(&e.row, &doc)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	default:
		if e.operation, err = decodeOperation(doc); err != nil {
			return nil, err
		}
		e.kept = e.operation
	}
	t.w.cache.operations.put(id, e)
	return e, nil
}

// waiting returns the entries of the operations that wait for a job.
func (t *tx) waiting(key jobs.Key, limit int) ([]*operationEntry, error) {
	s, err := t.w.stmt(t.ctx, "SELECT row, doc FROM operations WHERE waiting = ? ORDER BY id LIMIT ?")
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.ctx, waitingKey(key), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	var all []*operationEntry
	for rows.Next() {
		var row int64
		var doc sql.RawBytes
		if err := rows.Scan(&row, &doc); err != nil {
			return nil, err
		}
		o, err := decodeOperation(doc)
		if err != nil {
			return nil, err
		}
		if o.Key != key { // another key with the same hash
			continue
		}
		e, ok := t.w.cache.operations.get(o.ID)
		if !ok {
			e = &operationEntry{id: o.ID, row: row, operation: o, kept: o}
			t.w.cache.operations.put(o.ID, e)
		}
		if e.operation.State == jobs.OperationWaiting {
			all = append(all, e)
		}
	}
	return all, rows.Err()
}

// waitingKey is the key by which the waiting operations of a job are indexed.
func waitingKey(key jobs.Key) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key.String())) // never fails
	return int64(h.Sum64())              //nolint:gosec // the bits are what counts
}

func (t *tx) flush() error {
	if err := t.flushOperations(); err != nil {
		return err
	}
	if err := t.flushJobs(); err != nil {
		return err
	}
	for name, n := range t.counts {
		if n == 0 {
			continue
		}
		err := t.w.exec(t.ctx, "INSERT INTO counts (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n", name, n)
		if err != nil {
			return err
		}
	}
	t.counts = map[string]int64{}
	return nil
}

func (t *tx) flushJobs() error {
	for _, e := range t.jobs {
		e.dirty = false
		t.counts["job:"+string(e.kept.State)]--
		t.counts["job:"+string(e.job.State)]++
		j := e.job
		var err error
		switch {
		case j.Generation == 0:
			err = t.w.exec(t.ctx, "DELETE FROM jobs WHERE row = ?", e.row)
			e.row = 0
		case e.row == 0:
			var r sql.Result
			r, err = t.insert("INSERT INTO jobs (key, state, due, asked, listed, expires, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
				e.key, string(j.State), nanos(j.DueAt), nanos(j.GenerationAt), listedAt(j), t.expires(j), encodeJob(j))
			if err == nil {
				e.row, err = r.LastInsertId()
			}
		case j.State.Ended() || listedAt(j) != listedAt(e.kept):
			err = t.w.exec(t.ctx, "UPDATE jobs SET state = ?, due = ?, asked = ?, listed = ?, expires = ?, doc = ? WHERE row = ?",
				string(j.State), nanos(j.DueAt), nanos(j.GenerationAt), listedAt(j), t.expires(j), encodeJob(j), e.row)
		default:
			err = t.w.exec(t.ctx, "UPDATE jobs SET state = ?, due = ?, expires = 0, doc = ? WHERE row = ?",
				string(j.State), nanos(j.DueAt), encodeJob(j), e.row)
		}
		if err != nil {
			return err
		}
		e.kept = j
	}
	t.jobs = t.jobs[:0]
	delete(t.counts, "job:")
	return nil
}

func (t *tx) insert(query string, args ...any) (sql.Result, error) {
	s, err := t.w.stmt(t.ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(t.ctx, args...)
}

// listedAt is where a job stands in lists: by its end or, while it lives, by
// when it was asked for. Renewals do not move it.
func listedAt(j jobs.Job) int64 {
	if j.State.Ended() {
		return nanos(j.EndedAt)
	}
	return nanos(j.GenerationAt)
}

// expires is when a job may be deleted: songs that were made stay.
func (t *tx) expires(j jobs.Job) int64 {
	if j.State == jobs.JobDead || j.State == jobs.JobCancelled {
		return nanos(j.EndedAt.Add(t.w.options.KeepDead))
	}
	return 0
}

func (t *tx) flushOperations() error {
	for _, e := range t.operations {
		e.dirty = false
		t.countOperation(e.kept, -1)
		t.countOperation(e.operation, 1)
		o := e.operation
		var waiting any
		if o.State == jobs.OperationWaiting {
			waiting = waitingKey(o.Key)
		}
		var err error
		if e.row == 0 {
			var r sql.Result
			r, err = t.insert("INSERT INTO operations (id, waiting, due, expires, doc) VALUES (?, ?, ?, ?, ?)",
				packID(o.ID), waiting, nanos(o.DueAt), nanos(o.ExpireAt), encodeOperation(o))
			if err == nil {
				e.row, err = r.LastInsertId()
			}
		} else {
			err = t.w.exec(t.ctx, "UPDATE operations SET waiting = ?, due = ?, expires = ?, doc = ? WHERE row = ?",
				waiting, nanos(o.DueAt), nanos(o.ExpireAt), encodeOperation(o), e.row)
		}
		if err == nil && e.ended {
			e.ended = false
			err = t.w.exec(t.ctx, "INSERT INTO ends (operation) VALUES (?)", e.row)
		}
		if err != nil {
			return err
		}
		e.kept = o
	}
	t.operations = t.operations[:0]
	return nil
}

func (t *tx) countOperation(o jobs.Operation, by int64) {
	if o.State == jobs.OperationWaiting {
		t.counts["waiting"] += by
	}
	if o.Event == jobs.EventPending {
		t.counts["unsent"] += by
	}
}

package sqlite

import (
	"database/sql/driver"
	"errors"

	"github.com/butakero/butakero/internal/jobs"
)

// The counts that the writer keeps, by their number in the table. Those of the
// job states come first.
const (
	countWaiting = numStates + iota
	countUnsent
	countEnds
	numCounts
)

// The numbers of the job states in the table: never reuse or reorder one.
var stateNames = [numStates]jobs.JobState{
	jobs.JobPending, jobs.JobRunning, jobs.JobRetry, jobs.JobDone, jobs.JobDead, jobs.JobCancelled,
}

const (
	numStates      = 6
	stateDead      = 4
	stateCancelled = 5
)

// stateNumber returns -1 for what is no state.
func stateNumber(s jobs.JobState) int64 {
	for i, name := range stateNames {
		if name == s {
			return int64(i)
		}
	}
	return -1
}

// chunk is how many records are asked for, or inserted, by one statement.
const chunk = 16

var (
	jobsQuery = `SELECT j.row, j.doc FROM (VALUES ` + tuples(chunk, 1) + `) AS v CROSS JOIN jobs AS j ON j.key = v.column1`
	opsQuery  = `SELECT o.row, o.ended, o.doc FROM (VALUES ` + tuples(chunk, 1) + `) AS v CROSS JOIN operations AS o ON o.id = v.column1`

	insertJob  = `INSERT INTO jobs (row, key, state, due, updated, doc) VALUES ` + tuples(1, 6)
	insertJobs = `INSERT INTO jobs (row, key, state, due, updated, doc) VALUES ` + tuples(chunk, 6)
	insertOp   = `INSERT INTO operations (row, id, due, expires, ended, doc) VALUES ` + tuples(1, 6)
	insertOps  = `INSERT INTO operations (row, id, due, expires, ended, doc) VALUES ` + tuples(chunk, 6)
)

const (
	jobQuery = `SELECT row, doc FROM jobs WHERE key = ?`
	opQuery  = `SELECT row, ended, doc FROM operations WHERE id = ?`

	updateJob     = `UPDATE jobs SET state = ?, due = ?, updated = ?, doc = ? WHERE row = ?`
	updateLagging = `UPDATE jobs SET doc = ? WHERE row = ?`
	updateDue     = `UPDATE jobs SET due = ?, doc = ? WHERE row = ?`

	updateOp = `UPDATE operations SET due = ?, expires = ?, ended = ?, doc = ? WHERE row = ?`

	// SQLite writes the index of a column that is set anew, also to what it was.
	updateOpSameEnd = `UPDATE operations SET due = ?, expires = ?, doc = ? WHERE row = ?`
)

// prefetch brings what a batch is about into the cache, many records a query.
func (t *tx) prefetch(batch []*request) error {
	size := 0
	for _, r := range batch {
		size += len(r.jobs) + len(r.operations)
	}
	if size < 4 {
		return nil // one by one is as quick
	}
	err := t.fetch(batch)
	if errors.Is(err, errCodec) { // one by one the bad record is nobody else's trouble
		t.w.cache.clear()
		err = nil
	}
	return err
}

func (t *tx) fetch(batch []*request) error {
	keys, ids := make([]any, 0, chunk), make([]any, 0, chunk)
	for _, r := range batch {
		for i := range r.jobs {
			key := r.jobs[i].Key
			if _, ok := t.w.cache.jobs.get(key); ok {
				continue
			}
			t.w.cache.jobs.put(key, new(jobEntry)) // until it is found
			if keys = append(keys, rowKey(key)); len(keys) == chunk {
				if err := t.fetchJobs(keys); err != nil {
					return err
				}
				keys = keys[:0]
			}
		}
		for i := range r.operations {
			id := r.operations[i].ID
			if _, ok := t.w.cache.operations.get(id); ok {
				continue
			}
			t.w.cache.operations.put(id, new(operationEntry))
			packed, ok := packID(id)
			if !ok {
				continue
			}
			if ids = append(ids, packed); len(ids) == chunk {
				if err := t.fetchOperations(ids); err != nil {
					return err
				}
				ids = ids[:0]
			}
		}
	}
	if err := t.fetchJobs(keys); err != nil {
		return err
	}
	return t.fetchOperations(ids)
}

func (t *tx) fetchJobs(keys []any) error {
	if len(keys) == 0 {
		return nil
	}
	for len(keys) < chunk {
		keys = append(keys, nil) // equal to nothing
	}
	return t.w.conn.query(jobsQuery, t.keepJob, keys...)
}

func (t *tx) fetchOperations(ids []any) error {
	if len(ids) == 0 {
		return nil
	}
	for len(ids) < chunk {
		ids = append(ids, nil)
	}
	return t.w.conn.query(opsQuery, t.putOperation, ids...)
}

func (t *tx) keepJob(row []driver.Value) error {
	j, err := decodeJob(blob(row[1]))
	if err != nil {
		return err
	}
	e := &jobEntry{row: integer(row[0]), job: j, kept: j.State, due: nanos(j.DueAt)}
	if j.State == jobs.JobRunning { // see lags
		e.due = -1
	}
	t.w.cache.jobs.put(j.Key, e)
	return nil
}

// keepOperation makes an entry of a row, or returns that which is there already:
// it may have changed since.
func (t *tx) keepOperation(row []driver.Value) (*operationEntry, error) {
	o, err := decodeOperation(blob(row[2]))
	if err != nil {
		return nil, err
	}
	if e, ok := t.w.cache.operations.get(o.ID); ok && e.row != 0 {
		return e, nil
	}
	end := integer(row[1])
	e := &operationEntry{row: integer(row[0]), ended: end, keptEnd: end, operation: o, kept: o.State, event: o.Event}
	t.w.cache.operations.put(o.ID, e)
	return e, nil
}

func (t *tx) putOperation(row []driver.Value) error {
	_, err := t.keepOperation(row)
	return err
}

// job returns a job's entry, from memory or from the table.
func (t *tx) job(key jobs.Key) (*jobEntry, error) {
	if e, ok := t.w.cache.jobs.get(key); ok {
		return e, nil
	}
	if err := t.w.conn.query(jobQuery, t.keepJob, rowKey(key)); err != nil {
		return nil, err
	}
	e, ok := t.w.cache.jobs.get(key)
	if !ok {
		e = new(jobEntry)
		t.w.cache.jobs.put(key, e)
	}
	return e, nil
}

func (t *tx) operationEntry(id string) (*operationEntry, error) {
	if e, ok := t.w.cache.operations.get(id); ok {
		return e, nil
	}
	if packed, ok := packID(id); ok {
		if err := t.w.conn.query(opQuery, t.putOperation, packed); err != nil {
			return nil, err
		}
	}
	e, ok := t.w.cache.operations.get(id)
	if !ok {
		e = new(operationEntry)
		t.w.cache.operations.put(id, e)
	}
	return e, nil
}

// flush writes what has changed.
func (t *tx) flush() error {
	if err := t.flushOperations(); err != nil {
		return err
	}
	if err := t.flushJobs(); err != nil {
		return err
	}
	t.counts[countEnds] = t.end - t.w.next.end
	t.w.next.end = t.end
	for i, n := range t.counts {
		if n == 0 {
			continue
		}
		if _, err := t.w.conn.exec("UPDATE counts SET n = n + ? WHERE name = ?", n, int64(i)); err != nil {
			return err
		}
	}
	t.counts = [numCounts]int64{}
	return nil
}

func (t *tx) flushJobs() error {
	fresh := make([]any, 0, chunk*6)
	buf := t.w.buf[:0]
	for _, e := range t.jobs {
		e.dirty = false
		j := &e.job
		t.count(stateNumber(e.kept), -1)
		t.count(stateNumber(j.State), 1)
		was := e.kept
		e.kept = j.State
		if j.Generation == 0 {
			if e.row == 0 { // made and forgotten in one transaction
				continue
			}
			if err := t.bury(e, was); err != nil {
				return err
			}
			if _, err := t.w.conn.exec("DELETE FROM jobs WHERE row = ?", e.row); err != nil {
				return err
			}
			e.row = 0
			continue
		}
		from := len(buf)
		buf = appendJob(buf, j)
		doc := buf[from:len(buf):len(buf)]
		due := nanos(j.DueAt)
		if t.lags(e) {
			if err := t.lag(e, due, doc); err != nil {
				return err
			}
			buf = buf[:from]
			continue
		}
		e.due = due
		if len(t.w.lagging) > 0 {
			delete(t.w.lagging, j.Key)
		}
		if e.row != 0 {
			if err := t.bury(e, was); err != nil {
				return err
			}
			if _, err := t.w.conn.exec(updateJob, stateNumber(j.State), due, nanos(j.UpdatedAt), doc, e.row); err != nil {
				return err
			}
			buf = buf[:from]
			continue
		}
		t.w.next.job++
		e.row = t.w.next.job
		if err := t.bury(e, was); err != nil {
			return err
		}
		fresh = append(fresh, e.row, rowKey(j.Key), stateNumber(j.State), due, nanos(j.UpdatedAt), doc)
		if len(fresh) == cap(fresh) {
			if _, err := t.w.conn.exec(insertJobs, fresh...); err != nil {
				return err
			}
			fresh, buf = fresh[:0], buf[:0]
		}
	}
	t.jobs = t.jobs[:0]
	t.w.buf = buf
	return t.each(insertJob, fresh)
}

// lags says that the columns of a job need not follow its record yet: it has been
// claimed. Most of the work of a claim would be moving entries of indexes; a job
// that ends within catchUpAfter never pays for it. Until then lists have it among
// the jobs that wait.
func (t *tx) lags(e *jobEntry) bool {
	return e.row != 0 && e.job.State == jobs.JobRunning && !t.catchingUp
}

// lag writes the record, and when it is due only if the index names a later time:
// Due that finds a job too early sees in the record that it is.
func (t *tx) lag(e *jobEntry, due int64, doc []byte) (err error) {
	t.w.lagging[e.job.Key] = true
	if e.due > 0 && e.due <= due {
		_, err = t.w.conn.exec(updateLagging, doc, e.row)
		return err
	}
	_, err = t.w.conn.exec(updateDue, due, doc, e.row)
	e.due = due
	return err
}

// catchUp brings the columns of jobs that still run up to their records.
func (t *tx) catchUp() error {
	t.catchingUp = true
	for key := range t.w.lagging {
		e, err := t.job(key)
		if err != nil && !errors.Is(err, errCodec) {
			return err
		}
		if err == nil && e.job.State == jobs.JobRunning {
			t.change(e, e.job)
		}
	}
	return t.flush()
}

// each runs an insert of six parameters for every record that is left over.
func (t *tx) each(query string, args []any) error {
	for ; len(args) > 0; args = args[6:] {
		if _, err := t.w.conn.exec(query, args[:6]...); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) flushOperations() error {
	fresh := make([]any, 0, chunk*6)
	buf := t.w.buf[:0]
	for _, e := range t.operations {
		e.dirty = false
		o := &e.operation
		t.countOperation(e.kept, e.event, -1)
		t.countOperation(o.State, o.Event, 1)
		e.kept, e.event = o.State, o.Event
		var ended any
		if e.ended != 0 {
			ended = e.ended
		}
		from := len(buf)
		buf = appendOperation(buf, o)
		doc := buf[from:len(buf):len(buf)]
		if e.row != 0 {
			var err error
			if e.ended == e.keptEnd {
				_, err = t.w.conn.exec(updateOpSameEnd, nanos(o.DueAt), nanos(o.ExpireAt), doc, e.row)
			} else {
				_, err = t.w.conn.exec(updateOp, nanos(o.DueAt), nanos(o.ExpireAt), ended, doc, e.row)
			}
			if err != nil {
				return err
			}
			e.keptEnd = e.ended
			buf = buf[:from]
			continue
		}
		e.keptEnd = e.ended
		t.w.next.operation++
		e.row = t.w.next.operation
		id, _ := packID(o.ID) // a put with any other id was refused
		fresh = append(fresh, e.row, id, nanos(o.DueAt), nanos(o.ExpireAt), ended, doc)
		if len(fresh) == cap(fresh) {
			if _, err := t.w.conn.exec(insertOps, fresh...); err != nil {
				return err
			}
			fresh, buf = fresh[:0], buf[:0]
		}
	}
	t.operations = t.operations[:0]
	t.w.buf = buf
	return t.each(insertOp, fresh)
}

func (t *tx) count(state, by int64) {
	if state >= 0 {
		t.counts[state] += by
	}
}

func (t *tx) countOperation(s jobs.OperationState, e jobs.EventState, by int64) {
	if s == jobs.OperationWaiting {
		t.counts[countWaiting] += by
	}
	if e == jobs.EventPending {
		t.counts[countUnsent] += by
	}
}

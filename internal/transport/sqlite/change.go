package sqlite

import (
	"context"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// change is what becomes of a delivery.
type change struct {
	number  int64
	kind    changeKind
	visible time.Time // release, extend
}

type changeKind int

const (
	acknowledge changeKind = iota
	release
	extend
)

// change changes deliveries, in memory or, if they have been held for long, in
// the file.
func (q *Queue) change(ctx context.Context, changes []change, now time.Time) []error {
	errs := make([]error, len(changes))
	err := q.open(ctx)
	if err == nil {
		r := &request{}
		inFile := q.changeMemory(r, changes, errs, now)
		if len(r.park)+len(r.change) > 0 {
			err = q.do(ctx, r)
		}
		if err == nil {
			q.changedFile(r, changes, errs, inFile)
		}
	}
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

// changeMemory does what can be done in memory and puts the rest into r. It
// returns which changes those of r are.
func (q *Queue) changeMemory(r *request, changes []change, errs []error, now time.Time) (inFile []int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(now)
	before := len(q.fresh)
	for i, c := range changes {
		h := q.held[c.number]
		if h == nil {
			errs[i] = jobs.ErrFenced
			continue
		}
		if h.row != 0 {
			r.change = append(r.change, rowChange{row: h.row, remove: c.kind == acknowledge, held: c.kind == extend, visible: c.visible})
			inFile = append(inFile, i)
			continue
		}
		if c.kind == extend {
			h.visible = c.visible
			q.expiresAt(c.visible)
			continue
		}
		// If it is on its way into the file, the row is deleted behind it.
		delete(q.held, c.number)
		if c.kind == acknowledge {
			continue
		}
		if c.visible.After(now) {
			r.park = append(r.park, parking{message: h.message, visible: c.visible})
			continue
		}
		q.fresh = append(q.fresh, h.message)
	}
	if len(q.fresh) > before {
		q.ring()
		q.writeBehind()
	}
	return inFile
}

// changedFile reads what the file has answered. Receipts that are of no use any
// more are forgotten.
func (q *Queue) changedFile(r *request, changes []change, errs []error, inFile []int) {
	if len(inFile) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for n, i := range inFile {
		if !r.changed[n] {
			errs[i] = jobs.ErrFenced
		}
		h := q.held[changes[i].number]
		switch {
		case h == nil:
		case !r.changed[n], changes[i].kind != extend:
			delete(q.held, changes[i].number)
		default:
			h.visible = changes[i].visible
		}
	}
}

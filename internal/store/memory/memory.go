// Package memory keeps jobs, operations and notes in memory. It runs the
// protocol's own transition functions under one lock, so it is the reference by
// which the suite judges the real stores, and the store of tests and
// simulations. Nothing survives the process.
package memory

import (
	"context"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// Store implements jobs.Backend.
type Store struct {
	// Now is the clock by which notes expire; time.Now.
	Now func() time.Time

	mu         sync.Mutex
	jobs       map[jobs.Key]jobs.Job
	operations map[string]jobs.Operation
	byKey      map[jobs.Key]map[string]bool
	notes      map[string]jobs.Note
	log        []jobs.Operation // ends, in their order
}

var _ jobs.Backend = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		Now:        time.Now,
		jobs:       map[jobs.Key]jobs.Job{},
		operations: map[string]jobs.Operation{},
		byKey:      map[jobs.Key]map[string]bool{},
		notes:      map[string]jobs.Note{},
	}
}

// ApplyJobs implements jobs.Store.
func (s *Store) ApplyJobs(ctx context.Context, commands []jobs.JobCommand) ([]jobs.JobOutcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	outs := make([]jobs.JobOutcome, len(commands))
	for i, c := range commands {
		next, changed, err := jobs.Transition(s.jobs[c.Key], c)
		outs[i] = jobs.JobOutcome{Job: next, Changed: changed, Err: err}
		switch {
		case !changed:
		case next.Generation == 0:
			delete(s.jobs, c.Key)
		default:
			s.jobs[c.Key] = next
		}
	}
	return outs, nil
}

// ApplyOperations implements jobs.Store.
func (s *Store) ApplyOperations(ctx context.Context, commands []jobs.OperationCommand) ([]jobs.OperationOutcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	outs := make([]jobs.OperationOutcome, len(commands))
	for i, c := range commands {
		next, changed, err := jobs.TransitionOperation(s.operations[c.ID], c)
		outs[i] = jobs.OperationOutcome{Operation: next, Changed: changed, Err: err}
		if !changed {
			continue
		}
		s.operations[c.ID] = next
		if s.byKey[next.Key] == nil {
			s.byKey[next.Key] = map[string]bool{}
		}
		s.byKey[next.Key][next.ID] = true
		if c.Kind == jobs.OperationFinish {
			s.log = append(s.log, next)
		}
	}
	return outs, nil
}

// Job implements jobs.Store.
func (s *Store) Job(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Job{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[key]
	if !ok {
		return j, jobs.ErrNotFound
	}
	return j, nil
}

// Operation implements jobs.Store.
func (s *Store) Operation(ctx context.Context, id string) (jobs.Operation, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Operation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.operations[id]
	if !ok {
		return o, jobs.ErrNotFound
	}
	return o, nil
}

// OperationsOf implements jobs.Store.
func (s *Store) OperationsOf(ctx context.Context, key jobs.Key, state jobs.OperationState, after string, limit int) ([]jobs.Operation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []jobs.Operation
	for id := range s.byKey[key] {
		if o := s.operations[id]; o.State == state && id > after {
			found = append(found, o)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].ID < found[j].ID })
	return found[:min(limit, len(found))], nil
}

// Due implements jobs.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (jobs.Due, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Due{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var due jobs.Due
	for _, j := range s.jobs {
		if !j.DueAt.IsZero() && !j.DueAt.After(now) {
			due.Jobs = append(due.Jobs, j)
		}
	}
	for _, o := range s.operations {
		if !o.DueAt.IsZero() && !o.DueAt.After(now) {
			due.Operations = append(due.Operations, o)
		}
	}
	sort.Slice(due.Jobs, func(i, j int) bool {
		return earlier(due.Jobs[i].DueAt, due.Jobs[j].DueAt, due.Jobs[i].Key.String(), due.Jobs[j].Key.String())
	})
	sort.Slice(due.Operations, func(i, j int) bool {
		return earlier(due.Operations[i].DueAt, due.Operations[j].DueAt, due.Operations[i].ID, due.Operations[j].ID)
	})
	due.Jobs = due.Jobs[:min(limit, len(due.Jobs))]
	due.Operations = due.Operations[:min(limit, len(due.Operations))]
	return due, nil
}

func earlier(a, b time.Time, nameA, nameB string) bool {
	if a.Equal(b) {
		return nameA < nameB
	}
	return a.Before(b)
}

// Jobs implements jobs.Desk.
func (s *Store) Jobs(ctx context.Context, f jobs.JobFilter, cursor string, limit int) ([]jobs.Job, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if cursor != "" && !isPlace(cursor) {
		return nil, "", jobs.ErrBadCursor
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []jobs.Job
	for _, j := range s.jobs {
		if f.Matches(j) && (cursor == "" || place(j) < cursor) {
			found = append(found, j)
		}
	}
	sort.Slice(found, func(i, j int) bool { return place(found[i]) > place(found[j]) })
	if len(found) <= limit {
		return found, "", nil
	}
	return found[:limit], place(found[limit-1]), nil
}

// place orders jobs by update, for cursors.
func place(j jobs.Job) string {
	return j.UpdatedAt.UTC().Format(placeTime) + "/" + j.Key.String()
}

const placeTime = "20060102150405.000000000"

func isPlace(cursor string) bool {
	at, key, _ := strings.Cut(cursor, "/")
	_, errTime := time.Parse(placeTime, at)
	_, errKey := jobs.ParseKey(key)
	return errTime == nil && errKey == nil
}

// Groups implements jobs.Desk.
func (s *Store) Groups(ctx context.Context, f jobs.JobFilter, by jobs.Facet, limit int) ([]jobs.Group, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := jobs.NewGrouping(by)
	for _, j := range s.jobs {
		if f.Matches(j) {
			groups.Add(j)
		}
	}
	return groups.Top(limit), nil
}

// Events implements jobs.Desk.
func (s *Store) Events(ctx context.Context, cursor string, limit int) ([]jobs.Operation, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := 0
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil || n < 0 || n > len(s.log) {
			return nil, "", jobs.ErrBadCursor
		}
		from = n
	}
	to := min(len(s.log), from+limit)
	return append([]jobs.Operation(nil), s.log[from:to]...), strconv.Itoa(to), nil
}

// Stats implements jobs.Desk.
func (s *Store) Stats(ctx context.Context, now time.Time) (jobs.Stats, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Stats{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := jobs.Stats{Jobs: map[jobs.JobState]int64{}}
	for _, j := range s.jobs {
		st.Jobs[j.State]++
		claimable := j.State == jobs.JobPending || j.State == jobs.JobRetry && !j.RunAt.After(now)
		if claimable && (st.OldestPending.IsZero() || j.GenerationAt.Before(st.OldestPending)) {
			st.OldestPending = j.GenerationAt
		}
	}
	for _, o := range s.operations {
		if o.State == jobs.OperationWaiting {
			st.Waiting++
		}
		if o.Event == jobs.EventPending {
			st.PendingEvents++
		}
	}
	return st, nil
}

// Note implements jobs.Notes.
func (s *Store) Note(ctx context.Context, key string) (jobs.Note, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Note{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.note(key)
	if !ok {
		return jobs.Note{}, jobs.ErrNotFound
	}
	return n, nil
}

func (s *Store) note(key string) (jobs.Note, bool) {
	n, ok := s.notes[key]
	if ok && !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.Now()) {
		return jobs.Note{}, false
	}
	return n, ok
}

// SwapNote implements jobs.Notes.
func (s *Store) SwapNote(ctx context.Context, n jobs.Note) (jobs.Note, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Note{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, _ := s.note(n.Key); kept.Version != n.Version {
		return kept, jobs.ErrConflict
	}
	n.Version++
	n.Value = append([]byte(nil), n.Value...)
	s.notes[n.Key] = n
	return n, nil
}

// ListNotes implements jobs.Notes.
func (s *Store) ListNotes(ctx context.Context, prefix, after string, limit int) ([]jobs.Note, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []jobs.Note
	for key := range s.notes {
		if n, ok := s.note(key); ok && strings.HasPrefix(key, prefix) && key > after {
			found = append(found, n)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Key < found[j].Key })
	return found[:min(limit, len(found))], nil
}

// Ping implements the wiring's health check.
func (s *Store) Ping(ctx context.Context) error { return ctx.Err() }

// Close implements io.Closer.
func (s *Store) Close() error { return nil }

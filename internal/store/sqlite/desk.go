package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// A page of a filtered list looks at up to scanLimit records, scanChunk at a time;
// it may then be short, or empty, and yet have a next one.
const (
	scanLimit = 20_000
	scanChunk = 200
)

// Jobs implements jobs.Desk. A job that was claimed within the last second may
// still be in the place of a waiting one.
func (s *Store) Jobs(ctx context.Context, f jobs.JobFilter, cursor string, limit int) (found []jobs.Job, next string, err error) {
	from := place{updated: math.MaxInt64, row: math.MaxInt64}
	if cursor != "" {
		if from, err = openCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	for seen := 0; seen < scanLimit; seen += scanChunk {
		more := false
		n := 0
		err := s.scan(ctx, f, from, func(at place, doc []byte) (bool, error) {
			n++
			from = at
			j, err := decodeJob(doc)
			if err != nil {
				return false, err
			}
			if f.Matches(j) {
				found = append(found, j)
			}
			more = len(found) == limit
			return !more, nil
		})
		if err != nil {
			return nil, "", err
		}
		if more {
			return found, from.cursor(), nil
		}
		if n < scanChunk {
			return found, "", nil
		}
	}
	return found, from.cursor(), nil
}

// place is where a job stands in the list.
type place struct{ updated, row int64 }

// scan reads the next jobs behind a place, the newest update first: of a song, of
// a state, or of all states, each of which an index has in this order; of the dead
// those with one of the facets that the filter names.
func (s *Store) scan(ctx context.Context, f jobs.JobFilter, from place, each func(place, []byte) (bool, error)) error {
	const order = " ORDER BY updated DESC, row DESC LIMIT ?"
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.Since.IsZero() {
		since = nanos(f.Since)
	}
	if !f.Until.IsZero() {
		until = nanos(f.Until)
	}
	var parts []string
	var args []any
	part := func(where string, values ...any) {
		parts = append(parts, "SELECT * FROM (SELECT row, updated, doc FROM jobs WHERE "+where+
			" AND (updated, row) < (?, ?) AND updated >= ? AND updated < ?"+order+")")
		args = append(append(args, values...), from.updated, from.row, since, until, scanChunk)
	}
	dead := func() {
		for _, facet := range deadFacets {
			if v := wanted(f, facet); v != "" {
				// The column is one of ours, never a caller's text.
				parts = append(parts, "SELECT * FROM (SELECT d.row, d.updated, j.doc FROM dead AS d CROSS JOIN jobs AS j ON j.row = d.row WHERE d."+string(facet)+
					" = ? AND (d.updated, d.row) < (?, ?) AND d.updated >= ? AND d.updated < ? ORDER BY d.updated DESC, d.row DESC LIMIT ?)")
				args = append(args, v, from.updated, from.row, since, until, scanChunk)
				return
			}
		}
		part("state = ?", stateDead)
	}
	switch {
	case f.Song != "":
		part("key >= ? AND key < ?", f.Song, f.Song+";")
	case f.State == jobs.JobDead:
		dead()
	case f.State != "":
		part("state = ?", stateNumber(f.State))
	default:
		for n := range numStates {
			if n != stateDead {
				part("state = ?", n)
			}
		}
		dead()
	}
	rows, err := s.read.QueryContext(ctx, strings.Join(parts, " UNION ALL ")+order, append(args, scanChunk)...)
	if err != nil {
		return readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	for rows.Next() {
		var at place
		var doc sql.RawBytes
		if err := rows.Scan(&at.row, &at.updated, &doc); err != nil {
			return readError(ctx, err)
		}
		if more, err := each(at, doc); err != nil || !more {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return readError(ctx, err)
	}
	return nil
}

// groupAll counts record by record.
func (s *Store) groupAll(ctx context.Context, f jobs.JobFilter, by jobs.Facet, limit int) ([]jobs.Group, error) {
	groups := jobs.NewGrouping(by)
	from := place{updated: math.MaxInt64, row: math.MaxInt64}
	for n := scanChunk; n == scanChunk; {
		n = 0
		err := s.scan(ctx, f, from, func(at place, doc []byte) (bool, error) {
			n++
			from = at
			j, err := decodeJob(doc)
			if err == nil && f.Matches(j) {
				groups.Add(j)
			}
			return true, err
		})
		if err != nil {
			return nil, err
		}
	}
	return groups.Top(limit), nil
}

func (p place) cursor() string { return fmt.Sprintf("%d.%d", p.updated, p.row) }

func openCursor(cursor string) (place, error) {
	a, b, ok := strings.Cut(cursor, ".")
	updated, errA := strconv.ParseInt(a, 10, 64)
	row, errB := strconv.ParseInt(b, 10, 64)
	if !ok || errA != nil || errB != nil {
		return place{}, jobs.ErrBadCursor
	}
	return place{updated, row}, nil
}

// Events implements jobs.Desk. The writer, of whom there is one at a time, numbers
// the ends in their order: a reader behind any number has seen all before it. An
// operation that a replay has reopened is not in the list until it ends again.
func (s *Store) Events(ctx context.Context, cursor string, limit int) (ended []jobs.Operation, next string, err error) {
	from := int64(0)
	if cursor != "" {
		if from, err = strconv.ParseInt(cursor, 10, 64); err != nil || from < 0 {
			return nil, "", jobs.ErrBadCursor
		}
	}
	rows, err := s.reads[readEnds].QueryContext(ctx, from, limit)
	if err != nil {
		return nil, "", readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&from, &doc); err != nil {
			return nil, "", readError(ctx, err)
		}
		o, err := decodeOperation(doc)
		if err != nil {
			return nil, "", err
		}
		ended = append(ended, o)
	}
	if err := rows.Err(); err != nil {
		return nil, "", readError(ctx, err)
	}
	return ended, strconv.FormatInt(from, 10), nil
}

const (
	readEnds   = `SELECT ended, doc FROM operations WHERE ended > ? ORDER BY ended LIMIT ?`
	readCounts = `SELECT name, n FROM counts WHERE n <> 0`
	readOldest = `SELECT doc FROM jobs WHERE state = ? ORDER BY updated LIMIT 500`
)

// Stats implements jobs.Desk. The writer keeps the counts. The oldest claimable
// job is looked for among those that have not changed for longest.
func (s *Store) Stats(ctx context.Context, now time.Time) (jobs.Stats, error) {
	stats := jobs.Stats{Jobs: map[jobs.JobState]int64{}}
	rows, err := s.reads[readCounts].QueryContext(ctx)
	if err != nil {
		return stats, readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	for rows.Next() {
		var name int
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return stats, readError(ctx, err)
		}
		switch {
		case name < numStates:
			stats.Jobs[stateNames[name]] = n
		case name == countWaiting:
			stats.Waiting = n
		case name == countUnsent:
			stats.PendingEvents = n
		}
	}
	if err := rows.Err(); err != nil {
		return stats, readError(ctx, err)
	}
	for _, state := range []jobs.JobState{jobs.JobPending, jobs.JobRetry} {
		if stats.Jobs[state] == 0 {
			continue
		}
		err := s.documents(ctx, readOldest, []any{stateNumber(state)}, func(doc []byte) (bool, error) {
			j, err := decodeJob(doc)
			asked := j.GenerationAt // of a replayed job: since its replay
			if err == nil && j.State == state && !j.RunAt.After(now) && (stats.OldestPending.IsZero() || asked.Before(stats.OldestPending)) {
				stats.OldestPending = asked
			}
			return true, err
		})
		if err != nil {
			return stats, err
		}
	}
	return stats, nil
}

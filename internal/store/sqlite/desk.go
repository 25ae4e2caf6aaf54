package sqlite

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// scanLimit bounds the records that one page of a filtered list looks at; a page
// may then be short, or empty, and yet have a next one.
const scanLimit = 20_000

// Jobs implements jobs.Desk. Lists are in the order of ends and, for jobs that
// live, of requests; an index leads to dead jobs, to live ones, and to all.
func (s *Store) Jobs(ctx context.Context, f jobs.JobFilter, cursor string, limit int) (found []jobs.Job, next string, err error) {
	where := []string{"TRUE"}
	var args []any
	if f.Song != "" {
		// A song's jobs differ in their profile alone; few keys share its id.
		where = append(where, "key IN (SELECT key FROM jobs WHERE "+songRanges(f.Song, &args)+")")
	}
	switch f.State {
	case "":
	case jobs.JobDead:
		where = append(where, "state = 'dead'")
	case jobs.JobPending, jobs.JobRunning, jobs.JobRetry: // the index on due has only live and fresh ones
		where, args = append(where, "due > 0 AND state = ?"), append(args, string(f.State))
	default:
		where, args = append(where, "state = ?"), append(args, string(f.State))
	}
	if !f.Since.IsZero() {
		where, args = append(where, "listed >= ?"), append(args, nanos(f.Since))
	}
	if !f.Until.IsZero() {
		where, args = append(where, "listed < ?"), append(args, nanos(f.Until))
	}
	if cursor != "" {
		listed, row, err := openCursor(cursor)
		if err != nil {
			return nil, "", err
		}
		where, args = append(where, "(listed, row) < (?, ?)"), append(args, listed, row)
	}
	query := "SELECT row, listed, doc FROM jobs WHERE " + strings.Join(where, " AND ") + " ORDER BY listed DESC, row DESC"
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, "", readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	for seen := 1; rows.Next(); seen++ {
		var row, listed int64
		var doc []byte
		if err := rows.Scan(&row, &listed, &doc); err != nil {
			return nil, "", readError(ctx, err)
		}
		j, err := decodeJob(doc)
		if err != nil {
			return nil, "", err
		}
		if matches(j, f) {
			found = append(found, j)
		}
		if len(found) == limit || seen == scanLimit {
			return found, sealCursor(listed, row), nil
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", readError(ctx, err)
	}
	return found, "", nil
}

// songRanges is the condition on key for every platform's song of this id.
func songRanges(id string, args *[]any) string {
	var any []string
	for _, platform := range []string{jobs.PlatformYouTube, jobs.PlatformDemo} {
		prefix := platform + ":" + id + ":"
		any = append(any, "(key >= ? AND key < ?)")
		*args = append(*args, prefix, prefix+"\x7f")
	}
	return strings.Join(any, " OR ")
}

// matches checks what the query does not.
func matches(j jobs.Job, f jobs.JobFilter) bool {
	var last jobs.Failure
	if j.LastError != nil {
		last = *j.LastError
	}
	if f.Class != "" && last.Class != f.Class || f.Code != "" && last.Code != f.Code ||
		f.Profile != "" && j.Key.Profile != f.Profile {
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(j.Info.Title + "\n" + j.Requester + "\n" + last.Message)
	return strings.Contains(text, strings.ToLower(f.Text))
}

func sealCursor(listed, row int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf("%d.%d", listed, row)))
}

func openCursor(cursor string) (listed, row int64, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, 0, jobs.ErrBadCursor
	}
	a, b, ok := strings.Cut(string(raw), ".")
	listed, errA := strconv.ParseInt(a, 10, 64)
	row, errB := strconv.ParseInt(b, 10, 64)
	if !ok || errA != nil || errB != nil {
		return 0, 0, jobs.ErrBadCursor
	}
	return listed, row, nil
}

// Events implements jobs.Desk. One writer numbers the ends in their order, so
// that a reader behind any number has seen all before it.
func (s *Store) Events(ctx context.Context, cursor string, limit int) (ended []jobs.Operation, next string, err error) {
	from := int64(0)
	if cursor != "" {
		if from, err = strconv.ParseInt(cursor, 10, 64); err != nil || from < 0 {
			return nil, "", jobs.ErrBadCursor
		}
	}
	rows, err := s.read.QueryContext(ctx,
		"SELECT e.seq, o.doc FROM ends e LEFT JOIN operations o ON o.row = e.operation WHERE e.seq > ? ORDER BY e.seq LIMIT ?", from, limit)
	if err != nil {
		return nil, "", readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	for rows.Next() {
		var doc []byte
		if err := rows.Scan(&from, &doc); err != nil {
			return nil, "", readError(ctx, err)
		}
		if doc == nil { // deleted when its time was over
			continue
		}
		o, err := decodeOperation(doc)
		if err != nil {
			return nil, "", err
		}
		if o.Ended() { // a replay may have reopened it; it ends again under a later number
			ended = append(ended, o)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", readError(ctx, err)
	}
	return ended, strconv.FormatInt(from, 10), nil
}

// Stats implements jobs.Desk. The counts are kept by the writer; only the oldest
// pending job is looked for.
func (s *Store) Stats(ctx context.Context, now time.Time) (jobs.Stats, error) {
	stats := jobs.Stats{Jobs: map[jobs.JobState]int64{}}
	rows, err := s.read.QueryContext(ctx, "SELECT name, n FROM counts")
	if err != nil {
		return stats, readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return stats, readError(ctx, err)
		}
		switch state, isJob := strings.CutPrefix(name, "job:"); {
		case n == 0:
		case isJob:
			stats.Jobs[jobs.JobState(state)] = n
		case name == "waiting":
			stats.Waiting = n
		case name == "unsent":
			stats.PendingEvents = n
		}
	}
	if err := rows.Err(); err != nil {
		return stats, readError(ctx, err)
	}
	if stats.Jobs[jobs.JobPending]+stats.Jobs[jobs.JobRetry] == 0 {
		return stats, nil
	}
	var oldest *int64
	err = s.read.QueryRowContext(ctx,
		`SELECT min(asked) FROM jobs WHERE due > 0 AND (state = 'pending' OR state = 'retry' AND due <= ?)`, nanos(now)).Scan(&oldest)
	if err != nil {
		return stats, readError(ctx, err)
	}
	if oldest != nil {
		stats.OldestPending = fromNanos(*oldest)
	}
	return stats, nil
}

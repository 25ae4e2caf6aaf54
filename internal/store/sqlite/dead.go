package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/butakero/butakero/internal/jobs"
)

// deadSchema is the index of the dead: one row for each dead job, with what
// operators select and group them by. Only the way into and out of death pays for
// it.
const deadSchema = `
CREATE TABLE dead (
	row       INTEGER PRIMARY KEY, -- that of the job
	updated   INTEGER NOT NULL,
	class     TEXT NOT NULL,
	code      TEXT NOT NULL,
	host      TEXT NOT NULL,
	stage     TEXT NOT NULL,
	extractor TEXT NOT NULL,
	requester TEXT NOT NULL
);
CREATE INDEX dead_class     ON dead (class, updated);
CREATE INDEX dead_code      ON dead (code, updated);
CREATE INDEX dead_host      ON dead (host, updated);
CREATE INDEX dead_stage     ON dead (stage, updated);
CREATE INDEX dead_extractor ON dead (extractor, updated);
CREATE INDEX dead_requester ON dead (requester, updated);
`

const (
	insertDead = `INSERT OR REPLACE INTO dead (row, updated, class, code, host, stage, extractor, requester) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	deleteDead = `DELETE FROM dead WHERE row = ?`
)

// deadFacets are the columns of the index, the most telling first: of several that
// a filter names, the first is looked up and the others are checked.
var deadFacets = []jobs.Facet{
	jobs.FacetRequester, jobs.FacetCode, jobs.FacetHost, jobs.FacetExtractor, jobs.FacetStage, jobs.FacetClass,
}

// wanted is what a filter asks of a facet.
func wanted(f jobs.JobFilter, facet jobs.Facet) string {
	switch facet {
	case jobs.FacetRequester:
		return f.Requester
	case jobs.FacetCode:
		return f.Code
	case jobs.FacetHost:
		return f.Host
	case jobs.FacetExtractor:
		return f.Extractor
	case jobs.FacetStage:
		return string(f.Stage)
	case jobs.FacetClass:
		return string(f.Class)
	}
	return ""
}

// deadRow is what the index has of a job.
func deadRow(row int64, j *jobs.Job) []any {
	all := []any{row, nanos(j.UpdatedAt)}
	for _, facet := range []jobs.Facet{
		jobs.FacetClass, jobs.FacetCode, jobs.FacetHost, jobs.FacetStage, jobs.FacetExtractor, jobs.FacetRequester,
	} {
		all = append(all, facet.Of(*j))
	}
	return all
}

// bury brings the index of the dead up to a job's record. was is the state that
// the tables have.
func (t *tx) bury(e *jobEntry, was jobs.JobState) error {
	if e.row == 0 {
		return nil
	}
	switch {
	case e.job.Generation != 0 && e.job.State == jobs.JobDead:
		_, err := t.w.conn.exec(insertDead, deadRow(e.row, &e.job)...)
		return err
	case was == jobs.JobDead:
		_, err := t.w.conn.exec(deleteDead, e.row)
		return err
	}
	return nil
}

// indexDead fills the index of a database that had none.
func indexDead(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, deadSchema); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT row, doc FROM jobs WHERE state = ?`, stateDead)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	var all [][]any
	for rows.Next() {
		var row int64
		var doc []byte
		if err := rows.Scan(&row, &doc); err != nil {
			return err
		}
		if j, err := decodeJob(doc); err == nil { // what can not be read is in the list of all
			all = append(all, deadRow(row, &j))
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, one := range all {
		if _, err := tx.ExecContext(ctx, insertDead, one...); err != nil {
			return err
		}
	}
	return nil
}

// deadWhere is the condition on the index for what a filter asks; ok is false if
// the index does not know all of it.
func deadWhere(f jobs.JobFilter) (where string, args []any, ok bool) {
	if f.State != jobs.JobDead || f.Song != "" || f.Profile != "" || f.Text != "" {
		return "", nil, false
	}
	parts := []string{"1"}
	for _, facet := range deadFacets {
		if v := wanted(f, facet); v != "" {
			parts = append(parts, string(facet)+" = ?")
			args = append(args, v)
		}
	}
	if !f.Since.IsZero() {
		parts = append(parts, "updated >= ?")
		args = append(args, nanos(f.Since))
	}
	if !f.Until.IsZero() {
		parts = append(parts, "updated < ?")
		args = append(args, nanos(f.Until))
	}
	return strings.Join(parts, " AND "), args, true
}

// Groups implements jobs.Desk. The dead are counted by their index; of others every
// record is read.
func (s *Store) Groups(ctx context.Context, f jobs.JobFilter, by jobs.Facet, limit int) ([]jobs.Group, error) {
	where, args, ok := deadWhere(f)
	if !ok || by == jobs.FacetSong || by == jobs.FacetState {
		return s.groupAll(ctx, f, by, limit)
	}
	// The column is one of ours, never a caller's text.
	query := `SELECT ` + string(by) + `, count(*), min(updated), max(updated) FROM dead WHERE ` + where + //nolint:gosec // see above
		` GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?`
	rows, err := s.read.QueryContext(ctx, query, append(args, limit)...)
	if err != nil {
		return nil, readError(ctx, err)
	}
	defer rows.Close() //nolint:errcheck // its error is rows.Err's
	var groups []jobs.Group
	for rows.Next() {
		var g jobs.Group
		var oldest, newest int64
		if err := rows.Scan(&g.Value, &g.Count, &oldest, &newest); err != nil {
			return nil, readError(ctx, err)
		}
		g.Oldest, g.Newest = fromNanos(oldest), fromNanos(newest)
		groups = append(groups, g)
	}
	if err := rows.Err(); err != nil {
		return nil, readError(ctx, err)
	}
	return groups, nil
}

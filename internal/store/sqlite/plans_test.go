package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlans holds every statement of the hot paths against the engine's plan: each
// must go by an index or a row number, whose condition is the query's own, or its
// cost would grow with the number of waiting jobs.
func TestPlans(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "records.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for query, index := range map[string]string{
		jobQuery:          "sqlite_autoindex_jobs_1",
		jobsQuery:         "sqlite_autoindex_jobs_1",
		opQuery:           "operations_id",
		opsQuery:          "operations_id",
		waitingQuery:      "operations_id",
		waitingOfOneQuery: "operations_id",
		updateJob:         "INTEGER PRIMARY KEY",
		updateLagging:     "INTEGER PRIMARY KEY",
		updateOp:          "INTEGER PRIMARY KEY",
		updateOpSameEnd:   "INTEGER PRIMARY KEY",
		readJob:           "sqlite_autoindex_jobs_1",
		readOperation:     "operations_id",
		readWaiting:       "operations_id",
		readOthers:        "operations_id",
		dueJobs:           "jobs_due",
		dueOperations:     "operations_due",
		readEnds:          "operations_ended",
		readOldest:        "jobs_list",
		readNote:          "PRIMARY KEY",
		listNotes:         "PRIMARY KEY",
		purgeWindowed:     "operations_ended",
		purgeOldest:       "operations_ended",
	} {
		args := make([]any, strings.Count(query, "?"))
		rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		var plan []string
		for rows.Next() {
			var a, b, c int
			var detail string
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "; ")
		sorts := strings.Contains(text, "TEMP B-TREE")
		if !strings.Contains(text, index) || sorts {
			t.Errorf("%s\n\tplan: %s\n\twant: %s", query, text, index)
		}
		for _, step := range plan {
			if step == "SCAN jobs" || step == "SCAN operations" || step == "SCAN o" || step == "SCAN j" {
				t.Errorf("%s\n\tscans a table: %s", query, text)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{codecVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		if j, err := decodeJob(b); err == nil {
			if again, err := decodeJob(appendJob(nil, &j)); err != nil || again.Key != j.Key || again.DueAt != j.DueAt {
				t.Errorf("%+v came back as %+v, %v", j, again, err)
			}
		}
		if o, err := decodeOperation(b); err == nil {
			if again, err := decodeOperation(appendOperation(nil, &o)); err != nil || again.ID != o.ID {
				t.Errorf("%+v came back as %+v, %v", o, again, err)
			}
		}
	})
}

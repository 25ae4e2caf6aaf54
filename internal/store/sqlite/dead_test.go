package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

const putJob = `INSERT INTO jobs (row, key, state, due, updated, doc) VALUES (?, ?, ?, ?, ?, ?)`

func deadJob(n int, at time.Time) jobs.Job {
	f := jobs.Failure{Class: jobs.ClassPermanent, Code: fmt.Sprintf("code%d", n%7), Host: fmt.Sprintf("host%d", n%3), Stage: jobs.StageFetching, Extractor: "native", At: at}
	return jobs.Job{
		Key:   jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: fmt.Sprintf("%011d", n)}, Profile: jobs.DefaultProfile},
		State: jobs.JobDead, Generation: 1, Requester: fmt.Sprintf("guild%d", n%500), LastError: &f, History: []jobs.Failure{f},
		CreatedAt: at, GenerationAt: at, UpdatedAt: at, EndedAt: at,
	}
}

// A database of the first schema gets its index of the dead when it is opened.
func TestOldDatabaseIsIndexed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "records.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), schema+"PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)
	for n := range 30 {
		j := deadJob(n, at.Add(time.Duration(n)*time.Second))
		if n%2 == 0 {
			j.State = jobs.JobCancelled
		}
		_, err := db.ExecContext(t.Context(), putJob, n+1, rowKey(j.Key), stateNumber(j.State), 0, nanos(j.UpdatedAt), appendJob(nil, &j))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing was written
	found, _, err := s.Jobs(t.Context(), jobs.JobFilter{State: jobs.JobDead, Code: "code1"}, "", 10)
	if err != nil || len(found) != 3 { // 1, 15, 29 (8 and 22 are cancelled)
		t.Errorf("%d jobs, %v", len(found), err)
	}
	groups, err := s.Groups(t.Context(), jobs.JobFilter{State: jobs.JobDead}, jobs.FacetHost, 10)
	if err != nil || len(groups) != 3 || groups[0].Count != 5 {
		t.Errorf("%+v, %v", groups, err)
	}
}

// A page of the dead costs the same however many there are: by every facet the
// engine goes through the facet's own index, in the order of the list.
func TestDeadPagesGoByTheirIndex(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "records.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing was written
	for _, facet := range deadFacets {
		query := "EXPLAIN QUERY PLAN SELECT d.row, d.updated, j.doc FROM dead AS d CROSS JOIN jobs AS j ON j.row = d.row WHERE d." + string(facet) +
			" = ? AND (d.updated, d.row) < (?, ?) AND d.updated >= ? AND d.updated < ? ORDER BY d.updated DESC, d.row DESC LIMIT ?"
		rows, err := s.read.QueryContext(t.Context(), query, "x", 1, 1, 1, 1, 1)
		if err != nil {
			t.Fatal(err)
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
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, "INDEX dead_"+string(facet)) || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s:\n%s", facet, text)
		}
	}
}

// A million dead jobs: what a page and the groups cost, first and far back.
func BenchmarkDeadDesk(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	path := filepath.Join(b.TempDir(), "records.db")
	s, err := Open(b.Context(), path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the benchmark is over
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	tx, err := db.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		j := deadJob(i, at.Add(time.Duration(i)*time.Second))
		if _, err := tx.ExecContext(b.Context(), putJob, i+1, rowKey(j.Key), stateDead, 0, nanos(j.UpdatedAt), appendJob(nil, &j)); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.ExecContext(b.Context(), insertDead, deadRow(int64(i+1), &j)...); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	_ = db.Close()
	far := place{updated: nanos(at.Add(time.Duration(n/10) * time.Second)), row: int64(n / 10)}.cursor()
	for name, f := range map[string]jobs.JobFilter{
		"code":      {State: jobs.JobDead, Code: "code3"},
		"host":      {State: jobs.JobDead, Host: "host1"},
		"requester": {State: jobs.JobDead, Requester: "guild77"},
		"two":       {State: jobs.JobDead, Class: jobs.ClassPermanent, Requester: "guild78", Host: "host0"},
		"all":       {State: jobs.JobDead},
	} {
		for from, cursor := range map[string]string{"first": "", "far": far} {
			b.Run("page by "+name+", "+from, func(b *testing.B) {
				for b.Loop() {
					found, _, err := s.Jobs(b.Context(), f, cursor, 50)
					if err != nil || len(found) == 0 {
						b.Fatal(len(found), err)
					}
				}
			})
		}
	}
	b.Run("groups by code", func(b *testing.B) {
		for b.Loop() {
			if groups, err := s.Groups(b.Context(), jobs.JobFilter{State: jobs.JobDead}, jobs.FacetCode, 10); err != nil || len(groups) != 7 {
				b.Fatal(groups, err)
			}
		}
	})
}

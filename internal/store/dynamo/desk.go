package dynamo

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// A page of a list looks at up to scanLimit entries of its index; it may then be
// short, or empty, and yet have a next one.
const (
	scanLimit = 5_000
	scanChunk = 100
)

// placeForm is a cursor of the list of jobs: the attribute touched of the last
// one that was looked at, with a dot for its #.
var placeForm = regexp.MustCompile(`^\d{19}\.[^.]+:[^.]+:[^.]+$`)

var states = []jobs.JobState{jobs.JobPending, jobs.JobRunning, jobs.JobRetry, jobs.JobDone, jobs.JobDead, jobs.JobCancelled}

// Jobs implements jobs.Desk.
func (s *Store) Jobs(ctx context.Context, f jobs.JobFilter, cursor string, limit int) (found []jobs.Job, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("dynamodb: %w", err)
	}
	if cursor != "" && !placeForm.MatchString(cursor) {
		return nil, "", jobs.ErrBadCursor
	}
	cursor = fromCursor(cursor)
	if f.Song != "" {
		return s.jobsOfSong(ctx, f, cursor, limit)
	}
	walk := s.walk(f, cursor, min(limit, scanChunk))
	seen := 0
	for len(found) < limit {
		if seen >= scanLimit {
			return found, next, nil
		}
		entries, err := walk.take(ctx, min(limit-len(found), scanChunk))
		if err != nil {
			return nil, "", err
		}
		if len(entries) == 0 {
			return found, "", nil
		}
		seen += len(entries)
		next = toCursor(place(entries[len(entries)-1]))
		page, err := s.choose(ctx, f, entries)
		if err != nil {
			return nil, "", err
		}
		found = append(found, page...)
	}
	if entries, err := walk.take(ctx, 1); err == nil && len(entries) == 0 {
		next = ""
	}
	return found, next, nil
}

func place(one item) string {
	r := reader{item: one}
	return r.text(attrTouched)
}

// choose reads the jobs of those entries that the filter selects.
func (s *Store) choose(ctx context.Context, f jobs.JobFilter, entries []item) (found []jobs.Job, err error) {
	wanted := f
	f.Text = "" // no index knows it
	entries = slices.DeleteFunc(slices.Clone(entries), func(one item) bool { return !f.Matches(entryJob(one)) })
	full, err := s.getAll(ctx, s.options.SongsTable, entries)
	if err != nil {
		return nil, err
	}
	for _, one := range full {
		j, err := decodeJob(one)
		if err != nil {
			s.options.Log.Error("a job can not be read", "error", err)
			continue
		}
		if wanted.Matches(j) {
			found = append(found, j)
		}
	}
	return found, nil
}

// entryJob is what an index tells of a job: enough for all of a filter but its
// text, and for all facets.
func entryJob(one item) jobs.Job {
	r := reader{item: one}
	stamp, name, _ := strings.Cut(r.text(attrTouched), "#")
	n, _ := strconv.ParseInt(stamp, 10, 64)
	key, _ := jobs.ParseKey(name)
	last := jobs.Failure{
		Class: jobs.Class(r.text(facets[0])), Code: r.text(facets[1]), Host: r.text(facets[2]),
		Stage: jobs.Stage(r.text(facets[3])), Extractor: r.text(facets[4]),
	}
	return jobs.Job{
		Key: key, State: jobs.JobState(r.text("state")), Requester: r.text("requester"), LastError: &last,
		RunAt: r.time("run_at"), GenerationAt: r.time("generation_at"), UpdatedAt: time.Unix(0, n).UTC(),
	}
}

// jobsOfSong needs no index: a song's jobs lie together.
func (s *Store) jobsOfSong(ctx context.Context, f jobs.JobFilter, cursor string, limit int) (found []jobs.Job, next string, err error) {
	all, err := s.songJobs(ctx, f.Song)
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(all, func(a, b jobs.Job) int { return strings.Compare(placeOf(b), placeOf(a)) })
	for _, j := range all {
		if cursor != "" && placeOf(j) >= cursor || !f.Matches(j) {
			continue
		}
		if len(found) == limit {
			return found, toCursor(placeOf(found[limit-1])), nil
		}
		found = append(found, j)
	}
	return found, "", nil
}

func placeOf(j jobs.Job) string { return sortable(j.UpdatedAt) + "#" + j.Key.String() }

func (s *Store) songJobs(ctx context.Context, id string) (all []jobs.Job, err error) {
	for _, platform := range []string{jobs.PlatformYouTube, jobs.PlatformDemo} {
		song := jobs.Song{Platform: platform, ID: id}
		if song.Validate() != nil {
			continue
		}
		q := query{table: s.options.SongsTable, pk: attrPK, partition: song.String(), sk: attrSK, above: jobPrefix, below: "job$"}
		for more := true; more; {
			var page []item
			if page, more, err = s.query(ctx, &q); err != nil {
				return nil, err
			}
			for _, one := range page {
				j, err := decodeJob(one)
				if err != nil {
					return nil, err
				}
				all = append(all, j)
			}
		}
	}
	return all, nil
}

// Groups implements jobs.Desk: the indexes hold all facets, so that only a search
// for a text reads records.
func (s *Store) Groups(ctx context.Context, f jobs.JobFilter, by jobs.Facet, limit int) ([]jobs.Group, error) {
	groups := jobs.NewGrouping(by)
	if f.Song != "" {
		all, err := s.songJobs(ctx, f.Song)
		if err != nil {
			return nil, err
		}
		for _, j := range all {
			if f.Matches(j) {
				groups.Add(j)
			}
		}
		return groups.Top(limit), nil
	}
	walk := s.walk(f, "", 0) // pages as large as the server gives them
	for {
		entries, err := walk.take(ctx, 1000)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 {
			return groups.Top(limit), nil
		}
		if f.Text != "" {
			found, err := s.choose(ctx, f, entries)
			if err != nil {
				return nil, err
			}
			for _, j := range found {
				groups.Add(j)
			}
			continue
		}
		for _, one := range entries {
			if j := entryJob(one); f.Matches(j) {
				groups.Add(j)
			}
		}
	}
}

// walk goes through what the best index for a filter selects, the newest update
// first: it merges the partitions of that index.
type walk struct {
	s       *Store
	streams []*stream
}

type stream struct {
	query
	buffer []item
	done   bool
}

func (s *Store) walk(f jobs.JobFilter, cursor string, page int) *walk {
	w := &walk{s: s}
	below := cursor
	if !f.Until.IsZero() {
		if until := sortable(f.Until); below == "" || until < below {
			below = until
		}
	}
	above := ""
	if !f.Since.IsZero() {
		above = sortable(f.Since) // sorts before all that were updated then: they have a # more
	}
	add := func(index, pk string, partitions ...string) {
		for _, p := range partitions {
			w.streams = append(w.streams, &stream{query: query{
				table: s.options.SongsTable, index: index, pk: pk, partition: p, sk: attrTouched,
				above: above, below: below, backwards: true, limit: page,
			}})
		}
	}
	for i, v := range []string{1: f.Code, 2: f.Host, 3: f.Extractor, 4: string(f.Stage), 5: string(f.Class)} {
		if v != "" {
			facet := []int{1: 1, 2: 2, 3: 4, 4: 3, 5: 0}[i]
			add(facetIndexes[facet], facets[facet], indexable(v))
			return w
		}
	}
	if f.Requester != "" {
		add(indexRequester, attrDeskRequester, sharded(indexable(f.Requester))...)
		return w
	}
	for _, state := range states {
		if f.State == "" || f.State == state {
			add(indexState, attrDesk, sharded(string(state))...)
		}
	}
	return w
}

func sharded(name string) (partitions []string) {
	for i := range shards {
		partitions = append(partitions, name+"#"+strconv.Itoa(i))
	}
	return partitions
}

// take returns the next entries, at most n; none at the end.
func (w *walk) take(ctx context.Context, n int) (entries []item, err error) {
	for len(entries) < n {
		if err := w.fill(ctx); err != nil {
			return nil, err
		}
		var newest *stream
		for _, one := range w.streams {
			if len(one.buffer) > 0 && (newest == nil || place(one.buffer[0]) > place(newest.buffer[0])) {
				newest = one
			}
		}
		if newest == nil {
			return entries, nil
		}
		entries = append(entries, newest.buffer[0])
		newest.buffer = newest.buffer[1:]
	}
	return entries, nil
}

// fill reads on where a buffer is empty.
func (w *walk) fill(ctx context.Context) error {
	var empty []*stream
	for _, one := range w.streams {
		if len(one.buffer) == 0 && !one.done {
			empty = append(empty, one)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	errs := make([]error, len(empty))
	each(len(empty), func(i int) {
		one := empty[i]
		for len(one.buffer) == 0 && !one.done {
			page, more, err := w.s.query(ctx, &one.query)
			if err != nil {
				errs[i] = err
				return
			}
			one.buffer, one.done = page, !more
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

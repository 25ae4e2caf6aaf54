package mongo

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// scanLimit bounds the index entries that one page of a filtered list looks at; it
// may then be short, or empty, and yet have a next one.
const scanLimit = 20_000

var newestFirst = bson.D{{Key: "updated_at", Value: -1}, {Key: fieldID, Value: -1}}

// selection is a filter as MongoDB takes it.
type selection struct {
	hint  string // the index that selects best, in the order of the list
	match bson.D // what that index selects
	rest  bson.D // what is searched within
}

// selected translates a filter. Of several selections the one that leaves the
// fewest goes to its index: a song, then what went wrong from the particular to
// the general, then a requester among the dead, then the state.
func selected(f jobs.JobFilter) selection {
	if f.Song != "" {
		var ranges bson.A
		for _, platform := range []string{jobs.PlatformYouTube, jobs.PlatformDemo} {
			from := platform + ":" + f.Song + ":"
			ranges = append(ranges, bson.D{{Key: fieldID, Value: bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: from[:len(from)-1] + ";"}}}})
		}
		s := selection{hint: "_id_", match: bson.D{{Key: "$or", Value: ranges}}}
		s.within(f, "")
		return s
	}
	for _, by := range []struct{ index, field, value string }{
		{indexCode, "last_error.code", f.Code},
		{indexHost, "last_error.host", f.Host},
		{indexExtractor, "last_error.extractor", f.Extractor},
		{indexClass, "last_error.class", string(f.Class)},
		{indexStage, "last_error.stage", string(f.Stage)},
	} {
		if by.value != "" {
			s := selection{hint: by.index, match: bson.D{{Key: by.field, Value: by.value}}}
			s.within(f, by.field)
			return s
		}
	}
	s := selection{hint: indexStates}
	switch {
	case f.Requester != "" && f.State == jobs.JobDead:
		s.hint = indexRequester
		s.match = bson.D{{Key: "requester", Value: f.Requester}, {Key: "state", Value: string(f.State)}}
		s.within(f, "requester", "state")
	case f.State != "":
		s.match = bson.D{{Key: "state", Value: string(f.State)}}
		s.within(f, "state")
	default:
		s.match = bson.D{{Key: "state", Value: bson.D{{Key: "$in", Value: allStates}}}}
		s.within(f)
	}
	return s
}

var allStates = bson.A{
	string(jobs.JobPending), string(jobs.JobRunning), string(jobs.JobRetry), string(jobs.JobDone), string(jobs.JobDead), string(jobs.JobCancelled),
}

// within adds what the index does not select.
func (s *selection) within(f jobs.JobFilter, done ...string) {
	for _, by := range []struct{ field, value string }{
		{"state", string(f.State)}, {"last_error.class", string(f.Class)}, {"last_error.code", f.Code}, {"last_error.host", f.Host},
		{"last_error.stage", string(f.Stage)}, {"last_error.extractor", f.Extractor}, {"requester", f.Requester},
	} {
		served := by.value == ""
		for _, d := range done {
			served = served || d == by.field
		}
		if !served {
			s.rest = append(s.rest, bson.E{Key: by.field, Value: by.value})
		}
	}
	if f.Profile != "" {
		s.rest = append(s.rest, bson.E{Key: fieldID, Value: bson.Regex{Pattern: ":" + quote(f.Profile) + "$"}})
	}
	if f.Text != "" {
		like := bson.Regex{Pattern: quote(f.Text), Options: "i"}
		s.rest = append(s.rest, bson.E{Key: "$or", Value: bson.A{
			bson.D{{Key: "info.title", Value: like}}, bson.D{{Key: "requester", Value: like}}, bson.D{{Key: "last_error.message", Value: like}},
		}})
	}
	if !f.Since.IsZero() {
		// Rounded up: a record's time is in whole milliseconds.
		s.match = append(s.match, bson.E{Key: "updated_at", Value: bson.D{{Key: "$gte", Value: bson.DateTime(millis(f.Since.Add(time.Millisecond - time.Nanosecond)))}}})
	}
	if !f.Until.IsZero() {
		s.match = append(s.match, bson.E{Key: "updated_at", Value: bson.D{{Key: "$lt", Value: bson.DateTime(millis(f.Until.Add(time.Millisecond - time.Nanosecond)))}}})
	}
}

// quote makes a literal of what a person typed.
func quote(text string) string { return strings.ReplaceAll(regexp.QuoteMeta(text), "\x00", `\x00`) }

// where is the whole filter, between two places of the list.
func (s selection) where(from, to *place) bson.D {
	all := bson.A{s.match}
	if len(s.rest) > 0 {
		all = append(all, s.rest)
	}
	if from != nil {
		all = append(all, from.behind())
	}
	if to != nil {
		all = append(all, to.upTo())
	}
	return bson.D{{Key: "$and", Value: all}}
}

// Jobs implements jobs.Desk.
func (s *Store) Jobs(ctx context.Context, f jobs.JobFilter, cursor string, limit int) (found []jobs.Job, next string, err error) {
	var from *place
	if cursor != "" {
		if from, err = openCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	if limit <= 0 {
		return nil, cursor, ctx.Err()
	}
	sel := selected(f)
	var end *place
	if len(sel.rest) > 0 {
		if end, err = s.scanEnd(ctx, sel, from); err != nil {
			return nil, "", err
		}
	}
	rows, err := s.jobs.docs.Find(ctx, sel.where(from, end),
		options.Find().SetSort(newestFirst).SetHint(sel.hint).SetLimit(int64(limit)).SetBatchSize(int32(min(limit, 1000))))
	if err != nil {
		return nil, "", failed(ctx, "list jobs", err)
	}
	defer rows.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what counts is cursor.Err
	var last place
	for rows.Next(ctx) {
		j, _, err := decodeJob(rows.Current)
		if err != nil {
			return nil, "", failed(ctx, "list jobs", err)
		}
		last = place{updated: millis(j.UpdatedAt), key: j.Key.String()}
		if f.Matches(j) {
			found = append(found, j)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", failed(ctx, "list jobs", err)
	}
	switch {
	case len(found) == limit:
		next = last.cursor()
	case end != nil:
		next = end.cursor()
	}
	return found, next, nil
}

// scanEnd returns the place up to which a page searches, or nil if that is the end
// of the list. It reads keys of the index only.
func (s *Store) scanEnd(ctx context.Context, sel selection, from *place) (*place, error) {
	sel.rest = nil
	doc, err := s.jobs.docs.FindOne(ctx, sel.where(from, nil), options.FindOne().SetSort(newestFirst).SetHint(sel.hint).
		SetSkip(scanLimit-1).SetProjection(bson.D{{Key: "updated_at", Value: 1}})).Raw()
	if none(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(ctx, "list jobs", err)
	}
	updated, _ := doc.Lookup("updated_at").DateTimeOK()
	return &place{updated: updated, key: idOf(doc)}, nil
}

// place is where a job stands in the list.
type place struct {
	updated int64 // milliseconds
	key     string
}

// behind selects what comes after the place. The first condition is for the
// bounds of the index, the second for those of the same moment.
func (p place) behind() bson.D {
	at := bson.DateTime(p.updated)
	return bson.D{
		{Key: "updated_at", Value: bson.D{{Key: "$lte", Value: at}}},
		{Key: "$or", Value: bson.A{
			bson.D{{Key: "updated_at", Value: bson.D{{Key: "$lt", Value: at}}}},
			bson.D{{Key: fieldID, Value: bson.D{{Key: "$lt", Value: p.key}}}},
		}},
	}
}

func (p place) upTo() bson.D {
	at := bson.DateTime(p.updated)
	return bson.D{
		{Key: "updated_at", Value: bson.D{{Key: "$gte", Value: at}}},
		{Key: "$or", Value: bson.A{
			bson.D{{Key: "updated_at", Value: bson.D{{Key: "$gt", Value: at}}}},
			bson.D{{Key: fieldID, Value: bson.D{{Key: "$gte", Value: p.key}}}},
		}},
	}
}

func (p place) cursor() string { return fmt.Sprintf("%d.%s", p.updated, p.key) }

func openCursor(cursor string) (*place, error) {
	at, key, _ := strings.Cut(cursor, ".")
	updated, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return nil, jobs.ErrBadCursor
	}
	if _, err := jobs.ParseKey(key); err != nil {
		return nil, jobs.ErrBadCursor
	}
	return &place{updated, key}, nil
}

// facets are where in a document the facets are.
var facets = map[jobs.Facet]string{
	jobs.FacetClass: "$last_error.class", jobs.FacetCode: "$last_error.code", jobs.FacetHost: "$last_error.host", jobs.FacetStage: "$last_error.stage",
	jobs.FacetExtractor: "$last_error.extractor", jobs.FacetRequester: "$requester", jobs.FacetSong: "$song", jobs.FacetState: "$state",
}

// Groups implements jobs.Desk.
func (s *Store) Groups(ctx context.Context, f jobs.JobFilter, by jobs.Facet, limit int) ([]jobs.Group, error) {
	field, ok := facets[by]
	if !ok || limit <= 0 {
		return nil, ctx.Err()
	}
	sel := selected(f)
	rows, err := s.jobs.docs.Aggregate(ctx, driver.Pipeline{
		{{Key: "$match", Value: sel.where(nil, nil)}},
		{{Key: "$group", Value: bson.D{
			{Key: fieldID, Value: bson.D{{Key: "$ifNull", Value: bson.A{field, ""}}}},
			{Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}},
			{Key: "oldest", Value: bson.D{{Key: "$min", Value: "$updated_at"}}},
			{Key: "newest", Value: bson.D{{Key: "$max", Value: "$updated_at"}}},
		}}},
		{{Key: "$sort", Value: bson.D{{Key: "count", Value: -1}, {Key: fieldID, Value: 1}}}},
		{{Key: "$limit", Value: limit}},
	}, options.Aggregate().SetHint(sel.hint).SetAllowDiskUse(true))
	if err != nil {
		return nil, failed(ctx, "group jobs", err)
	}
	var found []struct {
		Value          string    `bson:"_id"`
		Count          int64     `bson:"count"`
		Oldest, Newest time.Time `bson:",omitempty"`
	}
	if err := rows.All(ctx, &found); err != nil {
		return nil, failed(ctx, "group jobs", err)
	}
	groups := make([]jobs.Group, len(found))
	for i, g := range found {
		groups[i] = jobs.Group{Value: g.Value, Count: g.Count, Oldest: g.Oldest.UTC(), Newest: g.Newest.UTC()}
	}
	return groups, nil
}

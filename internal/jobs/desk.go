package jobs

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Desk is how people look at the records: lists may be stale by seconds and
// never take part in a decision of the protocol. A cursor that is not the
// list's own is ErrBadCursor.
type Desk interface {
	// Jobs lists jobs that match the filter, the newest update first. cursor is
	// "" or what the last call returned; an empty next means the end.
	Jobs(ctx context.Context, filter JobFilter, cursor string, limit int) (jobs []Job, next string, err error)

	// Groups counts the jobs that match the filter, grouped by a facet, the largest
	// group first; at most limit groups. Jobs whose facet is empty form the group
	// "". It may cost a scan of what the filter's best index selects.
	Groups(ctx context.Context, filter JobFilter, by Facet, limit int) ([]Group, error)

	// Events lists ended operations in the order in which they ended, from
	// behind the cursor on ("" from the oldest kept). next is never empty: with
	// it a reader goes on later. An operation may come twice (after a replay),
	// never too late to be seen by a reader who keeps its cursor.
	Events(ctx context.Context, cursor string, limit int) (ended []Operation, next string, err error)

	// Stats counts. It may cost a scan of an index; callers cache it.
	Stats(ctx context.Context, now time.Time) (Stats, error)
}

// JobFilter selects jobs; zero fields select all. Every field that is not said
// to be searched is a selection that the engine has an index for, at least among
// dead jobs: a page costs the same however many records there are.
type JobFilter struct {
	State     JobState  `json:"state,omitempty"`
	Class     Class     `json:"class,omitempty"` // of the last error, as Code to Extractor
	Code      string    `json:"code,omitempty"`
	Host      string    `json:"host,omitempty"`
	Stage     Stage     `json:"stage,omitempty"`
	Extractor string    `json:"extractor,omitempty"`
	Requester string    `json:"requester,omitempty"`
	Song      string    `json:"song,omitempty"`    // song id
	Profile   string    `json:"profile,omitempty"` // searched
	Since     time.Time `json:"since,omitzero"`    // UpdatedAt not before
	Until     time.Time `json:"until,omitzero"`    // UpdatedAt before
	Text      string    `json:"text,omitempty"`    // searched, in title, requester and message; case does not matter
}

// Matches reports whether the filter selects the job. It is what adapters mean,
// and what they call for what their engine does not select.
func (f JobFilter) Matches(j Job) bool {
	var last Failure
	if j.LastError != nil {
		last = *j.LastError
	}
	is := func(want, have string) bool { return want == "" || want == have }
	if !is(string(f.State), string(j.State)) || !is(string(f.Class), string(last.Class)) || !is(f.Code, last.Code) ||
		!is(f.Host, last.Host) || !is(string(f.Stage), string(last.Stage)) || !is(f.Extractor, last.Extractor) ||
		!is(f.Requester, j.Requester) || !is(f.Song, j.Key.ID) || !is(f.Profile, j.Key.Profile) {
		return false
	}
	if !f.Since.IsZero() && j.UpdatedAt.Before(f.Since) || !f.Until.IsZero() && !j.UpdatedAt.Before(f.Until) {
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	for _, in := range []string{j.Info.Title, j.Requester, last.Message} {
		if strings.Contains(strings.ToLower(in), text) {
			return true
		}
	}
	return false
}

// Facet is what jobs are grouped by.
type Facet string

// The facets; all but the last three are of the last error.
const (
	FacetClass     Facet = "class"
	FacetCode      Facet = "code"
	FacetHost      Facet = "host"
	FacetStage     Facet = "stage"
	FacetExtractor Facet = "extractor"
	FacetRequester Facet = "requester"
	FacetSong      Facet = "song"
	FacetState     Facet = "state"
)

// Facets lists all facets.
var Facets = []Facet{FacetClass, FacetCode, FacetHost, FacetStage, FacetExtractor, FacetRequester, FacetSong, FacetState}

// Of returns the job's value of the facet, "" if it has none.
func (f Facet) Of(j Job) string {
	var last Failure
	if j.LastError != nil {
		last = *j.LastError
	}
	switch f {
	case FacetClass:
		return string(last.Class)
	case FacetCode:
		return last.Code
	case FacetHost:
		return last.Host
	case FacetStage:
		return string(last.Stage)
	case FacetExtractor:
		return last.Extractor
	case FacetRequester:
		return j.Requester
	case FacetSong:
		return j.Key.ID
	case FacetState:
		return string(j.State)
	}
	return ""
}

// Group is what jobs of one facet's value have in common.
type Group struct {
	Value  string
	Count  int64
	Oldest time.Time // UpdatedAt
	Newest time.Time
}

// Stats describes the backlog.
type Stats struct {
	Jobs          map[JobState]int64
	Waiting       int64     // operations
	PendingEvents int64     // ended operations whose event is not out
	OldestPending time.Time // generation_at of the oldest claimable job; zero if none
}

// Grouping counts jobs by a facet; for adapters whose engine does not.
type Grouping struct {
	by     Facet
	groups map[string]*Group
}

// NewGrouping returns an empty one.
func NewGrouping(by Facet) *Grouping { return &Grouping{by: by, groups: map[string]*Group{}} }

// Add counts a job.
func (g *Grouping) Add(j Job) {
	value := g.by.Of(j)
	one := g.groups[value]
	if one == nil {
		one = &Group{Value: value, Oldest: j.UpdatedAt, Newest: j.UpdatedAt}
		g.groups[value] = one
	}
	one.Count++
	if j.UpdatedAt.Before(one.Oldest) {
		one.Oldest = j.UpdatedAt
	}
	if j.UpdatedAt.After(one.Newest) {
		one.Newest = j.UpdatedAt
	}
}

// Top returns the largest groups, at most limit.
func (g *Grouping) Top(limit int) []Group {
	all := make([]Group, 0, len(g.groups))
	for _, one := range g.groups {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return all[:min(limit, len(all))]
}

package dynamo

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/butakero/butakero/internal/jobs"
)

// Ends are put in order by the clock of whoever writes them (set right by the
// server's, clock.go), and an index tells of them a little later. A reader who only looked behind the last end that it
// has seen would miss one that turns up late. So a cursor stays EventsSettle
// behind the present, and what a reader has been given beyond it is remembered
// in this process, under the second part of the cursor. Another process does not
// know that part and gives these few again, which the contract allows.

// cursorForm is a place among the ends (see endOrder; the id may be missing, and
// a dot stands for the #, which URLs can not hold) and perhaps the name of what
// was given beyond it.
var cursorForm = regexp.MustCompile(`^(\d{19}\.[0-9a-fA-F-]*)(?:~([0-9a-z]+))?$`)

const startOfEvents = "0000000000000000000#"

// recentEnds remembers what was given beyond a cursor: of the last so many
// cursors.
type recentEnds struct {
	mu    sync.Mutex
	given map[string]map[string]bool
	order []string
}

const rememberedCursors = 1024

func (r *recentEnds) recall(name string) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.given[name]
}

func (r *recentEnds) remember(given map[string]bool) (name string) {
	name = newRev()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given == nil {
		r.given = map[string]map[string]bool{}
	}
	if len(r.order) == rememberedCursors {
		delete(r.given, r.order[0])
		r.order = r.order[1:]
	}
	r.given[name] = given
	r.order = append(r.order, name)
	return name
}

func toCursor(place string) string   { return strings.Replace(place, "#", ".", 1) }
func fromCursor(place string) string { return strings.Replace(place, ".", "#", 1) }

// Events implements jobs.Desk.
func (s *Store) Events(ctx context.Context, cursor string, limit int) (ended []jobs.Operation, next string, err error) {
	at, given := startOfEvents, map[string]bool(nil)
	if cursor != "" {
		parts := cursorForm.FindStringSubmatch(cursor)
		if parts == nil {
			return nil, "", jobs.ErrBadCursor
		}
		at, given = fromCursor(parts[1]), s.recent.recall(parts[2])
	} else {
		cursor = toCursor(startOfEvents)
	}
	for {
		fresh, full, err := s.ends(ctx, at, given, limit)
		if err != nil {
			return nil, "", err
		}
		if len(fresh) == 0 {
			return nil, cursor, nil
		}
		at, given = s.advance(at, given, fresh, full)
		cursor = toCursor(at)
		if len(given) > 0 {
			cursor += "~" + s.recent.remember(given)
		}
		if ended, err = s.endedNow(ctx, fresh); err != nil {
			return nil, "", err
		}
		if len(ended) > 0 || !full { // else a replay has reopened them all
			return ended, cursor, nil
		}
	}
}

// ends returns the next places behind at that were not given, in order.
func (s *Store) ends(ctx context.Context, at string, given map[string]bool, limit int) (fresh []item, full bool, err error) {
	pages := make([][]item, shards)
	mores := make([]bool, shards)
	errs := make([]error, shards)
	want := limit + len(given)
	each(shards, func(i int) {
		q := query{
			table: s.options.OperationsTable, index: indexEnded, pk: attrEndedShard, partition: fmt.Sprint(i),
			sk: attrEnded, above: at, limit: want,
		}
		for len(pages[i]) < want {
			page, more, err := s.query(ctx, &q)
			pages[i] = append(pages[i], page...)
			mores[i], errs[i] = more, err
			if err != nil || !more {
				return
			}
		}
	})
	// Beyond where the first shard that has more was left, others may be missing.
	horizon := ""
	for i, page := range pages {
		if errs[i] != nil {
			return nil, false, errs[i]
		}
		if mores[i] && len(page) > 0 {
			if last := endOf(page[len(page)-1]); horizon == "" || last < horizon {
				horizon = last
			}
		}
		fresh = append(fresh, page...)
	}
	fresh = slices.DeleteFunc(fresh, func(one item) bool {
		place := endOf(one)
		return given[place] || horizon != "" && place > horizon
	})
	slices.SortFunc(fresh, func(a, b item) int { return strings.Compare(endOf(a), endOf(b)) })
	full = horizon != "" || len(fresh) > limit
	return fresh[:min(limit, len(fresh))], full, nil
}

func endOf(one item) string {
	r := reader{item: one}
	return r.text(attrEnded)
}

// advance moves the cursor over what is given now, but not into what has yet to
// settle, and returns what it has to remember beyond it.
func (s *Store) advance(at string, given map[string]bool, fresh []item, full bool) (string, map[string]bool) {
	beyond := maps.Clone(given)
	if beyond == nil {
		beyond = map[string]bool{}
	}
	for _, one := range fresh {
		beyond[endOf(one)] = true
	}
	last := endOf(fresh[len(fresh)-1])
	if !full {
		for place := range beyond {
			last = max(last, place)
		}
	}
	at = max(at, min(last, sortable(s.serverNow().Add(-s.options.EventsSettle))+"#"))
	maps.DeleteFunc(beyond, func(place string, _ bool) bool { return place <= at })
	return at, beyond
}

// endedNow reads the operations of some ends. One that a replay has reopened
// since is left out, and comes again when it ends again.
func (s *Store) endedNow(ctx context.Context, ends []item) (ended []jobs.Operation, err error) {
	found, err := s.getAll(ctx, s.options.OperationsTable, ends)
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		o, err := decodeOperation(one)
		if err != nil {
			s.options.Log.Error("an ended operation can not be read", "error", err)
			continue
		}
		if o.Ended() {
			ended = append(ended, o)
		}
	}
	return ended, nil
}

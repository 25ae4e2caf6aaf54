package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Names of the indexes that queries hint at.
const (
	indexWaiters   = "butakero_waiters"
	indexDue       = "butakero_due"
	indexOpen      = "butakero_open"
	indexEnds      = "butakero_ends"
	indexStates    = "butakero_states"
	indexClass     = "butakero_class"
	indexCode      = "butakero_code"
	indexHost      = "butakero_host"
	indexStage     = "butakero_stage"
	indexExtractor = "butakero_extractor"
	indexRequester = "butakero_dead_requester"
	indexOriginal  = "butakero_original"
	indexExpiry    = "butakero_expiry"
)

// index is an index as it has to be.
type index struct {
	name    string
	keys    bson.D
	partial bson.D
	expires bool   // documents are deleted when the key's date has passed
	why     string // for people
}

func exists(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: true}}}}
}

// newestOf indexes a facet of the last error: live jobs without one cost nothing.
func newestOf(name, field, why string) index {
	return index{name: name, keys: bson.D{{Key: field, Value: 1}, {Key: "updated_at", Value: -1}, {Key: fieldID, Value: -1}}, partial: exists(field), why: why}
}

func songIndexes() []index {
	dead := newestOf(indexRequester, "requester", "dead jobs by requester")
	dead.partial = bson.D{{Key: "state", Value: "dead"}}
	return []index{
		{name: indexStates, keys: bson.D{{Key: "state", Value: 1}, {Key: "updated_at", Value: -1}, {Key: fieldID, Value: -1}}, why: "lists and counts by state"},
		{name: indexDue, keys: bson.D{{Key: "due_at", Value: 1}}, partial: exists("due_at"), why: "jobs that need attention"},
		newestOf(indexClass, "last_error.class", "failed jobs by class"),
		newestOf(indexCode, "last_error.code", "failed jobs by code"),
		newestOf(indexHost, "last_error.host", "failed jobs by host"),
		newestOf(indexStage, "last_error.stage", "failed jobs by stage"),
		newestOf(indexExtractor, "last_error.extractor", "failed jobs by extractor"),
		dead,
	}
}

func operationIndexes() []index {
	return []index{
		{name: indexWaiters, keys: bson.D{{Key: "key", Value: 1}, {Key: "state", Value: 1}, {Key: fieldID, Value: 1}}, partial: exists("key"), why: "operations of a job"},
		{name: indexOpen, keys: bson.D{{Key: fieldOpen, Value: 1}, {Key: "due_at", Value: 1}}, partial: exists(fieldOpen), why: "operations that need attention"},
		{name: indexEnds, keys: bson.D{{Key: fieldEnd, Value: 1}, {Key: fieldID, Value: 1}}, partial: exists(fieldEnd), why: "ended operations in order"},
		{name: indexExpiry, keys: bson.D{{Key: "expire_at", Value: 1}}, partial: exists("expire_at"), expires: true, why: "deletes what ended long ago"},
		{name: indexOriginal, keys: bson.D{{Key: "sk", Value: 1}}, partial: exists("sk"), why: "the original's operations by song"},
	}
}

func noteIndexes() []index {
	return []index{{name: indexExpiry, keys: bson.D{{Key: "expires_at", Value: 1}}, partial: exists("expires_at"), expires: true, why: "deletes expired notes"}}
}

func (i index) model() driver.IndexModel {
	o := options.Index().SetName(i.name)
	if i.partial != nil {
		o.SetPartialFilterExpression(i.partial)
	}
	if i.expires {
		o.SetExpireAfterSeconds(0)
	}
	return driver.IndexModel{Keys: i.keys, Options: o}
}

// spec is an index as the server tells it.
type spec struct {
	Name    string   `bson:"name"`
	Keys    bson.Raw `bson:"key"`
	Partial bson.Raw `bson:"partialFilterExpression"`
	Expires *float64 `bson:"expireAfterSeconds"`
	Unique  bool     `bson:"unique"`
	Sparse  bool     `bson:"sparse"`
	Hidden  bool     `bson:"hidden"`
}

// differs says how an index is not what it has to be, or "".
func (i index) differs(s spec) string {
	var wrong []string
	if have, want := canonical(s.Keys), canonical(i.keys); have != want {
		wrong = append(wrong, fmt.Sprintf("key %s instead of %s", have, want))
	}
	want := ""
	if i.partial != nil {
		want = canonical(i.partial)
	}
	if have := canonical(s.Partial); have != want {
		wrong = append(wrong, fmt.Sprintf("partial filter %q instead of %q", have, want))
	}
	if i.expires != (s.Expires != nil) || s.Expires != nil && *s.Expires != 0 {
		have := "no expiry"
		if s.Expires != nil {
			have = fmt.Sprintf("expiry after %v s", *s.Expires)
		}
		wrong = append(wrong, have)
	}
	if s.Unique || s.Sparse || s.Hidden {
		wrong = append(wrong, "unique, sparse or hidden")
	}
	return strings.Join(wrong, ", ")
}

// canonical writes a specification in one form, whatever number types it uses.
func canonical(v any) string {
	raw, ok := v.(bson.Raw)
	if !ok {
		var err error
		if raw, err = bson.Marshal(v); err != nil {
			return err.Error()
		}
	}
	if len(raw) == 0 {
		return ""
	}
	text, err := bson.MarshalExtJSON(raw, false, false)
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer("-1.0", "-1", "1.0", "1").Replace(string(text))
}

// collections are what an installation consists of.
func (o Options) collections() []struct {
	name    string
	indexes []index
} {
	return []struct {
		name    string
		indexes []index
	}{
		{o.SongsCollection, songIndexes()},
		{o.OperationsCollection, operationIndexes()},
		{o.notesCollection(), noteIndexes()},
	}
}

// Migrate makes the collections and indexes that are missing and tells report of
// each, in a line for people. It changes nothing that is there: an index of one of
// our names that is something else is refused with what differs, before anything is
// made. It may run while the fleet works, and any number of times.
func Migrate(ctx context.Context, o Options, report func(string)) error {
	o = o.withDefaults()
	client, err := connect(ctx, o)
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is in flight
	return migrate(ctx, client.Database(o.Database), o, report)
}

func migrate(ctx context.Context, db *driver.Database, o Options, report func(string)) error {
	missing, err := inspect(ctx, db, o)
	if err != nil {
		return err
	}
	for _, c := range o.collections() {
		for _, i := range c.indexes {
			if !missing[c.name+"."+i.name] {
				report(fmt.Sprintf("%s.%s: index %s is there (%s)", o.Database, c.name, i.name, i.why))
				continue
			}
			// An index of a large collection takes its time; there is no limit but the caller's.
			if _, err := db.Collection(c.name).Indexes().CreateOne(ctx, i.model()); err != nil {
				return failed(ctx, fmt.Sprintf("create index %s of %s.%s", i.name, o.Database, c.name), err)
			}
			report(fmt.Sprintf("%s.%s: index %s created (%s)", o.Database, c.name, i.name, i.why))
		}
	}
	return nil
}

// inspect returns which indexes are missing, as collection.index. What stands in
// the way is an error that names all of it.
func inspect(ctx context.Context, db *driver.Database, o Options) (missing map[string]bool, err error) {
	missing = map[string]bool{}
	var problems []error
	for _, c := range o.collections() {
		have, err := indexesOf(ctx, db.Collection(c.name))
		if err != nil {
			return nil, err
		}
		wanted := map[string]bool{}
		for _, want := range c.indexes {
			wanted[want.name] = true
			at := c.name + "." + want.name
			s, ok := have[want.name]
			if !ok {
				missing[at] = true
				for _, other := range have {
					if canonical(other.Keys) == canonical(want.keys) {
						problems = append(problems, fmt.Errorf("%s.%s: index %s has the key of %s; drop it", o.Database, c.name, other.Name, want.name))
					}
				}
				continue
			}
			if wrong := want.differs(s); wrong != "" {
				problems = append(problems, fmt.Errorf("%s.%s: index %s differs: %s; drop it and migrate again", o.Database, c.name, want.name, wrong))
			}
		}
		for name, s := range have {
			if s.Unique && !wanted[name] && name != "_id_" && !s.Sparse && len(s.Partial) == 0 {
				problems = append(problems, fmt.Errorf("%s.%s: the unique index %s %s would refuse records; drop it or use another collection", o.Database, c.name, name, canonical(s.Keys)))
			}
		}
	}
	return missing, errors.Join(problems...)
}

func indexesOf(ctx context.Context, c *driver.Collection) (map[string]spec, error) {
	cursor, err := c.Indexes().List(ctx)
	if err != nil {
		return nil, failed(ctx, "list indexes of "+c.Name(), err)
	}
	var all []spec
	if err := cursor.All(ctx, &all); err != nil {
		return nil, failed(ctx, "list indexes of "+c.Name(), err)
	}
	have := make(map[string]spec, len(all))
	for _, s := range all {
		have[s.Name] = s
	}
	return have, nil
}

// indexTimeout bounds what Open does to indexes by itself.
const indexTimeout = 5 * time.Minute

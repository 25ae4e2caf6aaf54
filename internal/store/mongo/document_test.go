package mongo

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/butakero/butakero/internal/jobs"
)

var moment = time.Date(2026, 11, 24, 1, 2, 3, 456e6, time.UTC)

// fill sets every field of a record to something that is not zero, so that a field
// that is new in package jobs and not kept here is found.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(moment.Add(time.Duration(*n) * time.Millisecond)))
		case jobs.Key:
			v.Set(reflect.ValueOf(jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}, Profile: "low"}))
		default:
			for i := range v.NumField() {
				fill(v.Field(i), n)
			}
		}
	case reflect.String:
		v.SetString("ñ" + strings.Repeat("x", int(*n)))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("what is a " + v.Kind().String())
	}
}

func TestDocumentsKeepEveryField(t *testing.T) {
	t.Parallel()
	n := int64(0)
	var j jobs.Job
	fill(reflect.ValueOf(&j).Elem(), &n)
	write := bson.NewObjectID()
	got, w, err := decodeJob(withWrite(encodeJob(j), write, false))
	if err != nil || w != write || !reflect.DeepEqual(got, j) {
		t.Errorf("job: %v, write %s\ngot  %+v\nwant %+v", err, w, got, j)
	}
	var o jobs.Operation
	fill(reflect.ValueOf(&o).Elem(), &n)
	gotO, w, err := decodeOperation(withWrite(encodeOperation(o), write, false))
	if err != nil || w != write || !reflect.DeepEqual(gotO, o) {
		t.Errorf("operation: %v, write %s\ngot  %+v\nwant %+v", err, w, gotO, o)
	}
}

// What an update can not remove would come back from the dead.
func TestEveryOptionalFieldCanBeRemoved(t *testing.T) {
	t.Parallel()
	n := int64(0)
	var j jobs.Job
	fill(reflect.ValueOf(&j).Elem(), &n)
	empty := encodeJob(jobs.Job{Key: j.Key, State: j.State, Generation: 1})
	for _, e := range elements(encodeJob(j)) {
		if find(elements(empty), e.KeyBytes()) == nil && !jobFields[e.Key()] {
			t.Errorf("job: %s", e.Key())
		}
	}
	var o jobs.Operation
	fill(reflect.ValueOf(&o).Elem(), &n)
	o.State, o.Event = jobs.OperationSucceeded, jobs.EventPending
	bare := encodeOperation(jobs.Operation{ID: o.ID, Key: o.Key, State: o.State, Generation: 1, Event: jobs.EventPublished})
	for _, e := range elements(encodeOperation(o)) {
		if find(elements(bare), e.KeyBytes()) == nil && !operationFields[e.Key()] {
			t.Errorf("operation: %s", e.Key())
		}
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	raw := func(d bson.D) bson.Raw {
		b, err := bson.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := bson.NewObjectID()
	got := difference(
		raw(bson.D{{Key: "_id", Value: "k"}, {Key: "state", Value: "a"}, {Key: "owner", Value: "w"}, {Key: "newer", Value: 1}, {Key: "write", Value: bson.NewObjectID()}}),
		raw(bson.D{{Key: "_id", Value: "k"}, {Key: "state", Value: "b"}}),
		set("owner"), write, marks{now: []string{fieldEnd, fieldEndAt}})
	want := `{"$set": {"state": "b","write": {"$oid":"` + write.Hex() + `"}},"$unset": {"owner": {"$numberInt":"1"}},` +
		`"$currentDate": {"end": {"$type": "timestamp"},"end_at": {"$type": "date"}}}`
	if got.String() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDamagedDocuments(t *testing.T) {
	t.Parallel()
	whole := withWrite(encodeJob(jobs.Job{
		Key: jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}, Profile: "low"}, State: jobs.JobDead, Generation: 1,
		LastError: &jobs.Failure{Code: "x", At: moment}, History: []jobs.Failure{{Code: "y"}}, Result: &jobs.Result{Path: "p"},
	}), bson.NewObjectID(), false)
	for n := range whole {
		_, _, _ = decodeJob(whole[:n]) // must not panic
		_, _, _ = decodeOperation(whole[:n])
		broken := append(bson.Raw(nil), whole...)
		broken[n] ^= 0xff
		_, _, _ = decodeJob(broken)
		_, _ = translateOperation(broken)
	}
}

func TestReplacementIsADocument(t *testing.T) {
	t.Parallel()
	j := jobs.Job{Key: jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}, Profile: "low"}, State: jobs.JobDone, Generation: 1}
	for _, keep := range [][]string{nil, {fieldEnd, fieldEndAt}} {
		c := newCommand("update", "Songs", "updates")
		c.replace(j.Key.String(), bson.NewObjectID(), encodeJob(j), bson.NewObjectID(), keep)
		c.change(j.Key.String(), bson.NewObjectID(), encodeJob(j))
		if err := c.finish().Validate(); err != nil {
			t.Errorf("keeping %v: %v", keep, err)
		}
	}
}

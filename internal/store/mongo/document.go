package mongo

import (
	"errors"
	"math"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// schemaVersion is written into every document. Documents of a newer version are
// read as far as their fields are known, and fields that are not known are kept.
const schemaVersion = 1

// Fields that all documents have.
const (
	fieldID     = "_id"
	fieldSchema = "schema" // the original's documents have none
	fieldWrite  = "write"  // id of the last write: the condition of the next one
)

// fields builds a document. Empty values are left out, so that partial indexes
// hold only what they are about and zero times read as "not set".
type fields struct {
	doc   []byte
	start int32
}

func newFields() *fields {
	f := &fields{doc: make([]byte, 0, 768)}
	f.start, f.doc = bsoncore.AppendDocumentStart(f.doc)
	return f
}

func (f *fields) done() bson.Raw {
	f.doc, _ = bsoncore.AppendDocumentEnd(f.doc, f.start) // fails for a wrong start only
	return bson.Raw(f.doc)
}

func (f *fields) text(key, v string) {
	if v != "" {
		f.doc = bsoncore.AppendStringElement(f.doc, key, v)
	}
}

func (f *fields) number(key string, v int64) {
	if v != 0 {
		f.doc = bsoncore.AppendInt64Element(f.doc, key, v)
	}
}

func (f *fields) flag(key string, v bool) {
	if v {
		f.doc = bsoncore.AppendBooleanElement(f.doc, key, v)
	}
}

func (f *fields) date(key string, t time.Time) {
	if !t.IsZero() {
		f.doc = bsoncore.AppendDateTimeElement(f.doc, key, millis(t))
	}
}

// doc writes a document within the document.
func (f *fields) inner(key string, write func()) {
	start := int32(0)
	start, f.doc = bsoncore.AppendDocumentElementStart(f.doc, key)
	write()
	f.doc, _ = bsoncore.AppendDocumentEnd(f.doc, start)
}

func (f *fields) list(key string, n int, write func(i int)) {
	if n == 0 {
		return
	}
	start := int32(0)
	start, f.doc = bsoncore.AppendArrayElementStart(f.doc, key)
	for i := range n {
		f.inner(strconv.Itoa(i), func() { write(i) })
	}
	f.doc, _ = bsoncore.AppendArrayEnd(f.doc, start)
}

// millis rounds down, as dates in documents count milliseconds: a time that is
// not yet there stays not yet there.
func millis(t time.Time) int64 { return t.UnixMilli() }

var errDocument = errors.New("a document can not be read")

// each calls read for the fields of a document.
func each(doc []byte, read func(key string, v bsoncore.Value)) error {
	length, rest, ok := bsoncore.ReadLength(doc)
	if !ok || int(length) > len(doc) || length < 5 {
		return errDocument
	}
	rest = rest[:length-4]
	for len(rest) > 1 {
		e, next, ok := bsoncore.ReadElement(rest)
		if !ok {
			return errDocument
		}
		v, err := e.ValueErr()
		if err != nil {
			return errDocument
		}
		read(e.Key(), v)
		rest = next
	}
	return nil
}

// The readers are tolerant: a value of another type is as good as none.

func text(v bsoncore.Value) string {
	s, _ := v.StringValueOK()
	return s
}

func number(v bsoncore.Value) int64 {
	switch v.Type {
	case bsoncore.TypeDouble:
		f, _ := v.DoubleOK()
		if math.IsNaN(f) || f > math.MaxInt64/2 || f < math.MinInt64/2 {
			return 0
		}
		return int64(f)
	default:
		n, _ := v.AsInt64OK()
		return n
	}
}

func flag(v bsoncore.Value) bool {
	b, _ := v.BooleanOK()
	return b
}

func date(v bsoncore.Value) time.Time {
	ms, ok := v.DateTimeOK()
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func writeID(v bsoncore.Value) bson.ObjectID {
	id, _ := v.ObjectIDOK()
	return bson.ObjectID(id)
}

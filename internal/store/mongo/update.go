package mongo

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// withWrite returns the document with a write id, and without its _id if the
// filter of an upsert gives it.
func withWrite(doc bson.Raw, write bson.ObjectID, withoutID bool) bson.Raw {
	body := []byte(doc[4 : len(doc)-1])
	if withoutID {
		if e, rest, ok := bsoncore.ReadElement(body); ok && e.Key() == fieldID {
			body = rest
		}
	}
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(doc)+24))
	out = append(out, body...)
	out = bsoncore.AppendObjectIDElement(out, fieldWrite, write)
	out, _ = bsoncore.AppendDocumentEnd(out, start)
	return out
}

// marks are what an update does beside writing the difference.
type marks struct {
	now   []string // dates and times that the server sets
	unset []string
}

// difference returns the update that makes old into fresh: it sets what differs
// and removes those optional fields that fresh no longer has. What else the
// stored document holds, of a newer schema, stays.
func difference(old, fresh bson.Raw, optional map[string]bool, write bson.ObjectID, m marks) bson.Raw {
	was := elements(old)
	is := elements(fresh)
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, 512))

	at, out := bsoncore.AppendDocumentElementStart(out, "$set")
	for _, e := range is {
		if !bytes.Equal(find(was, e.KeyBytes()), e) {
			out = append(out, e...)
		}
	}
	out = bsoncore.AppendObjectIDElement(out, fieldWrite, write)
	out, _ = bsoncore.AppendDocumentEnd(out, at)

	begun := false
	unset := func(key string) {
		if !begun {
			begun = true
			at, out = bsoncore.AppendDocumentElementStart(out, "$unset")
		}
		out = bsoncore.AppendInt32Element(out, key, 1)
	}
	for _, e := range was {
		if key := e.KeyBytes(); optional[string(key)] && find(is, key) == nil {
			unset(string(key))
		}
	}
	for _, key := range m.unset {
		unset(key)
	}
	if begun {
		out, _ = bsoncore.AppendDocumentEnd(out, at)
	}
	if len(m.now) > 0 {
		at, out = bsoncore.AppendDocumentElementStart(out, "$currentDate")
		for _, key := range m.now {
			kind := "date"
			if key == fieldEnd {
				kind = "timestamp"
			}
			var in int32
			in, out = bsoncore.AppendDocumentElementStart(out, key)
			out = bsoncore.AppendStringElement(out, "$type", kind)
			out, _ = bsoncore.AppendDocumentEnd(out, in)
		}
		out, _ = bsoncore.AppendDocumentEnd(out, at)
	}
	out, _ = bsoncore.AppendDocumentEnd(out, start)
	return out
}

func elements(doc bson.Raw) []bsoncore.Element {
	if len(doc) < 5 {
		return nil
	}
	all := make([]bsoncore.Element, 0, 32)
	for rest := []byte(doc[4 : len(doc)-1]); len(rest) > 0; {
		e, next, ok := bsoncore.ReadElement(rest)
		if !ok {
			break
		}
		all = append(all, e)
		rest = next
	}
	return all
}

func find(in []bsoncore.Element, key []byte) bsoncore.Element {
	for _, e := range in {
		if bytes.Equal(e.KeyBytes(), key) {
			return e
		}
	}
	return nil
}

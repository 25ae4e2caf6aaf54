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

// marks are what an update does to the fields that the server itself writes.
type marks struct {
	now   []string // set to the server's time
	keep  []string // stay as they are
	unset []string // removed
}

// carry adds to a document what the stored one holds beyond this release's
// schema, so that an older worker does not undo what a newer one keeps.
func carry(old, fresh bson.Raw, optional map[string]bool) bson.Raw {
	if old == nil {
		return fresh
	}
	var more []byte
	is := elements(fresh)
	for _, e := range elements(old) {
		switch key := e.KeyBytes(); string(key) {
		case fieldWrite, fieldEnd, fieldEndAt:
		default:
			if !optional[string(key)] && find(is, key) == nil {
				more = append(more, e...)
			}
		}
	}
	if more == nil {
		return fresh
	}
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(fresh)+len(more)))
	out = append(append(out, fresh[4:len(fresh)-1]...), more...)
	out, _ = bsoncore.AppendDocumentEnd(out, start)
	return out
}

// replacement appends the update that makes the whole document anew if its last
// write is still the one that the plan rests on, and leaves it alone otherwise. The
// condition stands in the update and not in the query, because a query by _id alone
// is the one that MongoDB need not plan: half the cost of the write.
func replacement(out []byte, key string, from bson.ObjectID, doc bson.Raw, write bson.ObjectID, keep []string) []byte {
	var at [6]int32
	at[0], out = bsoncore.AppendArrayElementStart(out, key)
	at[1], out = bsoncore.AppendDocumentElementStart(out, "0")
	at[2], out = bsoncore.AppendDocumentElementStart(out, "$replaceWith")
	at[3], out = bsoncore.AppendArrayElementStart(out, "$cond")

	at[4], out = bsoncore.AppendDocumentElementStart(out, "0")
	at[5], out = bsoncore.AppendArrayElementStart(out, "$eq")
	out = bsoncore.AppendStringElement(out, "0", "$"+fieldWrite)
	out = bsoncore.AppendObjectIDElement(out, "1", from)
	out, _ = bsoncore.AppendArrayEnd(out, at[5])
	out, _ = bsoncore.AppendDocumentEnd(out, at[4])

	at[4], out = bsoncore.AppendDocumentElementStart(out, "1")
	if len(keep) == 0 {
		out = bsoncore.AppendDocumentElement(out, "$literal", withWrite(doc, write, false))
	} else {
		at[5], out = bsoncore.AppendArrayElementStart(out, "$mergeObjects")
		var in int32
		in, out = bsoncore.AppendDocumentElementStart(out, "0")
		out = bsoncore.AppendDocumentElement(out, "$literal", withWrite(doc, write, false))
		out, _ = bsoncore.AppendDocumentEnd(out, in)
		in, out = bsoncore.AppendDocumentElementStart(out, "1")
		for _, field := range keep {
			out = bsoncore.AppendStringElement(out, field, "$"+field)
		}
		out, _ = bsoncore.AppendDocumentEnd(out, in)
		out, _ = bsoncore.AppendArrayEnd(out, at[5])
	}
	out, _ = bsoncore.AppendDocumentEnd(out, at[4])

	out = bsoncore.AppendStringElement(out, "2", "$$ROOT")
	out, _ = bsoncore.AppendArrayEnd(out, at[3])
	out, _ = bsoncore.AppendDocumentEnd(out, at[2])
	out, _ = bsoncore.AppendDocumentEnd(out, at[1])
	out, _ = bsoncore.AppendArrayEnd(out, at[0])
	return out
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

package mongo

import (
	"context"
	"errors"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// command is an insert or update command of many statements, written by hand: the
// driver's bulk write costs ten times the allocations, and makes the server keep a
// record of every statement so that it can be repeated. Ours can be repeated anyway,
// because every statement names the write that it follows.
type command struct {
	verb, collection, field string

	buf         []byte
	start, list int32
	n           int
}

// maxCommand bounds a command, in bytes; MongoDB takes 16 MiB.
const maxCommand = 8 << 20

func newCommand(verb, collection, field string) *command {
	c := &command{verb: verb, collection: collection, field: field}
	c.begin()
	return c
}

func (c *command) begin() {
	c.n = 0
	c.start, c.buf = bsoncore.AppendDocumentStart(c.buf[:0])
	c.buf = bsoncore.AppendStringElement(c.buf, c.verb, c.collection)
	c.list, c.buf = bsoncore.AppendArrayElementStart(c.buf, c.field)
}

func (c *command) full() bool { return len(c.buf) > maxCommand || c.n >= 10_000 }

func (c *command) next() string {
	c.n++
	return strconv.Itoa(c.n - 1)
}

// document adds a document to insert.
func (c *command) document(doc bson.Raw) {
	c.buf = bsoncore.AppendDocumentElement(c.buf, c.next(), doc)
}

// replace adds an update by replacement; see there.
func (c *command) replace(id string, from bson.ObjectID, doc bson.Raw, write bson.ObjectID, keep []string) {
	at := int32(0)
	at, c.buf = bsoncore.AppendDocumentElementStart(c.buf, c.next())
	q := int32(0)
	q, c.buf = bsoncore.AppendDocumentElementStart(c.buf, "q")
	c.buf = bsoncore.AppendStringElement(c.buf, fieldID, id)
	c.buf, _ = bsoncore.AppendDocumentEnd(c.buf, q)
	c.buf = replacement(c.buf, "u", from, doc, write, keep)
	c.buf, _ = bsoncore.AppendDocumentEnd(c.buf, at)
}

// change adds an update by operators, with the condition in the query.
func (c *command) change(id string, from bson.ObjectID, update bson.Raw) {
	at := int32(0)
	at, c.buf = bsoncore.AppendDocumentElementStart(c.buf, c.next())
	q := int32(0)
	q, c.buf = bsoncore.AppendDocumentElementStart(c.buf, "q")
	c.buf = bsoncore.AppendStringElement(c.buf, fieldID, id)
	c.buf = bsoncore.AppendObjectIDElement(c.buf, fieldWrite, from)
	c.buf, _ = bsoncore.AppendDocumentEnd(c.buf, q)
	c.buf = bsoncore.AppendDocumentElement(c.buf, "u", update)
	c.buf, _ = bsoncore.AppendDocumentEnd(c.buf, at)
}

// answer is what became of a command.
type answer struct {
	modified   int64
	duplicates []int // places of documents that are there already
}

// send sends what was added and begins anew. The server applies all of it that it
// can, and answers when the majority has it in its journals. When the answer is
// lost the command is sent once more.
func (c *command) send(ctx context.Context, db *driver.Database) (a answer, err error) {
	defer c.begin()
	doc := c.finish()
	for try := 0; ; try++ {
		a, err = read(db.RunCommand(ctx, doc).Raw())
		if err == nil || try == 1 || ctx.Err() != nil || !retriable(err) {
			return a, err
		}
	}
}

func (c *command) finish() bson.Raw {
	c.buf, _ = bsoncore.AppendArrayEnd(c.buf, c.list)
	c.buf = bsoncore.AppendBooleanElement(c.buf, "ordered", false)
	concern := int32(0)
	concern, c.buf = bsoncore.AppendDocumentElementStart(c.buf, "writeConcern")
	c.buf = bsoncore.AppendStringElement(c.buf, "w", "majority")
	c.buf = bsoncore.AppendBooleanElement(c.buf, "j", true)
	c.buf, _ = bsoncore.AppendDocumentEnd(c.buf, concern)
	c.buf, _ = bsoncore.AppendDocumentEnd(c.buf, c.start)
	return bson.Raw(c.buf)
}

// read reads an answer. That documents are there already is no error.
func read(doc bson.Raw, err error) (answer, error) {
	var a answer
	var refused driver.WriteException
	if errors.As(err, &refused) {
		if refused.WriteConcernError != nil {
			return a, err
		}
		for _, e := range refused.WriteErrors {
			if e.Code != duplicateKey {
				return a, err
			}
			a.duplicates = append(a.duplicates, e.Index)
		}
		doc = refused.Raw
	} else if err != nil {
		return a, err
	}
	a.modified, _ = doc.Lookup("nModified").AsInt64OK()
	return a, nil
}

package dynamo

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type (
	value = types.AttributeValue
	item  = map[string]value
)

// schemaVersion is the attribute v of every item that this code writes, and the
// newest that it reads.
const schemaVersion = 1

// Attributes that are no field of a record.
const (
	attrPK      = "PK"
	attrSK      = "SK"
	attrVersion = "v"
	attrRev     = "rev" // fresh with every write
	attrTTL     = "ttl" // seconds since 1970; only on what may be deleted
)

// shards is how many partitions an index has whose key would otherwise be the
// same for most records: a partition takes about 1,000 writes a second.
const shards = 4

func shard(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails: hash.Hash
	return strconv.Itoa(int(h.Sum32() % shards))
}

// fields is what a record's attributes are written to: an item that is put as a
// whole, or an update that changes some. nil removes an attribute.
type fields interface {
	put(name string, v value)
}

type whole item

func (w whole) put(name string, v value) {
	if v == nil {
		delete(w, name)
		return
	}
	w[name] = v
}

// text is nil for "": DynamoDB keys can not be empty, and an index does not hold
// what is not there.
func text[S ~string](s S) value {
	if s == "" {
		return nil
	}
	return &types.AttributeValueMemberS{Value: string(s)}
}

func number[N ~int | ~int64](n N) value {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

// count is nil for 0.
func count[N ~int | ~int64](n N) value {
	if n == 0 {
		return nil
	}
	return number(n)
}

func moment(t time.Time) value {
	if t.IsZero() {
		return nil
	}
	n := new(big.Int).Mul(big.NewInt(t.Unix()), billion) // more than an int64 holds, before 1678 and after 2262
	return &types.AttributeValueMemberN{Value: n.Add(n, big.NewInt(int64(t.Nanosecond()))).String()}
}

var billion = big.NewInt(int64(time.Second))

// seconds is for the TTL attribute.
func seconds(t time.Time) value {
	if t.IsZero() {
		return nil
	}
	return number(t.Unix() + 1)
}

// sortable is a time as a text that sorts as the time does.
func sortable(t time.Time) string {
	switch {
	case t.Year() < 1970:
		t = time.Unix(0, 0)
	case t.Year() > 2261:
		t = time.Unix(0, math.MaxInt64)
	}
	return fmt.Sprintf("%019d", t.UnixNano())
}

var errItem = errors.New("a stored record can not be read")

// reader takes values out of an item. What is missing is the zero value; what
// has another type is an error, and remembered.
type reader struct {
	item item
	err  error
}

func (r *reader) text(name string) string {
	switch v := r.item[name].(type) {
	case nil:
		return ""
	case *types.AttributeValueMemberS:
		return v.Value
	}
	r.wrong(name)
	return ""
}

func (r *reader) number(name string) int64 {
	switch v := r.item[name].(type) {
	case nil:
		return 0
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			r.wrong(name)
		}
		return n
	}
	r.wrong(name)
	return 0
}

func (r *reader) flag(name string) bool {
	switch v := r.item[name].(type) {
	case nil:
		return false
	case *types.AttributeValueMemberBOOL:
		return v.Value
	}
	r.wrong(name)
	return false
}

func (r *reader) time(name string) time.Time {
	switch v := r.item[name].(type) {
	case nil:
		return time.Time{}
	case *types.AttributeValueMemberN:
		if n, ok := new(big.Int).SetString(v.Value, 10); ok {
			seconds, rest := n.DivMod(n, billion, new(big.Int))
			return time.Unix(seconds.Int64(), rest.Int64()).UTC()
		}
	}
	r.wrong(name)
	return time.Time{}
}

// inner returns the map under a name, nil if there is none.
func (r *reader) inner(name string) item {
	switch v := r.item[name].(type) {
	case nil:
		return nil
	case *types.AttributeValueMemberM:
		return v.Value
	}
	r.wrong(name)
	return nil
}

func (r *reader) wrong(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("dynamodb: %w: attribute %s", errItem, name)
	}
}

// version checks that the item is of a schema that this code knows.
func (r *reader) version() {
	if v := r.number(attrVersion); v < 1 || v > schemaVersion {
		r.err = fmt.Errorf("dynamodb: %w: schema version %d, this program knows up to %d", errItem, v, schemaVersion)
	}
}

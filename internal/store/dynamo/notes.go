package dynamo

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

// notePrefix begins the partition of notes. What follows is the key up to its
// first slash, so that a list under such a prefix is one query, and the busiest
// kind (idempotency keys) has a partition of its own, which DynamoDB splits.
const notePrefix = "note#"

func noteItemKey(key string) item { return itemKey(notePartition(key), key) }

func notePartition(key string) string {
	segment, _, slash := strings.Cut(key, "/")
	if !slash {
		return notePrefix
	}
	return notePrefix + segment
}

func decodeNote(from item) (jobs.Note, error) {
	if len(from) == 0 {
		return jobs.Note{}, nil
	}
	r := reader{item: from}
	r.version()
	if r.err != nil {
		return jobs.Note{}, r.err
	}
	n := jobs.Note{Key: r.text(attrSK), Version: r.number("version"), ExpiresAt: r.time("expires_at"), Value: []byte{}}
	if v, ok := from["value"].(*types.AttributeValueMemberB); ok {
		n.Value = v.Value
	}
	return n, r.err
}

// Note implements jobs.Notes.
func (s *Store) Note(ctx context.Context, key string) (jobs.Note, error) {
	found, err := s.get(ctx, s.options.SongsTable, noteItemKey(key))
	if err != nil {
		return jobs.Note{}, err
	}
	n, err := decodeNote(found)
	if err == nil && (n.Version == 0 || s.expired(n)) {
		return jobs.Note{}, jobs.ErrNotFound
	}
	return n, err
}

func (s *Store) expired(n jobs.Note) bool {
	return !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.options.Now())
}

// SwapNote implements jobs.Notes.
func (s *Store) SwapNote(ctx context.Context, n jobs.Note) (jobs.Note, error) {
	rev, key := newRev(), noteItemKey(n.Key)
	for try := 0; ; try++ {
		after, err := s.change(ctx, s.options.SongsTable, key, s.noteUpdate(n, rev))
		if err == nil {
			return decodeNote(after)
		}
		var failed *types.ConditionalCheckFailedException
		if !errors.As(err, &failed) {
			return jobs.Note{}, err
		}
		current := failed.Item
		if len(current) == 0 {
			if current, err = s.get(ctx, s.options.SongsTable, key); err != nil {
				return jobs.Note{}, err
			}
		}
		kept, err := decodeNote(current)
		if err != nil {
			return jobs.Note{}, err
		}
		if seen, ok := current[attrRev].(*types.AttributeValueMemberS); ok && seen.Value == rev {
			return kept, nil // applied, and the answer lost
		}
		if kept.Version != 0 && s.expired(kept) {
			kept = jobs.Note{}
		}
		if kept.Version != n.Version {
			return kept, jobs.ErrConflict
		}
		if !pause(ctx, try) { // it changed between the two looks
			return jobs.Note{}, ctx.Err()
		}
	}
}

// noteUpdate stores the note if what is kept has its version. Versions go on from
// what was there, expired or not, and begin with the time: nobody's old version
// can ever match again, also when the item was deleted meanwhile.
func (s *Store) noteUpdate(n jobs.Note, rev string) *update {
	now := s.options.Now()
	u := newUpdate(rev)
	if n.Version == 0 {
		u.when("attribute_not_exists({PK}) OR {expires_at} <= ?", moment(now))
	} else {
		u.when("{version} = ? AND (attribute_not_exists({expires_at}) OR {expires_at} > ?)", number(n.Version), moment(now))
	}
	u.put(attrVersion, number(schemaVersion))
	u.set("version", "if_not_exists("+u.name("version")+", "+u.value(number(now.UnixMicro()))+") + "+u.value(number(1)))
	u.put("expires_at", moment(n.ExpiresAt))
	u.put(attrTTL, seconds(n.ExpiresAt))
	if len(n.Value) == 0 {
		u.remove("value")
	} else {
		u.put("value", &types.AttributeValueMemberB{Value: n.Value})
	}
	return u
}

// ListNotes implements jobs.Notes. A prefix without a slash costs a scan of the
// table; nobody lists by such a one.
func (s *Store) ListNotes(ctx context.Context, prefix, after string, limit int) (found []jobs.Note, err error) {
	if !strings.Contains(prefix, "/") {
		return s.scanNotes(ctx, prefix, after, limit)
	}
	q := query{table: s.options.SongsTable, pk: attrPK, partition: notePartition(prefix), sk: attrSK, consistent: true, limit: limit}
	q.above, q.below = max(prefix, after), prefix+"\U0010FFFF\U0010FFFF"
	if after < prefix {
		// The range leaves its ends out, and the note whose key is the prefix is in
		// the list.
		if n, err := s.Note(ctx, prefix); err == nil {
			found = append(found, n)
		} else if !errors.Is(err, jobs.ErrNotFound) {
			return nil, err
		}
	}
	for len(found) < limit {
		page, more, err := s.query(ctx, &q)
		if err != nil {
			return nil, err
		}
		for _, one := range page {
			n, err := decodeNote(one)
			if err != nil {
				return nil, err
			}
			if len(found) < limit && !s.expired(n) {
				found = append(found, n)
			}
		}
		if !more {
			break
		}
	}
	return found, nil
}

func (s *Store) scanNotes(ctx context.Context, prefix, after string, limit int) (found []jobs.Note, err error) {
	filter := "begins_with(#pk, :notes) AND begins_with(#sk, :prefix)"
	values := item{":notes": text(notePrefix), ":prefix": text(prefix)}
	names := map[string]string{"#pk": attrPK, "#sk": attrSK}
	if prefix == "" {
		filter = "begins_with(#pk, :notes)"
		delete(values, ":prefix")
		delete(names, "#sk")
	}
	consistent := true
	var from item
	for {
		err := s.call(ctx, "scan", func(ctx context.Context) error {
			out, err := s.client.Scan(ctx, &dynamodb.ScanInput{
				TableName: &s.options.SongsTable, FilterExpression: &filter, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
				ExclusiveStartKey: from, ConsistentRead: &consistent,
			})
			if err != nil {
				return err
			}
			from = out.LastEvaluatedKey
			for _, one := range out.Items {
				n, err := decodeNote(one)
				if err == nil && n.Key > after && !s.expired(n) {
					found = append(found, n)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if from == nil {
			break
		}
	}
	slices.SortFunc(found, func(a, b jobs.Note) int { return strings.Compare(a.Key, b.Key) })
	return found[:min(limit, len(found))], nil
}

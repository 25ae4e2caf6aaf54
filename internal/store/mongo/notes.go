package mongo

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// note is a note's document.
type note struct {
	Key       string     `bson:"_id"`
	Schema    int        `bson:"schema"`
	Version   int64      `bson:"version"`
	Value     []byte     `bson:"value"`
	ExpiresAt *time.Time `bson:"expires_at,omitempty"`
}

func (n note) note() jobs.Note {
	out := jobs.Note{Key: n.Key, Value: n.Value, Version: n.Version}
	if n.ExpiresAt != nil {
		out.ExpiresAt = n.ExpiresAt.UTC()
	}
	return out
}

// live selects notes that have not expired; the engine deletes them later.
func (s *Store) live() bson.E {
	return bson.E{Key: "expires_at", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$lte", Value: bson.DateTime(millis(s.now()))}}}}}
}

// Note implements jobs.Notes.
func (s *Store) Note(ctx context.Context, key string) (jobs.Note, error) {
	filter := bson.D{{Key: fieldID, Value: key}, s.live()}
	var n note
	err := s.notes.FindOne(ctx, filter).Decode(&n)
	if none(err) {
		err = s.certain.FindOne(ctx, filter).Decode(&n)
	}
	if none(err) {
		return jobs.Note{}, jobs.ErrNotFound
	}
	if err != nil {
		return jobs.Note{}, failed(ctx, "read note", err)
	}
	return n.note(), nil
}

// SwapNote implements jobs.Notes.
func (s *Store) SwapNote(ctx context.Context, n jobs.Note) (jobs.Note, error) {
	var (
		filter bson.D
		upsert bool
		change any
	)
	if n.Value == nil {
		n.Value = []byte{}
	}
	if n.Version == 0 {
		// There is none, or one that has expired: what is there and lives makes the
		// upsert fail on its key. The count goes on from an expired note, and begins
		// at the time of day where there is none, so that nobody's old version can
		// ever match again.
		upsert = true
		filter = bson.D{{Key: fieldID, Value: n.Key}, {Key: "expires_at", Value: bson.D{{Key: "$lte", Value: bson.DateTime(millis(s.now()))}}}}
		values := bson.D{
			{Key: fieldSchema, Value: schemaVersion},
			{Key: "version", Value: bson.D{{Key: "$add", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$version", s.now().UnixNano()}}}, int64(1)}}}},
			{Key: "value", Value: bson.D{{Key: "$literal", Value: bson.Binary{Data: n.Value}}}},
		}
		if n.ExpiresAt.IsZero() {
			values = append(values, bson.E{Key: "expires_at", Value: "$$REMOVE"})
		} else {
			values = append(values, bson.E{Key: "expires_at", Value: bson.DateTime(millis(n.ExpiresAt))})
		}
		change = driver.Pipeline{{{Key: "$set", Value: values}}}
	} else {
		filter = bson.D{{Key: fieldID, Value: n.Key}, {Key: "version", Value: n.Version}, s.live()}
		values := bson.D{{Key: "value", Value: bson.Binary{Data: n.Value}}}
		update := bson.D{{Key: "$inc", Value: bson.D{{Key: "version", Value: int64(1)}}}}
		if n.ExpiresAt.IsZero() {
			update = append(update, bson.E{Key: "$unset", Value: bson.D{{Key: "expires_at", Value: 1}}})
		} else {
			values = append(values, bson.E{Key: "expires_at", Value: bson.DateTime(millis(n.ExpiresAt))})
		}
		update = append(update, bson.E{Key: "$set", Value: values})
		change = update
	}
	var kept note
	err := s.notes.FindOneAndUpdate(ctx, filter, change,
		options.FindOneAndUpdate().SetUpsert(upsert).SetReturnDocument(options.After)).Decode(&kept)
	switch {
	case err == nil:
		return kept.note(), nil
	case none(err), driver.IsDuplicateKeyError(err):
	default:
		return jobs.Note{}, failed(ctx, "swap note", err)
	}
	there, err := s.Note(ctx, n.Key)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		return jobs.Note{}, err
	}
	return there, jobs.ErrConflict
}

// ListNotes implements jobs.Notes. Keys are compared byte by byte.
func (s *Store) ListNotes(ctx context.Context, prefix, after string, limit int) ([]jobs.Note, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	from := bson.D{{Key: "$gte", Value: prefix}}
	if after >= prefix {
		from = bson.D{{Key: "$gt", Value: after}}
	}
	cursor, err := s.notes.Find(ctx, bson.D{{Key: fieldID, Value: from}, s.live()},
		options.Find().SetSort(byKey).SetLimit(int64(limit)))
	if err != nil {
		return nil, failed(ctx, "list notes", err)
	}
	defer cursor.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what counts is cursor.Err
	var found []jobs.Note
	for cursor.Next(ctx) {
		var n note
		if err := cursor.Decode(&n); err != nil {
			return nil, failed(ctx, "list notes", err)
		}
		if !strings.HasPrefix(n.Key, prefix) {
			return found, nil
		}
		found = append(found, n.note())
	}
	return found, failed(ctx, "list notes", cursor.Err())
}

var byKey = bson.D{{Key: fieldID, Value: 1}}

package mongo_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/store/mongo"
)

// raw opens a database beside the store.
func raw(t *testing.T, uri, name string) *driver.Database {
	t.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
	return client.Database(name)
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	o := mongo.Options{URI: address(t), SongsCollection: "s", OperationsCollection: "o"}
	o.Database = database(t, o.URI)
	if s, err := mongo.Open(t.Context(), o); err == nil {
		_ = s.Close()
		t.Fatal("opened without indexes")
	} else if !strings.Contains(err.Error(), "butakero migrate") || !strings.Contains(err.Error(), "o.butakero_waiters") {
		t.Errorf("it does not say how: %v", err)
	}
	run := func() (lines []string) {
		t.Helper()
		if err := mongo.Migrate(t.Context(), o, func(line string) { lines = append(lines, line) }); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	first := run()
	for _, line := range first {
		if !strings.Contains(line, "created") {
			t.Error(line)
		}
	}
	for _, line := range run() {
		if !strings.Contains(line, "is there") {
			t.Error(line)
		}
	}
	if len(first) != 14 {
		t.Errorf("%d lines:\n%s", len(first), strings.Join(first, "\n"))
	}
	s, err := mongo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

func TestDriftIsRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(db *driver.Database) error{
		"butakero_expiry differs: expiry after 60 s": func(db *driver.Database) error {
			if err := db.Collection("Operations").Indexes().DropOne(t.Context(), "butakero_expiry"); err != nil {
				return err
			}
			_, err := db.Collection("Operations").Indexes().CreateOne(t.Context(), driver.IndexModel{
				Keys: bson.D{{Key: "expire_at", Value: 1}}, Options: options.Index().SetName("butakero_expiry").SetExpireAfterSeconds(60).
					SetPartialFilterExpression(bson.D{{Key: "expire_at", Value: bson.D{{Key: "$exists", Value: true}}}}),
			})
			return err
		},
		"unique index video": func(db *driver.Database) error {
			_, err := db.Collection("Songs").Indexes().CreateOne(t.Context(), driver.IndexModel{
				Keys: bson.D{{Key: "video_id", Value: 1}}, Options: options.Index().SetName("video").SetUnique(true),
			})
			return err
		},
		"has the key of butakero_due": func(db *driver.Database) error {
			if err := db.Collection("Songs").Indexes().DropOne(t.Context(), "butakero_due"); err != nil {
				return err
			}
			_, err := db.Collection("Songs").Indexes().CreateOne(t.Context(), driver.IndexModel{Keys: bson.D{{Key: "due_at", Value: 1}}})
			return err
		},
	} {
		o := mongo.Options{URI: address(t)}
		o.Database = database(t, o.URI)
		if err := mongo.Migrate(t.Context(), o, func(string) {}); err != nil {
			t.Fatal(err)
		}
		if err := change(raw(t, o.URI, o.Database)); err != nil {
			t.Fatal(err)
		}
		err := mongo.Migrate(t.Context(), o, func(line string) { t.Errorf("%s: something was done: %s", want, line) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("migrate: got %v, want %q", err, want)
		}
		for _, o.CreateResources = range []bool{false, true} {
			if s, err := mongo.Open(t.Context(), o); err == nil {
				_ = s.Close()
				t.Errorf("opened in spite of %q", want)
			}
		}
	}
}

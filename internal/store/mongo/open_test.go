package mongo

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/butakero/butakero/internal/jobs"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for host, want := range map[string][]string{
		"mongodb":             {"mongodb:27018"},
		"a, b:1 ,,c":          {"a:27018", "b:1", "c:27018"},
		"::1,[::2],[::3]:5":   {"[::1]:27018", "[::2]:27018", "[::3]:5"},
		"one.example.com:999": {"one.example.com:999"},
	} {
		o := Options{Host: host, Port: "27018", User: "ro@t", Password: "p@ss/#:word", ReplicaSet: "rs0"}
		c, err := o.settings()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c.Hosts, want) || *c.ReplicaSet != "rs0" || c.Auth.Username != "ro@t" || c.Auth.Password != "p@ss/#:word" {
			t.Errorf("%q: %v, %+v", host, c.Hosts, c.Auth)
		}
	}
	// What a connection string says against durability does not count.
	c, err := Options{URI: "mongodb://u:p@h/db?w=0&retryWrites=false&readPreference=secondary&readConcernLevel=local"}.settings()
	if err != nil {
		t.Fatal(err)
	}
	if c.WriteConcern.W != "majority" || !*c.WriteConcern.Journal || !*c.RetryWrites || c.ReadPreference.Mode().String() != "primary" || c.ReadConcern.Level != "majority" {
		t.Errorf("%+v", c)
	}
	if o := (Options{URI: "mongodb://h/mine?replicaSet=x"}).withDefaults(); o.Database != "mine" || o.notesCollection() != "Songs_notes" {
		t.Errorf("%+v", o)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"nothing":       {},
		"no host":       {Host: " , "},
		"no uri":        {URI: "http://u:secret@h"},
		"bad escaping":  {URI: "mongodb://u:secret@@h:x/"},
		"no CA":         {Host: "h", TLS: TLS{Enabled: true, CAFile: "testdata/none.pem"}},
		"not a CA":      {Host: "h", TLS: TLS{Enabled: true, CAFile: "open_test.go"}},
		"no key":        {Host: "h", TLS: TLS{Enabled: true, CertFile: "testdata/none.pem"}},
		"one for both":  {Host: "h", SongsCollection: "x", OperationsCollection: "x"},
		"nobody's home": {Host: "127.0.0.1:1", Timeout: 50 * time.Millisecond},
	} {
		s, err := Open(t.Context(), o)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
		if errors.Is(err, jobs.ErrUnavailable) != (name == "nobody's home") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	if err := failed(t.Context(), "x", nil); err != nil {
		t.Error(err)
	}
	cause := errors.New("cause")
	if err := failed(t.Context(), "x", cause); !errors.Is(err, jobs.ErrUnavailable) || !errors.Is(err, cause) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := failed(ctx, "x", cause); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestIndexDrift(t *testing.T) {
	t.Parallel()
	zero, day := 0.0, 86400.0
	raw := func(d bson.D) bson.Raw {
		b, err := bson.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ttl := noteIndexes()[0]
	right := spec{Keys: raw(bson.D{{Key: "expires_at", Value: 1.0}}), Partial: raw(exists("expires_at")), Expires: &zero}
	if wrong := ttl.differs(right); wrong != "" {
		t.Error(wrong)
	}
	for want, change := range map[string]func(*spec){
		"key":            func(s *spec) { s.Keys = raw(bson.D{{Key: "expires_at", Value: -1}}) },
		"partial filter": func(s *spec) { s.Partial = nil },
		"expiry after":   func(s *spec) { s.Expires = &day },
		"no expiry":      func(s *spec) { s.Expires = nil },
		"unique":         func(s *spec) { s.Unique = true },
	} {
		s := right
		change(&s)
		if wrong := ttl.differs(s); !strings.Contains(wrong, want) {
			t.Errorf("%s: %q", want, wrong)
		}
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	p := place{updated: 1_700_000_000_123, key: "youtube:SRXH9AbT280:default"}
	got, err := openCursor(p.cursor())
	if err != nil || *got != p {
		t.Errorf("%+v, %v", got, err)
	}
	e := bson.Timestamp{T: 4_000_000_000, I: 17}
	if got, err := openEnd(endCursor(e)); err != nil || got != e {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := openEnd(""); err != nil || !got.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCacheForgets(t *testing.T) {
	t.Parallel()
	c := newCache(2)
	doc := bson.Raw("12345")
	for _, id := range []string{"a", "b", "c"} {
		c.put(id, held{doc: doc})
	}
	if _, ok := c.get("a"); !ok {
		t.Error("the generation before is forgotten too early")
	}
	c.put("d", held{doc: doc})
	c.put("e", held{doc: doc})
	if _, ok := c.get("a"); ok {
		t.Error("nothing is ever forgotten")
	}
	c.drop("e")
	c.put("d", held{doc: make(bson.Raw, cacheDocument+1)})
	for _, id := range []string{"d", "e"} {
		if _, ok := c.get(id); ok {
			t.Errorf("%s is still there", id)
		}
	}
}

package mongo

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/butakero/butakero/internal/jobs"
)

// Options say how to reach MongoDB and which collections to use. Either URI is set
// or Host; of the collections' names all have defaults.
type Options struct {
	// URI is a connection string (mongodb:// or mongodb+srv://). What it says of
	// write concern, read concern and read preference does not count.
	URI string

	// The parts that the original service takes instead of a URI. Host is a comma
	// list of host or host:port; Port is for those that name none (27017). Nothing
	// needs escaping.
	Host, Port     string
	User, Password string
	ReplicaSet     string
	TLS            TLS

	Database             string // of the URI, or audio_service_db
	SongsCollection      string // Songs
	OperationsCollection string // Operations; the notes are kept in <songs>_notes

	// CreateResources has Open do what Migrate does. Without it Open fails when an
	// index is missing.
	CreateResources bool

	Timeout  time.Duration // of one call whose context has no deadline; 10 s
	EventLag time.Duration // an end is shown to readers of events so long after it was written; 2 s

	Now     func() time.Time // decides when notes expire
	Log     *slog.Logger
	Monitor *event.CommandMonitor // sees every command, for tests and metrics
}

// TLS says how to encrypt the connection. With Enabled alone the system's
// authorities are trusted and no client certificate is shown.
type TLS struct {
	Enabled                   bool
	CAFile, CertFile, KeyFile string // PEM
}

func (o Options) withDefaults() Options {
	if o.URI != "" && o.Database == "" {
		if c, err := connstring.ParseAndValidate(o.URI); err == nil {
			o.Database = c.Database
		}
	}
	o.Database = cmp.Or(o.Database, "audio_service_db")
	o.SongsCollection = cmp.Or(o.SongsCollection, "Songs")
	o.OperationsCollection = cmp.Or(o.OperationsCollection, "Operations")
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.EventLag = cmp.Or(o.EventLag, 2*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) notesCollection() string { return o.SongsCollection + "_notes" }

// Open connects, and checks that the deployment can keep the promises: it is a
// replica set (or a sharded cluster) and has the indexes. The error wraps
// jobs.ErrUnavailable if it can not be reached.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if o.SongsCollection == o.OperationsCollection {
		return nil, fmt.Errorf("mongodb: songs and operations need collections of their own; both are %s", o.SongsCollection)
	}
	client, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	db := client.Database(o.Database)
	if err := prepare(ctx, db, o); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	linearizable := options.Collection().SetReadConcern(readconcern.Linearizable())
	both := func(name string) (docs, certain *driver.Collection) {
		return db.Collection(name), db.Collection(name, linearizable)
	}
	s := &Store{client: client, database: db, lag: o.EventLag, now: o.Now, log: o.Log}
	s.jobs = jobBook(both(o.SongsCollection))
	s.operations = operationBook(both(o.OperationsCollection))
	s.notes, s.certain = both(o.notesCollection())
	return s, nil
}

func prepare(ctx context.Context, db *driver.Database, o Options) error {
	if o.CreateResources {
		ctx, cancel := context.WithTimeout(ctx, indexTimeout)
		defer cancel()
		return migrate(ctx, db, o, func(line string) { o.Log.Debug("mongodb", "migrate", line) })
	}
	missing, err := inspect(ctx, db, o)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, 0, len(missing))
	for name := range missing {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Errorf("mongodb: database %s lacks the indexes %s: run `butakero migrate`, or set BUTAKERO_CREATE_RESOURCES=true",
		o.Database, strings.Join(names, ", "))
}

// connect opens a client, waits for the primary and refuses deployments that can
// not keep the promises.
func connect(ctx context.Context, o Options) (*driver.Client, error) {
	settings, err := o.settings()
	if err != nil {
		return nil, err
	}
	client, err := driver.Connect(settings)
	if err != nil {
		return nil, fmt.Errorf("mongodb: %w", err)
	}
	if err := check(ctx, client); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return client, nil
}

// settings are the driver's options.
func (o Options) settings() (*options.ClientOptions, error) {
	c := options.Client()
	switch {
	case o.URI != "":
		c.ApplyURI(o.URI)
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("mongodb: connection string: %w", hide(err, o.URI))
		}
	case o.Host != "":
		if err := o.parts(c); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("mongodb: neither BUTAKERO_MONGO_URI nor MONGO_HOST is set")
	}
	journaled := true
	c.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled})
	c.SetReadConcern(readconcern.Majority())
	c.SetReadPreference(readpref.Primary())
	c.SetRetryWrites(true).SetRetryReads(true)
	c.SetTimeout(o.Timeout)
	if c.AppName == nil {
		c.SetAppName("butakero")
	}
	if o.Monitor != nil {
		c.SetMonitor(o.Monitor)
	}
	return c, nil
}

// hide takes a connection string, which may hold a password, out of an error.
func hide(err error, uri string) error {
	return errors.New(strings.ReplaceAll(err.Error(), uri, "…"))
}

// parts applies the original's settings.
func (o Options) parts(c *options.ClientOptions) error {
	var hosts []string
	for _, h := range strings.Split(o.Host, ",") {
		h = strings.TrimSpace(h)
		if h == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(strings.Trim(h, "[]"), cmp.Or(o.Port, "27017"))
		}
		hosts = append(hosts, h)
	}
	if len(hosts) == 0 {
		return fmt.Errorf("mongodb: MONGO_HOST %q names no host", o.Host)
	}
	c.SetHosts(hosts)
	if o.ReplicaSet != "" {
		c.SetReplicaSet(o.ReplicaSet)
	}
	if o.User != "" {
		c.SetAuth(options.Credential{Username: o.User, Password: o.Password})
	}
	if o.TLS.Enabled {
		config, err := o.TLS.config()
		if err != nil {
			return err
		}
		c.SetTLSConfig(config)
	}
	return nil
}

func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("mongodb: MONGO_CA_FILE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mongodb: MONGO_CA_FILE %s holds no certificate", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, cmp.Or(t.KeyFile, t.CertFile))
		if err != nil {
			return nil, fmt.Errorf("mongodb: MONGO_CERT_FILE and MONGO_KEY_FILE: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// check asks the deployment what it is.
func check(ctx context.Context, client *driver.Client) error {
	var hello struct {
		Set     string `bson:"setName"`
		Msg     string `bson:"msg"`
		MaxWire int    `bson:"maxWireVersion"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return failed(ctx, "connect", err)
	}
	if hello.Set == "" && hello.Msg != "isdbgrid" {
		return errors.New("mongodb: this is a standalone server, which can acknowledge a write and lose it: " +
			"start it as a replica set (one member is enough: --replSet rs0, then rs.initiate())")
	}
	const wireOf50 = 13
	if hello.MaxWire < wireOf50 {
		return errors.New("mongodb: the server is older than 5.0")
	}
	return nil
}

// Database is the name of the database that the store uses.
func (s *Store) Database() string { return s.database.Name() }

// Ping asks the primary for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	return failed(ctx, "ping", s.client.Ping(ctx, readpref.Primary()))
}

// Close ends the connections.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil && !errors.Is(err, driver.ErrClientDisconnected) {
		return fmt.Errorf("mongodb: close: %w: %w", jobs.ErrUnavailable, err)
	}
	return nil
}

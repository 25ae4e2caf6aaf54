// Package dynamo keeps jobs, operations and notes in two DynamoDB tables.
//
// # How it writes
//
// Every step of the protocol is one conditional write on one item. For the
// common case of each step the adapter knows, without looking, which condition
// must hold and what the write then does (jobwrites.go, opwrites.go): that is
// one UpdateItem. When the condition does not hold, DynamoDB returns the item as
// it is (a server that does not is asked with one consistent read), and the
// domain's own transition function says what that means: a refusal, a success
// that had happened before, or a change that only a closer look shows to be
// right, such as stealing a job whose lease is over. The last is written under
// the condition that the item's rev has not changed (apply.go). So a mistake in
// a condition can cost a second call; the suite in storetest holds what is
// written against the transition functions.
//
// Each write carries a fresh rev. A write whose answer was lost and that is sent
// again fails its condition, and finds its own rev in the item: it was applied.
//
// # What is in the tables
//
// Both have the keys PK and SK, as the original service's tables had.
//
//	songs       PK platform:song id   SK job#profile     a job
//	            PK note#segment       SK note key        a note; segment is the key up to its first slash
//	operations  PK platform:song id   SK operation id    an operation, whose id carries its song
//
// Times are nanoseconds since 1970, zero times and empty texts are left out. The
// attribute v is the schema version of the item. schema.go has the indexes and
// says what each is for. Items that the original service wrote are read, never
// written (original.go).
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

// Options are the store's settings. The tables' names must be set.
type Options struct {
	SongsTable      string
	OperationsTable string

	// Region and all else of the AWS SDK come from its own environment and files
	// (AWS_REGION, AWS_ENDPOINT_URL_DYNAMODB, credentials) where they are not
	// given here.
	Region string
	Config *aws.Config

	CreateResources bool // make tables and indexes that are missing

	Attempts       int           // of one request that is throttled or finds nobody; 8
	AttemptTimeout time.Duration // of one try; 5 s
	EventsSettle   time.Duration // an end may turn up in Events so long after it; 15 s
	DueEvery       time.Duration // where nothing was due, Due asks again after; 3 s, negative: at once

	Now func() time.Time // clock by which notes expire and ends are put in order; time.Now
	Log *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.SongsTable == "" || o.OperationsTable == "" {
		return o, errors.New("dynamodb: the names of the songs table (DYNAMODB_TABLE_SONGS) and of the operations table (DYNAMODB_TABLE_OPERATIONS) must be set")
	}
	if o.SongsTable == o.OperationsTable {
		return o, errors.New("dynamodb: songs and operations need a table each")
	}
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	if o.AttemptTimeout <= 0 {
		o.AttemptTimeout = 5 * time.Second
	}
	if o.EventsSettle <= 0 {
		o.EventsSettle = 15 * time.Second
	}
	if o.DueEvery == 0 {
		o.DueEvery = 3 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Store implements jobs.Backend.
type Store struct {
	options Options
	client  *dynamodb.Client
	idle    func() // closes connections that nobody uses

	// Without the index of waiting operations (a table that the original made)
	// they are found by reading all of a song's operations.
	noOpenIndex bool

	server serverClock
	quiet  quietShards
	recent recentEnds
	counts countCache
}

var _ jobs.Backend = (*Store)(nil)

// Open connects to the tables and checks that they are what this code needs.
// Missing tables are made with Options.CreateResources, otherwise the error says
// how to make them. It wraps jobs.ErrUnavailable when DynamoDB can not be
// reached.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := newStore(ctx, o)
	if err != nil {
		return nil, err
	}
	if s.options.CreateResources {
		err = s.migrate(ctx, func(line string) { s.options.Log.Info("dynamodb: " + line) })
	} else {
		err = s.check(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Migrate makes tables, indexes and the setting that expired items are deleted,
// where they are missing, and tells report what it did, line by line. It changes
// nothing that is there: a table or index that is defined otherwise is an error
// that says what differs. A server that can not delete expired items is
// reported, and no error. It may be run at any time and by many.
func Migrate(ctx context.Context, o Options, report func(string)) error {
	s, err := newStore(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(s.migrate(ctx, report), s.Close())
}

func newStore(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, idle: func() {}}
	var c aws.Config
	if o.Config != nil {
		c = o.Config.Copy()
	} else if c, err = config.LoadDefaultConfig(ctx); err != nil {
		return nil, fmt.Errorf("dynamodb: settings of the AWS SDK: %w", err)
	}
	if o.Region != "" {
		c.Region = o.Region
	}
	if c.Region == "" {
		return nil, errors.New("dynamodb: no region: set AWS_REGION")
	}
	if c.HTTPClient == nil {
		client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = 2 * concurrency // a connection for each of a batch, kept
			t.MaxIdleConns = 4 * concurrency
		})
		c.HTTPClient = client
		s.idle = func() { client.GetTransport().CloseIdleConnections() }
	}
	s.client = dynamodb.NewFromConfig(c, func(d *dynamodb.Options) {
		d.Retryer = aws.NopRetryer{} // call.go retries: each try is made anew, so that it is told by its own clock
	})
	return s, nil
}

// Ping says whether both tables answer.
func (s *Store) Ping(ctx context.Context) error {
	var wait sync.WaitGroup
	errs := make([]error, 2)
	for i, table := range []string{s.options.SongsTable, s.options.OperationsTable} {
		wait.Go(func() {
			errs[i] = s.call(ctx, "ping", func(ctx context.Context) error {
				_, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: itemKey("ping", "ping")})
				return err
			})
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Close lets go of the connections.
func (s *Store) Close() error {
	s.idle()
	return nil
}

func itemKey(pk, sk string) item {
	return item{attrPK: &types.AttributeValueMemberS{Value: pk}, attrSK: &types.AttributeValueMemberS{Value: sk}}
}

// Tables returns the names of the tables.
func (s *Store) Tables() (songs, operations string) {
	return s.options.SongsTable, s.options.OperationsTable
}

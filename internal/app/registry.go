package app

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/butakero/butakero/internal/blob/awss3"
	"github.com/butakero/butakero/internal/blob/localfs"
	"github.com/butakero/butakero/internal/events"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/source/demo"
	"github.com/butakero/butakero/internal/source/youtube"
	"github.com/butakero/butakero/internal/store/dynamo"
	storememory "github.com/butakero/butakero/internal/store/memory"
	"github.com/butakero/butakero/internal/store/mongo"
	storesqlite "github.com/butakero/butakero/internal/store/sqlite"
	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/internal/transport/kafka"
	queuememory "github.com/butakero/butakero/internal/transport/memory"
	queuesqlite "github.com/butakero/butakero/internal/transport/sqlite"
)

// The registry: adding an adapter is one folder and one line here. Nothing else
// in the project knows which engines there are.
var (
	stores = map[string]func(context.Context, *Config, *slog.Logger) (storeAdapter, error){
		"memory":   openMemoryStore,
		"sqlite":   openSQLiteStore,
		"dynamodb": openDynamo,
		"mongodb":  openMongo,
	}
	queues = map[string]func(context.Context, *Config, *slog.Logger) (queueAdapter, error){
		"memory": openMemoryQueue,
		"sqlite": openSQLiteQueue,
		"kafka":  openKafka,
		"sqs":    openSQS,
	}
	blobs = map[string]func(context.Context, *Config, *slog.Logger) (blobAdapter, error){
		"local": openLocalBlobs,
		"s3":    openS3,
	}
	sources = map[string]func(context.Context, *Config, sourceNeeds) (sourceAdapter, error){
		"demo":    openDemoSource,
		"youtube": openYouTubeSource,
	}
	publishers = map[string]func(context.Context, *Config, *slog.Logger) (eventsAdapter, error){
		"none":  nil,
		"kafka": openKafkaEvents,
		"sqs":   openSQSEvents,
	}
	migrations = map[string]func(context.Context, *Config, func(string)) error{
		"dynamodb": migrateDynamo,
		"mongodb":  migrateMongo,
	}
)

// What the wiring asks of an adapter beside its port.
type (
	pinger interface {
		Ping(ctx context.Context) error
	}
	storeAdapter interface {
		jobs.Backend
		pinger
		io.Closer
	}
	queueAdapter interface {
		jobs.Queue
		pinger
		io.Closer
	}
	blobAdapter interface {
		pipeline.Blobs
		jobs.Files
		pinger
		io.Closer
	}
	eventsAdapter interface {
		jobs.Events
		pinger
		io.Closer
	}
	sourceAdapter interface {
		pipeline.Source
		jobs.Resolver
	}
)

func openMemoryStore(context.Context, *Config, *slog.Logger) (storeAdapter, error) {
	return storememory.New(), nil
}

func openSQLiteStore(ctx context.Context, c *Config, _ *slog.Logger) (storeAdapter, error) {
	return storesqlite.Open(ctx, filepath.Join(c.DataDir, "records.db"), storesqlite.Options{KeepDead: -1}) // the keeper decides
}

func openMemoryQueue(_ context.Context, c *Config, _ *slog.Logger) (queueAdapter, error) {
	return queuememory.New(queuememory.Options{Visibility: c.Lease}), nil
}

func openSQLiteQueue(ctx context.Context, c *Config, _ *slog.Logger) (queueAdapter, error) {
	return queuesqlite.Open(ctx, filepath.Join(c.DataDir, "queue.db"), queuesqlite.Options{Visibility: c.Lease})
}

func openLocalBlobs(_ context.Context, c *Config, _ *slog.Logger) (blobAdapter, error) {
	return localfs.New(c.LocalStoragePath, localfs.Options{})
}

func openDynamo(ctx context.Context, c *Config, log *slog.Logger) (storeAdapter, error) {
	o, err := dynamoOptions(ctx, c, log)
	if err != nil {
		return nil, err
	}
	return dynamo.Open(ctx, o)
}

func migrateDynamo(ctx context.Context, c *Config, report func(string)) error {
	o, err := dynamoOptions(ctx, c, nil)
	if err != nil {
		return err
	}
	return dynamo.Migrate(ctx, o, report)
}

func dynamoOptions(ctx context.Context, c *Config, log *slog.Logger) (dynamo.Options, error) {
	config, err := loadAWS(ctx, c.AWS.Region)
	return dynamo.Options{
		SongsTable: c.AWS.SongsTable, OperationsTable: c.AWS.OperationsTable, Config: &config,
		CreateResources: c.AWS.CreateResources, Log: log,
	}, err
}

func openMongo(ctx context.Context, c *Config, log *slog.Logger) (storeAdapter, error) {
	return mongo.Open(ctx, mongoOptions(c, log))
}

func migrateMongo(ctx context.Context, c *Config, report func(string)) error {
	return mongo.Migrate(ctx, mongoOptions(c, nil), report)
}

func mongoOptions(c *Config, log *slog.Logger) mongo.Options {
	m := c.Mongo
	return mongo.Options{
		URI: m.URI, Host: m.Host, Port: m.Port, User: m.User, Password: m.Password, ReplicaSet: m.ReplicaSet,
		TLS:      mongo.TLS{Enabled: m.TLS, CAFile: m.CAFile, CertFile: m.CertFile, KeyFile: m.KeyFile},
		Database: m.Database, SongsCollection: m.Songs, OperationsCollection: m.Operations,
		CreateResources: c.AWS.CreateResources, Log: log,
	}
}

func openS3(ctx context.Context, c *Config, log *slog.Logger) (blobAdapter, error) {
	config, err := loadAWS(ctx, c.AWS.Region)
	if err != nil {
		return nil, err
	}
	return awss3.Open(ctx, config, awss3.Options{
		Bucket: c.AWS.Bucket, PathStyle: c.AWS.PathStyle, CreateResources: c.AWS.CreateResources, ReadOnly: c.apiOnly, Log: log,
	})
}

func openSQS(ctx context.Context, c *Config, log *slog.Logger) (queueAdapter, error) {
	config, err := loadAWS(ctx, c.AWS.Region)
	if err != nil {
		return nil, err
	}
	return awssqs.Open(ctx, config, awssqs.Options{
		URL: c.SQS.JobsQueueURL, CreateResources: c.AWS.CreateResources, Visibility: c.Lease, Log: log,
	})
}

func openSQSEvents(ctx context.Context, c *Config, log *slog.Logger) (eventsAdapter, error) {
	encode, err := events.ByName(c.EventFormat, c.PublicURL)
	if err != nil {
		return nil, err
	}
	config, err := loadAWS(ctx, c.AWS.Region)
	if err != nil {
		return nil, err
	}
	return awssqs.OpenPublisher(ctx, config, awssqs.PublisherOptions{
		URL: c.SQS.EventsQueueURL, CreateResources: c.AWS.CreateResources, TypePrefix: events.TypePrefix, Encode: encode, Log: log,
	})
}

func openKafka(ctx context.Context, c *Config, log *slog.Logger) (queueAdapter, error) {
	return kafka.Open(ctx, kafkaOptions(c, log))
}

func openKafkaEvents(ctx context.Context, c *Config, log *slog.Logger) (eventsAdapter, error) {
	encode, err := events.ByName(c.EventFormat, c.PublicURL)
	if err != nil {
		return nil, err
	}
	return kafka.OpenPublisher(ctx, kafka.PublisherOptions{
		Options: kafkaOptions(c, log), Topic: c.Kafka.EventsTopic, TypePrefix: events.TypePrefix, Encode: encode,
	})
}

func kafkaOptions(c *Config, log *slog.Logger) kafka.Options {
	k := c.Kafka
	return kafka.Options{
		Brokers: k.Brokers, JobsTopic: k.JobsTopic, Group: k.Group,
		TLS:             kafka.TLS{Enable: k.TLS, CAFile: k.CAFile, CertFile: k.CertFile, KeyFile: k.KeyFile},
		SASL:            kafka.SASL{Mechanism: k.SASLMechanism, User: k.User, Password: k.Password},
		CreateResources: c.AWS.CreateResources, Partitions: k.Partitions, ReplicationFactor: k.Replicas, Session: k.Session, Log: log,
	}
}

// sourceNeeds is what a source may need of the rest of the system.
type sourceNeeds struct {
	notes   jobs.Notes // nil: nothing is shared with the fleet
	metrics *metrics
}

func openDemoSource(_ context.Context, c *Config, _ sourceNeeds) (sourceAdapter, error) {
	return demo.New(demo.Options{MediaDir: c.MediaDir, Rate: c.DemoRate})
}

func openYouTubeSource(_ context.Context, c *Config, n sourceNeeds) (sourceAdapter, error) {
	y := c.YouTube
	source, err := youtube.New(youtube.Options{
		BaseURL: y.BaseURL, APIBaseURL: y.APIBaseURL, APIKey: y.APIKey, Client: y.Client,
		Extractors: y.Extractors, YTDLPPath: y.YTDLPPath, YTDLPArgs: y.YTDLPArgs, Cookies: y.Cookies,
		Proxy: y.Proxy, Egress: y.Egress, TempDir: c.TempDir, MaxDuration: c.MaxDuration, MaxBytes: c.MaxBytes,
		SongsEvery: y.SongsEvery, Burst: y.Burst, Pause: y.Pause, SearchQuota: y.Searches,
		Idle: y.Stall, MinRate: y.MinRate,
		Notes: n.notes, Observer: n.metrics,
	})
	if err != nil {
		return nil, err
	}
	n.metrics.watchYouTube(source)
	return source, nil
}

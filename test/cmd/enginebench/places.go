package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	mongooptions "go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/events"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/dynamo"
	"github.com/butakero/butakero/internal/store/mongo"
	storesqlite "github.com/butakero/butakero/internal/store/sqlite"
	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/internal/transport/kafka"
	"github.com/butakero/butakero/test/bench"
	"github.com/butakero/butakero/test/servers/servers"
)

const partitions = 4

// sqsWait is the long polling of the queues: a queue is closed when its last receive
// has come back, and that should not take longer than the run.
const sqsWait = time.Second

// places makes what a run needs on the servers, under names that nobody else has.
type places struct {
	dir     string
	brokers []string
	id      string
	next    atomic.Int64
	admin   sarama.ClusterAdmin
	mongo   *driver.Client
	plain   string // topic of messages without jobs, for the contenders that keep no record
	filled  int
}

func openPlaces(ctx context.Context, dir string) (p *places, err error) {
	dir, err = os.MkdirTemp(dir, "enginebench-")
	if err != nil {
		return nil, err
	}
	var b [4]byte
	_, _ = rand.Read(b[:])
	p = &places{dir: dir, id: "enginebench-" + hex.EncodeToString(b[:]), brokers: strings.Split(given("kafka"), ",")}
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	if p.admin, err = sarama.NewClusterAdmin(p.brokers, config); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if p.mongo, err = driver.Connect(mongooptions.Client().ApplyURI(given("mongo"))); err != nil {
		return nil, errors.Join(err, p.admin.Close(), os.RemoveAll(dir))
	}
	return p, ctx.Err()
}

func (p *places) close() error {
	var err error
	if p.plain != "" {
		err = p.admin.DeleteTopic(p.plain)
	}
	return errors.Join(err, p.admin.Close(), p.mongo.Disconnect(context.Background()), os.RemoveAll(p.dir))
}

func (p *places) fresh() string { return fmt.Sprintf("%s-%d", p.id, p.next.Add(1)) }

// closers are what is to be undone, the last first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) close() error {
	var all []error
	for i := len(*c) - 1; i >= 0; i-- {
		all = append(all, (*c)[i]())
	}
	*c = nil
	return errors.Join(all...)
}

// counts are the requests of one run.
type counts struct{ store, queue atomic.Int64 }

// plainTopic returns a topic with n messages at least, which are nobody's jobs.
func (p *places) plainTopic(n int) (topic string, err error) {
	if p.filled >= n {
		return p.plain, nil
	}
	if p.plain == "" {
		p.plain = p.fresh()
		if err := p.admin.CreateTopic(p.plain, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false); err != nil {
			return "", err
		}
	}
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	producer, err := sarama.NewSyncProducer(p.brokers, config)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	for p.filled < n {
		batch := make([]*sarama.ProducerMessage, 0, 4000)
		for _, body := range bench.Messages(min(cap(batch), n-p.filled)) {
			batch = append(batch, &sarama.ProducerMessage{Topic: p.plain, Value: sarama.ByteEncoder(body)})
		}
		if err := producer.SendMessages(batch); err != nil {
			return "", err
		}
		p.filled += len(batch)
	}
	return p.plain, nil
}

// queue opens a queue and a publisher of events on the same broker.
func (p *places) queue(ctx context.Context, kind string, c *closers, n *counts) (jobs.Queue, jobs.Events, error) {
	name := p.fresh()
	encode, err := events.ByName("cloudevents", "")
	if err != nil {
		return nil, nil, err
	}
	if kind == "sqs" {
		config := awsAt(given("sqs"), &n.queue)
		url := sqsURL(name)
		c.add(func() error { return dropQueue(url) })
		q, err := awssqs.Open(ctx, config, awssqs.Options{URL: url, CreateResources: true, Wait: sqsWait})
		if err != nil {
			return nil, nil, err
		}
		c.add(func() error { return dropQueue(url + "-dead") })
		c.add(q.Close)
		e, err := awssqs.OpenPublisher(ctx, config, awssqs.PublisherOptions{URL: url + "-events", CreateResources: true, TypePrefix: events.TypePrefix, Encode: encode})
		if err != nil {
			return nil, nil, err
		}
		c.add(func() error { return dropQueue(url + "-events") })
		c.add(e.Close)
		return q, e, nil
	}
	o := kafka.Options{Brokers: p.brokers, JobsTopic: name, Group: name, CreateResources: true, Partitions: partitions, ReplicationFactor: 1}
	q, err := kafka.Open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	c.add(func() error { return p.admin.DeleteTopic(name) })
	c.add(q.Close)
	e, err := kafka.OpenPublisher(ctx, kafka.PublisherOptions{Options: o, Topic: name + "-events", TypePrefix: events.TypePrefix, Encode: encode})
	if err != nil {
		return nil, nil, err
	}
	c.add(func() error { return p.admin.DeleteTopic(name + "-events") })
	c.add(e.Close)
	return q, e, nil
}

// records says how to open a new store again and again: the one that accepts the jobs
// is another process's in a fleet, and what it remembers is of no use to the worker.
func (p *places) records(kind string, c *closers, n *counts) (open func(ctx context.Context) (store, error), err error) {
	name := p.fresh()
	switch kind {
	case "sqlite":
		dir := filepath.Join(p.dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
		c.add(func() error { return os.RemoveAll(dir) })
		return func(ctx context.Context) (store, error) {
			return storesqlite.Open(ctx, filepath.Join(dir, "records.db"), storesqlite.Options{})
		}, nil
	case "mongo":
		c.add(func() error { return p.mongo.Database(name).Drop(context.Background()) })
		return func(ctx context.Context) (store, error) {
			return mongo.Open(ctx, mongo.Options{
				URI: given("mongo"), Database: name, CreateResources: true,
				Monitor: &event.CommandMonitor{Started: func(context.Context, *event.CommandStartedEvent) { n.store.Add(1) }},
			})
		}, nil
	case "dynamodb":
		config := awsAt(given("dynamodb"), &n.store)
		for _, table := range []string{name + "-songs", name + "-operations"} {
			c.add(func() error {
				_, err := dynamodb.NewFromConfig(config).DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table})
				return err
			})
		}
		return func(ctx context.Context) (store, error) {
			return dynamo.Open(ctx, dynamo.Options{SongsTable: name + "-songs", OperationsTable: name + "-operations", Config: &config, CreateResources: true})
		}, nil
	}
	return nil, fmt.Errorf("no store %q", kind)
}

type store interface {
	jobs.Backend
	Close() error
}

// awsAt is the SDK's configuration for an emulator; attempts are counted.
func awsAt(endpoint string, requests *atomic.Int64) aws.Config {
	c := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	if requests == nil {
		return c
	}
	count := middleware.DeserializeMiddlewareFunc("count", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		requests.Add(1)
		return next.HandleDeserialize(ctx, in)
	})
	c.APIOptions = append(c.APIOptions, func(s *middleware.Stack) error { return s.Deserialize.Add(count, middleware.Before) })
	return c
}

func sqsURL(name string) string { return given("sqs") + "/000000000000/" + name }

func dropQueue(url string) error {
	_, err := sqs.NewFromConfig(awsAt(given("sqs"), nil)).DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: &url})
	return err
}

// given is a server's address.
func given(name string) string { return servers.Given(name) }

// plainQueue makes a queue with n messages that are nobody's jobs.
func (p *places) plainQueue(ctx context.Context, n int, c *closers) (url string, err error) {
	url = sqsURL(p.fresh())
	q, err := awssqs.Open(ctx, awsAt(given("sqs"), nil), awssqs.Options{URL: url, CreateResources: true, Wait: sqsWait})
	if err != nil {
		return "", err
	}
	c.add(func() error { return dropQueue(url) })
	c.add(func() error { return dropQueue(url + "-dead") })
	return url, errors.Join(bench.Send(ctx, q, n), q.Close())
}

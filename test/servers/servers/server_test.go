package servers

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

func TestKafkaKeepsRecordsAcrossKill(t *testing.T) {
	t.Parallel()
	s := NewKafka(t)
	c := sarama.NewConfig()
	c.Version = sarama.V3_9_0_0
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	admin, err := sarama.NewClusterAdmin([]string{s.Address}, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateTopic("kept", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	if err := admin.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := sarama.NewSyncProducer([]string{s.Address}, c)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "kept", Value: sarama.StringEncoder("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if s.Running() {
		t.Fatal("it runs on after Kill")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	client, err := sarama.NewClient([]string{s.Address}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // read only
	if end, err := client.GetOffset("kept", 0, sarama.OffsetNewest); err != nil || end != 100 {
		t.Errorf("%d of 100 records after the kill, %v", end, err)
	}
}

func TestKafkaAdvertises(t *testing.T) {
	t.Parallel()
	s := NewKafka(t, Advertised("127.0.0.1:9"))
	b := sarama.NewBroker(s.Address)
	if err := b.Open(sarama.NewConfig()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }() // read only
	m, err := b.GetMetadata(&sarama.MetadataRequest{Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Brokers) != 1 || m.Brokers[0].Addr() != "127.0.0.1:9" {
		t.Errorf("brokers %v", m.Brokers)
	}
}

// collection connects to a Mongo with majority writes.
func collection(t *testing.T, uri string) *driver.Collection {
	t.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(uri).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) }) // the server may be gone
	return client.Database("servers").Collection("kept")
}

func TestMongoKeepsMajorityWritesAcrossKill(t *testing.T) {
	t.Parallel()
	s := NewMongo(t)
	c := collection(t, s.Address)
	for i := range 100 {
		if _, err := c.InsertOne(t.Context(), bson.M{"_id": i}); err != nil {
			t.Fatal(err)
		}
	}
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.CountDocuments(t.Context(), bson.M{}); err != nil || n != 100 {
		t.Errorf("%d of 100 after the kill, %v", n, err)
	}
}

func TestMongoSetElectsAnother(t *testing.T) {
	t.Parallel()
	set := NewMongoSet(t, 3)
	c := collection(t, set.Address)
	if _, err := c.InsertOne(t.Context(), bson.M{"_id": "before"}); err != nil {
		t.Fatal(err)
	}
	first := set.Primary(t)
	first.Kill()
	second := set.Primary(t)
	if second == first {
		t.Fatal("the dead one is primary")
	}
	if _, err := c.InsertOne(t.Context(), bson.M{"_id": "after"}); err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.CountDocuments(t.Context(), bson.M{}); err != nil || n != 2 {
		t.Errorf("%d of 2 after the failover, %v", n, err)
	}
}

func TestPauseStopsAnswers(t *testing.T) {
	t.Parallel()
	s := NewDynamoDB(t)
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := answers(ctx, s.Address, http.StatusOK); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("paused, it answers: %v", err)
	}
	s.Resume()
	if err := answers(t.Context(), s.Address, http.StatusOK); err != nil {
		t.Errorf("resumed: %v", err)
	}
}

func TestStopEndsAndStartServesTheSameAddress(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *Server{"s3": NewS3, "sqs": NewSQS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			address := s.Address
			s.Stop()
			if err := s.engine.ready(t.Context(), s); err == nil {
				t.Error("stopped, it answers")
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			if s.Address != address || s.engine.ready(t.Context(), s) != nil {
				t.Errorf("not at %s again", address)
			}
		})
	}
}

func TestBrokenServerIsNamedWithItsLog(t *testing.T) {
	t.Parallel()
	e := s3()
	e.prepare = func(s *Server) error { // a file where the folder should be
		return errors.Join(os.RemoveAll(s.data()), os.WriteFile(s.data(), nil, 0o644))
	}
	_, err := create(t.Context(), e, t.TempDir(), false)
	if err == nil || !errors.Is(err, errEnded) {
		t.Fatalf("err %v", err)
	}
	for _, part := range []string{"server s3 can not be had", "its log"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func TestEnvironmentGoesFirst(t *testing.T) {
	t.Setenv("BUTAKERO_TEST_KAFKA_BROKERS", "a:1,b:2")
	t.Setenv("BUTAKERO_TEST_SQS_ENDPOINT", "http://queue")
	t.Setenv("BUTAKERO_TEST_DYNAMODB_ENDPOINT", "http://table")
	t.Setenv("BUTAKERO_TEST_MONGO_URI", "mongodb://doc")
	t.Setenv("BUTAKERO_TEST_S3_ENDPOINT", "http://bucket")
	t.Setenv("BUTAKERO_TEST_S3_KEY", "k")
	t.Setenv("BUTAKERO_TEST_S3_SECRET", "s")
	if got := Kafka(t); !slices.Equal(got, []string{"a:1", "b:2"}) {
		t.Errorf("brokers %v", got)
	}
	if got := []string{SQS(t), DynamoDB(t), Mongo(t)}; !slices.Equal(got, []string{"http://queue", "http://table", "mongodb://doc"}) {
		t.Errorf("endpoints %v", got)
	}
	if got := S3(t); got != (S3Account{"http://bucket", "k", "s"}) {
		t.Errorf("s3 %v", got)
	}
}

package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/butakero/butakero/internal/pipeline/ogg"
	"github.com/butakero/butakero/internal/pipeline/opus"
	"github.com/butakero/butakero/test/servers/servers"
)

// mix is which engines a fleet runs on, and where they are.
type mix struct {
	name               string
	queue, store, blob string
	kafka              []string
	sqs, dynamo, mongo string
	sqsSeen            string // where the test looks at SQS; "": where the fleet does
	s3                 servers.S3Account
	id                 string // of its queues, tables and buckets
	folder             string // of local files
	env                []string
}

// mixes are those that the tests run on.
var mixes = []mix{
	{name: "SQS, DynamoDB, S3", queue: "sqs", store: "dynamodb", blob: "s3"},
	{name: "Kafka, MongoDB, local", queue: "kafka", store: "mongodb", blob: "local"},
	{name: "Kafka, DynamoDB, S3", queue: "kafka", store: "dynamodb", blob: "s3"},
	{name: "SQLite", queue: "sqlite", store: "sqlite", blob: "local"},
}

// on binds a mix to the shared servers, with names of its own.
func (m mix) on(tb testing.TB, extra ...string) *mix {
	tb.Helper()
	if m.queue == "kafka" && m.kafka == nil {
		m.kafka = servers.Kafka(tb)
	}
	if m.queue == "sqs" && m.sqs == "" {
		m.sqs = servers.SQS(tb)
	}
	if m.store == "dynamodb" && m.dynamo == "" {
		m.dynamo = servers.DynamoDB(tb)
	}
	if m.store == "mongodb" && m.mongo == "" {
		m.mongo = servers.Mongo(tb)
	}
	if m.blob == "s3" && m.s3.Endpoint == "" {
		m.s3 = servers.S3(tb)
	}
	var b [5]byte
	_, _ = rand.Read(b[:])
	m.id, m.folder = "fleet-"+hex.EncodeToString(b[:]), tb.TempDir()
	m.env = append([]string{
		"BUTAKERO_QUEUE=" + m.queue, "BUTAKERO_STORE=" + m.store, "BUTAKERO_BLOB=" + m.blob, "BUTAKERO_SOURCE=demo",
		"BUTAKERO_CREATE_RESOURCES=true", "BUTAKERO_LISTEN=127.0.0.1:0", "BUTAKERO_WORKER_LISTEN=127.0.0.1:0",
		"BUTAKERO_DATA_DIR=" + m.folder, "BUTAKERO_RATE_PER_SECOND=0", "BUTAKERO_WORKER_SLOTS=4",
		"BUTAKERO_LEASE_SECONDS=4", "BUTAKERO_LOOK_SECONDS=1", "BUTAKERO_RING_SECONDS=3", "BUTAKERO_DRAIN_SECONDS=15", "SERVICE_MAX_ATTEMPTS=1000",
		"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	}, extra...)
	add := func(pairs ...string) { m.env = append(m.env, pairs...) }
	switch m.queue {
	case "kafka":
		add("KAFKA_BROKERS="+strings.Join(m.kafka, ","), "BUTAKERO_KAFKA_JOBS_TOPIC="+m.id+".jobs", "KAFKA_TOPIC="+m.id+".events",
			"BUTAKERO_KAFKA_GROUP="+m.id, "BUTAKERO_KAFKA_PARTITIONS=8", "BUTAKERO_KAFKA_SESSION_SECONDS=2")
	case "sqs":
		add("BUTAKERO_SQS_JOBS_QUEUE_URL="+m.sqs+"/000000000000/"+m.id+"-jobs", "SQS_QUEUE_URL="+m.sqs+"/000000000000/"+m.id+"-events",
			"AWS_ENDPOINT_URL_SQS="+m.sqs)
	}
	switch m.store {
	case "mongodb":
		add("BUTAKERO_MONGO_URI="+m.mongo, "MONGO_DATABASE="+m.id)
	case "dynamodb":
		add("DYNAMODB_TABLE_SONGS="+m.id+"-songs", "DYNAMODB_TABLE_OPERATIONS="+m.id+"-operations", "AWS_ENDPOINT_URL_DYNAMODB="+m.dynamo)
	}
	if m.blob == "s3" {
		add("S3_BUCKET_NAME="+m.id, "AWS_ENDPOINT_URL_S3="+m.s3.Endpoint, "AWS_ACCESS_KEY_ID="+m.s3.Key, "AWS_SECRET_ACCESS_KEY="+m.s3.Secret)
	} else {
		add("AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	}
	return &m
}

// catalogue makes a folder of n songs for the demo source: short ones, different,
// of Opus packets that are copied.
func catalogue(tb testing.TB, n int) string {
	tb.Helper()
	folder := tb.TempDir()
	chance := mathrand.New(mathrand.NewPCG(7, 7))
	for i := range n {
		if err := writeSong(filepath.Join(folder, songName(i)+".opus"), chance, uint32(i+1)); err != nil {
			tb.Fatal(err)
		}
	}
	return folder
}

func songName(i int) string { return fmt.Sprintf("song %04d", i) }

func writeSong(name string, chance *mathrand.Rand, serial uint32) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := ogg.NewWriter(f, serial)
	head := opus.Head{Version: 1, Channels: 2, PreSkip: 312, InputRate: 48000}
	if err := w.WriteHeaders(head.Append(nil), ogg.Tags("fleet")); err != nil {
		return err
	}
	for range 120 + chance.IntN(120) {
		packet := make([]byte, 60+chance.IntN(90))
		for k := range packet {
			packet[k] = byte(chance.Uint32())
		}
		packet[0] = 0xfc // CELT, 20 ms, stereo, one frame
		if err := w.WritePacket(packet, 960); err != nil {
			return err
		}
	}
	return w.Close(0)
}

// news is what an independent consumer has seen: event ids by operation, and how
// many copies there were.
type news struct {
	mu     sync.Mutex
	events map[string]map[string]string // operation: id: body
	copies int
	differ []string
}

func (n *news) add(body []byte) {
	var e struct {
		ID      string `json:"id"`
		Subject string `json:"subject"`
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := json.Unmarshal(body, &e); err != nil || e.ID == "" || e.Subject == "" {
		n.differ = append(n.differ, "not an event: "+string(body))
		return
	}
	if n.events[e.Subject] == nil {
		n.events[e.Subject] = map[string]string{}
	}
	if before, ok := n.events[e.Subject][e.ID]; ok {
		n.copies++
		if before != string(body) {
			n.differ = append(n.differ, "two copies differ:\n"+before+"\n"+string(body))
		}
	}
	n.events[e.Subject][e.ID] = string(body)
}

func (n *news) of(operation string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.events[operation])
}

// listen consumes the events of a mix until the test is over; nil where they only
// come through the API.
func (m *mix) listen(tb testing.TB) *news {
	tb.Helper()
	n := &news{events: map[string]map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	tb.Cleanup(func() { cancel(); done.Wait() })
	switch m.queue {
	case "kafka":
		m.listenKafka(ctx, tb, n, &done)
	case "sqs":
		m.listenSQS(ctx, n, &done)
	default:
		return nil
	}
	return n
}

func (m *mix) listenKafka(ctx context.Context, tb testing.TB, n *news, done *sync.WaitGroup) {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	consumer, err := sarama.NewConsumer(m.kafka, c)
	if err != nil {
		tb.Fatal(err)
	}
	topic := m.id + ".events"
	var partitions []int32
	until(tb, 30*time.Second, "the topic of events is not there", func() bool {
		partitions, err = consumer.Partitions(topic)
		return err == nil && len(partitions) > 0
	})
	var open sync.WaitGroup
	for _, p := range partitions {
		part, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			tb.Fatal(err)
		}
		open.Go(func() {
			defer part.Close() //nolint:errcheck // the test is over
			for {
				select {
				case <-ctx.Done():
					return
				case message, ok := <-part.Messages():
					if !ok {
						return
					}
					n.add(message.Value)
				}
			}
		})
	}
	done.Go(func() { open.Wait(); _ = consumer.Close() })
}

func (m *mix) listenSQS(ctx context.Context, n *news, done *sync.WaitGroup) {
	endpoint := m.sqs
	if m.sqsSeen != "" {
		endpoint = m.sqsSeen
	}
	url := endpoint + "/000000000000/" + m.id + "-events"
	client := sqs.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	done.Go(func() {
		for ctx.Err() == nil {
			out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
			if err != nil {
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
				continue
			}
			for _, message := range out.Messages {
				n.add([]byte(aws.ToString(message.Body)))
				_, _ = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: message.ReceiptHandle}) // else it comes again
			}
		}
	})
}

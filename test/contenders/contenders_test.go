package contenders_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/test/contenders"
	"github.com/butakero/butakero/test/servers/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const messages = 60

// consume runs a loop until it has worked on all messages, and returns on how many it
// worked, and on how many of them at the same time.
func consume(t *testing.T, loop contenders.Loop) (worked, together int64) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var count, at, most atomic.Int64
	done := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- loop(ctx, func() {
			now := at.Add(1)
			for most.Load() < now && !most.CompareAndSwap(most.Load(), now) {
			}
			meet := time.NewTimer(time.Millisecond)
			defer meet.Stop()
			select {
			case <-meet.C:
			case <-ctx.Done():
			}
			at.Add(-1)
			if count.Add(1) == messages {
				close(done)
			}
		})
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return count.Load(), most.Load()
}

// The loops for Kafka take every message once, and work on as many at a time as they
// are known to: one, or one of each partition.
func TestKafka(t *testing.T) {
	t.Parallel()
	brokers := servers.Kafka(t)
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	topic := "contenders-" + jobs.RandomID()
	if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 4, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.DeleteTopic(topic) })
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	for range messages {
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("hello")}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		loop func(contenders.Topic) contenders.Loop
		most int64
	}{
		"sarama": {contenders.Sarama, 4}, "channel": {contenders.WatermillChannel, 1}, "Router": {contenders.WatermillRouter, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			worked, together := consume(t, c.loop(contenders.Topic{Brokers: brokers, Name: topic, Group: topic + "-" + name}))
			if worked != messages || together > c.most || c.most > 1 && together < 2 {
				t.Errorf("%d messages, up to %d at a time", worked, together)
			}
		})
	}
}

// Watermill's loop on SQS deletes what it has worked on.
func TestSQS(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	config := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	client := sqs.NewFromConfig(config)
	for name, receive := range map[string]int32{"one": 1, "ten": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("contenders-" + jobs.RandomID())})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_, _ = client.DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
			})
			for range messages {
				if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: aws.String("hello")}); err != nil {
					t.Fatal(err)
				}
			}
			if worked, together := consume(t, contenders.WatermillSQS(config, *made.QueueUrl, receive)); worked != messages || together != 1 {
				t.Errorf("%d messages, up to %d at a time", worked, together)
			}
			left, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
			if err != nil || left.Attributes["ApproximateNumberOfMessages"] != "0" {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/kafka"
	"github.com/butakero/butakero/test/servers/servers"
)

// brokers returns the shared broker of this run.
func brokers(tb testing.TB) []string {
	tb.Helper()
	return servers.Kafka(tb)
}

var made atomic.Int64

// name returns a name that no other test or run has.
func name(tb testing.TB) string {
	tb.Helper()
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, tb.Name())
	return fmt.Sprintf("%s-%d-%d", clean[:min(len(clean), 100)], time.Now().UnixNano(), made.Add(1))
}

// quick are options with a topic and group of the test's own, and times of a test.
func quick(tb testing.TB) kafka.Options {
	tb.Helper()
	topic := name(tb)
	return kafka.Options{
		Brokers: brokers(tb), JobsTopic: topic, Group: topic, CreateResources: true, Partitions: 4, ReplicationFactor: 1,
		Heartbeat: 100 * time.Millisecond, Wait: 50 * time.Millisecond, Session: 6 * time.Second, Commit: 100 * time.Millisecond,
	}
}

func open(tb testing.TB, o kafka.Options) *kafka.Queue {
	tb.Helper()
	if o.Log == nil {
		o.Log = logTo(tb)
	}
	q, err := kafka.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := q.Close(); err != nil {
			tb.Error(err)
		}
	})
	return q
}

// logTo returns a logger into the test's output.
func logTo(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// client is a plain one, for what a test does behind the queue's back.
func client(tb testing.TB, addresses []string) sarama.Client {
	tb.Helper()
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Return.Successes = true
	c.Metadata.AllowAutoTopicCreation = false
	found, err := sarama.NewClient(addresses, c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = found.Close() })
	return found
}

// raw returns what sends bodies that need not be messages.
func raw(tb testing.TB, o kafka.Options) func(context.Context, []byte) error {
	p, err := sarama.NewSyncProducerFromClient(client(tb, o.Brokers))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	return func(_ context.Context, body []byte) error {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: o.JobsTopic, Value: sarama.ByteEncoder(body)})
		return err
	}
}

func message(i int) jobs.Message {
	return jobs.Message{
		Version: jobs.MessageVersion, Key: fmt.Sprintf("demo:%011d:default", i), Generation: 1,
		Requester: "guild-1", Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

// send sends messages number from to below to.
func send(tb testing.TB, q jobs.Queue, from, to int) {
	tb.Helper()
	var all []jobs.Outgoing
	for i := from; i < to; i++ {
		all = append(all, jobs.Outgoing{Message: message(i)})
	}
	if err := q.Send(tb.Context(), all); err != nil {
		tb.Fatal(err)
	}
}

func acks(ds []jobs.Delivery) []jobs.Settlement {
	all := make([]jobs.Settlement, len(ds))
	for i, d := range ds {
		all[i] = jobs.Settlement{Delivery: d}
	}
	return all
}

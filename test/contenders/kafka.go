package contenders

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Topic is a Kafka topic that a group reads from its beginning.
type Topic struct {
	Brokers []string
	Name    string
	Group   string
}

// groupConfig makes c read a topic from its beginning with the protocol version that
// Butakero uses. All else stays as the library has it.
func groupConfig(c *sarama.Config) *sarama.Config {
	c.Version = sarama.V3_6_0_0
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	return c
}

// Sarama is the loop of sarama's own example: each partition's messages one after
// the other, marked after the work.
func Sarama(t Topic) Loop {
	return func(ctx context.Context, work func()) error {
		group, err := sarama.NewConsumerGroup(t.Brokers, t.Group, groupConfig(sarama.NewConfig()))
		if err != nil {
			return err
		}
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{t.Name}, claims(work)); err != nil {
				return errors.Join(err, group.Close())
			}
		}
		return group.Close()
	}
}

// claims is what sarama calls for each partition.
type claims func()

func (claims) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (claims) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (work claims) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-c.Messages():
			if !ok {
				return nil
			}
			work()
			s.MarkMessage(m, "")
		case <-s.Context().Done():
			return nil
		}
	}
}

func watermillSubscriber(t Topic) (*kafka.Subscriber, error) {
	return kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers: t.Brokers, ConsumerGroup: t.Group, Unmarshaler: kafka.DefaultMarshaler{},
		OverwriteSaramaConfig: groupConfig(kafka.DefaultSaramaSubscriberConfig()),
	}, watermill.NopLogger{})
}

// WatermillChannel is the loop of Watermill's getting started: a range over the
// subscriber's channel, each message acknowledged after its work.
func WatermillChannel(t Topic) Loop {
	return func(ctx context.Context, work func()) error {
		s, err := watermillSubscriber(t)
		if err != nil {
			return err
		}
		return drainChannel(ctx, s, t.Name, work)
	}
}

func drainChannel(ctx context.Context, s message.Subscriber, topic string, work func()) error {
	messages, err := s.Subscribe(ctx, topic)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	for m := range messages {
		work()
		m.Ack()
	}
	return s.Close()
}

// WatermillRouter is Watermill's Router with one handler, which works on a message of
// every partition at a time.
func WatermillRouter(t Topic) Loop {
	return func(ctx context.Context, work func()) error {
		s, err := watermillSubscriber(t)
		if err != nil {
			return err
		}
		r, err := message.NewRouter(message.RouterConfig{CloseTimeout: 10 * time.Second}, watermill.NopLogger{})
		if err != nil {
			return errors.Join(err, s.Close())
		}
		r.AddConsumerHandler("bench", t.Name, s, func(*message.Message) error { work(); return nil })
		return errors.Join(r.Run(ctx), s.Close())
	}
}

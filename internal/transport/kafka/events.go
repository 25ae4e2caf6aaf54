package kafka

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
)

// PublisherOptions are the settings of a publisher: those of the connection and
// the topic's as in Options (JobsTopic, Group and the times are not used), and
// Topic and Encode, which must be set.
type PublisherOptions struct {
	Options
	Topic string

	// TypePrefix is what the operation's state is appended to in ce_type.
	TypePrefix string

	// Encode returns an event's body, and its content type.
	Encode func(jobs.Event) (body []byte, contentType string, err error)
}

// Publisher sends completion events to a topic: key is the operation's id, so
// that an operation's events keep their order; headers are content-type, ce_id (the
// event's id), ce_type and ce_subject (the operation's id).
type Publisher struct {
	options  PublisherOptions
	client   sarama.Client
	producer *producer
	closing  sync.Once
}

var _ jobs.Events = (*Publisher)(nil)

// OpenPublisher connects to the brokers and looks at the topic, with the errors
// of Open.
func OpenPublisher(ctx context.Context, o PublisherOptions) (*Publisher, error) {
	o.JobsTopic = o.Topic
	o.Options = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Encode == nil {
		return nil, fmt.Errorf("%w: no encoding of events", ErrOptions)
	}
	c, err := producerConfig(o.Options)
	if err != nil {
		return nil, err
	}
	client, producer, err := connectWith(ctx, o.Options, c)
	if err != nil {
		return nil, err
	}
	return &Publisher{options: o, client: client, producer: producer}, nil
}

// Publish implements jobs.Events: nil means that all in-sync replicas have the
// event.
func (p *Publisher) Publish(ctx context.Context, events []jobs.Event) []error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	errs := make([]error, len(events))
	messages := make([]*sarama.ProducerMessage, 0, len(events))
	from := make([]int, 0, len(events))
	for i, e := range events {
		body, contentType, err := p.options.Encode(e)
		if err != nil {
			errs[i] = fmt.Errorf("encode event %s: %w", e.ID, err)
			continue
		}
		from = append(from, i)
		messages = append(messages, &sarama.ProducerMessage{
			Topic: p.options.Topic, Key: sarama.StringEncoder(e.Operation.ID), Value: sarama.ByteEncoder(body),
			Headers: []sarama.RecordHeader{
				{Key: []byte("content-type"), Value: []byte(contentType)},
				{Key: []byte("ce_id"), Value: []byte(e.ID)},
				{Key: []byte("ce_subject"), Value: []byte(e.Operation.ID)},
				{Key: []byte("ce_type"), Value: []byte(p.options.TypePrefix + string(e.Operation.State))},
			},
		})
	}
	for i, err := range p.producer.send(ctx, messages) {
		errs[from[i]] = err
	}
	return errs
}

// Ping says whether the brokers answer for the topic.
func (p *Publisher) Ping(ctx context.Context) error {
	return within(ctx, func() error { return unavailable(p.client.RefreshMetadata(p.options.Topic)) })
}

// Close sends what is on its way.
func (p *Publisher) Close() error {
	var err error
	p.closing.Do(func() {
		p.producer.close()
		err = p.client.Close()
	})
	return err
}

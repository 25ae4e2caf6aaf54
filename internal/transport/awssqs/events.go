package awssqs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/butakero/butakero/internal/jobs"
)

// PublisherOptions are the settings of a publisher; URL and Encode must be set.
type PublisherOptions struct {
	URL             string // of the queue of events, standard or FIFO
	CreateResources bool   // make a standard queue that is missing

	// TypePrefix is what the operation's state is appended to in ce_type.
	TypePrefix string

	// Encode returns an event's body, and its content type.
	Encode func(jobs.Event) (body []byte, contentType string, err error)

	Log *slog.Logger
}

// Publisher sends completion events to a queue. Message attributes are
// content-type, ce_id (the event's id), ce_type and ce_subject (the operation's id, as
// a standard queue has no keys). On a FIFO queue an operation's
// events keep their order and copies within five minutes are left out.
type Publisher struct {
	options PublisherOptions
	client  *sqs.Client
	fifo    bool
}

var _ jobs.Events = (*Publisher)(nil)

// OpenPublisher looks at the queue, with the errors of Open.
func OpenPublisher(ctx context.Context, config aws.Config, o PublisherOptions) (*Publisher, error) {
	if o.URL == "" || o.Encode == nil {
		return nil, errors.New("sqs: the URL of the queue of events must be set (SQS_QUEUE_URL)")
	}
	p := &Publisher{options: o, client: sqs.NewFromConfig(config), fifo: strings.HasSuffix(o.URL, ".fifo")}
	err := p.Ping(ctx)
	if missing(err) && o.CreateResources && !p.fifo {
		name := path.Base(o.URL)
		if _, err = p.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name}); err == nil {
			err = p.Ping(ctx)
		}
	}
	if missing(err) {
		return nil, fmt.Errorf("sqs: there is no queue of events %s: make it, or set BUTAKERO_CREATE_RESOURCES=true", o.URL)
	}
	if err != nil {
		return nil, fmt.Errorf("sqs: %s: %w", o.URL, failure(err))
	}
	return p, nil
}

// Ping asks whether the queue is there.
func (p *Publisher) Ping(ctx context.Context) error {
	_, err := p.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &p.options.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	return failure(err)
}

// Close does nothing: there is nothing to end.
func (p *Publisher) Close() error { return nil }

// largestBatch bounds the bodies of one request, in bytes; SQS takes 1 MiB with the
// attributes.
const largestBatch = 1000 << 10

// Publish implements jobs.Events.
func (p *Publisher) Publish(ctx context.Context, events []jobs.Event) []error {
	errs := make([]error, len(events))
	var (
		batch []types.SendMessageBatchRequestEntry
		size  int
	)
	flush := func() {
		if len(batch) > 0 {
			p.send(ctx, batch, errs)
		}
		batch, size = nil, 0
	}
	for i, e := range events {
		body, contentType, err := p.options.Encode(e)
		if err != nil {
			errs[i] = fmt.Errorf("encode event %s: %w", e.ID, err)
			continue
		}
		if len(batch) == batchSize || size+len(body) > largestBatch {
			flush()
		}
		text := func(s string) types.MessageAttributeValue {
			return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
		}
		entry := types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(legible(body)),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"content-type": text(contentType), "ce_id": text(e.ID), "ce_type": text(p.options.TypePrefix + string(e.Operation.State)),
				"ce_subject": text(e.Operation.ID),
			},
		}
		if p.fifo {
			entry.MessageDeduplicationId, entry.MessageGroupId = aws.String(e.ID), aws.String(e.Operation.ID)
		}
		batch, size = append(batch, entry), size+len(body)
	}
	flush()
	return errs
}

// send sends one batch; what fails stays pending and is published by the
// reconciler.
func (p *Publisher) send(ctx context.Context, batch []types.SendMessageBatchRequestEntry, errs []error) {
	at := func(id *string) int {
		i, err := strconv.Atoi(aws.ToString(id))
		if err != nil || i < 0 || i >= len(errs) {
			return 0
		}
		return i
	}
	out, err := p.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &p.options.URL, Entries: batch})
	if err != nil {
		for _, e := range batch {
			errs[at(e.Id)] = fmt.Errorf("sqs: publish: %w", failure(err))
		}
		return
	}
	for _, f := range out.Failed {
		errs[at(f.Id)] = fmt.Errorf("sqs: publish: %w: %s: %s", jobs.ErrUnavailable, aws.ToString(f.Code), aws.ToString(f.Message))
	}
}

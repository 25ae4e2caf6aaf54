package awssqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/butakero/butakero/internal/jobs"
)

// Options are the settings of a queue. Endpoint and credentials are the SDK's own.
type Options struct {
	URL string // of the queue of jobs

	// CreateResources makes a queue that is missing, with a dead-letter queue
	// (its name and "-dead") behind it.
	CreateResources bool

	Visibility time.Duration // a delivery is hidden for so long; 90 s
	Wait       time.Duration // long polling; 20 s, which is SQS's most
	Log        *slog.Logger
}

const (
	batchSize    = 10             // entries of a batch request, SQS's limit
	longestDelay = 900            // seconds
	longestHold  = 12 * time.Hour // in all, from the receive on
	maxReceives  = 20             // then the redrive policy takes a message away
	retention    = 4 * 24 * time.Hour
	deadFor      = 14 * 24 * time.Hour
)

// Queue implements jobs.Queue and jobs.DeadLetters.
type Queue struct {
	options  Options
	client   *sqs.Client
	counters counters
	fair     groups
	settling *batcher[types.DeleteMessageBatchRequestEntry]

	alive  context.Context // of what outlives a call
	stop   context.CancelFunc
	open   sync.WaitGroup // receives that nobody waits for any more
	mu     sync.Mutex
	dead   string // URL of the dead-letter queue, once it is known
	closed bool
}

var (
	_ jobs.Queue       = (*Queue)(nil)
	_ jobs.DeadLetters = (*Queue)(nil)
)

// ErrFIFO refuses a FIFO queue.
var ErrFIFO = errors.New("a FIFO queue can not carry jobs: it delays no single message, and one group's long song holds up the others; make a standard queue")

// Open looks at the queue. A queue that is missing is an error unless it may be
// made; one that can not be reached wraps jobs.ErrUnavailable.
func Open(ctx context.Context, config aws.Config, o Options) (*Queue, error) {
	if o.URL == "" {
		return nil, errors.New("sqs: the URL of the queue of jobs must be set (BUTAKERO_SQS_JOBS_QUEUE_URL)")
	}
	if o.Visibility <= 0 {
		o.Visibility = 90 * time.Second
	}
	if o.Wait <= 0 {
		o.Wait = 20 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if strings.HasSuffix(o.URL, ".fifo") {
		return nil, fmt.Errorf("sqs: %s: %w", o.URL, ErrFIFO)
	}
	alive, stop := context.WithCancel(context.Background())
	q := &Queue{options: o, client: sqs.NewFromConfig(config), alive: alive, stop: stop}
	q.settling = newBatcher(q.delete)
	attributes, err := q.look(ctx)
	if missing(err) && o.CreateResources {
		if err = q.create(ctx); err == nil {
			attributes, err = q.look(ctx)
		}
	}
	if err == nil && attributes["FifoQueue"] == "true" {
		err = ErrFIFO
	}
	if err != nil {
		stop()
		q.settling.close()
		if missing(err) {
			return nil, fmt.Errorf("sqs: there is no queue %s: make it (docs/engines.md says how), or set BUTAKERO_CREATE_RESOURCES=true", o.URL)
		}
		return nil, fmt.Errorf("sqs: %s: %w", o.URL, final(err))
	}
	if attributes["RedrivePolicy"] == "" {
		o.Log.Warn("the queue has no redrive policy: a message that stops every worker that takes it comes back for as long as it is kept", "queue", o.URL)
	}
	return q, nil
}

func (q *Queue) look(ctx context.Context) (map[string]string, error) {
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.options.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return nil, failure(err)
	}
	return out.Attributes, nil
}

// create makes the queue and the one behind it.
func (q *Queue) create(ctx context.Context) error {
	name := path.Base(q.options.URL)
	made := func(name string, attributes map[string]string) (string, error) {
		out, err := q.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			return "", failure(err)
		}
		// A queue is made in the account that asks, whatever URL it has in mind.
		if made := account(aws.ToString(out.QueueUrl)); made != account(q.options.URL) {
			_, _ = q.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl}) // it is empty, and nobody knows it
			return "", fmt.Errorf("the URL is of account %s, the credentials are of %s: it can not be made from here", account(q.options.URL), made)
		}
		return aws.ToString(out.QueueUrl), nil
	}
	dead, err := made(name+"-dead", map[string]string{"MessageRetentionPeriod": seconds(deadFor)})
	if err != nil {
		return fmt.Errorf("make the dead-letter queue: %w", err)
	}
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &dead, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return fmt.Errorf("look at the dead-letter queue: %w", failure(err))
	}
	policy, err := json.Marshal(map[string]string{"deadLetterTargetArn": out.Attributes["QueueArn"], "maxReceiveCount": strconv.Itoa(maxReceives)})
	if err != nil {
		return err
	}
	_, err = made(name, map[string]string{
		"VisibilityTimeout": seconds(q.options.Visibility), "MessageRetentionPeriod": seconds(retention),
		"ReceiveMessageWaitTimeSeconds": seconds(q.options.Wait), "RedrivePolicy": string(policy),
	})
	if err != nil {
		return fmt.Errorf("make the queue: %w", err)
	}
	q.options.Log.Info("the queue was created, with a dead-letter queue behind it", "queue", q.options.URL)
	return nil
}

// account is that of a queue's URL: https://HOST/ACCOUNT/NAME.
func account(queue string) string {
	u, err := url.Parse(queue)
	if err != nil {
		return ""
	}
	return path.Base(path.Dir(u.Path))
}

func seconds(d time.Duration) string { return strconv.Itoa(wholeSeconds(d)) }

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int { return int((max(0, d) + time.Second - 1) / time.Second) }

func missing(err error) bool {
	var gone *types.QueueDoesNotExist
	return errors.As(err, &gone)
}

// failure marks every error but a missing queue as one that may be over soon.
func failure(err error) error {
	if err == nil || missing(err) || errors.Is(err, jobs.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
}

// refusals are errors that waiting does not help against, at a start: the key, or what
// it may do, must be changed.
var refusals = []string{"AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAddress"}

// errForbidden stands in for jobs.ErrUnavailable where that would have a start wait.
var errForbidden = errors.New("AWS refuses: look at the credentials and at the policy (docs/engines.md)")

// final is an error of opening: one that a later try would meet again is not called
// unavailable.
func final(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		code := strings.TrimPrefix(answer.ErrorCode(), "AWS.SimpleQueueService.")
		if slices.Contains(refusals, code) {
			return fmt.Errorf("%w: %s: %s", errForbidden, code, answer.ErrorMessage())
		}
	}
	return err
}

// errClosed is the answer of a queue that was closed.
var errClosed = fmt.Errorf("%w: the queue is closed", jobs.ErrUnavailable)

func (q *Queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// Depth implements jobs.Queue: SQS's own approximate counts.
func (q *Queue) Depth(ctx context.Context) (jobs.Depth, error) {
	if q.isClosed() {
		return jobs.Depth{}, errClosed
	}
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.options.URL, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages,
			types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
			types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		},
	})
	if err != nil {
		return jobs.Depth{}, fmt.Errorf("sqs: depth: %w", failure(err))
	}
	number := func(name types.QueueAttributeName) int64 {
		n, err := strconv.ParseInt(out.Attributes[string(name)], 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	return jobs.Depth{
		Visible:  number(types.QueueAttributeNameApproximateNumberOfMessages),
		InFlight: number(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible),
		Delayed:  number(types.QueueAttributeNameApproximateNumberOfMessagesDelayed),
	}, nil
}

// Held implements jobs.Queue: messages are held until their jobs have ended.
func (q *Queue) Held() bool { return true }

// Ping asks whether the queue is there.
func (q *Queue) Ping(ctx context.Context) error {
	if q.isClosed() {
		return errClosed
	}
	_, err := q.look(ctx)
	return err
}

// Close waits for the receives that are still open, which end with their long
// polling, gives back what they bring, and ends the queue.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	q.mu.Unlock()
	q.open.Wait()
	q.settling.close()
	q.stop()
	return nil
}

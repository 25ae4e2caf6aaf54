package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
)

// Queue implements jobs.Queue.
type Queue struct {
	options  Options
	client   sarama.Client // for sending and asking
	producer *producer
	counters counters
	depth    depthCache

	ctx     context.Context // done when the queue is closed
	cancel  context.CancelFunc
	running sync.WaitGroup
	ready   chan struct{} // one token: something may be receivable

	mu        sync.Mutex
	closed    bool
	receivers int           // calls of Receive
	leave     *time.Timer   // leaves the group when nobody receives
	member    *member       // nil: not in the group
	gone      chan struct{} // closed when the last membership that was given up has ended
	claims    []*claim      // the partitions that we own
	turn      int           // whose turn it is to deliver
	claimed   int64         // number of the last claim
	trouble   error         // why we are not in the group, nil when we are
	later     later
}

var _ jobs.Queue = (*Queue)(nil)

// Open connects to the brokers and looks at the topic. Errors: ErrOptions,
// ErrNoTopic, or one that wraps jobs.ErrUnavailable.
func Open(ctx context.Context, o Options) (*Queue, error) {
	o = o.withDefaults()
	err := o.validate()
	if o.Group == "" {
		err = errors.Join(err, fmt.Errorf("%w: no group", ErrOptions))
	}
	if err != nil {
		return nil, err
	}
	client, producer, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	q := &Queue{options: o, client: client, producer: producer, ready: make(chan struct{}, 1)}
	q.ctx, q.cancel = context.WithCancel(context.WithoutCancel(ctx))
	q.later.changed = make(chan struct{}, 1)
	q.running.Go(q.runLater)
	return q, nil
}

// connect opens a client that sends, and checks the topic.
func connect(ctx context.Context, o Options) (sarama.Client, *producer, error) {
	c, err := producerConfig(o)
	if err != nil {
		return nil, nil, err
	}
	c.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	return connectWith(ctx, o, c)
}

func connectWith(ctx context.Context, o Options, c *sarama.Config) (sarama.Client, *producer, error) {
	type opened struct {
		client sarama.Client
		err    error
	}
	done := make(chan opened, 1)
	go func() {
		client, err := sarama.NewClient(o.Brokers, c)
		done <- opened{client, err}
	}()
	var client sarama.Client
	select {
	case got := <-done:
		if got.err != nil {
			return nil, nil, unavailable(got.err)
		}
		client = got.client
	case <-ctx.Done():
		go func() {
			if late := <-done; late.client != nil {
				_ = late.client.Close()
			}
		}()
		return nil, nil, unavailable(ctx.Err())
	}
	if err := checkTopic(ctx, client, o.JobsTopic, o); err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	p, err := newProducer(client)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, p, nil
}

// sendTimeout bounds a Send whose context does not.
const sendTimeout = 20 * time.Second

// Send implements jobs.Queue. A message with a delay waits in this process; it
// is lost with it, and then the record rings.
func (q *Queue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	now := make([]*sarama.ProducerMessage, 0, len(messages))
	for _, m := range messages {
		if m.Delay > 0 {
			if !q.delay(q.produced(m.Message), m.Delay) {
				return unavailable(errClosed)
			}
			continue
		}
		now = append(now, q.produced(m.Message))
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return first(q.producer.send(ctx, now))
}

// produced is a message as it goes to the topic. The key is for people's tools:
// messages are not spread by it.
func (q *Queue) produced(m jobs.Message) *sarama.ProducerMessage {
	version := m.Version
	if version == 0 {
		version = jobs.MessageVersion
	}
	headers := []sarama.RecordHeader{{Key: []byte("schema"), Value: []byte(strconv.Itoa(version))}}
	if m.Trace != "" {
		headers = append(headers, sarama.RecordHeader{Key: []byte("traceparent"), Value: []byte(m.Trace)})
	}
	return &sarama.ProducerMessage{
		Topic: q.options.JobsTopic, Key: sarama.StringEncoder(m.Key),
		Value: sarama.ByteEncoder(jobs.EncodeMessage(m)), Headers: headers,
	}
}

func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// receiveWait is the engine's own wait: Receive returns none after it, or says
// why it can not be in the group.
const receiveWait = 5 * time.Second

// Receive implements jobs.Queue. The first call joins the group.
func (q *Queue) Receive(ctx context.Context, limit int) ([]jobs.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, nil
	}
	if err := q.arrive(); err != nil {
		return nil, err
	}
	defer q.depart(ctx)
	var timer *time.Timer
	for {
		deliveries, err := q.take(limit)
		if err != nil || len(deliveries) > 0 {
			return deliveries, err
		}
		if timer == nil {
			timer = time.NewTimer(receiveWait)
			defer timer.Stop()
		}
		select {
		case <-q.ready:
		case <-q.ctx.Done():
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			q.mu.Lock()
			defer q.mu.Unlock()
			return nil, unavailable(q.trouble)
		}
	}
}

// take returns up to limit messages, from the partitions in turn.
func (q *Queue) take(limit int) ([]jobs.Delivery, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, unavailable(errClosed)
	}
	var deliveries []jobs.Delivery
	for empty := 0; empty < len(q.claims) && len(deliveries) < limit; {
		q.turn = (q.turn + 1) % len(q.claims)
		c := q.claims[q.turn]
		m, delivery, ok := c.take()
		if !ok {
			empty++
			continue
		}
		empty = 0
		deliveries = append(deliveries, q.delivery(c, m, delivery))
	}
	for _, c := range q.claims {
		c.resume()
		if len(deliveries) == limit && c.window.waiting() > 0 {
			q.ring() // somebody else may have room
			break
		}
	}
	q.counters.messages.Add(int64(len(deliveries)))
	return deliveries, nil
}

// ring wakes a receiver.
func (q *Queue) ring() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *Queue) delivery(c *claim, m *sarama.ConsumerMessage, number int64) jobs.Delivery {
	d := jobs.Delivery{
		Receipt: receipt{c.number, m.Offset, number}.String(), Sent: m.Timestamp,
		Origin: m.Topic + "/" + strconv.Itoa(int(m.Partition)) + "/" + strconv.FormatInt(m.Offset, 10),
	}
	if d.Message, d.Err = jobs.DecodeMessage(m.Value); d.Err != nil {
		d.Raw = m.Value
		q.counters.undecodable.Add(1)
	}
	return d
}

// receipt names a delivery: of which claim of a partition, of which message, and
// which time.
type receipt struct{ claim, offset, delivery int64 }

func (r receipt) String() string {
	b := make([]byte, 0, 32)
	b = strconv.AppendInt(b, r.claim, 10)
	b = strconv.AppendInt(append(b, '.'), r.offset, 10)
	return string(strconv.AppendInt(append(b, '.'), r.delivery, 10))
}

func parseReceipt(s string) (r receipt, ok bool) {
	claim, rest, _ := strings.Cut(s, ".")
	offset, delivery, _ := strings.Cut(rest, ".")
	var err1, err2, err3 error
	r.claim, err1 = strconv.ParseInt(claim, 10, 64)
	r.offset, err2 = strconv.ParseInt(offset, 10, 64)
	r.delivery, err3 = strconv.ParseInt(delivery, 10, 64)
	return r, err1 == nil && err2 == nil && err3 == nil
}

// Extend implements jobs.Queue. A delivery stays ours until its partition is
// revoked, so there is nothing to extend.
func (q *Queue) Extend(ctx context.Context, deliveries []jobs.Delivery, _ time.Duration) []error {
	errs := make([]error, len(deliveries))
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, d := range deliveries {
		errs[i] = q.refusal(ctx)
		if r, ok := parseReceipt(d.Receipt); errs[i] == nil && (!ok || !q.out(r)) {
			errs[i] = jobs.ErrFenced
		}
	}
	return errs
}

func (q *Queue) refusal(ctx context.Context) error {
	if q.closed {
		return unavailable(errClosed)
	}
	return ctx.Err()
}

// Settle implements jobs.Queue. What is acknowledged is committed within
// Options.Commit, or when the partition is revoked or the queue closed.
func (q *Queue) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	errs := make([]error, len(settlements))
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, s := range settlements {
		if errs[i] = q.refusal(ctx); errs[i] != nil {
			continue
		}
		r, ok := parseReceipt(s.Delivery.Receipt)
		c := q.claim(r.claim)
		switch {
		case !ok || c == nil:
			errs[i] = jobs.ErrFenced
		case s.Release:
			errs[i] = q.release(c, r, s.Delay)
		case !c.window.settle(r.offset, r.delivery):
			errs[i] = jobs.ErrFenced
		default:
			c.touched = true
			q.counters.acknowledged.Add(1)
		}
		if errs[i] != nil {
			q.counters.stale.Add(1)
		}
	}
	for _, c := range q.claims {
		c.mark()
	}
	return errs
}

// claim returns the claim with a number, nil when it is over.
func (q *Queue) claim(number int64) *claim {
	for _, c := range q.claims {
		if c.number == number {
			return c
		}
	}
	return nil
}

// out reports whether the delivery is not settled and ours.
func (q *Queue) out(r receipt) bool {
	c := q.claim(r.claim)
	if c == nil {
		return false
	}
	e := c.window.find(r.offset)
	return e != nil && e.delivery == r.delivery
}

// Held implements jobs.Queue.
func (q *Queue) Held() bool { return false }

// Ping says whether the brokers answer for the topic and, in a process that
// receives, whether it is in the group.
func (q *Queue) Ping(ctx context.Context) error {
	q.mu.Lock()
	err := q.refusal(ctx)
	if err == nil {
		err = unavailable(q.trouble)
	}
	q.mu.Unlock()
	if err != nil {
		return err
	}
	return within(ctx, func() error { return unavailable(q.client.RefreshMetadata(q.options.JobsTopic)) })
}

// Close leaves the group, having committed what was acknowledged, and sends what
// is on its way. Messages that are delayed are left to their records.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	if q.leave != nil {
		q.leave.Stop()
	}
	q.mu.Unlock()
	q.cancel()
	q.running.Wait()
	q.producer.close()
	if err := q.client.Close(); err != nil {
		return fmt.Errorf("close kafka: %w", err)
	}
	return nil
}

package awssqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/butakero/butakero/internal/jobs"
)

// received is the end of a receive.
type received struct {
	messages []types.Message
	at       time.Time
	err      error
}

// Receive implements jobs.Queue. It polls long for up to ten messages; where there
// are ten and room for more, it takes those too. A receive is never broken off: SQS
// would hide what it was about to bring. When ctx ends, the caller goes and what
// still comes is given back at once.
func (q *Queue) Receive(ctx context.Context, limit int) ([]jobs.Delivery, error) {
	if q.isClosed() {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	first := q.poll(limit, q.options.Wait)
	var got received
	select {
	case got = <-first:
	case <-ctx.Done():
		q.open.Go(func() { q.giveBack(<-first) })
		return nil, ctx.Err()
	}
	if got.err != nil {
		return nil, fmt.Errorf("sqs: receive: %w", failure(got.err))
	}
	all := q.deliveries(nil, got)
	if rest := limit - len(all); len(all) == batchSize && rest > 0 {
		all = q.more(all, rest)
	}
	if len(all) == 0 {
		q.counters.empty.Add(1)
	}
	return all, nil
}

// more takes up to rest further messages, without waiting for any. What can not be
// received is there for the next call.
func (q *Queue) more(all []jobs.Delivery, rest int) []jobs.Delivery {
	polls := min((rest+batchSize-1)/batchSize, inFlight)
	answers := make([]<-chan received, polls)
	for i := range answers {
		answers[i] = q.poll(min(batchSize, rest-i*batchSize), 0)
	}
	for _, a := range answers {
		if got := <-a; got.err == nil {
			all = q.deliveries(all, got)
		}
	}
	return all
}

// poll receives in the background.
func (q *Queue) poll(limit int, wait time.Duration) <-chan received {
	answer := make(chan received, 1)
	go func() {
		ctx, cancel := context.WithTimeout(q.alive, wait+15*time.Second)
		defer cancel()
		at := time.Now() // SQS counts from its answer: this is on the safe side
		q.counters.receives.Add(1)
		out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &q.options.URL, MaxNumberOfMessages: int32(min(batchSize, limit)),
			WaitTimeSeconds: int32(wait / time.Second), VisibilityTimeout: int32(wholeSeconds(q.options.Visibility)),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
		}, waiting(wait))
		if err != nil {
			answer <- received{err: err}
			return
		}
		answer <- received{messages: out.Messages, at: at}
	}()
	return answer
}

// giveBack makes what nobody waits for visible again.
func (q *Queue) giveBack(got received) {
	changes := make([]change, len(got.messages))
	for i, m := range got.messages {
		changes[i].handle = aws.ToString(m.ReceiptHandle)
	}
	q.counters.released.Add(int64(len(changes)))
	ctx, cancel := context.WithTimeout(q.alive, 10*time.Second)
	defer cancel()
	if err := errors.Join(q.change(ctx, changes)...); err != nil {
		q.options.Log.Warn("messages that came too late stay hidden for a while", "error", err)
	}
}

func (q *Queue) deliveries(all []jobs.Delivery, got received) []jobs.Delivery {
	for _, m := range got.messages {
		body := []byte(aws.ToString(m.Body))
		d := jobs.Delivery{
			Receipt: receipt{got.at, aws.ToString(m.ReceiptHandle)}.String(),
			Origin:  q.options.URL + "#" + aws.ToString(m.MessageId),
		}
		if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
			d.Sent = time.UnixMilli(ms).UTC()
		}
		if d.Message, d.Err = jobs.DecodeMessage(body); d.Err != nil {
			d.Raw = body
			q.counters.undecodable.Add(1)
		}
		all = append(all, d)
	}
	q.counters.messages.Add(int64(len(got.messages)))
	return all
}

// receipt is SQS's handle and when the message was received: it can be held for
// twelve hours in all.
type receipt struct {
	at     time.Time
	handle string
}

// String is what stands in Delivery.Receipt.
func (r receipt) String() string { return strconv.FormatInt(r.at.UnixMilli(), 10) + "|" + r.handle }

func openReceipt(text string) receipt {
	ms, handle, _ := strings.Cut(text, "|")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return receipt{handle: text}
	}
	return receipt{time.UnixMilli(n), handle}
}

// Extend implements jobs.Queue. A message can be hidden for twelve hours in all, so
// what is asked for is cut to what is left of them. When nothing is left the delivery
// is lost: it stays hidden for as long as was agreed last.
func (q *Queue) Extend(ctx context.Context, deliveries []jobs.Delivery, d time.Duration) []error {
	if q.isClosed() {
		return repeat(errClosed, len(deliveries))
	}
	errs := make([]error, len(deliveries))
	changes := make([]change, 0, len(deliveries))
	changed := make([]int, 0, len(deliveries))
	for i, delivery := range deliveries {
		r := openReceipt(delivery.Receipt)
		left := longestHold - time.Since(r.at) - time.Minute
		if left < time.Second { // a visibility of 0 would let go of it
			errs[i] = fmt.Errorf("sqs: %w: held for twelve hours", jobs.ErrFenced)
			continue
		}
		changes = append(changes, change{r.handle, min(wholeSeconds(d), int(left/time.Second))})
		changed = append(changed, i)
	}
	for n, err := range q.change(ctx, changes) {
		errs[changed[n]] = err
	}
	for _, err := range errs {
		switch {
		case err == nil:
			q.counters.extended.Add(1)
		case errors.Is(err, jobs.ErrFenced):
			q.counters.lost.Add(1)
		default:
			q.counters.late.Add(1)
		}
	}
	return errs
}

func repeat(err error, n int) []error {
	all := make([]error, n)
	for i := range all {
		all[i] = err
	}
	return all
}

package awssqs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/butakero/butakero/internal/jobs"
)

// Settle implements jobs.Queue. A release with a delay sends the message anew and
// deletes the old one: a delay made of visibility would count as work in flight.
func (q *Queue) Settle(ctx context.Context, settlements []jobs.Settlement) []error {
	if q.isClosed() {
		return repeat(errClosed, len(settlements))
	}
	errs := make([]error, len(settlements))
	var (
		deletes   []types.DeleteMessageBatchRequestEntry
		deleted   []int
		changes   []change
		changed   []int
		later     []jobs.Outgoing
		laterFrom []int
	)
	for i, s := range settlements {
		handle := openReceipt(s.Delivery.Receipt).handle
		switch {
		case s.Release && s.Delay > 0 && s.Delivery.Err == nil:
			later = append(later, jobs.Outgoing{Message: s.Delivery.Message, Delay: s.Delay})
			laterFrom = append(laterFrom, i)
		case s.Release:
			changes = append(changes, change{handle, wholeSeconds(s.Delay)})
			changed = append(changed, i)
		default:
			deletes = append(deletes, types.DeleteMessageBatchRequestEntry{ReceiptHandle: &handle})
			deleted = append(deleted, i)
		}
	}
	if len(later) > 0 {
		err := q.Send(ctx, later)
		for _, i := range laterFrom {
			if errs[i] = err; err == nil {
				handle := openReceipt(settlements[i].Delivery.Receipt).handle
				deletes = append(deletes, types.DeleteMessageBatchRequestEntry{ReceiptHandle: &handle})
				deleted = append(deleted, i)
			}
		}
		q.counters.released.Add(int64(len(later)))
	}
	for n, err := range q.settling.do(deletes) {
		errs[deleted[n]] = err
		if err != nil {
			q.counters.unacknowledged.Add(1)
		} else {
			q.counters.acknowledged.Add(1)
		}
	}
	for n, err := range q.change(ctx, changes) {
		errs[changed[n]] = err
	}
	q.counters.released.Add(int64(len(changes)))
	return errs
}

// settleTimeout bounds a delete, which belongs to several callers.
const settleTimeout = 15 * time.Second

// delete acknowledges up to ten messages. An acknowledgement that fails costs one
// more delivery, which finds its job done.
func (q *Queue) delete(entries []types.DeleteMessageBatchRequestEntry) []error {
	ctx, cancel := context.WithTimeout(q.alive, settleTimeout)
	defer cancel()
	errs := make([]error, len(entries))
	todo := make([]int, len(entries))
	for i := range entries {
		entries[i].Id = aws.String(strconv.Itoa(i))
		todo[i] = i
	}
	for try := 0; ; try++ {
		batch := make([]types.DeleteMessageBatchRequestEntry, len(todo))
		for n, i := range todo {
			batch[n] = entries[i]
		}
		out, err := q.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.options.URL, Entries: batch})
		if err != nil {
			for _, i := range todo {
				errs[i] = fmt.Errorf("sqs: acknowledge: %w", failure(err))
			}
			return errs
		}
		todo = refused(out.Failed, errs)
		if len(todo) == 0 || try == retries || !pause(ctx, try) {
			return errs
		}
		for _, i := range todo {
			errs[i] = nil
		}
	}
}

// refused writes the failures of a batch to errs and returns the entries that are
// worth another try.
func refused(failed []types.BatchResultErrorEntry, errs []error) (again []int) {
	for _, f := range failed {
		i, err := strconv.Atoi(aws.ToString(f.Id))
		if err != nil || i >= len(errs) {
			continue
		}
		errs[i] = entryError(f)
		if !errors.Is(errs[i], jobs.ErrFenced) {
			again = append(again, i)
		}
	}
	slices.Sort(again)
	return again
}

// entryError says what became of one entry. A handle that is no longer valid, or a
// message that is not in flight any more, means that somebody else may have it.
func entryError(f types.BatchResultErrorEntry) error {
	switch code := aws.ToString(f.Code); code {
	case "ReceiptHandleIsInvalid", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue", "AWS.SimpleQueueService.ReceiptHandleIsInvalid":
		return fmt.Errorf("sqs: %w: %s", jobs.ErrFenced, code)
	default:
		return fmt.Errorf("sqs: %w: %s: %s", jobs.ErrUnavailable, code, aws.ToString(f.Message))
	}
}

// change is a new visibility for a delivery.
type change struct {
	handle  string
	seconds int
}

// change sets visibilities, ten a request, and tries again what failed.
func (q *Queue) change(ctx context.Context, changes []change) []error {
	errs := make([]error, len(changes))
	if len(changes) == 0 {
		return errs
	}
	type span struct{ from, to int }
	var spans [][]span
	for from := 0; from < len(changes); from += batchSize {
		spans = append(spans, []span{{from, min(from+batchSize, len(changes))}})
	}
	_ = concurrently(spans, func(one []span) error { // errors are in errs
		q.changeBatch(ctx, changes[one[0].from:one[0].to], errs[one[0].from:one[0].to])
		return nil
	})
	return errs
}

func (q *Queue) changeBatch(ctx context.Context, changes []change, errs []error) {
	todo := make([]int, len(changes))
	for i := range todo {
		todo[i] = i
	}
	for try := 0; ; try++ {
		entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(todo))
		for n, i := range todo {
			entries[n] = types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &changes[i].handle, VisibilityTimeout: int32(changes[i].seconds),
			}
		}
		out, err := q.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.options.URL, Entries: entries})
		if err != nil {
			for _, i := range todo {
				errs[i] = fmt.Errorf("sqs: change visibility: %w", failure(err))
			}
			if try == retries || !pause(ctx, try) {
				return
			}
			continue
		}
		for _, i := range todo {
			errs[i] = nil
		}
		todo = refused(out.Failed, errs)
		if len(todo) == 0 || try == retries || !pause(ctx, try) {
			return
		}
	}
}

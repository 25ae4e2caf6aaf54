package awssqs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/butakero/butakero/internal/jobs"
)

// groups says whether messages name the requester as their group: on a standard
// queue that makes it a fair one, where a noisy requester does not hold up the
// others. Servers that know no fair queues refuse it; then it is left out.
type groups struct{ refused atomic.Bool }

// Send implements jobs.Queue. A delay beyond 15 minutes is cut: the record, and the
// reconciler, know when the job is due.
func (q *Queue) Send(ctx context.Context, messages []jobs.Outgoing) error {
	if q.isClosed() {
		return errClosed
	}
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i % batchSize)), MessageBody: aws.String(legible(jobs.EncodeMessage(m.Message))),
			DelaySeconds: int32(min(longestDelay, wholeSeconds(m.Delay))),
		}
		if group := groupOf(m.Message.Requester); group != "" && !q.fair.refused.Load() {
			entries[i].MessageGroupId = &group
		}
		if header := xray(m.Message.Trace); header != "" {
			entries[i].MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
				string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String("String"), StringValue: &header},
			}
		}
	}
	return concurrently(slices.Collect(slices.Chunk(entries, batchSize)), func(batch []types.SendMessageBatchRequestEntry) error {
		return q.sendBatch(ctx, batch)
	})
}

func (q *Queue) sendBatch(ctx context.Context, batch []types.SendMessageBatchRequestEntry) error {
	for try := 0; ; try++ {
		out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.options.URL, Entries: batch})
		if err != nil {
			if q.withoutGroups(batch, err.Error()) {
				continue
			}
			return fmt.Errorf("sqs: send: %w", failure(err))
		}
		q.counters.sent.Add(int64(len(out.Successful)))
		if len(out.Failed) == 0 {
			return nil
		}
		batch = slices.DeleteFunc(batch, func(e types.SendMessageBatchRequestEntry) bool {
			return !slices.ContainsFunc(out.Failed, func(f types.BatchResultErrorEntry) bool { return aws.ToString(f.Id) == aws.ToString(e.Id) })
		})
		first := out.Failed[0]
		if q.withoutGroups(batch, aws.ToString(first.Message)) {
			continue
		}
		if try == retries || !pause(ctx, try) {
			return fmt.Errorf("sqs: send: %w: %d messages refused: %s: %s", jobs.ErrUnavailable, len(batch), aws.ToString(first.Code), aws.ToString(first.Message))
		}
	}
}

// withoutGroups takes the groups off where the server does not want them; true: there
// were some, and it is worth another try.
func (q *Queue) withoutGroups(batch []types.SendMessageBatchRequestEntry, complaint string) bool {
	if !strings.Contains(complaint, "MessageGroupId") {
		return false
	}
	if !q.fair.refused.Swap(true) { // several batches may be told at the same time
		q.options.Log.Info("this server knows no fair queues: messages do not name their requester as group")
	}
	had := false
	for i := range batch {
		had = had || batch[i].MessageGroupId != nil
		batch[i].MessageGroupId = nil
	}
	return had
}

// groupOf turns a requester into a group's name: up to 128 letters, digits and
// punctuation marks of ASCII.
func groupOf(requester string) string {
	name := strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return '_'
	}, requester)
	return name[:min(len(name), 128)]
}

// legible escapes the two characters that JSON may hold and SQS refuses.
func legible(body []byte) string {
	return strings.NewReplacer("\ufffe", `\ufffe`, "\uffff", `\uffff`).Replace(string(body))
}

// xray is a W3C traceparent (version-trace-parent-flags) as AWSTraceHeader has it;
// "" if it is none.
func xray(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || len(parts[2]) != 16 {
		return ""
	}
	sampled := 0
	if flags, err := strconv.ParseUint(parts[3], 16, 8); err == nil && flags&1 == 1 {
		sampled = 1
	}
	return fmt.Sprintf("Root=1-%s-%s;Parent=%s;Sampled=%d", parts[1][:8], parts[1][8:], parts[2], sampled)
}

package awssqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/butakero/butakero/internal/jobs"
)

// deadURL finds the queue behind this one, as its redrive policy names it; "" if
// there is none.
func (q *Queue) deadURL(ctx context.Context) (string, error) {
	q.mu.Lock()
	known := q.dead
	q.mu.Unlock()
	if known != "" {
		return known, nil
	}
	attributes, err := q.look(ctx)
	if err != nil {
		return "", err
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if attributes["RedrivePolicy"] == "" {
		return "", nil
	}
	if err := json.Unmarshal([]byte(attributes["RedrivePolicy"]), &policy); err != nil {
		return "", fmt.Errorf("the redrive policy of %s: %w", q.options.URL, err)
	}
	parts := strings.Split(policy.Target, ":") // arn:aws:sqs:region:account:name
	if len(parts) < 6 {
		return "", nil
	}
	out, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &parts[5], QueueOwnerAWSAccountId: &parts[4]})
	if err != nil {
		return "", fmt.Errorf("find the dead-letter queue %s: %w", parts[5], failure(err))
	}
	q.mu.Lock()
	q.dead = aws.ToString(out.QueueUrl)
	q.mu.Unlock()
	return aws.ToString(out.QueueUrl), nil
}

// letterVisibility hides dead letters while they are taken over.
const letterVisibility = 2 * time.Minute

// DeadLetters implements jobs.DeadLetters: what the redrive policy has taken away.
func (q *Queue) DeadLetters(ctx context.Context, limit int) ([]jobs.DeadLetter, error) {
	url, err := q.deadURL(ctx)
	if err != nil || url == "" {
		return nil, err
	}
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: int32(min(batchSize, limit)), WaitTimeSeconds: 1,
		VisibilityTimeout:           int32(letterVisibility / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		return nil, fmt.Errorf("sqs: dead letters: %w", failure(err))
	}
	letters := make([]jobs.DeadLetter, len(out.Messages))
	for i, m := range out.Messages {
		letters[i] = jobs.DeadLetter{
			Body: []byte(aws.ToString(m.Body)), Origin: url + "#" + aws.ToString(m.MessageId), Receipt: aws.ToString(m.ReceiptHandle),
		}
		letters[i].Receives, _ = strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
		if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
			letters[i].Sent = time.UnixMilli(ms).UTC()
		}
	}
	return letters, nil
}

// DropDeadLetters implements jobs.DeadLetters.
func (q *Queue) DropDeadLetters(ctx context.Context, letters []jobs.DeadLetter) error {
	url, err := q.deadURL(ctx)
	if err != nil || url == "" {
		return err
	}
	var all []error
	for batch := range slices.Chunk(letters, batchSize) {
		entries := make([]types.DeleteMessageBatchRequestEntry, len(batch))
		for i, l := range batch {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &l.Receipt}
		}
		out, err := q.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries})
		if err != nil {
			return fmt.Errorf("sqs: delete dead letters: %w", failure(err))
		}
		for _, f := range out.Failed {
			all = append(all, entryError(f))
		}
	}
	return errors.Join(all...)
}

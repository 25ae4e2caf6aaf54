package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/butakero/butakero/test/servers/servers"
	"github.com/butakero/butakero/test/wire"
)

const patience = 30 * time.Second

// code is the service's name for an error.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestDynamoDBFaults(t *testing.T) {
	t.Parallel()
	p := wire.NewHTTP(t, servers.DynamoDB(t))
	c, name := table(t, p.URL)
	put := func(k string) error {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: name, Item: map[string]dynamotypes.AttributeValue{"k": &dynamotypes.AttributeValueMemberS{Value: k}}})
		return err
	}
	present := func(k string) bool {
		t.Helper()
		got, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: name, ConsistentRead: aws.Bool(true), Key: map[string]dynamotypes.AttributeValue{"k": &dynamotypes.AttributeValueMemberS{Value: k}}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Item != nil
	}
	var throttled *dynamotypes.ProvisionedThroughputExceededException
	for _, step := range []struct {
		key   string
		fault wire.Fault
		wrong func(error) bool // what the client must see
		there bool             // what the server must hold
	}{
		{"throttled", wire.Throttle(), func(err error) bool { return errors.As(err, &throttled) }, false},
		{"lost-answer", wire.LostAnswer(), func(err error) bool { return err != nil && code(err) == err.Error() }, true},
		{"lost-request", wire.LostRequest(), func(err error) bool { return err != nil }, false},
		{"500", wire.Unavailable(500), func(err error) bool { return code(err) == "InternalServerError" }, false},
		{"truncated", wire.Truncate(1), func(err error) bool { return err != nil }, true},
		{"late", wire.Delay(time.Millisecond), func(err error) bool { return err == nil }, true},
	} {
		rule := p.Inject(wire.Match{Operation: "PutItem", Body: `"` + step.key + `"`}, step.fault, 1)
		if err := put("other-" + step.key); err != nil {
			t.Errorf("%s: a request that does not match: %v", step.key, err)
		}
		if err := put(step.key); !step.wrong(err) {
			t.Errorf("%s: the client sees %v", step.key, err)
		}
		if got := present(step.key); got != step.there {
			t.Errorf("%s: applied %t", step.key, got)
		}
		if rule.Hits() != 1 {
			t.Errorf("%s: %d hits", step.key, rule.Hits())
		}
		if err := put(step.key); err != nil {
			t.Errorf("%s: after the fault: %v", step.key, err)
		}
	}
	if n := p.Calls("PutItem"); n != 18 {
		t.Errorf("%d calls of PutItem, not 18", n)
	}
}

func TestRulesCountSkipAndHeal(t *testing.T) {
	t.Parallel()
	p := wire.NewHTTP(t, servers.DynamoDB(t))
	c, _ := table(t, p.URL)
	list := func() bool {
		_, err := c.ListTables(t.Context(), &dynamodb.ListTablesInput{})
		return err == nil
	}
	p.InjectAfter(wire.Match{Operation: "ListTables"}, 1, wire.Throttle(), 2)
	for i, want := range []bool{true, false, false, true} {
		if list() != want {
			t.Errorf("call %d: well %t", i, !want)
		}
	}
	p.Inject(wire.Match{}, wire.Unavailable(503), wire.Always)
	for range 3 {
		if list() {
			t.Error("a rule without end has ended")
		}
	}
	p.Heal()
	if !list() {
		t.Error("healed, it is not well")
	}
}

func TestHangEndsWithItsClient(t *testing.T) {
	t.Parallel()
	p := wire.NewHTTP(t, servers.DynamoDB(t))
	c, _ := table(t, p.URL)
	release := make(chan struct{})
	p.Inject(wire.Match{Operation: "ListTables"}, wire.Hang(release), wire.Always)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.ListTables(ctx, &dynamodb.ListTablesInput{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
	close(release)
	if _, err := c.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Errorf("released: %v", err)
	}
}

// depth is how many messages a queue holds, in flight or not.
func depth(t *testing.T, c *sqs.Client, q *string) string {
	t.Helper()
	a, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: q, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	return a.Attributes["ApproximateNumberOfMessages"] + "+" + a.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

func sendThree(t *testing.T, c *sqs.Client, q *string) *sqs.SendMessageBatchOutput {
	t.Helper()
	var entries []sqstypes.SendMessageBatchRequestEntry
	for _, id := range []string{"a", "b", "c"} {
		entries = append(entries, sqstypes.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String("body " + id)})
	}
	out, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: q, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPartialBatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fault  wire.Fault
		failed string
		depth  string
	}{
		{"fail-one", wire.FailEntries(1, "InternalError", false), "a", "2+0"},
		{"fail-all", wire.FailEntries(9, "InternalError", true), "abc", "0+0"},
		{"disown-two", wire.DisownEntries(2, "InternalError"), "ab", "3+0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := wire.NewHTTP(t, servers.SQS(t))
			client, q := queue(t, p.URL)
			p.Inject(wire.Match{}, c.fault, 1)
			out := sendThree(t, client, q)
			var failed strings.Builder
			for _, f := range out.Failed {
				failed.WriteString(*f.Id)
				if *f.Code != "InternalError" || f.SenderFault != (c.name == "fail-all") {
					t.Errorf("entry %s: code %s, sender's fault %t", *f.Id, *f.Code, f.SenderFault)
				}
			}
			if failed.String() != c.failed || len(out.Successful) != 3-len(c.failed) {
				t.Errorf("failed %q, %d successful", &failed, len(out.Successful))
			}
			if got := depth(t, client, q); got != c.depth {
				t.Errorf("the queue holds %s, not %s", got, c.depth)
			}
			if out := sendThree(t, client, q); len(out.Failed) != 0 {
				t.Errorf("after the fault %d failed", len(out.Failed))
			}
		})
	}
}

func TestHandles(t *testing.T) {
	t.Parallel()
	p := wire.NewHTTP(t, servers.SQS(t))
	c, q := queue(t, p.URL)
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: q, MessageBody: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	p.Inject(wire.Match{Operation: "ReceiveMessage"}, wire.Redeliver(), 1)
	receive := func() []sqstypes.Message {
		t.Helper()
		got, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: q})
		if err != nil {
			t.Fatal(err)
		}
		return got.Messages
	}
	first, second, third := receive(), receive(), receive()
	if len(first) != 1 || len(second) != 1 || *second[0].MessageId != *first[0].MessageId || len(third) != 0 {
		t.Fatalf("received %d, %d, %d", len(first), len(second), len(third))
	}
	handle := first[0].ReceiptHandle
	p.Inject(wire.Match{Operation: "DeleteMessage"}, wire.StaleHandle(), 1)
	p.Inject(wire.Match{Operation: "DeleteMessage"}, wire.ForgetDelete(), 1)
	del := func() error {
		_, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: q, ReceiptHandle: handle})
		return err
	}
	var invalid *sqstypes.ReceiptHandleIsInvalid
	if err := del(); !errors.As(err, &invalid) {
		t.Errorf("a stale handle: %v", err)
	}
	if err := del(); err != nil || depth(t, c, q) != "0+1" {
		t.Errorf("a forgotten delete: %v, the queue holds %s", err, depth(t, c, q))
	}
	batch := func() *sqs.DeleteMessageBatchOutput {
		t.Helper()
		out, err := c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: q, Entries: []sqstypes.DeleteMessageBatchRequestEntry{{Id: aws.String("1"), ReceiptHandle: handle}}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	p.Inject(wire.Match{Operation: "DeleteMessageBatch"}, wire.StaleHandle(), 1)
	p.Inject(wire.Match{Operation: "DeleteMessageBatch"}, wire.ForgetDelete(), 1)
	if out := batch(); len(out.Failed) != 1 || *out.Failed[0].Code != "ReceiptHandleIsInvalid" {
		t.Errorf("a batch of stale handles: %+v", out)
	}
	if out := batch(); len(out.Successful) != 1 || depth(t, c, q) != "0+1" {
		t.Errorf("a forgotten batch: %+v, the queue holds %s", out, depth(t, c, q))
	}
	if out := batch(); len(out.Successful) != 1 || depth(t, c, q) != "0+0" {
		t.Errorf("a delete after the faults: %+v, the queue holds %s", out, depth(t, c, q))
	}
	p.Inject(wire.Match{Operation: "SendMessage"}, wire.Throttle(), 1)
	p.Inject(wire.Match{Operation: "SendMessage"}, wire.Refuse(400, "OverLimit", "too many"), 1)
	for _, want := range []string{"ThrottlingException", "OverLimit"} {
		_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: q, MessageBody: aws.String("x")})
		if !strings.HasSuffix(code(err), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestS3Faults(t *testing.T) {
	t.Parallel()
	p := wire.NewHTTP(t, servers.S3(t).Endpoint)
	c, b := bucket(t, p.URL)
	content := bytes.Repeat([]byte("opus"), 1<<18)
	put := func(key string) error {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: b, Key: &key, Body: bytes.NewReader(content)})
		return err
	}
	get := func(key string) ([]byte, error) {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b, Key: &key})
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(out.Body)
		return body, errors.Join(err, out.Body.Close())
	}
	// Signed for the proxy's address, and with a name that must not be rewritten.
	const key = "audio/Canción «ñ» [aaaaaaaaaaa] +%2F.dca"
	if err := put(key); err != nil {
		t.Fatal(err)
	}
	if got, err := get(key); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes of %d, %v", len(got), len(content), err)
	}
	p.Inject(wire.Match{Operation: "PutObject"}, wire.Throttle(), 1)
	if err := put("slow"); code(err) != "SlowDown" {
		t.Errorf("throttled: %v", err)
	}
	p.Inject(wire.Match{Operation: "PutObject"}, wire.LostAnswer(), 1)
	if err := put("lost"); err == nil {
		t.Error("an answer that was lost is nil")
	}
	if got, err := get("lost"); err != nil || len(got) != len(content) {
		t.Errorf("after the lost answer %d bytes, %v", len(got), err)
	}
	p.Inject(wire.Match{Method: http.MethodGet, Path: "/" + *b + "/lost"}, wire.Truncate(1000), 1)
	if got, err := get("lost"); err == nil || len(got) > 1000 {
		t.Errorf("truncated: %d bytes, %v", len(got), err)
	}
	if _, err := get("slow"); code(err) != "NoSuchKey" {
		t.Errorf("the throttled put has left something: %v", err)
	}
}

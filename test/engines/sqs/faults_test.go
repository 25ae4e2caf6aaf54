package sqs

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/test/servers/servers"
	"github.com/butakero/butakero/test/wire"
)

// faulty opens a queue of its own behind a proxy with faults.
func faulty(t *testing.T, change ...func(*awssqs.Options)) (*awssqs.Queue, *wire.HTTP) {
	t.Helper()
	p := wire.NewHTTP(t, servers.SQS(t))
	return open(t, p.URL, fresh(t, p.URL), append([]func(*awssqs.Options){func(o *awssqs.Options) { o.Visibility = time.Minute }}, change...)...), p
}

// taken sends n messages and receives them all.
func taken(t *testing.T, q *awssqs.Queue, n int) []jobs.Delivery {
	t.Helper()
	out := make([]jobs.Outgoing, n)
	for i := range out {
		out[i] = message(i)
	}
	if err := q.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	var all []jobs.Delivery
	for len(all) < n {
		ds, err := q.Receive(t.Context(), n-len(all))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ds...)
	}
	return all
}

func acknowledgements(ds []jobs.Delivery) []jobs.Settlement {
	all := make([]jobs.Settlement, len(ds))
	for i, d := range ds {
		all[i].Delivery = d
	}
	return all
}

func depth(t *testing.T, q *awssqs.Queue) jobs.Depth {
	t.Helper()
	d, err := q.Depth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Ten messages do not wait for an eleventh, whatever the queue's own long polling.
func TestFullReceiveDoesNotWaitForMore(t *testing.T) {
	t.Parallel()
	q, _ := faulty(t, func(o *awssqs.Options) { o.Wait = 5 * time.Second })
	out := make([]jobs.Outgoing, 10)
	for i := range out {
		out[i] = message(i)
	}
	if err := q.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	ds, err := q.Receive(t.Context(), 64)
	if took := time.Since(begun); err != nil || len(ds) != 10 || took > time.Second {
		t.Errorf("%d messages after %s, %v", len(ds), took, err)
	}
}

// What fails within a batch is tried again, and nobody is told of it.
func TestPartOfABatchFails(t *testing.T) {
	t.Parallel()
	q, p := faulty(t)
	p.Inject(wire.Match{Operation: "SendMessageBatch"}, wire.FailEntries(3, "InternalError", false), 1)
	ds := taken(t, q, 25)
	keys := map[string]bool{}
	for _, d := range ds {
		keys[d.Message.Key] = true
	}
	if len(keys) != 25 {
		t.Errorf("%d different messages of 25", len(keys))
	}
	p.Inject(wire.Match{Operation: "ChangeMessageVisibilityBatch"}, wire.FailEntries(4, "InternalError", false), 1)
	if err := errors.Join(q.Extend(t.Context(), ds, time.Minute)...); err != nil {
		t.Error(err)
	}
	p.Inject(wire.Match{Operation: "DeleteMessageBatch"}, wire.FailEntries(5, "InternalError", false), 2)
	if err := errors.Join(q.Settle(t.Context(), acknowledgements(ds))...); err != nil {
		t.Error(err)
	}
	if d := depth(t, q); d != (jobs.Depth{}) {
		t.Errorf("left behind: %+v", d)
	}
}

// What goes on failing is that entry's own error; the others are done.
func TestSomeOfABatchFailForGood(t *testing.T) {
	t.Parallel()
	q, p := faulty(t)
	ds := taken(t, q, 10)
	p.Inject(wire.Match{Operation: "DeleteMessageBatch"}, wire.FailEntries(2, "InternalError", false), wire.Always)
	failed := 0
	for _, err := range q.Settle(t.Context(), acknowledgements(ds)) {
		if err != nil {
			failed++
			if !errors.Is(err, jobs.ErrUnavailable) {
				t.Error(err)
			}
		}
	}
	if d := depth(t, q); failed != 2 || d.InFlight != 2 {
		t.Errorf("%d told, %+v", failed, d)
	}
}

// An answer that was lost, or that said the contrary, costs no message and no error
// but the one of a stale receipt.
func TestAnswersGetLost(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wire.Fault{"lost": wire.LostAnswer(), "disowned": wire.DisownEntries(10, "InternalError"), "request lost": wire.LostRequest()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, p := faulty(t)
			ds := taken(t, q, 10)
			rule := p.Inject(wire.Match{Operation: "DeleteMessageBatch"}, fault, 1)
			for _, err := range q.Settle(t.Context(), acknowledgements(ds)) {
				if err != nil && !errors.Is(err, jobs.ErrFenced) {
					t.Error(err)
				}
			}
			if d := depth(t, q); d != (jobs.Depth{}) || rule.Hits() != 1 {
				t.Errorf("%+v left, %d hits", d, rule.Hits())
			}
		})
	}
}

// Stale receipts are somebody else's messages; a delete that AWS only pretends to do
// leads to one more delivery.
func TestReceiptsGoStale(t *testing.T) {
	t.Parallel()
	q, p := faulty(t)
	ds := taken(t, q, 3)
	p.Inject(wire.Match{}, wire.StaleHandle(), 2)
	for _, err := range append(q.Extend(t.Context(), ds, time.Minute), q.Settle(t.Context(), acknowledgements(ds))...) {
		if !errors.Is(err, jobs.ErrFenced) {
			t.Errorf("stale: %v", err)
		}
	}
	p.Heal()
	p.Inject(wire.Match{}, wire.ForgetDelete(), 1)
	if err := errors.Join(q.Settle(t.Context(), acknowledgements(ds))...); err != nil {
		t.Error(err)
	}
	if d := depth(t, q); d.InFlight != 3 {
		t.Errorf("%+v", d)
	}
}

// A server that refuses for a while is heard out; one that goes on refusing is
// unavailable, and never anything else.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wire.Fault{
		"throttled": wire.Throttle(), "500": wire.Unavailable(500), "503": wire.Unavailable(503),
		"too many in flight": wire.Refuse(http.StatusBadRequest, "OverLimit", "too many messages in flight"),
		"forbidden":          wire.Refuse(http.StatusForbidden, "AccessDenied", "not allowed"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, p := faulty(t)
			ds := taken(t, q, 2)
			p.Inject(wire.Match{}, fault, wire.Always)
			_, depthErr := q.Depth(t.Context())
			_, receiveErr := q.Receive(t.Context(), 5)
			for what, err := range map[string]error{
				"send": q.Send(t.Context(), []jobs.Outgoing{message(9)}), "receive": receiveErr, "depth": depthErr,
				"extend": q.Extend(t.Context(), ds, time.Minute)[0], "settle": q.Settle(t.Context(), acknowledgements(ds))[1],
			} {
				if !errors.Is(err, jobs.ErrUnavailable) || errors.Is(err, jobs.ErrFenced) {
					t.Errorf("%s: %v", what, err)
				}
			}
			p.Heal()
			if err := errors.Join(q.Settle(t.Context(), acknowledgements(ds))...); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

// A server that knows no fair queues gets all messages without their groups.
func TestServerWithoutFairQueues(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wire.Fault{
		"the whole batch": wire.Refuse(http.StatusBadRequest, "InvalidParameterValue", "The request include parameter MessageGroupId which is not valid for this queue type"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, p := faulty(t)
			p.Inject(wire.Match{Operation: "SendMessageBatch", Body: "MessageGroupId"}, fault, wire.Always)
			if n := len(taken(t, q, 57)); n != 57 {
				t.Errorf("%d of 57", n)
			}
		})
	}
}

// What an abandoned receive brings is given back, also when the first try fails for
// some of it.
func TestLateMessagesAreGivenBackInTheEnd(t *testing.T) {
	t.Parallel()
	q, p := faulty(t, func(o *awssqs.Options) { o.Wait = 2 * time.Second })
	p.Inject(wire.Match{Operation: "ChangeMessageVisibilityBatch"}, wire.FailEntries(2, "InternalError", false), 1)
	release := make(chan struct{})
	rule := p.Inject(wire.Match{Operation: "ReceiveMessage"}, wire.Hang(release), 1)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { _, err := q.Receive(ctx, 5); gone <- err }()
	for rule.Hits() == 0 {
		<-time.After(5 * time.Millisecond)
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	out := []jobs.Outgoing{message(1), message(2), message(3), message(4)}
	if err := q.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	close(release)
	for q.Counters().Released < 4 {
		<-time.After(5 * time.Millisecond)
	}
	for end := time.Now().Add(5 * time.Second); depth(t, q).Visible != 4; {
		if time.Now().After(end) {
			t.Fatalf("hidden: %+v", depth(t, q))
		}
		<-time.After(50 * time.Millisecond)
	}
}

// A message can be held for twelve hours. At their end it is not let go of while its
// job still runs: what was agreed last stays.
func TestTwelveHours(t *testing.T) {
	t.Parallel()
	q, p := faulty(t)
	d := taken(t, q, 1)[0]
	ms, handle, _ := strings.Cut(d.Receipt, "|")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	aged := func(by time.Duration) []jobs.Delivery {
		old := d
		old.Receipt = strconv.FormatInt(at-by.Milliseconds(), 10) + "|" + handle
		return []jobs.Delivery{old}
	}
	rule := p.Inject(wire.Match{Operation: "ChangeMessageVisibilityBatch", Body: `"VisibilityTimeout":90`}, wire.StaleHandle(), wire.Always)
	if err := q.Extend(t.Context(), aged(12*time.Hour-2*time.Minute), 90*time.Second)[0]; err != nil || rule.Hits() != 0 {
		t.Errorf("cut to what is left: %v, %d asked for more", err, rule.Hits())
	}
	if err := q.Extend(t.Context(), aged(13*time.Hour), 90*time.Second)[0]; !errors.Is(err, jobs.ErrFenced) {
		t.Errorf("past the end: %v", err)
	}
	if d := depth(t, q); d.Visible != 0 || d.InFlight != 1 {
		t.Errorf("let go: %+v", d)
	}
}

// Whoever settles while the queue is being closed gets an error at worst.
func TestSettleWhileClosing(t *testing.T) {
	t.Parallel()
	q, p := faulty(t)
	ds := taken(t, q, 1)
	release := make(chan struct{})
	rule := p.Inject(wire.Match{Operation: "SendMessageBatch"}, wire.Hang(release), 1)
	done := make(chan error, 1)
	go func() {
		done <- q.Settle(t.Context(), []jobs.Settlement{{Delivery: ds[0], Release: true, Delay: time.Minute}})[0]
	}()
	for rule.Hits() == 0 {
		<-time.After(5 * time.Millisecond)
	}
	closed := make(chan error, 1)
	go func() { closed <- q.Close() }()
	for {
		if _, err := q.Depth(t.Context()); err != nil {
			break
		}
	}
	select {
	case err := <-closed: // did not wait for it
		if err != nil {
			t.Error(err)
		}
	case <-time.After(200 * time.Millisecond):
	}
	close(release)
	if err := <-done; err != nil && !errors.Is(err, jobs.ErrUnavailable) {
		t.Error(err)
	}
}

// The header of AWS's own tracing, the group and the body are on the wire as SQS
// wants them.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	url := fresh(t, endpoint)
	q := open(t, endpoint, url)
	if err := q.Send(t.Context(), []jobs.Outgoing{message(1)}); err != nil {
		t.Fatal(err)
	}
	out, err := sqs.NewFromConfig(servers.AWS(t, endpoint)).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil || len(out.Messages) != 1 {
		t.Fatal(out, err)
	}
	m := out.Messages[0]
	if got, want := m.Attributes["AWSTraceHeader"], "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1"; got != want {
		t.Errorf("trace header %q", got)
	}
	if got := m.Attributes["MessageGroupId"]; got != "guild_7/_" {
		t.Errorf("group %q", got)
	}
	if got, err := jobs.DecodeMessage([]byte(aws.ToString(m.Body))); err != nil || got != message(1).Message {
		t.Errorf("%+v, %v", got, err)
	}
}

// On a FIFO queue an event that is published twice is there once, and one
// operation's events keep their order.
func TestPublisherToFIFO(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	client := sqs.NewFromConfig(servers.AWS(t, endpoint))
	url := fresh(t, endpoint) + ".fifo"
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(url[strings.LastIndex(url, "/")+1:]), Attributes: map[string]string{"FifoQueue": "true"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := awssqs.OpenPublisher(t.Context(), servers.AWS(t, endpoint), awssqs.PublisherOptions{
		URL: *made.QueueUrl, Encode: func(e jobs.Event) ([]byte, string, error) { return []byte(e.ID), "text/plain", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	events := []jobs.Event{
		{ID: "a", Operation: jobs.Operation{ID: "op", State: jobs.OperationFailed}},
		{ID: "b", Operation: jobs.Operation{ID: "op", State: jobs.OperationSucceeded}},
	}
	for range 2 {
		if err := errors.Join(p.Publish(t.Context(), events)...); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 3 {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			got = append(got, *m.Body)
			if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: made.QueueUrl, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if strings.Join(got, "") != "ab" {
		t.Errorf("%q", got)
	}
}

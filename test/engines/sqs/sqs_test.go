package sqs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/internal/transport/transporttest"
	"github.com/butakero/butakero/test/servers/servers"
	"github.com/butakero/butakero/test/wire"
)

const visibility = 2 * time.Second

// fresh names a queue that nobody else has. What stands at its name in the end is
// deleted.
func fresh(tb testing.TB, endpoint string) string {
	tb.Helper()
	var b [6]byte
	_, _ = rand.Read(b[:])
	url := servers.QueueURL(tb, endpoint, "butakero-test-"+hex.EncodeToString(b[:]))
	direct := servers.SQS(tb) // past the faults of a test
	client := sqs.NewFromConfig(servers.AWS(tb, direct))
	tb.Cleanup(func() {
		for _, made := range []string{url, url + "-dead"} {
			made = strings.Replace(made, endpoint, direct, 1)
			_, _ = client.DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: &made}) // most were never made
		}
	})
	return url
}

func open(t *testing.T, endpoint, url string, change ...func(*awssqs.Options)) *awssqs.Queue {
	t.Helper()
	o := awssqs.Options{URL: url, CreateResources: true, Visibility: visibility, Wait: time.Second}
	for _, f := range change {
		f(&o)
	}
	q, err := awssqs.Open(t.Context(), servers.AWS(t, endpoint), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func TestConformance(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	transporttest.Run(t, transporttest.Features{
		Held: true, Delays: true, ToldWhenStale: true, ExactDepth: true, Persistent: true,
		Visibility: visibility, WakeWithin: time.Second, OtherConsumers: true,
	}, func(t *testing.T) transporttest.Harness {
		url := fresh(t, endpoint)
		q := open(t, endpoint, url)
		client := sqs.NewFromConfig(servers.AWS(t, endpoint))
		return transporttest.Harness{
			Queue: q,
			SendRaw: func(ctx context.Context, body []byte) error {
				_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(string(body))})
				return err
			},
			Second: func(t *testing.T) jobs.Queue { return open(t, endpoint, url) },
			Reopen: func(t *testing.T) jobs.Queue {
				if err := q.Close(); err != nil {
					t.Error(err)
				}
				return open(t, endpoint, url)
			},
			Close: q.Close,
		}
	})
}

func message(n int) jobs.Outgoing {
	return jobs.Outgoing{Message: jobs.Message{Version: 1, Key: fmt.Sprintf("demo:song%07d:default", n), Generation: 1, Requester: "guild 7/ñ", Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
}

// What can not be used is refused with the reason and the way out.
func TestRefusals(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	for name, c := range map[string]struct{ url, want string }{
		"no queue":      {fresh(t, endpoint), "BUTAKERO_CREATE_RESOURCES"},
		"FIFO":          {fresh(t, endpoint) + ".fifo", "FIFO"},
		"nothing named": {"", "BUTAKERO_SQS_JOBS_QUEUE_URL"},
	} {
		_, err := awssqs.Open(t.Context(), servers.AWS(t, endpoint), awssqs.Options{URL: c.url})
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nowhere := "http://127.0.0.1:1"
	if _, err := awssqs.Open(t.Context(), servers.AWS(t, nowhere), awssqs.Options{URL: fresh(t, nowhere)}); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
}

// What no waiting helps against ends a start at once.
func TestForbidden(t *testing.T) {
	t.Parallel()
	p := wire.NewHTTP(t, servers.SQS(t))
	url := fresh(t, p.URL)
	p.Inject(wire.Match{}, wire.Refuse(http.StatusForbidden, "AccessDenied", "not authorized to perform sqs:GetQueueAttributes"), wire.Always)
	_, err := awssqs.Open(t.Context(), servers.AWS(t, p.URL), awssqs.Options{URL: url, CreateResources: true})
	if err == nil || errors.Is(err, jobs.ErrUnavailable) || !strings.Contains(err.Error(), "AccessDenied") || !strings.Contains(err.Error(), "policy") {
		t.Errorf("forbidden: %v", err)
	}
}

// A queue can not be made in another's account, and none is left in the own one.
func TestQueueOfAnotherAccount(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	own := fresh(t, endpoint)
	url := strings.Replace(own, "/000000000000/", "/111111111111/", 1)
	if url == own {
		t.Skip("CAN NOT RUN: the account is not the emulator's")
	}
	_, err := awssqs.Open(t.Context(), servers.AWS(t, endpoint), awssqs.Options{URL: url, CreateResources: true})
	if err == nil || !strings.Contains(err.Error(), "111111111111") {
		t.Fatalf("made for another account: %v", err)
	}
	if _, err := awssqs.Open(t.Context(), servers.AWS(t, endpoint), awssqs.Options{URL: own + "-dead"}); err == nil {
		t.Error("a dead-letter queue was left behind")
	}
}

// A queue that was made has a dead-letter queue behind it: a message that is
// received again and again goes there, and can be taken over.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	url := fresh(t, endpoint)
	q := open(t, endpoint, url, func(o *awssqs.Options) { o.Visibility = time.Minute })
	if err := q.Send(t.Context(), []jobs.Outgoing{message(1)}); err != nil {
		t.Fatal(err)
	}
	for range 25 {
		all, err := q.Receive(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			break
		}
		q.Settle(t.Context(), []jobs.Settlement{{Delivery: all[0], Release: true}})
	}
	letters, err := q.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d letters, %v", len(letters), err)
	}
	if m, err := jobs.DecodeMessage(letters[0].Body); err != nil || m.Key != message(1).Message.Key || letters[0].Receives < 20 || letters[0].Origin == "" || letters[0].Sent.IsZero() {
		t.Errorf("%+v, %v", letters[0], err)
	}
	if err := q.DropDeadLetters(t.Context(), letters); err != nil {
		t.Fatal(err)
	}
	if letters, err = q.DeadLetters(t.Context(), 10); err != nil || len(letters) != 0 {
		t.Errorf("dropped, and yet %d, %v", len(letters), err)
	}
}

// A receiver that goes leaves nothing hidden: what its open receive still brings is
// given back at once.
func TestLateMessagesAreGivenBack(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	url := fresh(t, endpoint)
	q := open(t, endpoint, url, func(o *awssqs.Options) { o.Visibility, o.Wait = time.Minute, 3*time.Second })
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { _, err := q.Receive(ctx, 1); gone <- err }()
	for q.Counters().Receives == 0 {
		<-time.After(5 * time.Millisecond)
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := q.Send(t.Context(), []jobs.Outgoing{message(1)}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for {
		all, err := q.Receive(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 {
			break
		}
		if time.Since(begun) > 15*time.Second {
			t.Fatal("the message stays hidden")
		}
	}
}

// Parked messages count as delayed, held ones as in flight, the rest as visible:
// what those who scale workers look at.
func TestDepthTellsTheTruth(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	q := open(t, endpoint, fresh(t, endpoint), func(o *awssqs.Options) { o.Visibility = time.Minute })
	out := []jobs.Outgoing{message(1), message(2), message(3), message(4)}
	out[3].Delay = time.Hour // SQS takes 15 minutes
	if err := q.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	all, err := q.Receive(t.Context(), 2)
	if err != nil || len(all) != 2 {
		t.Fatal(len(all), err)
	}
	if errs := q.Settle(t.Context(), []jobs.Settlement{{Delivery: all[0], Release: true, Delay: time.Minute}}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	if d, err := q.Depth(t.Context()); err != nil || d != (jobs.Depth{Visible: 1, InFlight: 1, Delayed: 2}) {
		t.Errorf("%+v, %v", d, err)
	}
}

// An idle worker asks once per long polling.
func TestIdleCost(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	q := open(t, endpoint, fresh(t, endpoint), func(o *awssqs.Options) { o.Wait = 2 * time.Second })
	begun := time.Now()
	for time.Since(begun) < 6*time.Second {
		if _, err := q.Receive(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
	if n := q.Counters().Receives; n > 4 {
		t.Errorf("%d receives in 6 s with polls of 2 s", n)
	}
	t.Logf("an idle worker: %d requests an hour with polls of 20 s", int(time.Hour/(20*time.Second)))
}

// Events come as they were encoded, with their id beside them; each failure is its
// own event's.
func TestPublisher(t *testing.T) {
	t.Parallel()
	endpoint := servers.SQS(t)
	url := fresh(t, endpoint)
	p, err := awssqs.OpenPublisher(t.Context(), servers.AWS(t, endpoint), awssqs.PublisherOptions{
		URL: url, CreateResources: true, TypePrefix: "io.test.",
		Encode: func(e jobs.Event) ([]byte, string, error) {
			if e.ID == "event-3" {
				return nil, "", errors.New("no body")
			}
			return []byte(`{"id":"` + e.ID + `"}`), "application/json", nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var events []jobs.Event
	for i := range 25 {
		events = append(events, jobs.Event{ID: fmt.Sprintf("event-%d", i), Operation: jobs.Operation{ID: "op", State: jobs.OperationFailed}})
	}
	for i, err := range p.Publish(t.Context(), events) {
		if (err != nil) != (i == 3) {
			t.Errorf("event %d: %v", i, err)
		}
	}
	client := sqs.NewFromConfig(servers.AWS(t, endpoint))
	seen := map[string]bool{}
	for len(seen) < 24 {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 2, MessageAttributeNames: []string{"All"},
		})
		if err != nil || len(out.Messages) == 0 {
			t.Fatalf("after %d events: %v", len(seen), err)
		}
		for _, m := range out.Messages {
			id := aws.ToString(m.MessageAttributes["ce_id"].StringValue)
			if seen[id] || *m.Body != `{"id":"`+id+`"}` || aws.ToString(m.MessageAttributes["ce_type"].StringValue) != "io.test.failed" ||
				aws.ToString(m.MessageAttributes["content-type"].StringValue) != "application/json" {
				t.Errorf("%+v", m)
			}
			seen[id] = true
		}
	}
}

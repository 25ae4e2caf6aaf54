package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/kafka"
)

// An event arrives with its operation as key and what says how to read it; one
// that can not be encoded does not hold up the others.
func TestPublish(t *testing.T) {
	t.Parallel()
	bad := errors.New("no such state")
	o := quick(t)
	o.JobsTopic = ""
	p, err := kafka.OpenPublisher(t.Context(), kafka.PublisherOptions{
		Options: o, Topic: o.Group, TypePrefix: "operation.",
		Encode: func(e jobs.Event) ([]byte, string, error) {
			if e.Operation.State == jobs.OperationWaiting {
				return nil, "", bad
			}
			return []byte(`{"id":"` + e.ID + `"}`), "application/json", nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	event := func(id string, s jobs.OperationState) jobs.Event {
		return jobs.Event{ID: "event-" + id, Operation: jobs.Operation{ID: "operation-" + id, State: s}}
	}
	errs := p.Publish(t.Context(), []jobs.Event{
		event("1", jobs.OperationSucceeded), event("2", jobs.OperationWaiting), event("3", jobs.OperationFailed),
	})
	if errs[0] != nil || !errors.Is(errs[1], bad) || errs[2] != nil {
		t.Fatal(errs)
	}

	consumer, err := sarama.NewConsumerFromClient(client(t, o.Brokers))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*sarama.ConsumerMessage{}
	found := make(chan *sarama.ConsumerMessage)
	for partition := range int32(o.Partitions) {
		from, err := consumer.ConsumePartition(o.Group, partition, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		defer from.AsyncClose()
		go func() {
			for m := range from.Messages() {
				select {
				case found <- m:
				case <-t.Context().Done():
				}
			}
		}()
	}
	for len(got) < 2 {
		select {
		case m := <-found:
			got[string(m.Key)] = m
		case <-time.After(10 * time.Second):
			t.Fatalf("only %d events came", len(got))
		}
	}
	for id, state := range map[string]string{"1": "succeeded", "3": "failed"} {
		m := got["operation-"+id]
		if m == nil || string(m.Value) != `{"id":"event-`+id+`"}` {
			t.Fatalf("event %s: %+v", id, m)
		}
		headers := map[string]string{}
		for _, h := range m.Headers {
			headers[string(h.Key)] = string(h.Value)
		}
		if headers["content-type"] != "application/json" || headers["ce_id"] != "event-"+id || headers["ce_type"] != "operation."+state {
			t.Errorf("event %s: %v", id, headers)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Publish(t.Context(), []jobs.Event{event("4", jobs.OperationFailed)})[0]; !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("after close: %v", err)
	}
}

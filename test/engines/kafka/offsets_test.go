package kafka_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/kafka"
)

// drainAll receives and acknowledges until n messages came.
func drainAll(tb testing.TB, q jobs.Queue, n int) (all []jobs.Delivery) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for len(all) < n {
		ds, err := q.Receive(ctx, 64)
		if err != nil {
			tb.Fatalf("after %d of %d: %v", len(all), n, err)
		}
		for _, err := range q.Settle(ctx, acks(ds)) {
			if err != nil {
				tb.Fatal(err)
			}
		}
		all = append(all, ds...)
	}
	return all
}

func admin(tb testing.TB, o kafka.Options) sarama.ClusterAdmin {
	tb.Helper()
	a, err := sarama.NewClusterAdminFromClient(client(tb, o.Brokers))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func ends(tb testing.TB, o kafka.Options) map[int32]int64 {
	tb.Helper()
	c := client(tb, o.Brokers)
	found := map[int32]int64{}
	for p := range int32(o.Partitions) {
		var err error
		if found[p], err = c.GetOffset(o.JobsTopic, p, sarama.OffsetNewest); err != nil {
			tb.Fatal(err)
		}
	}
	return found
}

// Messages that were deleted before anybody read them raise the alarm, once for
// each partition; what is there still comes, and offsets are committed again.
func TestDeletedBeforeRead(t *testing.T) {
	t.Parallel()
	o := quick(t)
	q := open(t, o)
	send(t, q, 0, 40)
	drainAll(t, q, 40)
	if err := q.Close(); err != nil { // commits
		t.Fatal(err)
	}
	sender := open(t, o)
	send(t, sender, 40, 80)
	if err := admin(t, o).DeleteRecords(o.JobsTopic, ends(t, o)); err != nil {
		t.Fatal(err)
	}
	send(t, sender, 80, 120)

	q = open(t, o)
	for _, d := range drainAll(t, q, 40) {
		if d.Message.Key < message(80).Key {
			t.Errorf("%s was deleted", d.Message.Key)
		}
	}
	if c := q.Counters(); c.InvalidOffsets != int64(o.Partitions) {
		t.Errorf("%d alarms", c.InvalidOffsets)
	}
	if err := q.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	after := open(t, o)
	send(t, after, 120, 124)
	drainAll(t, after, 4)
	if c := after.Counters(); c.InvalidOffsets != 0 || c.Messages != 4 {
		t.Errorf("afterwards %+v", c)
	}
}

// A group whose offsets are beyond the topic, as when the topic was made anew,
// raises the alarm too, reads from the oldest and commits smaller offsets.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	o := quick(t)
	q := open(t, o)
	send(t, q, 0, 8)
	offsets, err := sarama.NewOffsetManagerFromClient(o.Group, client(t, o.Brokers))
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(o.Partitions) {
		pom, err := offsets.ManagePartition(o.JobsTopic, p)
		if err != nil {
			t.Fatal(err)
		}
		pom.MarkOffset(1000, "")
		pom.AsyncClose()
	}
	if err := offsets.Close(); err != nil {
		t.Fatal(err)
	}
	drainAll(t, q, 8)
	if c := q.Counters(); c.InvalidOffsets != int64(o.Partitions) {
		t.Errorf("%d alarms", c.InvalidOffsets)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	after := open(t, o)
	if d, err := after.Depth(t.Context()); err != nil || d != (jobs.Depth{InFlight: -1, Delayed: -1}) {
		t.Errorf("%+v, %v", d, err)
	}
	send(t, after, 8, 12)
	drainAll(t, after, 4)
	if c := after.Counters(); c.InvalidOffsets != 0 || c.Messages != 4 {
		t.Errorf("afterwards %+v", c)
	}
}

// The alarm is also raised when the messages go while the worker is reading.
func TestDeletedWhileReading(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.Partitions = 2
	q := open(t, o)
	send(t, q, 0, 2)
	drainAll(t, q, 2)
	// Nobody receives: each partition keeps what it has room for, and pauses.
	const many = 20000
	for from := 2; from < many; from += 2000 {
		send(t, q, from, from+2000)
	}
	if err := admin(t, o).DeleteRecords(o.JobsTopic, ends(t, o)); err != nil {
		t.Fatal(err)
	}
	send(t, q, many+10, many+20)
	want := map[string]bool{}
	for i := many + 10; i < many+20; i++ {
		want[message(i).Key] = true
	}
	for len(want) > 0 {
		for _, d := range drainAll(t, q, 1) {
			delete(want, d.Message.Key)
		}
	}
	if c := q.Counters(); c.InvalidOffsets == 0 || c.Joins < 2 {
		t.Errorf("%+v", c)
	}
}

// Lag is what the group has not committed; before its first commit, all.
func TestLag(t *testing.T) {
	t.Parallel()
	o := quick(t)
	q := open(t, o)
	visible := func(want int64) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			d, err := q.Depth(t.Context())
			if err != nil || d.InFlight != -1 || d.Delayed != -1 {
				t.Fatalf("%+v, %v", d, err)
			}
			if d.Visible == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d visible, want %d", d.Visible, want)
			}
			<-tick.C
		}
	}
	visible(0)
	send(t, q, 0, 40)
	visible(40)
	lag, err := q.Lag(t.Context())
	if err != nil || len(lag) != o.Partitions || lag[0] != 10 {
		t.Errorf("%v, %v", lag, err)
	}
	drainAll(t, q, 40)
	visible(0)
}

// An unsettled message holds back the offset of its partition and no other; a
// crash brings back what is behind it, and only that.
func TestOffsetWaitsForFirstUnsettled(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.Partitions = 2
	q := open(t, o)
	send(t, q, 0, 20)
	var ds []jobs.Delivery
	for len(ds) < 20 {
		more, err := q.Receive(t.Context(), 20)
		if err != nil {
			t.Fatal(err)
		}
		ds = append(ds, more...)
	}
	keep := "" // the third of partition 0
	var settle []jobs.Delivery
	for _, d := range ds {
		if strings.HasSuffix(d.Origin, "/0/2") {
			keep = d.Message.Key
			continue
		}
		settle = append(settle, d)
	}
	for _, err := range q.Settle(t.Context(), acks(settle)) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	after := open(t, o)
	lag, err := after.Lag(t.Context())
	if err != nil || lag[0] != 8 || lag[1] != 0 {
		t.Errorf("%v, %v", lag, err)
	}
	again := drainAll(t, after, 8)
	if again[0].Message.Key != keep {
		t.Errorf("%s came first, want %s", again[0].Message.Key, keep)
	}
}

// What can not be used is refused with words that say why.
func TestTopicChecks(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.CreateResources = false
	q, err := kafka.Open(t.Context(), o)
	if !errors.Is(err, kafka.ErrNoTopic) || !strings.Contains(err.Error(), "kafka-topics.sh --create") ||
		!strings.Contains(err.Error(), "BUTAKERO_CREATE_RESOURCES") || errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("%v, %v", q, err)
	}
	o.Brokers = []string{"127.0.0.1:1"}
	if q, err = kafka.Open(t.Context(), o); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("%v, %v", q, err)
	}
}

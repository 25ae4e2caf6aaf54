package kafka_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/kafka"
	"github.com/butakero/butakero/test/servers/servers"
)

// The broker dies and comes back: meanwhile sending fails in bounded time and
// says that the queue is unavailable, as does the ping; afterwards everything goes
// on by itself, and nothing that was confirmed is lost.
func TestBrokerRestart(t *testing.T) {
	t.Parallel()
	server := servers.NewKafka(t)
	o := quick(t)
	o.Brokers = []string{server.Address}
	q, sender := open(t, o), open(t, o)

	var mu sync.Mutex
	seen, failures := map[string]int{}, []error{}
	work, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		for work.Err() == nil {
			ds, err := q.Receive(work, 16)
			mu.Lock()
			if err != nil && work.Err() == nil {
				failures = append(failures, err)
			}
			for _, d := range ds {
				seen[d.Message.Key]++
			}
			mu.Unlock()
			for _, err := range q.Settle(context.WithoutCancel(work), acks(ds)) {
				if err != nil && !errors.Is(err, jobs.ErrFenced) {
					t.Error(err)
				}
			}
		}
	})
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
	until := func(what string, d time.Duration, done func() bool) {
		t.Helper()
		newTraffic(t).waitFor(what, d, done)
	}
	send(t, sender, 0, 100)
	until("the first hundred", 20*time.Second, func() bool { return count() == 100 })

	server.Kill()
	begun := time.Now()
	err := sender.Send(t.Context(), []jobs.Outgoing{{Message: message(100)}})
	sent := time.Since(begun)
	if !errors.Is(err, jobs.ErrUnavailable) || sent > 25*time.Second {
		t.Errorf("send without a broker: %v after %s", err, sent)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	begun = time.Now()
	err = sender.Send(ctx, []jobs.Outgoing{{Message: message(101)}})
	if took := time.Since(begun); !errors.Is(err, jobs.ErrUnavailable) || took > 3*time.Second {
		t.Errorf("send with a deadline: %v after %s", err, took)
	}
	cancel()
	if err := q.Ping(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
	if _, err := q.Depth(t.Context()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("depth: %v", err)
	}
	until("the receiver says that it can not", 60*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(failures) > 0 && errors.Is(failures[0], jobs.ErrUnavailable)
	})

	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	until("a send is confirmed again", 60*time.Second, func() bool {
		return sender.Send(t.Context(), []jobs.Outgoing{{Message: message(102)}}) == nil
	})
	sendsAfter := time.Since(begun)
	send(t, sender, 200, 300)
	until("what was sent afterwards", 60*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		for i := 200; i < 300; i++ {
			if seen[message(i).Key] == 0 {
				return false
			}
		}
		return true
	})
	t.Logf("a send failed after %s; after the start: sends again in %s, receives again in %s", sent, sendsAfter, time.Since(begun))
	if err := q.Ping(t.Context()); err != nil {
		t.Errorf("ping afterwards: %v", err)
	}
	stop()
	working.Wait()
}

// Without a broker the queue can be closed, in bounded time.
func TestCloseWithoutBroker(t *testing.T) {
	t.Parallel()
	server := servers.NewKafka(t)
	o := quick(t)
	o.Brokers = []string{server.Address}
	q := open(t, o)
	send(t, q, 0, 10)
	ds, err := q.Receive(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	q.Settle(t.Context(), acks(ds))
	begun := time.Now()
	_ = q.Close() // it can not commit, and may say so
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

// memberOf makes the test binary a worker of a topic, that is killed.
const memberOf = "BUTAKERO_TEST_KAFKA_MEMBER_OF"

func TestMain(m *testing.M) {
	if topic := os.Getenv(memberOf); topic != "" {
		victim(topic, strings.Split(os.Getenv(memberOf+"_BROKERS"), ","))
		return
	}
	servers.Main(m)
}

// victim receives, acknowledges all but the last message of each receive, says
// what it has, and waits for its end.
func victim(topic string, addresses []string) {
	q, err := kafka.Open(context.Background(), kafka.Options{
		Brokers: addresses, JobsTopic: topic, Group: topic,
		Heartbeat: 100 * time.Millisecond, Wait: 50 * time.Millisecond, Session: 2 * time.Second, Commit: 100 * time.Millisecond,
	})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for {
		ds, err := q.Receive(context.Background(), 8)
		if err != nil {
			fmt.Println("error", err)
			return
		}
		for i, err := range q.Settle(context.Background(), acks(ds[:max(len(ds)-1, 0)])) {
			if err == nil {
				fmt.Println("has", ds[i].Message.Key)
			}
		}
	}
}

// A worker that is killed leaves its partitions to the others within the session
// timeout, and what it did not acknowledge comes to them.
func TestMemberKilled(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.Session = 2 * time.Second
	q := open(t, o)
	const total = 400
	send(t, q, 0, total)

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), memberOf+"="+o.JobsTopic, memberOf+"_BROKERS="+strings.Join(o.Brokers, ","))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	his := map[string]bool{}
	for lines := bufio.NewScanner(out); len(his) < total/2 && lines.Scan(); {
		key, ok := strings.CutPrefix(lines.Text(), "has ")
		if !ok {
			t.Fatal(lines.Text())
		}
		his[key] = true
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	begun := time.Now()
	ours, first := map[string]bool{}, time.Duration(0)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	missing := func() (n int) {
		for i := range total {
			if !his[message(i).Key] && !ours[message(i).Key] {
				n++
			}
		}
		return n
	}
	for missing() > 0 {
		ds, err := q.Receive(ctx, 64)
		if err != nil {
			t.Fatalf("%d of %d messages are missing: %v", missing(), total, err)
		}
		if first == 0 && len(ds) > 0 {
			first = time.Since(begun)
		}
		for _, d := range ds {
			ours[d.Message.Key] = true
		}
		q.Settle(ctx, acks(ds))
	}
	twice := 0
	for key := range ours {
		if his[key] {
			twice++
		}
	}
	t.Logf("the first message came %s after the kill; %d were his, %d ours, %d both", first.Round(time.Millisecond), len(his), len(ours), twice)
	if first > o.Session+3*time.Second {
		t.Errorf("the hand-over took %s", first)
	}
}

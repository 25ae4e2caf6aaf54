//go:build deploycheck

package kube

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/internal/transport/kafka"
	"github.com/butakero/butakero/test/kube/plane"
	"github.com/butakero/butakero/test/servers/servers"
)

// The real operator of KEDA, with the chart's own ScaledObject, scales the Deployment of
// the workers on a real queue that the product's own adapter fills and empties: from
// nothing to as many as the work needs, not back while work is in hand, and to nothing.
func TestScaleOnSQS(t *testing.T) {
	engine := servers.NewSQS(t)
	p := plane.Start(t)
	p.KEDA(t, "AWS_ENDPOINT_URL_SQS="+engine.Address, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
	url := engine.Address + "/000000000000/butakero-jobs"
	q, err := awssqs.Open(t.Context(), aws.Config{Region: "us-east-1", BaseEndpoint: &engine.Address, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")},
		awssqs.Options{URL: url, CreateResources: true, Visibility: 10 * time.Minute, Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	scale(t, newFleet(t, p, q, fmt.Sprintf(onSQS, url)))
}

// On Kafka what is claimed is gone from the lag; the metrics of the fleet keep the
// workers then.
func TestScaleOnKafka(t *testing.T) {
	engine := servers.NewKafka(t)
	p := plane.Start(t)
	p.KEDA(t)
	q, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: []string{engine.Address}, JobsTopic: "butakero.jobs", Group: "butakero-workers", CreateResources: true, Partitions: 24, ReplicationFactor: 1,
		Wait: 50 * time.Millisecond, Commit: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	scale(t, newFleet(t, p, q, fmt.Sprintf(onKafka, engine.Address)))
}

// fleet is an installed chart with a queue, and metrics as its workers would tell them.
type fleet struct {
	plane   *plane.Plane
	queue   jobs.Queue
	metrics *plane.Metrics
	slots   int // of one worker
}

func newFleet(t *testing.T, p *plane.Plane, q jobs.Queue, values string) *fleet {
	t.Helper()
	f := &fleet{plane: p, queue: q, metrics: &plane.Metrics{}, slots: 4}
	f.tell(0, 0)
	p.Kubectl(t, "create", "namespace", "backend")
	values += fmt.Sprintf(quick, p.Prometheus(t, f.metrics))
	if _, err := p.Do(t.Context(), values, "helm", "install", "butakero", ours(t), "-n", "backend", "--values", "-"); err != nil {
		t.Fatal(err)
	}
	p.Kubectl(t, "wait", "-n", "backend", "--for", "condition=Ready", "--timeout", "60s", "scaledobject/backend-worker")
	return f
}

// tell has the fleet's metrics say how much waits and runs, at 15 s a song.
func (f *fleet) tell(pending, running int) {
	workers := float64(f.workers(context.Background()))
	slots := workers * float64(f.slots)
	f.metrics.Set(map[string]float64{
		"butakero_backlog_seconds":           float64(pending+running) * 15 / max(slots, 1),
		`butakero_jobs{state="pending"}`:     float64(pending),
		`butakero_jobs{state="running"}`:     float64(running),
		"butakero_fleet_slots":               slots,
		"butakero_fleet_workers":             workers,
		"butakero_oldest_pending_seconds":    0,
		`butakero_queue_messages{state="x"}`: 0,
	})
}

func (f *fleet) workers(ctx context.Context) int {
	out, err := f.plane.Do(ctx, "", "kubectl", "get", "deployment/backend-worker", "-n", "backend", "-o", "jsonpath={.spec.replicas}")
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return 0
	}
	return n
}

// awaits waits for a number of workers, the metrics following the fleet meanwhile.
func (f *fleet) awaits(t *testing.T, words string, pending, running, least, most int) {
	t.Helper()
	began := time.Now()
	plane.Await(t, 3*time.Minute, words, func(ctx context.Context) error {
		f.tell(pending, running)
		if n := f.workers(ctx); n < least || n > most {
			return fmt.Errorf("%d workers, not %d to %d", n, least, most)
		}
		return nil
	})
	t.Logf("%s: %d workers after %s", words, f.workers(t.Context()), time.Since(began).Round(time.Second))
}

// stays wants a number of workers not to sink for a time.
func (f *fleet) stays(t *testing.T, words string, pending, running, least int, d time.Duration) {
	t.Helper()
	end := time.Now().Add(d)
	plane.Await(t, d+30*time.Second, words, func(ctx context.Context) error {
		f.tell(pending, running)
		if n := f.workers(ctx); n < least {
			t.Fatalf("%s: %d workers, there were %d", words, n, least)
		}
		if time.Now().Before(end) {
			return plane.ErrNotYet
		}
		return nil
	})
}

func scale(t *testing.T, f *fleet) {
	t.Helper()
	f.awaits(t, "nothing to do", 0, 0, 0, 0)

	const songs = 20
	var out []jobs.Outgoing
	for n := range songs {
		out = append(out, jobs.Outgoing{Message: jobs.Message{Version: 1, Key: fmt.Sprintf("demo:song%07d:default", n), Generation: 1}})
	}
	if err := f.queue.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	wanted := songs / f.slots
	f.awaits(t, "twenty songs wait", songs, 0, wanted, wanted+1)

	var taken []jobs.Delivery
	plane.Await(t, time.Minute, "all are taken", func(ctx context.Context) error {
		got, err := f.queue.Receive(ctx, songs)
		if err != nil {
			return err
		}
		taken = append(taken, got...)
		f.tell(songs-len(taken), len(taken))
		if !f.queue.Held() { // acknowledged when claimed
			settle(t, f.queue, got)
		}
		if len(taken) < songs {
			return fmt.Errorf("%d of %d", len(taken), songs)
		}
		return nil
	})
	f.stays(t, "all twenty are in hand", 0, songs, wanted, 15*time.Second)

	if f.queue.Held() {
		settle(t, f.queue, taken)
	}
	f.awaits(t, "all is done", 0, 0, 0, 0)
	t.Log(f.plane.Kubectl(t, "get", "scaledobjects,hpa,deployments", "-n", "backend"))
}

func settle(t *testing.T, q jobs.Queue, deliveries []jobs.Delivery) {
	t.Helper()
	var all []jobs.Settlement
	for _, d := range deliveries {
		all = append(all, jobs.Settlement{Delivery: d})
	}
	for _, err := range q.Settle(t.Context(), all) {
		if err != nil {
			t.Error(err)
		}
	}
}

// quick has KEDA look every second, and shrink as soon as it may.
const quick = `
autoscaling:
  worker:
    enabled: true
    pollingInterval: 1
    cooldownPeriod: 3
    scaleDownStabilizationSeconds: 3
    scaleDownPerMinute: 100
    scaleUpPerMinute: 100
    selector: state!=""
    prometheus: %s
storage: {existingClaim: songs}
`

const onSQS = `
engines: {queue: sqs}
aws: {jobsQueueURL: %s}
`

const onKafka = `
kafka: {brokers: %s, tls: false, caSecret: "", sasl: {mechanism: ""}}
`

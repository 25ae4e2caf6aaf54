package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/test/servers/servers"
)

// rest is how long workers get to join their group and open their connections before
// they are listened to.
const rest = 5 * time.Second

// idler is an engine with a tap before it.
type idler struct {
	engine string
	tap    *tap
	before map[string]int
	after  map[string]int
}

// printIdle runs two workers, whole and with their default settings, on queues and
// stores where nothing happens, and counts what they ask for.
func printIdle(ctx context.Context, o options) error {
	duration := o.idleFor
	if duration <= 0 {
		duration = 40 * time.Second
	}
	var idlers []*idler
	failed := errors.New("the broker for the idle workers did not start")
	// A benchmark, because only tests get a broker that sends its clients to the tap.
	// It outlasts the second for which a benchmark is repeated.
	testing.Benchmark(func(b *testing.B) {
		idlers, failed = listenToIdle(ctx, b, o.dir, duration)
	})
	if failed != nil {
		return failed
	}
	fmt.Printf("### An idle worker\n\nA worker process with default settings that finds nothing to do, listened to for %s: "+
		"every request that went over the wire, and so many an hour. Nobody asked it for metrics.\n\n", duration)
	fmt.Println("| engine | requests an hour | of which, while it was listened to |\n|---|--:|---|")
	for _, i := range idlers {
		n, names := difference(i.before, i.after)
		fmt.Printf("| %s | %s | %s |\n", i.engine, thousands(hourly(n, duration)), names)
	}
	return nil
}

// hourly extrapolates a count.
func hourly(n int, in time.Duration) float64 { return float64(n) * float64(time.Hour) / float64(in) }

// difference is how many requests there were between two counts, and of which names,
// the most frequent first.
func difference(before, after map[string]int) (n int, names string) {
	type entry struct {
		name string
		n    int
	}
	var all []entry
	for name := range after {
		if d := after[name] - before[name]; d > 0 {
			all = append(all, entry{name, d})
			n += d
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(a.name, b.name)
	})
	words := make([]string, len(all))
	for i, e := range all {
		words[i] = fmt.Sprintf("%d %s", e.n, e.name)
	}
	if n == 0 {
		return 0, "nothing"
	}
	return n, strings.Join(words, ", ")
}

func listenToIdle(ctx context.Context, b *testing.B, dir string, duration time.Duration) (all []*idler, err error) {
	address := servers.Port(b)
	broker := servers.NewKafka(b, servers.Advertised(address))
	add := func(engine, address, target string, parse parser) (*tap, error) {
		t, err := newTap(ctx, address, target, parse)
		if err == nil {
			b.Cleanup(func() { _ = t.close() })
			all = append(all, &idler{engine: engine, tap: t})
		}
		return t, err
	}
	const free = "127.0.0.1:0"
	var taps [5]*tap
	for i, e := range []struct {
		engine, address, target string
		parse                   parser
	}{
		{"Kafka", address, broker.Host(), parseKafka},
		{"SQS", free, host(given("sqs")), parseAWS},
		{"MongoDB", free, host(given("mongo")), parseMongo},
		{"DynamoDB", free, host(given("dynamodb")), parseAWS},
		{"S3", free, host(given("s3")), parseAWS},
	} {
		if taps[i], err = add(e.engine, e.address, e.target, e.parse); err != nil {
			return nil, err
		}
	}
	dir, err = os.MkdirTemp(dir, "enginebench-idle-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	id := "enginebench-idle-" + jobs.RandomID()[:8]
	common := []string{
		"BUTAKERO_SOURCE=demo", "BUTAKERO_CREATE_RESOURCES=true", "BUTAKERO_WORKER_LISTEN=127.0.0.1:0", "BUTAKERO_DRAIN_SECONDS=1", "AWS_EC2_METADATA_DISABLED=true",
	}
	workers := [][]string{
		append(slices.Clone(common), "BUTAKERO_QUEUE=kafka", "BUTAKERO_STORE=mongodb", "BUTAKERO_BLOB=local",
			"BUTAKERO_DATA_DIR="+filepath.Join(dir, "a"), "KAFKA_BROKERS="+taps[0].address(), "BUTAKERO_KAFKA_JOBS_TOPIC="+id, "KAFKA_TOPIC="+id+"-events",
			"BUTAKERO_MONGO_URI=mongodb://"+taps[2].address()+"/?directConnection=true", "MONGO_DATABASE="+id),
		append(slices.Clone(common), "BUTAKERO_QUEUE=sqs", "BUTAKERO_STORE=dynamodb", "BUTAKERO_BLOB=s3",
			"BUTAKERO_DATA_DIR="+filepath.Join(dir, "b"), "AWS_REGION=us-east-1",
			"AWS_ACCESS_KEY_ID="+setOr("BUTAKERO_TEST_S3_KEY", servers.Key), "AWS_SECRET_ACCESS_KEY="+setOr("BUTAKERO_TEST_S3_SECRET", servers.Secret),
			"AWS_ENDPOINT_URL_SQS=http://"+taps[1].address(), "AWS_ENDPOINT_URL_DYNAMODB=http://"+taps[3].address(), "AWS_ENDPOINT_URL_S3=http://"+taps[4].address(),
			"BUTAKERO_SQS_JOBS_QUEUE_URL=http://"+taps[1].address()+"/000000000000/"+id, "SQS_QUEUE_URL=http://"+taps[1].address()+"/000000000000/"+id+"-events",
			"DYNAMODB_TABLE_SONGS="+id+"-songs", "DYNAMODB_TABLE_OPERATIONS="+id+"-operations", "S3_BUCKET_NAME="+id),
	}
	return all, idleWorkers(ctx, dir, workers, func(ctx context.Context) error {
		if err := after(ctx, rest); err != nil {
			return err
		}
		for _, i := range all {
			i.before = i.tap.so()
		}
		if err := after(ctx, duration); err != nil {
			return err
		}
		for _, i := range all {
			i.after = i.tap.so()
		}
		return nil
	})
}

// idleWorkers runs a worker process for each environment while use runs.
func idleWorkers(ctx context.Context, dir string, environments [][]string, use func(ctx context.Context) error) (err error) {
	program := filepath.Join(dir, "worker")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/butakero/butakero/cmd/worker").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer func() { cancel(nil); running.Wait() }()
	ready := make(chan struct{}, len(environments))
	for _, environment := range environments {
		cmd := exec.CommandContext(ctx, program)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, environment...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 30 * time.Second
		output, err := cmd.StderrPipe()
		if err != nil {
			return err
		}
		if err := servers.Spawn(cmd); err != nil {
			return err
		}
		running.Go(func() {
			last := ""
			for lines := bufio.NewScanner(output); lines.Scan(); {
				if last = lines.Text(); strings.Contains(last, "the worker is ready") {
					ready <- struct{}{}
				}
			}
			if err := cmd.Wait(); ctx.Err() == nil {
				cancel(fmt.Errorf("an idle worker ended: %w: %s", err, last))
			}
		})
	}
	for range environments {
		select {
		case <-ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return use(ctx)
}

func after(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// host is the host:port in an address, which may be a URL.
func host(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}

func setOr(name, preset string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return preset
}

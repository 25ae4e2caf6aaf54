package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/butakero/butakero/test/bench"
	peers "github.com/butakero/butakero/test/contenders"
)

// slots are the jobs that our workers have in hand at most.
const slots = 64

// runLimit is when a run is given up: later than a message comes again whose receive
// was answered in vain.
const runLimit = 4 * time.Minute

// work is what a job takes.
type work struct {
	title string
	each  time.Duration
}

var works = []work{{"No-op jobs", 0}, {"Jobs of 5 ms", 5 * time.Millisecond}}

// contender is somebody who works off messages.
type contender struct {
	name string

	// share is how much of -jobs is one run of no-op and of 5 ms jobs: about two
	// seconds on two cores.
	share map[time.Duration]float64

	run func(ctx context.Context, n int, each time.Duration) (bench.Drained, error)
}

// Names that goals are about.
const (
	kafkaChannel = "Kafka: Watermill, channel"
	kafkaRouter  = "Kafka: Watermill, Router"
	kafkaSQLite  = "Kafka: ours, record in SQLite"
	kafkaMongo   = "Kafka: ours, record in MongoDB"
	kafkaDynamo  = "Kafka: ours, record in DynamoDB"
	sqsOne       = "SQS: Watermill, 1 a receive"
	sqsTen       = "SQS: Watermill, 10 a receive"
	sqsSQLite    = "SQS: ours, record in SQLite"
	sqsMongo     = "SQS: ours, record in MongoDB"
	sqsDynamo    = "SQS: ours, record in DynamoDB"
)

// contenders are all who compete. A new engine is a line here and a case in places.
func contenders(p *places) []contender {
	share := func(none, five float64) map[time.Duration]float64 {
		return map[time.Duration]float64{0: none, 5 * time.Millisecond: five}
	}
	return []contender{
		{"Kafka: sarama alone", share(8, 0.1), p.kafkaPeer(peers.Sarama)},
		{kafkaChannel, share(4, 0.03), p.kafkaPeer(peers.WatermillChannel)},
		{kafkaRouter, share(4, 0.1), p.kafkaPeer(peers.WatermillRouter)},
		{kafkaSQLite, share(1.5, 1), p.ours("kafka", "sqlite")},
		{kafkaMongo, share(0.4, 0.4), p.ours("kafka", "mongo")},
		{kafkaDynamo, share(0.05, 0.05), p.ours("kafka", "dynamodb")},
		{sqsOne, share(0.06, 0.03), p.sqsPeer(1)},
		{sqsTen, share(0.06, 0.03), p.sqsPeer(10)},
		{sqsSQLite, share(0.2, 0.2), p.ours("sqs", "sqlite")},
		{sqsMongo, share(0.2, 0.2), p.ours("sqs", "mongo")},
		{sqsDynamo, share(0.05, 0.05), p.ours("sqs", "dynamodb")},
	}
}

// chosen are the contenders whose names an expression finds, in any case.
func chosen(all []contender, expression string) (some []contender, err error) {
	match, err := regexp.Compile("(?i)" + expression)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if match.MatchString(c.name) {
			some = append(some, c)
		}
	}
	return some, nil
}

// results are what was measured, by contender and work.
type results map[string]map[time.Duration][]bench.Drained

// compete has everybody run so often, in an order that is another each time.
func compete(ctx context.Context, all []contender, o options) (results, error) {
	took := results{}
	for _, c := range all {
		took[c.name] = map[time.Duration][]bench.Drained{}
	}
	for round := range o.runs {
		for _, w := range works {
			for i := range all {
				c := all[(i+round*max(1, len(all)/o.runs))%len(all)]
				n := max(50, int(c.share[w.each]*float64(o.jobs)))
				d, err := limited(ctx, func(ctx context.Context) (bench.Drained, error) { return c.run(ctx, n, w.each) })
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", c.name, w.title, err)
				}
				took[c.name][w.each] = append(took[c.name][w.each], d)
				fmt.Fprintf(os.Stderr, "%s, %s: %d in %s, %.0f/s\n", c.name, w.title, n, d.Wall.Round(time.Millisecond), d.PerSecond())
			}
		}
	}
	return took, nil
}

func limited(ctx context.Context, run func(context.Context) (bench.Drained, error)) (bench.Drained, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runLimit, errors.New("the run took too long"))
	defer cancel()
	return run(ctx)
}

// kafkaPeer runs a loop on the topic of plain messages, in a new group.
func (p *places) kafkaPeer(loop func(peers.Topic) peers.Loop) func(context.Context, int, time.Duration) (bench.Drained, error) {
	return func(ctx context.Context, n int, each time.Duration) (bench.Drained, error) {
		topic, err := p.plainTopic(n)
		if err != nil {
			return bench.Drained{}, err
		}
		return bench.Consume(ctx, loop(peers.Topic{Brokers: p.brokers, Name: topic, Group: p.fresh()}), n, each)
	}
}

// sqsPeer runs Watermill on a queue of n messages.
func (p *places) sqsPeer(receive int32) func(context.Context, int, time.Duration) (bench.Drained, error) {
	return func(ctx context.Context, n int, each time.Duration) (d bench.Drained, err error) {
		var c closers
		defer func() { err = errors.Join(err, c.close()) }()
		url, err := p.plainQueue(ctx, n, &c)
		if err != nil {
			return d, err
		}
		var requests counts
		d, err = bench.Consume(ctx, peers.WatermillSQS(awsAt(given("sqs"), &requests.queue), url, receive), n, each)
		d.Requests = bench.Requests{Store: -1, Queue: requests.queue.Load()}
		return d, err
	}
}

// ours is Butakero's worker on a new queue and a new store.
func (p *places) ours(queue, records string) func(context.Context, int, time.Duration) (bench.Drained, error) {
	return func(ctx context.Context, n int, each time.Duration) (d bench.Drained, err error) {
		var c closers
		var requests counts
		defer func() { err = errors.Join(err, c.close()) }()
		open, err := p.records(records, &c, &requests)
		if err != nil {
			return d, err
		}
		var e bench.Engines
		if e.Queue, e.Events, err = p.queue(ctx, queue, &c, &requests); err != nil {
			return d, err
		}
		api, err := open(ctx)
		if err != nil {
			return d, err
		}
		e.Store = api
		if err := errors.Join(e.Fill(ctx, n), api.Close()); err != nil {
			return d, fmt.Errorf("accept: %w", err)
		}
		worker, err := open(ctx)
		if err != nil {
			return d, err
		}
		c.add(worker.Close)
		e.Store = worker
		e.Requests = func() (int64, int64) { return requests.store.Load(), requests.queue.Load() }
		if d, err = e.Drain(ctx, n, slots, each); err == nil {
			d.Requests = uncounted(d.Requests, queue, records)
		}
		return d, err
	}
}

// uncounted marks what nobody counts: SQLite has no server, and sarama tells nothing.
func uncounted(r bench.Requests, queue, records string) bench.Requests {
	if records == "sqlite" {
		r.Store = -1
	}
	if queue == "kafka" {
		r.Queue = -1
	}
	return r
}

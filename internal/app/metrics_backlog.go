package app

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/butakero/butakero/internal/jobs"
)

// watchBacklog adds the state of the queue as the records tell it. It is
// counted at most once in statsAge, however often it is asked for.
func (m *metrics) watchBacklog(records jobs.Backend, queue jobs.Queue, files pinger) {
	m.registry.MustRegister(&backlog{records: records, queue: queue, files: files, now: time.Now})
}

const (
	statsAge = 5 * time.Second
	deadAge  = time.Minute // the dead are counted at most so often: it costs a scan of an index
)

// backlog is a prometheus.Collector over jobs.Stats.
type backlog struct {
	records jobs.Backend
	queue   jobs.Queue
	files   pinger
	now     func() time.Time

	mu    sync.Mutex
	read  time.Time
	stats jobs.Stats
	fleet fleet
	depth jobs.Depth
	err   error

	queueErr, filesErr error

	readDead        time.Time
	byClass, byCode []jobs.Group
	deadErr         error
}

var (
	jobsDesc       = prometheus.NewDesc("butakero_jobs", "Jobs by state, as the store counts them.", []string{"state"}, nil)
	waitingDesc    = prometheus.NewDesc("butakero_operations_waiting", "Accepted requests that have not ended.", nil, nil)
	eventsDesc     = prometheus.NewDesc("butakero_events_pending", "Ended operations whose event is not out.", nil, nil)
	oldestDesc     = prometheus.NewDesc("butakero_oldest_pending_seconds", "Age of the oldest job that waits for a worker.", nil, nil)
	depthDesc      = prometheus.NewDesc("butakero_queue_messages", "Messages by state, as the queue counts them; -1 where it can not tell.", []string{"state"}, nil)
	backlogDesc    = prometheus.NewDesc("butakero_backlog_seconds", "How long the fleet's slots would be busy with the jobs that are pending or running: what to scale on.", nil, nil)
	workersDesc    = prometheus.NewDesc("butakero_fleet_workers", "Workers that are there.", nil, nil)
	slotsDesc      = prometheus.NewDesc("butakero_fleet_slots", "Slots of all workers that are there.", nil, nil)
	deadClassDesc  = prometheus.NewDesc("butakero_dead_jobs", "Dead jobs by the class of their failure, counted once a minute.", []string{"class"}, nil)
	deadCodeDesc   = prometheus.NewDesc("butakero_dead_jobs_by_code", "Dead jobs by the code of their failure (the 50 most frequent), counted once a minute.", []string{"code"}, nil)
	deadOldestDesc = prometheus.NewDesc("butakero_oldest_dead_seconds", "Age of the job that has been dead for the longest.", nil, nil)
	upDesc         = prometheus.NewDesc("butakero_store_up", "1 while the store answers.", nil, nil)
	queueUpDesc    = prometheus.NewDesc("butakero_queue_up", "1 while the queue answers; without it requests are accepted and wait.", nil, nil)
	filesUpDesc    = prometheus.NewDesc("butakero_files_up", "1 while the file store answers.", nil, nil)
)

// Describe implements prometheus.Collector.
func (b *backlog) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, waitingDesc, eventsDesc, oldestDesc, depthDesc, backlogDesc, workersDesc, slotsDesc, deadClassDesc, deadCodeDesc, deadOldestDesc, upDesc, queueUpDesc, filesUpDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (b *backlog) Collect(ch chan<- prometheus.Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count()
	stats, depth, err := b.stats, b.depth, b.err
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(queueUpDesc, up(b.queueErr))
	gauge(filesUpDesc, up(b.filesErr))
	if err != nil {
		gauge(upDesc, 0)
		return
	}
	gauge(upDesc, 1)
	for _, s := range []jobs.JobState{jobs.JobPending, jobs.JobRunning, jobs.JobRetry, jobs.JobDone, jobs.JobDead, jobs.JobCancelled} {
		gauge(jobsDesc, float64(stats.Jobs[s]), string(s))
	}
	gauge(waitingDesc, float64(stats.Waiting))
	gauge(eventsDesc, float64(stats.PendingEvents))
	age := 0.0
	if !stats.OldestPending.IsZero() {
		age = max(0, b.now().Sub(stats.OldestPending).Seconds())
	}
	gauge(oldestDesc, age)
	if b.deadErr == nil {
		oldest := time.Time{}
		for _, g := range b.byClass {
			gauge(deadClassDesc, float64(g.Count), g.Value)
			if oldest.IsZero() || g.Oldest.Before(oldest) {
				oldest = g.Oldest
			}
		}
		for _, g := range b.byCode {
			gauge(deadCodeDesc, float64(g.Count), g.Value)
		}
		if age = 0; !oldest.IsZero() {
			age = max(0, b.now().Sub(oldest).Seconds())
		}
		gauge(deadOldestDesc, age)
	}
	gauge(backlogDesc, backlogSeconds(stats, b.fleet))
	gauge(workersDesc, float64(b.fleet.Workers))
	gauge(slotsDesc, float64(b.fleet.Slots))
	gauge(depthDesc, float64(depth.Visible), "visible")
	gauge(depthDesc, float64(depth.InFlight), "in_flight")
	gauge(depthDesc, float64(depth.Delayed), "delayed")
}

// count asks store and queue, unless it has just done so.
func (b *backlog) count() {
	now := b.now()
	if !b.read.IsZero() && now.Sub(b.read) < statsAge {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), statsAge)
	defer cancel()
	b.read = now
	if b.stats, b.err = b.records.Stats(ctx, now); b.err == nil {
		b.fleet, b.err = readFleet(ctx, b.records)
	}
	if b.err == nil && (b.readDead.IsZero() || now.Sub(b.readDead) >= deadAge) {
		b.readDead = now
		dead := jobs.JobFilter{State: jobs.JobDead}
		if b.byClass, b.deadErr = b.records.Groups(ctx, dead, jobs.FacetClass, 20); b.deadErr == nil {
			b.byCode, b.deadErr = b.records.Groups(ctx, dead, jobs.FacetCode, 50)
		}
	}
	if b.depth, b.queueErr = b.queue.Depth(ctx); b.queueErr != nil {
		b.depth = jobs.Depth{Visible: -1, InFlight: -1, Delayed: -1}
	}
	b.filesErr = b.files.Ping(ctx)
}

func up(err error) float64 {
	if err != nil {
		return 0
	}
	return 1
}

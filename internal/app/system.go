package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/butakero/butakero/internal/httpapi"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
	"github.com/butakero/butakero/internal/source/youtube"
)

// System is the opened adapters and the use cases over them.
type System struct {
	Config  *Config
	Log     *slog.Logger
	Store   storeAdapter
	Queue   queueAdapter
	Blobs   blobAdapter
	Source  sourceAdapter
	Events  jobs.Events
	Metrics *metrics

	Bell     *jobs.Bell
	Finisher *jobs.Finisher
	Operator *jobs.Operator

	Pauses     *jobs.Pauses
	Audit      *jobs.Audit
	Quarantine *jobs.Quarantine

	closers []io.Closer
}

// Open opens what the settings name. What was opened is closed again when
// something can not be.
func Open(ctx context.Context, c *Config, log *slog.Logger) (*System, error) {
	s := &System{Config: c, Log: log, Metrics: newMetrics()}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.instrument(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Bell = jobs.NewBell(s.Queue, log)
	s.Finisher = jobs.NewFinisher(jobs.FinisherConfig{Store: s.Store, Events: s.Events, Bell: s.Bell, Log: log, Grace: c.RingEvery, KeepEnded: c.KeepOperations})
	s.Operator = jobs.NewOperator(jobs.OperatorConfig{Store: s.Store, Finisher: s.Finisher, Bell: s.Bell})
	s.Pauses = jobs.NewPauses(s.Store, c.LookEvery, log)
	s.Audit = jobs.NewAudit(s.Store, log)
	s.Quarantine = jobs.NewQuarantine(s.Store, s.Store, s.Bell)
	s.Metrics.watchBell(s.Bell)
	s.Metrics.counter("butakero_replays_total", "Dead or cancelled jobs that this process has begun again.", func() float64 { return float64(s.Operator.Replays()) })
	s.Metrics.watchQueue(s.Queue)
	s.Metrics.watchBacklog(s.Store, s.Queue, s.Blobs)
	return s, nil
}

// startPatience is how long a starting process waits for what it can not do
// without.
const startPatience = time.Minute

func (s *System) open(ctx context.Context) (err error) {
	c, log := s.Config, s.Log
	s.Store, err = patiently(ctx, log, "store", startPatience, func(ctx context.Context) (storeAdapter, error) {
		return stores[c.Store](ctx, c, log)
	})
	if err != nil {
		return fmt.Errorf("open the %s store: %w", c.Store, err)
	}
	s.closers = append(s.closers, s.Store)
	s.Queue, err = openLateQueue(ctx, log, c.Queue != "kafka", func(ctx context.Context) (queueAdapter, error) {
		return queues[c.Queue](ctx, c, log)
	})
	if err != nil {
		return fmt.Errorf("open the %s queue: %w", c.Queue, err)
	}
	s.closers = append(s.closers, s.Queue)
	s.Blobs, err = patiently(ctx, log, "file store", startPatience, func(ctx context.Context) (blobAdapter, error) {
		return blobs[c.Blob](ctx, c, log)
	})
	if err != nil {
		return fmt.Errorf("open the %s file store: %w", c.Blob, err)
	}
	s.closers = append(s.closers, s.Blobs)
	if s.Source, err = sources[c.Source](ctx, c, sourceNeeds{s.Store, s.Metrics}); err != nil {
		return fmt.Errorf("open the %s source: %w", c.Source, err)
	}
	if closer, ok := s.Source.(io.Closer); ok {
		s.closers = append(s.closers, closer)
	}
	open := publishers[c.Events]
	if open == nil {
		return nil // the API's own stream is all there is
	}
	events, err := openLateEvents(ctx, log, func(ctx context.Context) (eventsAdapter, error) { return open(ctx, c, log) })
	if err != nil {
		return fmt.Errorf("open the %s events: %w", c.Events, err)
	}
	s.Events = events
	s.closers = append(s.closers, events)
	return nil
}

// Close closes the adapters, the last opened first.
func (s *System) Close() error {
	var all []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		all = append(all, s.closers[i].Close())
	}
	s.closers = nil
	return errors.Join(all...)
}

// intake builds the use case behind the API.
func (s *System) intake() *jobs.Intake {
	return jobs.NewIntake(jobs.IntakeConfig{
		Store: s.Store, Notes: s.Store, Bell: s.Bell, Finisher: s.Finisher,
		Resolver: s.Source, Files: s.Blobs, Profiles: pipeline.ProfileNames(),
		RingAfter: s.Config.RingEvery,
	})
}

// bulks builds the desk of bulk runs; worker names who carries them out.
func (s *System) bulks(worker string) *jobs.Bulks {
	return jobs.NewBulks(jobs.BulksConfig{
		Store: s.Store, Desk: s.Store, Notes: s.Store, Operator: s.Operator, Audit: s.Audit,
		Worker: worker, Every: 2 * s.Config.LookEvery, Log: s.Log,
	})
}

func (s *System) desk() *httpapi.Desk {
	letters, _ := s.Queue.(jobs.DeadLetters) // not every engine sets messages aside
	return &httpapi.Desk{Bulks: s.bulks(""), Pauses: s.Pauses, Audit: s.Audit, Quarantine: s.Quarantine, Letters: letters}
}

// api builds the handler of the HTTP API. address is what it listens on.
func (s *System) api(address string) *httpapi.Handler {
	var fileURL func(context.Context, string) (string, error)
	if public, ok := s.Blobs.(interface {
		PublicURL(ctx context.Context, key string) (string, error)
	}); ok && s.Config.FileURLs == "presigned" {
		fileURL = public.PublicURL
	}
	return httpapi.New(httpapi.Config{
		FileURL: fileURL, Sources: s.pausedSources, Spanish: youtube.MessageES,
		Desk: s.desk(), OperatorToken: s.Config.OperatorToken,
		Intake: s.intake(), Operator: s.Operator, Records: s.Store, Lists: s.Store, Files: s.Blobs,
		Ready: s.Ready, Metrics: s.Metrics.handler(), Depth: s.Queue.Depth, Observe: s.Metrics.observeHTTP,
		Log: s.Log, PublicURL: s.Config.Public(address),
		TrustedProxies: s.Config.TrustedProxies,
		Rate:           s.Config.RatePerSecond, Burst: s.Config.RateBurst,
	})
}

// pausedSources tells of sources that have paused themselves.
func (s *System) pausedSources(ctx context.Context) []httpapi.SourcePause {
	source, ok := s.Source.(*youtube.Source)
	if !ok {
		return nil
	}
	status := source.Status(ctx)
	if !status.Paused {
		return nil
	}
	return []httpapi.SourcePause{{Name: jobs.PlatformYouTube, Until: status.Until, Code: status.Code, Reason: status.Reason, Text: status.String()}}
}

// runner builds the worker.
func (s *System) runner(worker string, observer jobs.Observer, gate func(context.Context) error) *jobs.Runner {
	c := s.Config
	r := jobs.NewRunner(jobs.RunnerConfig{
		Store: s.Store, Notes: s.Store, Queue: s.Queue, Finisher: s.Finisher, Bell: s.Bell,
		Processor: s.processor(),
		Policy:    jobs.Policy{MaxAttempts: c.MaxAttempts},
		Observer:  observer, Log: s.Log, Worker: worker, Gate: gate,
		Slots: c.Slots, Lease: c.Lease, Margin: min(5*time.Second, c.Lease/10), Attempt: c.Attempt, Drain: c.Drain,
		ProgressEvery: min(c.LookEvery, c.Lease/3),
	})
	s.Metrics.watchWorker(r)
	return r
}

func (s *System) processor() jobs.Processor {
	c := s.Config
	made := pipeline.New(pipeline.Config{
		Source: s.Source, Blobs: s.Blobs, TempDir: c.TempDir, FFmpegPath: c.FFmpeg,
		MaxDuration: c.MaxDuration, MaxBytes: c.MaxBytes,
	})
	hosts, _ := s.Source.(interface{ Hosts() []string })
	return jobs.Pausable{Processor: made, Pauses: s.Pauses, Hosts: func(jobs.Key) []string {
		if hosts == nil {
			return nil
		}
		return hosts.Hosts()
	}}
}

func (s *System) reconciler() *jobs.Reconciler {
	return jobs.NewReconciler(jobs.ReconcilerConfig{
		Store: s.Store, Finisher: s.Finisher, Bell: s.Bell, Observer: s.Metrics, Log: s.Log,
		Every: s.Config.LookEvery, RingEvery: s.Config.RingEvery,
	})
}

func (s *System) keeper() *jobs.Keeper {
	c := s.Config
	k := jobs.NewKeeper(jobs.KeeperConfig{Store: s.Store, Desk: s.Store, Log: s.Log, Keep: jobs.Retention{
		jobs.JobDead: c.KeepDead, jobs.JobCancelled: c.KeepCancelled, jobs.JobDone: c.KeepDone,
	}})
	s.Metrics.counter("butakero_jobs_forgotten_total", "Ended jobs that this process has deleted when their time was over.", func() float64 { return float64(k.Forgotten()) })
	return k
}

// Ready asks every part whether it can do its work.
func (s *System) Ready(ctx context.Context) []httpapi.Check {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	parts := []struct {
		name string
		part pinger
	}{{"store", s.Store}, {"queue", s.Queue}, {"files", s.Blobs}}
	checks := make([]httpapi.Check, 0, len(parts))
	for _, p := range parts {
		check := httpapi.Check{Name: p.name, OK: true}
		if err := p.part.Ping(ctx); err != nil {
			check.OK, check.Detail = false, err.Error()
		}
		checks = append(checks, check)
	}
	return checks
}

package app

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/butakero/butakero/internal/httpapi"
	"github.com/butakero/butakero/internal/jobs"
)

// metrics is what operators see of the work. No label holds an id.
type metrics struct {
	registry *prometheus.Registry

	claimed     prometheus.Counter
	ringToClaim prometheus.Histogram
	attempts    *prometheus.CounterVec
	attemptTime *prometheus.HistogramVec
	writeTime   prometheus.Histogram
	leasesLost  prometheus.Counter
	quarantined prometheus.Counter
	repairs     *prometheus.CounterVec
	requests    *prometheus.CounterVec
	requestTime *prometheus.HistogramVec
	youtube     youtubeMetrics
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		claimed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "butakero_jobs_claimed_total", Help: "Jobs that this worker took.",
		}),
		ringToClaim: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "butakero_message_to_claim_seconds", Help: "Age of the message when its job was claimed.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "butakero_attempts_total", Help: "Attempts by what became of the job, and by class and code of the failure.",
		}, []string{"outcome", "class", "code"}),
		attemptTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "butakero_job_seconds", Help: "Time from asking for a generation of a job to its end.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 12),
		}, []string{"outcome"}),
		writeTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "butakero_settle_seconds", Help: "Time to write how an attempt ended.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}),
		leasesLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "butakero_leases_lost_total", Help: "Attempts that were stopped or refused because somebody else has the job.",
		}),
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "butakero_messages_quarantined_total", Help: "Messages that could not be decoded and are kept aside.",
		}),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "butakero_repairs_total", Help: "What the reconciler found and repaired, by kind.",
		}, []string{"kind"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "butakero_http_requests_total", Help: "Answered requests.",
		}, []string{"route", "method", "status"}),
		requestTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "butakero_http_request_seconds", Help: "Time to answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}, []string{"route", "method"}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.claimed, m.ringToClaim, m.attempts, m.attemptTime, m.writeTime, m.leasesLost, m.quarantined, m.repairs,
		m.requests, m.requestTime,
	)
	m.youtube = newYouTubeMetrics(m.registry)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Claimed implements jobs.Observer.
func (m *metrics) Claimed(_ jobs.Job, d jobs.Delivery) {
	m.claimed.Inc()
	if !d.Sent.IsZero() {
		m.ringToClaim.Observe(max(0, time.Since(d.Sent).Seconds()))
	}
}

// Settled implements jobs.Observer.
func (m *metrics) Settled(j jobs.Job, c jobs.JobCommand, took time.Duration) {
	m.writeTime.Observe(took.Seconds())
	class, code := "", ""
	if c.Failure != nil {
		class, code = string(c.Failure.Class), c.Failure.Code
	}
	m.attempts.WithLabelValues(string(j.State), class, code).Inc()
	if j.State.Ended() {
		m.attemptTime.WithLabelValues(string(j.State)).Observe(max(0, j.EndedAt.Sub(j.GenerationAt).Seconds()))
	}
}

// LeaseLost implements jobs.Observer.
func (m *metrics) LeaseLost(jobs.Job) { m.leasesLost.Inc() }

// Quarantined implements jobs.Observer.
func (m *metrics) Quarantined(jobs.Delivery) { m.quarantined.Inc() }

// Repaired implements jobs.Observer.
func (m *metrics) Repaired(r jobs.Repair) { m.repairs.WithLabelValues(string(r)).Inc() }

// watchWorker adds what one worker knows of itself.
func (m *metrics) watchWorker(r *jobs.Runner) {
	m.gauge("butakero_slots", "Songs that this worker can make at a time.", func() float64 {
		_, slots := r.Running()
		return float64(slots)
	})
	m.gauge("butakero_slots_busy", "Slots of this worker in use.", func() float64 {
		busy, _ := r.Running()
		return float64(busy)
	})
	m.gauge("butakero_worker_unfit", "1 while this worker takes no jobs (disk full, ffmpeg missing).", func() float64 {
		if r.Unfit() != nil {
			return 1
		}
		return 0
	})
}

func (m *metrics) watchBell(b *jobs.Bell) {
	m.counter("butakero_messages_dropped_total", "Messages that could not be sent; the reconciler rings instead.", func() float64 { return float64(b.Dropped()) })
}

func (m *metrics) counter(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

func (m *metrics) gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// observeHTTP counts an answered request.
func (m *metrics) observeHTTP(o httpapi.Observation) {
	m.requests.WithLabelValues(o.Route, o.Method, strconv.Itoa(o.Status)).Inc()
	m.requestTime.WithLabelValues(o.Route, o.Method).Observe(o.Took.Seconds())
}

package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/butakero/butakero/internal/source/youtube"
)

// youtubeMetrics is what operators see of YouTube.
type youtubeMetrics struct {
	extractions *prometheus.CounterVec
	circuits    *prometheus.GaugeVec
	searches    *prometheus.CounterVec
	rotated     prometheus.Counter
}

func newYouTubeMetrics(registry prometheus.Registerer) youtubeMetrics {
	m := youtubeMetrics{
		extractions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "butakero_youtube_extractions_total", Help: "Tries by extractor, identity and code; an empty code is a song.",
		}, []string{"extractor", "identity", "code"}),
		circuits: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "butakero_youtube_circuit_open", Help: "1 while an extractor is not used because YouTube has blocked it, as this process saw it last.",
		}, []string{"extractor"}),
		searches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "butakero_youtube_searches_total", Help: "Searches by how they were answered (cache, api, ytsearch) and code; an empty code is a hit.",
		}, []string{"how", "code"}),
		rotated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "butakero_youtube_cookies_rotated_total", Help: "Times that YouTube refused the cookies as no longer valid: export new ones.",
		}),
	}
	registry.MustRegister(m.extractions, m.circuits, m.searches, m.rotated)
	return m
}

// Extracted implements youtube.Observer.
func (m *metrics) Extracted(extractor, identity, code string) {
	m.youtube.extractions.WithLabelValues(extractor, identity, code).Inc()
}

// Circuit implements youtube.Observer.
func (m *metrics) Circuit(extractor, state string) {
	open := 1.0
	if state == "closed" {
		open = 0
	}
	m.youtube.circuits.WithLabelValues(extractor).Set(open)
}

// Searched implements youtube.Observer.
func (m *metrics) Searched(how, code string) { m.youtube.searches.WithLabelValues(how, code).Inc() }

// CookiesRotated implements youtube.Observer.
func (m *metrics) CookiesRotated() { m.youtube.rotated.Inc() }

// watchYouTube adds what the fleet shares of YouTube's state.
func (m *metrics) watchYouTube(s *youtube.Source) {
	status := func(read func(youtube.Status) float64) func() float64 {
		return func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return read(s.Status(ctx))
		}
	}
	m.gauge("butakero_youtube_paused", "1 while no song can be fetched because YouTube has blocked every extractor.", status(func(st youtube.Status) float64 {
		if st.Paused {
			return 1
		}
		return 0
	}))
	cookies := func(read func(*youtube.Cookies) float64) func() float64 {
		return status(func(st youtube.Status) float64 {
			if st.Cookies == nil {
				return 0
			}
			return read(st.Cookies)
		})
	}
	m.gauge("butakero_youtube_cookies_age_seconds", "Age of the file of cookies; 0 without one.", cookies(func(c *youtube.Cookies) float64 {
		if c.Modified.IsZero() {
			return 0
		}
		return max(0, time.Since(c.Modified).Seconds())
	}))
	m.gauge("butakero_youtube_cookies_expire_timestamp_seconds", "When the session in the cookies ends, as Unix time; 0 without one.", cookies(func(c *youtube.Cookies) float64 {
		if c.Expires.IsZero() {
			return 0
		}
		return float64(c.Expires.Unix())
	}))
	m.gauge("butakero_youtube_cookies_usable", "1 while there are cookies that somebody is signed in with and that YouTube accepts; raise an alarm when a fleet that needs them has 0.", status(func(st youtube.Status) float64 {
		if st.Cookies != nil && st.Problem == "" {
			return 1
		}
		return 0
	}))
}

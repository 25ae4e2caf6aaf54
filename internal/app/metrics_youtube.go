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
}

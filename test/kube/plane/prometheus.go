package plane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// Metrics is what a fleet tells of itself, as a test has it.
type Metrics struct {
	mu     sync.Mutex
	gauges map[string]float64
}

// Set changes gauges; a name may carry labels.
func (m *Metrics) Set(gauges map[string]float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gauges = gauges
}

// ServeHTTP tells them in Prometheus' format.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out strings.Builder
	for name, value := range m.gauges {
		fmt.Fprintf(&out, "%s %g\n", name, value)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write([]byte(out.String())) // the scraper tries again
}

// Prometheus starts a real one that looks at the metrics every second, under the job
// and namespace that a monitor of the chart's would give them, and returns its address.
func (p *Plane) Prometheus(tb testing.TB, metrics *Metrics) string {
	tb.Helper()
	target := httptest.NewServer(metrics)
	tb.Cleanup(target.Close)
	address := servers.Port(tb)
	config := p.write(tb, "prometheus.yml", fmt.Sprintf(prometheus, strings.TrimPrefix(target.URL, "http://")))
	p.Run(tb, nil, "prometheus", "--config.file", config, "--storage.tsdb.path", p.path("prometheus"), "--web.listen-address", address, "--query.lookback-delta", "15s")
	Await(tb, time.Minute, "Prometheus has looked", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v1/query?query=up", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }() // it was read
		said, err := io.ReadAll(response.Body)
		if err == nil && !strings.Contains(string(said), `"1"`) {
			err = fmt.Errorf("up is %s", said)
		}
		return err
	})
	return "http://" + address
}

const prometheus = `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: backend-worker
    static_configs: [{targets: ["%s"], labels: {namespace: backend, service: backend-worker}}]
`

package fleet

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
	"github.com/butakero/butakero/test/wire"
)

// outage is how long an engine is away.
const outage = 20 * time.Second

// An engine goes away for twenty seconds and comes back: everything that was accepted
// is made, readiness and metrics tell, liveness does not. Without the queue and
// without the files the API goes on accepting; without the store, and only then, it
// answers 503.
func TestAway(t *testing.T) {
	t.Parallel()
	type away struct {
		name string
		mix  int
		part string // queue, store or files
		// brittle puts something between fleet and engine that can break it off.
		brittle func(t *testing.T, m *mix) (down, up func())
	}
	server := func(t *testing.T, s *servers.Server) (down, up func()) {
		t.Helper()
		return s.Kill, func() {
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []away{
		{"Kafka", 1, "queue", func(t *testing.T, m *mix) (down, up func()) {
			s := servers.NewKafka(t)
			m.kafka = []string{s.Address}
			return server(t, s)
		}},
		{"SQS", 0, "queue", func(t *testing.T, m *mix) (down, up func()) { // ElasticMQ forgets its queues when it ends
			m.sqsSeen = servers.SQS(t)
			p := wire.NewTCP(t, host(t, m.sqsSeen))
			m.sqs = "http://" + p.Address
			return p.Cut, p.Heal
		}},
		{"MongoDB", 1, "store", func(t *testing.T, m *mix) (down, up func()) {
			s := servers.NewMongo(t)
			m.mongo = s.Address
			return server(t, s)
		}},
		{"DynamoDB", 0, "store", func(t *testing.T, m *mix) (down, up func()) {
			s := servers.NewDynamoDB(t)
			m.dynamo = s.Address
			return server(t, s)
		}},
		{"S3", 2, "files", func(t *testing.T, m *mix) (down, up func()) {
			s := servers.NewS3(t)
			m.s3 = servers.S3(t)
			m.s3.Endpoint, m.s3.Key, m.s3.Secret = s.Address, servers.Key, servers.Secret
			return server(t, s)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			row := mixes[c.mix]
			down, up := c.brittle(t, &row)
			m := row.on(t, "BUTAKERO_MEDIA_DIR="+catalogue(t, 40), "BUTAKERO_DEMO_RATE_BYTES=12000")
			api, worker := start(t, "api", m.env), start(t, "worker", m.env)
			n, l := m.listen(t), newLedger(t)
			ask(t, l, []*process{api}, 0, 12)

			down()
			since := time.Now()
			from, apis := 12, []*process{api}
			if c.part == "store" {
				refused(t, api)
			} else {
				if c.part == "queue" {
					apis = append(apis, start(t, "api", m.env)) // it need not wait for the queue
				}
				for ; from < 28; from++ {
					id, code, err := apis[from%len(apis)].submit(t.Context(), songName(from))
					if id == "" || err != nil {
						t.Fatalf("song %d without the %s: status %d, %v", from, c.part, code, err)
					}
					l.accept(t, id, songName(from))
				}
			}
			gauge := "butakero_" + c.part + "_up "
			for _, p := range []*process{api, worker} {
				until(t, outage, "the "+p.kind+" is still called ready", func() bool { return status(t, p, "/readyz") == http.StatusServiceUnavailable })
				until(t, outage, "the metrics of the "+p.kind+" do not show it", func() bool { return strings.Contains(metrics(t, p), gauge+"0\n") })
				if code := status(t, p, "/healthz"); code != http.StatusOK {
					t.Errorf("liveness of the %s is %d", p.kind, code)
				}
			}
			if c.part == "files" {
				until(t, time.Minute, "no song has met the outage", func() bool {
					return strings.Contains(metrics(t, worker), `butakero_attempts_total{class="transient"`)
				})
			}
			pause(outage - time.Since(since)) // the rest of it
			if code := status(t, api, "/readyz"); code != http.StatusServiceUnavailable {
				t.Errorf("readiness after %s is %d", time.Since(since).Round(time.Second), code)
			}

			up()
			ask(t, l, apis, from, 40)
			if out := l.check(t, apis[len(apis)-1], n, 3*time.Minute); out.succeeded != 40 {
				t.Errorf("%+v", out)
			} else {
				t.Logf("%s away for %s: %d songs, the last %s after it was back", c.name, time.Since(since).Round(time.Second), out.succeeded, out.slowest.Round(100*time.Millisecond))
			}
			for _, p := range []*process{api, worker} {
				until(t, 30*time.Second, "the "+p.kind+" is not ready again", func() bool {
					return status(t, p, "/readyz") == http.StatusOK && strings.Contains(metrics(t, p), gauge+"1\n")
				})
			}
		})
	}
}

// refused asks an api that has no store, in both manners.
func refused(t *testing.T, api *process) {
	t.Helper()
	for _, path := range []string{"/api/v1/audio/start?song=", "/api/audio/start?song="} {
		a, err := call(t.Context(), http.MethodPost, api.base+path+url.QueryEscape(songName(39)))
		var problem struct {
			Status            int
			Code, Title       string
			Original          string `json:"error"` // what the original's clients read
			OperationID, Type string
		}
		if err != nil || a.status != http.StatusServiceUnavailable || json.Unmarshal(a.body, &problem) != nil ||
			problem.Status != a.status || problem.Code != "store_unavailable" || problem.Title == "" || problem.Original == "" {
			t.Errorf("%s without a store: %d %s, %v", path, a.status, a.body, err)
		}
		if strings.Contains(string(a.body), "127.0.0.1") {
			t.Errorf("the answer names the store: %s", a.body)
		}
	}
}

// metrics are a process's, as text.
func metrics(tb testing.TB, p *process) string {
	tb.Helper()
	a, err := call(tb.Context(), http.MethodGet, p.base+"/metrics")
	if err != nil {
		return ""
	}
	return string(a.body)
}

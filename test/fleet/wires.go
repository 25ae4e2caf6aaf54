package fleet

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
	"github.com/butakero/butakero/test/wire"
)

// wires are what stands between the processes of a fleet and its engines.
type wires struct {
	tcp    map[string]*wire.TCP  // queue, store, files: bytes pass well or badly
	http   map[string]*wire.HTTP // the same of AWS's protocols: single requests meet faults
	broker *servers.Server       // may be killed and started again on its data; nil: keeps none
	store  *servers.Server
}

// wired puts proxies between a fleet and every engine of its mix. What the test itself
// sees, such as events on SQS, goes past them.
func (m mix) wired(tb testing.TB) (mix, *wires) {
	tb.Helper()
	w := &wires{tcp: map[string]*wire.TCP{}, http: map[string]*wire.HTTP{}}
	aws := func(what, target string) string {
		w.http[what] = wire.NewHTTP(tb, target)
		w.tcp[what] = wire.NewTCP(tb, host(tb, w.http[what].URL))
		return "http://" + w.tcp[what].Address
	}
	switch m.queue {
	case "kafka":
		w.tcp["queue"], w.broker = wire.NewKafka(tb)
		m.kafka = []string{w.tcp["queue"].Address}
	case "sqs":
		m.sqsSeen = servers.SQS(tb)
		m.sqs = aws("queue", m.sqsSeen)
	}
	switch m.store {
	case "mongodb":
		w.store = servers.NewMongo(tb)
		w.tcp["store"] = wire.NewMongo(tb, w.store)
		m.mongo = w.tcp["store"].MongoURI()
	case "dynamodb":
		m.dynamo = aws("store", servers.DynamoDB(tb))
	}
	if m.blob == "s3" {
		m.s3 = servers.S3(tb)
		m.s3.Endpoint = aws("files", m.s3.Endpoint)
	}
	return m, w
}

func host(tb testing.TB, address string) string {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return u.Host
}

// cable is a fault of a connection, for a while.
type cable struct {
	name string
	do   func(*wire.TCP)
}

// cables are all that toxiproxy does to connections, one way and both ways.
var cables = []cable{
	{"cut", (*wire.TCP).Cut},
	{"slow", func(p *wire.TCP) { p.Slow(300 * time.Millisecond) }},
	{"slow answers", func(p *wire.TCP) { p.Slow(500*time.Millisecond, wire.Down) }},
	{"reset", (*wire.TCP).Reset},
	{"half-open", func(p *wire.TCP) { p.HalfOpen() }},
	{"answers lost", func(p *wire.TCP) { p.HalfOpen(wire.Down) }},
	{"requests lost", func(p *wire.TCP) { p.HalfOpen(wire.Up) }},
	{"broken off", func(p *wire.TCP) { p.Limit(20_000, wire.Up) }},
}

// request is a fault of single requests.
type request struct {
	name  string
	match wire.Match
	fault wire.Fault
	times int
}

// requests are what a service itself does to its clients on a bad day.
var requests = map[string][]request{
	"files": {
		{"S3 503", wire.Match{}, wire.Unavailable(http.StatusServiceUnavailable), 6},
		{"S3 500", wire.Match{}, wire.Unavailable(http.StatusInternalServerError), 6},
		{"S3 slow down", wire.Match{}, wire.Throttle(), 6},
		{"S3 answers cut short", wire.Match{Method: http.MethodGet}, wire.Truncate(3), 4},
		{"S3 put, answer lost", wire.Match{Operation: "PutObject"}, wire.LostAnswer(), 4},
		{"S3 put, lost", wire.Match{Operation: "PutObject"}, wire.LostRequest(), 4},
	},
	"store": {
		{"DynamoDB throttled", wire.Match{}, wire.Throttle(), 30},
		{"DynamoDB 500", wire.Match{}, wire.Unavailable(http.StatusInternalServerError), 10},
		{"DynamoDB write, answer lost", wire.Match{Operation: "UpdateItem"}, wire.LostAnswer(), 8},
		{"DynamoDB put, answer lost", wire.Match{Operation: "PutItem"}, wire.LostAnswer(), 4},
	},
	"queue": {
		{"SQS redelivery", wire.Match{Operation: "ReceiveMessage"}, wire.Redeliver(), 4},
		{"SQS stale receipts", wire.Match{Operation: "DeleteMessageBatch"}, wire.StaleHandle(), 3},
		{"SQS stale receipts", wire.Match{Operation: "ChangeMessageVisibilityBatch"}, wire.StaleHandle(), 3},
		{"SQS delete forgotten", wire.Match{Operation: "DeleteMessageBatch"}, wire.ForgetDelete(), 3},
		{"SQS half a batch", wire.Match{Operation: "SendMessageBatch"}, wire.FailEntries(1, "InternalError", false), 3},
		{"SQS send, answer lost", wire.Match{Operation: "SendMessageBatch"}, wire.LostAnswer(), 3},
		{"SQS throttled", wire.Match{}, wire.Throttle(), 10},
	},
}

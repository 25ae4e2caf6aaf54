package app

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/internal/transport/kafka"
)

var queueDesc = prometheus.NewDesc("butakero_queue_total",
	"What the queue's adapter counts of itself since it was opened, by what: messages, stale receipts, alarms such as invalid_offsets.", []string{"what"}, nil)

// queueCounts is a prometheus.Collector over an adapter's own counters.
type queueCounts struct{ queue queueAdapter }

// watchQueue adds what a queue counts of itself, where it does.
func (m *metrics) watchQueue(q queueAdapter) { m.registry.MustRegister(queueCounts{q}) }

// Describe implements prometheus.Collector.
func (c queueCounts) Describe(ch chan<- *prometheus.Desc) { ch <- queueDesc }

// Collect implements prometheus.Collector.
func (c queueCounts) Collect(ch chan<- prometheus.Metric) {
	q := c.queue
	if l, ok := q.(*lateQueue); ok {
		var err error
		if q, err = l.there(); err != nil {
			return
		}
	}
	var counters any
	switch q := q.(type) {
	case *awssqs.Queue:
		counters = q.Counters()
	case *kafka.Queue:
		counters = q.Counters()
	default:
		return
	}
	v := reflect.ValueOf(counters)
	for i := range v.NumField() {
		ch <- prometheus.MustNewConstMetric(queueDesc, prometheus.CounterValue, float64(v.Field(i).Int()), snake(v.Type().Field(i).Name))
	}
}

// snake turns InvalidOffsets into invalid_offsets.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

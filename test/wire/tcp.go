package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/butakero/butakero/test/servers/servers"
)

// Direction is a way through a [TCP] proxy.
type Direction string

// The two directions.
const (
	Up   Direction = "upstream"   // from client to server
	Down Direction = "downstream" // from server to client
)

// TCP is a proxy that passes bytes on, well or badly. Its methods may be called from
// any goroutine; faults last until Heal.
type TCP struct {
	Address string // where clients go: 127.0.0.1:PORT

	tb    testing.TB
	proxy *toxiproxy.Proxy
}

// NewTCP starts a proxy for one test in front of host:port.
func NewTCP(tb testing.TB, target string) *TCP {
	tb.Helper()
	return newTCP(tb, servers.Port(tb), target)
}

func newTCP(tb testing.TB, address, target string) *TCP {
	tb.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &TCP{Address: address, tb: tb, proxy: toxiproxy.NewProxy(api, "wire", address, target)}
	if err := p.proxy.Start(); err != nil {
		tb.Fatalf("a proxy at %s: %v", address, err)
	}
	tb.Cleanup(p.proxy.Stop)
	return p
}

// NewKafka starts a broker for one test behind a proxy: it sends its clients to the
// proxy's address. The broker's own address stays open for a look past the faults, at
// what needs no second connection.
func NewKafka(tb testing.TB) (*TCP, *servers.Server) {
	tb.Helper()
	address := servers.Port(tb)
	s := servers.NewKafka(tb, servers.Advertised(address))
	return newTCP(tb, address, s.Address), s
}

// NewMongo puts a proxy in front of a mongod that the test has from [servers.NewMongo].
func NewMongo(tb testing.TB, s *servers.Server) *TCP { tb.Helper(); return NewTCP(tb, s.Host()) }

// MongoURI leads a client of MongoDB through the proxy and nowhere else.
func (p *TCP) MongoURI() string { return "mongodb://" + p.Address + "/?directConnection=true" }

// Cut closes all connections and refuses new ones.
func (p *TCP) Cut() { p.proxy.Stop() }

// Slow adds a delay to what flows, in both directions or in those that are named.
func (p *TCP) Slow(delay time.Duration, directions ...Direction) {
	p.tb.Helper()
	p.add("latency", map[string]any{"latency": delay.Milliseconds()}, directions)
}

// Reset resets every connection, old or new, when its next bytes come.
func (p *TCP) Reset() {
	p.tb.Helper()
	p.add("reset_peer", map[string]any{"timeout": 0}, nil)
}

// HalfOpen lets connections stand and loses what flows, in both directions or in
// those that are named: the network is gone, and nobody is told. Healing closes them.
func (p *TCP) HalfOpen(directions ...Direction) {
	p.tb.Helper()
	p.add("timeout", map[string]any{"timeout": 0}, directions)
}

// Limit closes each connection when that many bytes have flowed in a direction, from
// now on.
func (p *TCP) Limit(n int64, direction Direction) {
	p.tb.Helper()
	p.add("limit_data", map[string]any{"bytes": n}, []Direction{direction})
}

// Heal ends all faults, and listens again.
func (p *TCP) Heal() {
	p.tb.Helper()
	p.proxy.Toxics.ResetToxics(context.WithoutCancel(p.tb.Context()))
	p.proxy.Lock()
	enabled := p.proxy.Enabled
	p.proxy.Unlock()
	if enabled {
		return
	}
	if err := p.proxy.Start(); err != nil {
		p.tb.Errorf("the proxy at %s can not listen again: %v", p.Address, err)
	}
}

// add adds a fault; one of the same kind and direction is replaced.
func (p *TCP) add(kind string, attributes map[string]any, directions []Direction) {
	p.tb.Helper()
	for _, d := range []Direction{Up, Down} {
		if len(directions) > 0 && !slices.Contains(directions, d) {
			continue
		}
		name := fmt.Sprint(kind, "-", d)
		raw, err := json.Marshal(map[string]any{"name": name, "type": kind, "stream": d, "toxicity": 1, "attributes": attributes})
		if err == nil && p.proxy.Toxics.GetToxic(name) != nil {
			err = p.proxy.Toxics.RemoveToxic(p.tb.Context(), name) // an update would race with what flows
		}
		if err == nil {
			_, err = p.proxy.Toxics.AddToxicJson(bytes.NewReader(raw))
		}
		if err != nil {
			p.tb.Errorf("fault %s: %v", name, err)
		}
	}
}

package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// BenchmarkStart is the accept path without the store behind it.
func BenchmarkStart(b *testing.B) {
	for name, rate := range map[string]float64{"plain": 0, "limited": 1e9} {
		b.Run(name, func(b *testing.B) {
			h := acceptor(rate)
			r := httptest.NewRequest(http.MethodPost, "/api/v1/audio/start?song=linkin+park+the+emptiness+machine", http.NoBody)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			if w.status != http.StatusOK {
				b.Fatal(w.status)
			}
		})
	}
}

// BenchmarkStartLoopback is the same through the real server, with 32 clients on
// the same cores that send one request after another.
func BenchmarkStartLoopback(b *testing.B) {
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewServer(acceptor(1e9), "")
	server.Start()
	defer server.Close()
	addr := server.Listener.Addr().String()
	request := []byte("POST /api/v1/audio/start?song=linkin+park+the+emptiness+machine HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		if err := ask1by1(addr, request, pb.Next); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func ask1by1(addr string, request []byte, next func() bool) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for next() {
		if _, err := c.Write(request); err != nil {
			return err
		}
		answer, err := http.ReadResponse(in, nil) //nolint:bodyclose // it is read to its end, and the connection stays
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", answer.StatusCode)
		}
	}
	return nil
}

func acceptor(rate float64) *Handler {
	o := waiting()
	f := &fake{accept: func(jobs.Request) (jobs.Accepted, error) { return jobs.Accepted{Operation: o}, nil }}
	return handler(f, func(c *Config) { c.Rate, c.Burst, c.Now = rate, 1_000_000, time.Now })
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }

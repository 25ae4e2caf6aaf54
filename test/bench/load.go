package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Load is how clients behave: so many connections that are kept alive, each with
// one request under way at a time, all for new songs.
type Load struct {
	Address     string
	Connections int
	Count       int

	// Rate is how many requests a second arrive, whether the last ones are
	// answered or not; 0: each connection asks again at once.
	Rate float64
}

// Answered is what became of a load.
type Answered struct {
	Rate
	Took []time.Duration // each from when it was due until it was answered
}

// Run sends the requests. Any answer but 2xx is an error.
func (l Load) Run(ctx context.Context) (Answered, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next    atomic.Int64
		clients sync.WaitGroup
		mu      sync.Mutex
		all     = Answered{Took: make([]time.Duration, 0, l.Count)}
	)
	from, cpu := time.Now(), processCPU()
	for range l.Connections {
		clients.Go(func() {
			took, err := l.client(ctx, from, &next)
			if err != nil {
				cancel(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all.Took = append(all.Took, took...)
		})
	}
	clients.Wait()
	all.Rate = Rate{Count: len(all.Took), Wall: time.Since(from), CPU: processCPU() - cpu}
	return all, context.Cause(ctx)
}

func (l Load) client(ctx context.Context, from time.Time, next *atomic.Int64) (took []time.Duration, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.Address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	answers := bufio.NewReader(conn)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		i := next.Add(1) - 1
		if i >= int64(l.Count) {
			return took, nil
		}
		due := time.Now()
		if l.Rate > 0 {
			due = from.Add(time.Duration(float64(i) / l.Rate * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				timer.Reset(wait)
				select {
				case <-timer.C:
				case <-ctx.Done():
					return took, nil
				}
			}
		}
		if err := ask(conn, answers); err != nil {
			return took, err
		}
		took = append(took, time.Since(due))
	}
}

const (
	askHead = "POST /api/v1/audio/start?song=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3D"
	askTail = " HTTP/1.1\r\nHost: butakero\r\nContent-Length: 0\r\n\r\n"
)

// ask sends one request and reads its answer, with as little of the machine as
// it can: the server is to be measured.
func ask(w io.Writer, r *bufio.Reader) error {
	if _, err := io.WriteString(w, askHead+newSong().ID+askTail); err != nil {
		return err
	}
	status, length := "", -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		text := strings.TrimSpace(string(line))
		name, value, _ := strings.Cut(text, ":")
		switch {
		case status == "":
			status = text
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
		if text != "" {
			continue
		}
		if length < 0 {
			return errors.New("an answer of unknown length")
		}
		if !strings.HasPrefix(status, "HTTP/1.1 2") {
			body := make([]byte, min(length, 500))
			_, _ = io.ReadFull(r, body)
			return fmt.Errorf("%s: %s", status, body)
		}
		_, err = r.Discard(length)
		return err
	}
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/butakero/butakero/internal/httpapi"
	"github.com/butakero/butakero/internal/jobs"
)

// Role says which parts a process runs.
type Role struct {
	API    bool
	Worker bool
}

// The roles of the binaries.
var (
	RoleUp     = Role{API: true, Worker: true}
	RoleAPI    = Role{API: true}
	RoleWorker = Role{Worker: true}
)

// stopAfter bounds what is left to do once the work is over.
const stopAfter = 20 * time.Second

// Run opens the system and runs the role's parts until intake is done; then it
// stops taking requests and messages, lets what is in hand go on for the drain
// time or until work is done, settles, and closes. ready, if not nil, is told
// the address of the API (or of the worker's health and metrics) once it
// listens.
func Run(intake, work context.Context, c *Config, log *slog.Logger, role Role, ready func(address string)) error {
	c.apiOnly = role.API && !role.Worker
	s, err := Open(intake, c, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Close(); err != nil {
			log.Warn("closing", "error", err)
		}
	}()
	name, address := "BUTAKERO_LISTEN", c.Listen
	if !role.API {
		name, address = "BUTAKERO_WORKER_LISTEN", c.WorkerListen
	}
	listener, err := new(net.ListenConfig).Listen(intake, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s (%s): %w", address, name, err)
	}
	return s.serve(intake, work, listener, role, ready)
}

func (s *System) serve(intake, work context.Context, listener net.Listener, role Role, ready func(string)) error {
	address := listener.Addr().String()
	var (
		handler     http.Handler
		stopStreams = func() {}
	)
	if role.API {
		api := s.api(address)
		handler, stopStreams = instrumentHandler(api), api.StopStreams
	} else {
		handler = s.workerHandler()
	}
	server := httpapi.NewServer(handler, address)

	// The helpers of the use cases stop last: what the others leave goes out.
	helpers, stopHelpers := context.WithCancel(context.WithoutCancel(work))
	var helping sync.WaitGroup
	helping.Go(func() { s.Bell.Run(helpers) })
	helping.Go(func() { s.Finisher.Run(helpers) })

	loops, stopLoops := context.WithCancel(intake)
	defer stopLoops()
	var working sync.WaitGroup
	if role.Worker {
		worker := workerName()
		w := s.worker(worker)
		working.Go(func() { s.reconciler().Run(loops) })
		working.Go(func() { w.run(loops, work) })
		working.Go(func() { s.keepHouse(loops) })
		working.Go(func() { s.keeper().Run(loops) })
		s.Log.Info("the worker is ready", "worker", worker, "slots", s.Config.Slots)
	}

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	s.Log.Info("listening", "address", address, "queue", s.Config.Queue, "store", s.Config.Store,
		"files", s.Config.Blob, "source", s.Config.Source)
	if ready != nil {
		ready(address)
	}

	var failed error
	select {
	case <-intake.Done():
		s.Log.Info("stopping: no new work; finishing what is in hand", "limit", s.Config.Drain)
	case err := <-served:
		failed = fmt.Errorf("serve: %w", err)
	}
	stopLoops()
	stopStreams()
	shut, cancel := context.WithTimeout(context.WithoutCancel(work), stopAfter)
	defer cancel()
	if err := server.Shutdown(shut); err != nil && failed == nil {
		s.Log.Warn("connections were cut", "error", err)
	}
	working.Wait()
	stopHelpers()
	helping.Wait()
	s.Log.Info("stopped")
	return failed
}

// keepHouse deletes what has outlived its time, where an adapter does not do so
// by itself: expired records, and what crashes have left beside the files.
func (s *System) keepHouse(ctx context.Context) {
	records, _ := s.Store.(interface {
		Purge(ctx context.Context, now time.Time, limit int) (int, error)
	})
	files, _ := s.Blobs.(interface {
		Sweep(ctx context.Context) error
	})
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if records != nil {
			if _, err := records.Purge(ctx, time.Now(), 1000); err != nil && ctx.Err() == nil {
				s.Log.Warn("can not delete expired records", "error", err)
			}
		}
		if files != nil && round%60 == 0 {
			if err := files.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.Log.Warn("can not clean up beside the files", "error", err)
			}
		}
	}
}

// workerHandler serves a worker's health and metrics, nothing else.
func (s *System) workerHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		for _, check := range s.Ready(r.Context()) {
			if !check.OK {
				http.Error(w, check.Name+" is not ready", http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	return mux
}

func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return host + "/" + jobs.RandomID()[:8]
}

// Signals returns the two contexts of a graceful stop: the first SIGINT or
// SIGTERM ends intake, the second ends work. release gives the signals back.
func Signals(parent context.Context) (intake, work context.Context, release func()) {
	work, cutOff := context.WithCancel(parent)
	intake, stop := context.WithCancel(work)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for _, next := range []context.CancelFunc{stop, cutOff} {
			select {
			case <-signals:
				next()
			case <-done:
				return
			}
		}
	}()
	return intake, work, func() { signal.Stop(signals); close(done); stop(); cutOff() }
}

// NewLog returns the log that the settings ask for.
func NewLog(c *Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Main is the whole of a server binary: it reads the settings from the
// environment, runs the role, and returns the exit code.
func Main(role Role, envFile string, overrides map[string]string) int {
	c, err := Load(os.Environ(), envFile, overrides)
	if err == nil {
		if problems := c.checkRole(role); len(problems) > 0 {
			err = problems
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "butakero:", err)
		return 2
	}
	intake, work, release := Signals(context.Background())
	defer release()
	if err := Run(intake, work, c, NewLog(c, os.Stderr), role, nil); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "butakero:", err)
		return 1
	}
	return 0
}

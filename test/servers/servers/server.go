package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a running server. The one that made it may kill, stop, pause and start
// it; its port and data stay. Its methods may be called from any goroutine.
type Server struct {
	// Address is what a client is given: host:port of Kafka, the URL of SQS, DynamoDB
	// and S3, the URI of MongoDB.
	Address string
	// Log is the file with all that the server said, of all its starts.
	Log string

	engine   *engine
	program  string // folder in the cache
	folder   string // its own
	ports    []int
	release  func() // gives the ports back
	options  choices
	detached bool

	mu      sync.Mutex
	process *process
	offset  int64 // of Log at the last start
}

// Option changes a private server.
type Option func(*choices)

type choices struct {
	advertised string
	member     bool // of a set that somebody else initiates
}

// Advertised has a Kafka broker send its clients to another address: that of a
// proxy in front of it. The broker itself is at Address still.
func Advertised(address string) Option { return func(o *choices) { o.advertised = address } }

// patience is how long a server may take to be ready: much, on a machine that runs
// other things at the same time.
const patience = 2 * time.Minute

// create starts a server in an empty folder.
func create(ctx context.Context, e *engine, folder string, detached bool, settings ...Option) (*Server, error) {
	program, err := e.install(ctx)
	if err != nil {
		return nil, fmt.Errorf("server %s can not be had: %w", e.name, err)
	}
	// A port can be lost to somebody between our look and the server's: again, then.
	for attempt := 0; ; attempt++ {
		s := &Server{engine: e, program: program, folder: folder, detached: detached, Log: filepath.Join(folder, "log")}
		for _, set := range settings {
			set(&s.options)
		}
		err = s.create(ctx)
		if err == nil {
			return s, nil
		}
		if attempt == 2 || ctx.Err() != nil || !errors.Is(err, errEnded) {
			return nil, fmt.Errorf("server %s can not be had: %w", e.name, err)
		}
	}
}

func (s *Server) create(ctx context.Context) (err error) {
	if err := os.RemoveAll(s.folder); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.folder, "data"), 0o755); err != nil {
		return err
	}
	s.ports, s.release, err = ports(s.engine.ports)
	if err != nil {
		return err
	}
	s.Address = s.engine.address(s)
	if err = s.engine.prepare(s); err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		s.release()
	}
	return err
}

// data is the folder of the server's data.
func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// errEnded is a server that went before it was ready.
var errEnded = errors.New("it ended at once")

// Start starts the server again on its data and port, and returns when it is ready.
// It does nothing to one that runs.
func (s *Server) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.start(ctx)
}

func (s *Server) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.running() {
		return nil
	}
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own
	at, err := log.Stat()
	if err != nil {
		return err
	}
	s.offset = at.Size()
	cmd := s.engine.command(s)
	cmd.Dir = s.folder
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = launch(cmd, s.detached); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		s.process.kill()
		return fmt.Errorf("%w; its log %s ends with:\n%s", err, s.Log, tail(s.said()))
	}
	return nil
}

// await waits until the server is ready.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.engine.ready(ctx, s)
		select {
		case <-s.process.ended: // who answered, if anybody did, was not ours
			return fmt.Errorf("%w: %w", errEnded, s.process.err)
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.process.ended:
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w", err)
		}
	}
}

// said is what the server has said since its last start.
func (s *Server) said() []byte {
	all, err := os.ReadFile(s.Log)
	if err != nil || int64(len(all)) < s.offset {
		return nil
	}
	return all[s.offset:]
}

// Kill is kill -9, and returns when the process is gone.
func (s *Server) Kill() {
	if p := s.present(); p != nil {
		p.kill()
	}
}

// Stop asks the server to end in its own way and returns when it has; one that does
// not within 20 s is killed.
func (s *Server) Stop() {
	if p := s.present(); p != nil {
		p.end(20 * time.Second)
	}
}

// Pause stops the server's time: connections stay open, and nothing answers. It
// returns when that is so.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP, true) }

// Resume ends a pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT, false) }

func (s *Server) signal(signal syscall.Signal, paused bool) {
	p := s.present()
	if p == nil || p.cmd.Process.Signal(signal) != nil {
		return // it is not there: it does not answer either
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for p.running() {
		state := stat(p.cmd.Process.Pid)
		if len(state) == 0 || (string(state[0]) == "T") == paused {
			return
		}
		<-tick.C
	}
}

// Running tells whether the process is there.
func (s *Server) Running() bool { return s.present() != nil }

func (s *Server) present() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || !s.process.running() {
		return nil
	}
	return s.process
}

// private makes a server that belongs to one test.
func private(tb testing.TB, e *engine, settings ...Option) *Server {
	tb.Helper()
	folder, err := ownFolder(e.name)
	if err != nil {
		tb.Fatalf("server %s can not be had: %v", e.name, err)
	}
	s, err := create(tb.Context(), e, folder, false, settings...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Kill()
		if tb.Failed() {
			tb.Logf("server %s at %s said at last:\n%s", e.name, s.Address, tail(s.said()))
		}
		s.release()
		if err := os.RemoveAll(folder); err != nil {
			tb.Logf("server %s: %v", e.name, err)
		}
	})
	return s
}

// NewKafka starts a broker for this test alone.
func NewKafka(tb testing.TB, settings ...Option) *Server {
	tb.Helper()
	return private(tb, kafka(), settings...)
}

// NewSQS starts an ElasticMQ for this test alone. It forgets its queues and messages
// when it ends.
func NewSQS(tb testing.TB) *Server { tb.Helper(); return private(tb, sqs()) }

// NewDynamoDB starts a dynalite for this test alone.
func NewDynamoDB(tb testing.TB) *Server { tb.Helper(); return private(tb, dynamodb()) }

// NewMongo starts a replica set of one for this test alone.
func NewMongo(tb testing.TB) *Server { tb.Helper(); return private(tb, mongo()) }

// NewS3 starts a MinIO for this test alone; [Key] and [Secret] open it.
func NewS3(tb testing.TB) *Server { tb.Helper(); return private(tb, s3()) }

// Host is the server's host:port, for a proxy in front of it.
func (s *Server) Host() string { return local(s.ports[0]) }

// Port returns a free address of 127.0.0.1, as host:port, that is the test's until
// its end: a listener there finds it free when it comes back.
func Port(tb testing.TB) string {
	tb.Helper()
	taken, release, err := ports(1)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(release)
	return local(taken[0])
}

package fleet

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// pause lets the storm, or a client, catch breath: the time between two faults is a
// part of the plan.
func pause(d time.Duration) { <-time.After(d) }

// storm does bad things to a fleet until it is told to stop.
type storm struct {
	t      testing.TB
	m      *mix
	chance *rand.Rand
	broker *servers.Server // may be killed; nil: shared
	store  *servers.Server

	mu      sync.Mutex
	workers []*process
	counts  map[string]int
	open    sync.WaitGroup
}

func (s *storm) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

func (s *storm) counted(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

// take removes a random worker from the fleet.
func (s *storm) take() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.workers) == 0 {
		return nil
	}
	i := s.chance.IntN(len(s.workers))
	p := s.workers[i]
	s.workers = append(s.workers[:i:i], s.workers[i+1:]...)
	return p
}

// add starts a worker. While engines are away it may not come up: it is tried
// again.
func (s *storm) add() {
	s.open.Go(func() {
		for range 10 {
			p, err := launch(s.t, "worker", s.m.env)
			if err == nil {
				s.mu.Lock()
				s.workers = append(s.workers, p)
				s.mu.Unlock()
				return
			}
		}
		s.t.Error("a worker could not be started again")
	})
}

// one is one bad thing.
func (s *storm) one() {
	switch roll := s.chance.Float64(); {
	case roll < 0.80:
		if p := s.take(); p != nil {
			p.kill()
			s.count("kills")
			s.add()
		}
	case roll < 0.88:
		if p := s.take(); p != nil { // longer than the lease: it comes back as somebody of the past
			_ = p.cmd.Process.Signal(syscall.SIGSTOP)
			s.count("stopped past the lease")
			s.open.Go(func() {
				<-time.After(7 * time.Second)
				_ = p.cmd.Process.Signal(syscall.SIGCONT)
				s.mu.Lock()
				s.workers = append(s.workers, p)
				s.mu.Unlock()
			})
		}
	case roll < 0.96:
		if p := s.take(); p != nil {
			s.count("replaced gracefully")
			s.add()
			s.open.Go(func() { p.stop(s.t) })
		}
	default:
		for what, server := range map[string]*servers.Server{"broker restarts": s.broker, "store restarts": s.store} {
			if server == nil {
				continue
			}
			server.Kill()
			<-time.After(time.Second)
			if err := server.Start(); err != nil {
				s.t.Error(err)
			}
			s.count(what)
		}
	}
}

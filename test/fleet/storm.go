package fleet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// pause lets the storm, or a client, catch breath: the time between two faults is a
// part of the plan.
func pause(d time.Duration) { <-time.After(d) }

// Named points of a worker's and of an API's life; see internal/app/failpoints.go.
var (
	workerPoints = []string{"W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "W12"}
	apiPoints    = []string{"W1", "W2", "W3", "W4"}
)

// storm does bad things to a fleet until it is told to stop.
type storm struct {
	t      testing.TB
	m      *mix
	wires  *wires
	chance *rand.Rand
	disk   string // of local files, small enough to be filled; "": none

	mu      sync.Mutex
	workers []*process
	second  *process // the api that may die
	doomed  bool     // and is about to
	counts  map[string]int
	points  map[string]int // named points at which somebody has died
	next    int            // named point of a worker
	nextAPI int
	open    sync.WaitGroup
	over    chan struct{} // closed when nothing bad is to happen any more
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

// faults is all that was done but kills, for people.
func (s *storm) faults() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		all = append(all, fmt.Sprintf("%d %s", s.counts[what], what))
	}
	return strings.Join(all, ", ")
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
func (s *storm) add(env ...string) {
	s.open.Go(func() {
		if p := s.begin("worker", env...); p != nil {
			s.mu.Lock()
			s.workers = append(s.workers, p)
			s.mu.Unlock()
		}
	})
}

func (s *storm) begin(kind string, env ...string) *process {
	var last error
	for range 30 {
		p, err := launch(s.t, kind, append(slices.Clone(s.m.env), env...))
		if err == nil {
			return p
		}
		if strings.Contains(err.Error(), "signal: killed") { // at its point, before it had said where it listens
			env = nil
		}
		last = err
		pause(300 * time.Millisecond)
	}
	s.t.Errorf("no %s could be started again: %v", kind, last)
	return nil
}

// one is one bad thing.
func (s *storm) one() {
	switch roll := s.chance.Float64(); {
	case roll < 0.40:
		if p := s.take(); p != nil {
			p.kill()
			s.count("kills")
			s.add()
		}
	case roll < 0.65:
		s.named()
	case roll < 0.70:
		s.namedAPI()
	case roll < 0.75:
		s.stall()
	case roll < 0.79:
		if p := s.take(); p != nil {
			s.count("graceful replacements")
			s.add()
			s.open.Go(func() { p.stop(s.t) })
		}
	case roll < 0.82:
		s.rebalances()
	case roll < 0.90:
		s.cable()
	case roll < 0.96:
		s.requests()
	case roll < 0.98:
		s.fill()
	default:
		s.restart()
	}
}

// named has a worker die at the next named point: it takes the place of one that is
// killed, works, and dies in the middle of a step.
func (s *storm) named() {
	p := s.take()
	if p == nil {
		return
	}
	p.kill()
	s.count("kills")
	n := s.next
	s.next++
	point := workerPoints[n%len(workerPoints)] + []string{"-before", "-after"}[n/len(workerPoints)%2]
	fresh := s.begin("worker", "FAILPOINT="+point+fmt.Sprintf(":%d", 1+s.chance.IntN(3)))
	if fresh == nil {
		return
	}
	s.await(point, fresh, func() { s.add() })
}

// await counts a death at a named point, and puts somebody in the place of who died.
// Nobody else ends a process meanwhile; if it has not come to its point after a while,
// it goes on as one of many.
func (s *storm) await(point string, p *process, replace func()) {
	died := func() {
		s.mu.Lock()
		s.points[point]++
		s.counts["kills"]++
		s.mu.Unlock()
		replace()
	}
	s.open.Go(func() {
		select {
		case <-p.ended:
			died()
			return
		case <-time.After(15 * time.Second):
		}
		if p.kind != "worker" {
			return
		}
		s.mu.Lock()
		s.workers = append(s.workers, p)
		s.mu.Unlock()
		select {
		case <-s.over:
			return
		case <-p.ended:
		}
		s.mu.Lock()
		i := slices.Index(s.workers, p)
		if i >= 0 {
			s.workers = append(s.workers[:i:i], s.workers[i+1:]...)
		}
		s.mu.Unlock()
		if i >= 0 { // nobody has killed it
			died()
		}
	})
}

// namedAPI has the second api die while it answers.
func (s *storm) namedAPI() {
	s.mu.Lock()
	old := s.second
	if s.doomed {
		old = nil
	}
	if old != nil {
		s.second = nil
	}
	s.mu.Unlock()
	if old == nil { // it is on its way up, or about to die
		return
	}
	old.kill()
	s.count("kills")
	n := s.nextAPI
	s.nextAPI++
	point := apiPoints[n%len(apiPoints)] + []string{"-before", "-after"}[n/len(apiPoints)%2]
	s.api(point)
}

// api starts the second api; it dies at the point, if there is one.
func (s *storm) api(point string) {
	s.open.Go(func() {
		var env []string
		if point != "" {
			env = append(env, "FAILPOINT="+point+":2")
		}
		p := s.begin("api", env...)
		if p == nil {
			return
		}
		s.mu.Lock()
		s.second, s.doomed = p, point != ""
		s.mu.Unlock()
		if point != "" {
			s.await(point, p, func() { s.api("") })
		}
	})
}

// stall stops a worker for longer than its lease: it comes back as somebody of the
// past.
func (s *storm) stall() {
	p := s.take()
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	s.count("stops past the lease")
	s.open.Go(func() {
		pause(7 * time.Second)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		s.mu.Lock()
		s.workers = append(s.workers, p)
		s.mu.Unlock()
	})
}

// rebalances has workers join and leave in quick succession.
func (s *storm) rebalances() {
	s.count("storms of joining and leaving")
	s.open.Go(func() {
		for range 3 {
			if p := s.begin("worker"); p != nil {
				s.open.Go(func() { p.stop(s.t) })
			}
		}
	})
}

// cable breaks the way to one engine for a while.
func (s *storm) cable() {
	engines := []string{"queue", "store", "files"}
	engine := engines[s.chance.IntN(len(engines))]
	proxy := s.wires.tcp[engine]
	fault := cables[s.chance.IntN(len(cables))]
	if proxy == nil {
		return
	}
	s.count(engine + " " + fault.name)
	fault.do(proxy)
	pause(time.Duration(500+s.chance.IntN(2500)) * time.Millisecond)
	proxy.Heal()
}

// requests has a service treat some requests badly.
func (s *storm) requests() {
	for engine, proxy := range s.wires.http {
		all := requests[engine]
		fault := all[s.chance.IntN(len(all))]
		s.count(fault.name)
		proxy.Inject(fault.match, fault.fault, fault.times)
	}
}

// fill leaves no room for files, for a while.
func (s *storm) fill() {
	if s.disk == "" {
		return
	}
	s.count("full disks")
	ballast := filepath.Join(s.disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		s.t.Error(err)
		return
	}
	for _, size := range []int{1 << 20, 4096, 1} {
		for block := make([]byte, size); ; {
			if _, err := f.Write(block); err != nil {
				break
			}
		}
	}
	_ = f.Close() // full
	pause(1500 * time.Millisecond)
	if err := os.Remove(ballast); err != nil {
		s.t.Error(err)
	}
}

// restart kills an engine that keeps its data, and starts it again on them.
func (s *storm) restart() {
	for what, server := range map[string]*servers.Server{"broker restarts": s.wires.broker, "store restarts": s.wires.store} {
		if server == nil {
			continue
		}
		server.Kill()
		pause(time.Second)
		if err := server.Start(); err != nil {
			s.t.Error(err)
		}
		s.count(what)
	}
}

// heal ends what has no end of its own.
func (s *storm) heal() {
	close(s.over)
	s.open.Wait()
	for _, p := range s.wires.tcp {
		p.Heal()
	}
	for _, p := range s.wires.http {
		p.Heal()
	}
}

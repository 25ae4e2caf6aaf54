package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// State is a set of servers that outlives the command that started it, as written
// down in a folder.
type State struct {
	Folder  string `json:"-"`
	Servers []Entry
}

// Entry is one server of a [State].
type Entry struct {
	Name        string
	PID         int
	Born        string // with PID it names the process
	Address     string
	Log         string
	Ports       []int
	Environment []string // NAME=value
}

// DefaultFolder is where Up keeps its state when it is told nothing else.
func DefaultFolder() (string, error) {
	root, err := cacheFolder()
	return filepath.Join(root, "up"), err
}

// open reads the state of a folder, and keeps other processes off until close.
func open(ctx context.Context, folder string) (s *State, unlock func(), err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, nil, err
	}
	if unlock, err = lock(ctx, filepath.Join(folder, "lock")); err != nil {
		return nil, nil, err
	}
	s = &State{Folder: folder}
	raw, err := os.ReadFile(filepath.Join(folder, "state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return s, unlock, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, s)
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return s, unlock, nil
}

func (s *State) write() error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.Folder, "state.json")
	if err := os.WriteFile(path+".new", raw, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Up starts the named servers that do not run yet, detached, in a folder, and
// returns all that run there. What could not be started is in the error.
func Up(ctx context.Context, folder string, names []string) (*State, error) {
	s, unlock, err := open(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s.Servers = slices.DeleteFunc(s.Servers, func(e Entry) bool { return !e.running() })
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(s.Servers, func(e Entry) bool { return e.Name == name })
	})
	var mu sync.Mutex
	err = each(missing, func(e *engine) error {
		server, err := create(ctx, e, filepath.Join(s.Folder, e.name), true)
		if err != nil {
			return err
		}
		pid := server.process.cmd.Process.Pid
		mu.Lock()
		defer mu.Unlock()
		s.Servers = append(s.Servers, Entry{
			Name: e.name, PID: pid, Born: born(pid), Address: server.Address, Log: server.Log, Ports: server.ports, Environment: e.environment(server.Address),
		})
		return nil
	})
	slices.SortFunc(s.Servers, func(a, b Entry) int {
		return slices.Index(Names(), a.Name) - slices.Index(Names(), b.Name)
	})
	return s, errors.Join(err, s.write())
}

// Down ends the named servers of a folder and removes what they left.
func Down(ctx context.Context, folder string, names []string) (ended []Entry, err error) {
	s, unlock, err := open(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var mu sync.Mutex
	err = each(names, func(e *engine) error {
		for _, entry := range s.Servers {
			if entry.Name != e.name {
				continue
			}
			if err := entry.end(ctx); err != nil {
				return err
			}
			if err := os.RemoveAll(filepath.Join(s.Folder, e.name)); err != nil {
				return err
			}
			mu.Lock()
			ended = append(ended, entry)
			mu.Unlock()
		}
		return nil
	})
	s.Servers = slices.DeleteFunc(s.Servers, func(e Entry) bool {
		return slices.ContainsFunc(ended, func(gone Entry) bool { return gone.Name == e.Name })
	})
	return ended, errors.Join(err, s.write())
}

// Status reads the servers of a folder.
func Status(ctx context.Context, folder string) (*State, error) {
	s, unlock, err := open(ctx, folder)
	if err != nil {
		return nil, err
	}
	unlock()
	return s, nil
}

// running tells whether the process is there still: that one, not another with its pid.
func (e Entry) running() bool { return e.Born != "" && born(e.PID) == e.Born }

// Health asks the server: nil when it is ready.
func (e Entry) Health(ctx context.Context) error {
	if !e.running() {
		return errors.New("gone")
	}
	for _, kind := range engines() {
		if kind.name != e.Name {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return kind.ready(ctx, &Server{Address: e.Address, Log: e.Log, ports: e.Ports, engine: kind})
	}
	return fmt.Errorf("of no known kind: %s", e.Name)
}

// end is SIGTERM, and SIGKILL to one that does not go in 10 s.
func (e Entry) end(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	next := syscall.SIGTERM
	for e.running() {
		if next != 0 {
			if err := syscall.Kill(e.PID, next); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("server %s, pid %d: %w", e.Name, e.PID, err)
			}
			next = 0
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late.C:
			next = syscall.SIGKILL
		case <-tick.C:
		}
	}
	return nil
}

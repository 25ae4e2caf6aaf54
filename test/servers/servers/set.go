package servers

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
)

// started are the servers of Run and of the shared ones, for clearAll.
var started struct {
	sync.Mutex
	all    []*Server
	folder string // of this process, once there is one

	release func() // gives the folder up
}

// clearAll kills what this process has started and removes its folder: of servers for
// tests nothing is worth a slow end.
func clearAll() error {
	started.Lock()
	defer started.Unlock()
	for _, s := range started.all {
		s.Kill()
	}
	started.all = nil
	if started.folder == "" {
		return nil
	}
	if started.release != nil {
		defer started.release()
	}
	return os.RemoveAll(started.folder)
}

// Run starts the servers that the environment does not give, bound to this process,
// and returns the settings that name them. end kills them and removes what they left.
func Run(ctx context.Context, names []string) (environment []string, end func() error, err error) {
	var mu sync.Mutex
	err = each(names, func(e *engine) error {
		if Given(e.name) != "" {
			return nil
		}
		folder, err := ownFolder(e.name)
		if err != nil {
			return err
		}
		s, err := create(ctx, e, folder, false)
		if err != nil {
			return err
		}
		keep(s)
		mu.Lock()
		defer mu.Unlock()
		environment = append(environment, e.environment(s.Address)...)
		return nil
	})
	slices.Sort(environment)
	if err != nil {
		err = errors.Join(err, clearAll())
	}
	return environment, clearAll, err
}

func keep(s *Server) {
	started.Lock()
	defer started.Unlock()
	started.all = append(started.all, s)
}

// each does something with the named engines at once.
func each(names []string, do func(*engine) error) error {
	var all sync.WaitGroup
	engines := engines()
	failed := make([]error, len(engines))
	for i, e := range engines {
		if slices.Contains(names, e.name) {
			all.Go(func() { failed[i] = do(e) })
		}
	}
	all.Wait()
	return errors.Join(failed...)
}

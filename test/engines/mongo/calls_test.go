package mongo_test

import (
	"context"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/v2/event"
)

// commands counts what a store sends.
type commands struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *commands) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "hello" || e.CommandName == "endSessions" {
			return
		}
		name := e.CommandName
		if collection, ok := e.Command.Lookup(name).StringValueOK(); ok {
			name += " " + collection
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.count == nil {
			c.count = map[string]int{}
		}
		c.count[name]++
	}}
}

func (c *commands) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = nil
}

func (c *commands) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.count {
		n += one
	}
	return n
}

// String implements fmt.Stringer.
func (c *commands) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.count)
}

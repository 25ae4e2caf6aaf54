package mongo

import (
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// held is a document as it was last seen. doc is nil if there was none.
type held struct {
	doc   bson.Raw
	write bson.ObjectID
}

// cache remembers documents that this process has lately read or written, so
// that its next step on one of them needs no read. It is never the ground for a
// refusal, nor for "nothing to do": only for a write whose condition proves that
// what is remembered is still so.
type cache struct {
	mu         sync.Mutex
	young, old map[string]held
	max        int
}

const (
	cacheEntries  = 4096    // per generation; two are kept
	cacheDocument = 8 << 10 // larger documents (long histories) are not kept
)

func newCache(entries int) *cache {
	return &cache{young: map[string]held{}, max: entries}
}

func (c *cache) get(id string) (held, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h, ok := c.young[id]; ok {
		return h, true
	}
	h, ok := c.old[id]
	return h, ok
}

func (c *cache) put(id string, h held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.doc == nil || len(h.doc) > cacheDocument {
		delete(c.young, id)
		delete(c.old, id)
		return
	}
	if len(c.young) >= c.max {
		c.old, c.young = c.young, make(map[string]held, c.max)
	}
	c.young[id] = h
}

func (c *cache) drop(id string) { c.put(id, held{}) }

package sqlite

import "github.com/butakero/butakero/internal/jobs"

// cache holds the records that the writer has worked on last. Two generations
// of maps make a cheap LRU: what is used moves to the young one, and when that
// is full the old one is dropped.
type cache struct {
	limit      int
	jobs       generations[string, *jobEntry]
	operations generations[string, *operationEntry]
}

// jobEntry is a job as the open transaction has it. row 0: there is none in the
// table.
type jobEntry struct {
	key   string
	row   int64
	job   jobs.Job // Generation 0: there is none
	kept  jobs.Job // as it is in the table
	dirty bool
}

type operationEntry struct {
	id        string
	row       int64
	operation jobs.Operation
	kept      jobs.Operation
	dirty     bool
	ended     bool // an end that is not in the log yet
}

func newCache(limit int) *cache {
	c := &cache{limit: limit}
	c.clear()
	return c
}

func (c *cache) clear() {
	c.jobs = newGenerations[string, *jobEntry]()
	c.operations = newGenerations[string, *operationEntry]()
}

// settle is called after a commit: it is the time to forget.
func (c *cache) settle() {
	c.jobs.age(c.limit)
	c.operations.age(c.limit)
}

type generations[K comparable, V any] struct{ young, old map[K]V }

func newGenerations[K comparable, V any]() generations[K, V] {
	return generations[K, V]{young: map[K]V{}, old: map[K]V{}}
}

func (g *generations[K, V]) get(k K) (V, bool) {
	if v, ok := g.young[k]; ok {
		return v, true
	}
	v, ok := g.old[k]
	if ok {
		delete(g.old, k)
		g.young[k] = v
	}
	return v, ok
}

func (g *generations[K, V]) put(k K, v V) { g.young[k] = v }

func (g *generations[K, V]) age(limit int) {
	if len(g.young) >= limit/2 {
		g.old, g.young = g.young, make(map[K]V, limit/2)
	}
}

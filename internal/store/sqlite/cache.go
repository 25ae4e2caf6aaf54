package sqlite

import "github.com/butakero/butakero/internal/jobs"

// cache holds the records that the writer has worked on last. Two generations
// of maps make a cheap LRU: what is used moves to the young one, and when that
// is full the old one is dropped.
type cache struct {
	limit      int
	jobs       generations[jobs.Key, *jobEntry]
	operations generations[string, *operationEntry]
}

// jobEntry is a job as the open transaction has it, beside what the table holds.
type jobEntry struct {
	job   jobs.Job // Generation 0: there is none
	row   int64    // 0: there is none in the table
	kept  jobs.JobState
	due   int64 // what the index has; negative: not known
	dirty bool
}

// operationEntry is an operation as the open transaction has it.
type operationEntry struct {
	operation jobs.Operation // ID "": there is none
	row       int64
	kept      jobs.OperationState
	event     jobs.EventState
	ended     int64 // number of its end in the order of ends; 0: it waits
	keptEnd   int64 // that in the table
	dirty     bool
}

func newCache(limit int) *cache {
	c := &cache{limit: limit}
	c.clear()
	return c
}

func (c *cache) clear() {
	c.jobs = newGenerations[jobs.Key, *jobEntry]()
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
		clear(g.old)
		g.old, g.young = g.young, g.old
	}
}

package dynamo

import (
	"sync"
	"sync/atomic"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// serverClock knows how far this process's clock is from the server's, whose
// answers carry the time in whole seconds. Only the order of events needs it:
// there, the ends that different processes write have to be comparable.
type serverClock struct {
	offset atomic.Int64 // nanoseconds to add
}

// tolerance is what the two may differ by without being corrected: the server's
// time is cut to seconds, and answers travel.
const tolerance = 2 * time.Second

// learn takes the server's time from an answer.
func (s *Store) learn(answer middleware.Metadata) {
	at, ok := awsmiddleware.GetServerTime(answer)
	if !ok {
		return
	}
	offset := at.Add(time.Second / 2).Sub(s.options.Now())
	if offset.Abs() < tolerance {
		offset = 0
	}
	s.server.offset.Store(int64(offset))
}

// serverNow is about what the server's clock shows.
func (s *Store) serverNow() time.Time {
	return s.options.Now().Add(time.Duration(s.server.offset.Load()))
}

// quietShards remembers in which partitions of the due indexes nothing was due a
// moment ago: an idle worker asks them every Options.DueEvery and not at every
// look of its reconciler.
type quietShards struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (q *quietShards) are(name string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return now.Before(q.until[name])
}

func (q *quietShards) set(name string, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.until == nil {
		q.until = map[string]time.Time{}
	}
	q.until[name] = until
}

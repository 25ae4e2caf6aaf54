package mongo_test

import (
	"testing"
	"time"

	"github.com/butakero/butakero/internal/store/mongo"
)

// The life of a song that nothing disturbs, with the real use cases, costs eight
// round trips: put, ensure; claim; commit, waiting operations, end, close; mark.
func TestRoundTripsOfALife(t *testing.T) {
	t.Parallel()
	calls := &commands{}
	f := newFleet(t, open(t, mongo.Options{Monitor: calls.monitor()}), 1, 0)
	stopBackground := f.background(t.Context())
	stop := f.works(t.Context())
	calls.reset()
	f.accept(1, 1)
	f.events.wait(t, 1, 30*time.Second)
	stop()
	stopBackground()
	if n := calls.total(); n > 8 {
		t.Errorf("%d round trips: %s", n, calls)
	}
	t.Logf("%s", calls)
}

// Of many songs at a time a batch shares its round trips.
func TestRoundTripsOfManyLives(t *testing.T) {
	t.Parallel()
	const n = 256
	calls := &commands{}
	f := newFleet(t, open(t, mongo.Options{Monitor: calls.monitor()}), n, 0)
	defer f.background(t.Context())()
	f.accept(n, 16)
	calls.reset()
	stop := f.works(t.Context())
	f.events.wait(t, n, time.Minute)
	stop()
	if calls.total() > n {
		t.Errorf("%d round trips for %d songs: %s", calls.total(), n, calls)
	}
	for key, times := range f.made {
		if times != 1 {
			t.Errorf("%s was made %d times", key, times)
		}
	}
}

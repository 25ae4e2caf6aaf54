package awssqs

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	retries  = 3 // of entries that failed within a batch
	inFlight = 8 // batch requests of one kind at a time
)

// pause waits before the next try, with full jitter; false: ctx was done first.
func pause(ctx context.Context, try int) bool {
	t := time.NewTimer(time.Duration(rand.Float64() * float64(100*time.Millisecond<<try)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// concurrently does several batches, some at a time, and joins their errors.
func concurrently[T any](batches [][]T, do func([]T) error) error {
	if len(batches) == 1 {
		return do(batches[0])
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		all   []error
		slots = make(chan struct{}, inFlight)
	)
	for _, b := range batches {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(b); err != nil {
				mu.Lock()
				all = append(all, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.Join(all...)
}

// batcher gathers entries of several callers into requests of ten. It waits for
// nobody: a request goes out with what is there, and what comes while all senders
// are busy goes with the next.
type batcher[T any] struct {
	send    func(entries []T) []error
	work    chan parcel[T]
	senders sync.WaitGroup
	mu      sync.RWMutex // held by those who put something into work
	closed  bool
}

// parcel is up to batchSize entries of one caller.
type parcel[T any] struct {
	entries []T
	done    func([]error)
}

func newBatcher[T any](send func([]T) []error) *batcher[T] {
	b := &batcher[T]{send: send, work: make(chan parcel[T], 4096)}
	for range inFlight {
		b.senders.Go(b.run)
	}
	return b
}

func (b *batcher[T]) run() {
	var kept *parcel[T] // did not fit into the last request
	for {
		var first parcel[T]
		if kept != nil {
			first, kept = *kept, nil
		} else {
			var ok bool
			if first, ok = <-b.work; !ok {
				return
			}
		}
		parcels := []parcel[T]{first}
		size := len(first.entries)
	gather:
		for size < batchSize {
			select {
			case p, ok := <-b.work:
				if !ok {
					break gather
				}
				if size+len(p.entries) > batchSize {
					kept = &p
					break gather
				}
				parcels = append(parcels, p)
				size += len(p.entries)
			default:
				break gather
			}
		}
		entries := make([]T, 0, size)
		for _, p := range parcels {
			entries = append(entries, p.entries...)
		}
		errs := b.send(entries)
		for _, p := range parcels {
			p.done(errs[:len(p.entries)])
			errs = errs[len(p.entries):]
		}
	}
}

// do sends entries and returns one error each, in their order; errClosed after close.
func (b *batcher[T]) do(entries []T) []error {
	errs := make([]error, len(entries))
	var wg sync.WaitGroup
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return repeat(errClosed, len(entries))
	}
	for from := 0; from < len(entries); from += batchSize {
		to := min(from+batchSize, len(entries))
		wg.Add(1)
		b.work <- parcel[T]{entries[from:to], func(got []error) { copy(errs[from:to], got); wg.Done() }}
	}
	b.mu.RUnlock()
	wg.Wait()
	return errs
}

// close ends the senders when they have sent what is there.
func (b *batcher[T]) close() {
	b.mu.Lock()
	b.closed = true
	close(b.work)
	b.mu.Unlock()
	b.senders.Wait()
}

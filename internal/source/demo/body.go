package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// body reads a song at a bounded rate until its context is done or it is
// closed, also while a Read waits.
type body struct {
	io.ReadCloser
	ctx   context.Context
	rate  int64 // bytes per second; 0: unbounded
	start time.Time
	done  int64

	closeOnce sync.Once
	closeErr  error
	closed    chan struct{}
}

var errClosed = errors.New("reading after Close")

func newBody(ctx context.Context, r io.ReadCloser, rate int64) *body {
	return &body{ReadCloser: r, ctx: ctx, rate: rate, closed: make(chan struct{})}
}

// Read implements io.Reader. Errors other than io.EOF are *jobs.Error.
func (b *body) Read(p []byte) (int, error) {
	if err := b.wait(); err != nil {
		return 0, err
	}
	if b.rate > 0 {
		// Ten steps a second: a bar that moves.
		p = p[:min(int64(len(p)), max(1, b.rate/10))]
	}
	n, err := b.ReadCloser.Read(p)
	b.done += int64(n)
	var verdict *jobs.Error
	if err != nil && err != io.EOF && !errors.As(err, &verdict) { //nolint:errorlint // a wrapped io.EOF is an error
		err = jobs.Transient("read_failed", "the song could not be read to its end", err)
	}
	return n, err
}

// wait waits until what was read fits the rate.
func (b *body) wait() error {
	select {
	case <-b.ctx.Done():
		return interrupted(context.Cause(b.ctx))
	case <-b.closed:
		return interrupted(errClosed)
	default:
	}
	if b.rate <= 0 {
		return nil
	}
	if b.start.IsZero() {
		b.start = time.Now()
	}
	early := time.Until(b.start.Add(time.Duration(float64(b.done) / float64(b.rate) * float64(time.Second))))
	if early <= 0 {
		return nil
	}
	timer := time.NewTimer(early)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-b.ctx.Done():
		return interrupted(context.Cause(b.ctx))
	case <-b.closed:
		return interrupted(errClosed)
	}
}

// Close implements io.Closer; it may be called at any time and more than once.
func (b *body) Close() error {
	b.closeOnce.Do(func() {
		close(b.closed)
		b.closeErr = b.ReadCloser.Close()
	})
	if b.closeErr != nil {
		return fmt.Errorf("close song: %w", b.closeErr)
	}
	return nil
}

// failing ends with an error after some bytes.
type failing struct {
	io.ReadCloser
	left int64
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, f.err
	}
	n, err := f.ReadCloser.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if err == io.EOF {
		err = f.err // the song is shorter than what was to come of it
	}
	return n, err
}

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

// feed is the media on its way in: limited, watched, counted, and kept for as
// long as it may be needed again. It is read by one goroutine.
type feed struct {
	ctx     context.Context
	stop    context.CancelCauseFunc
	body    io.ReadCloser
	close   func() error // once
	size    int64        // announced, 0 not
	limit   int64        // bytes, 0 none
	idle    time.Duration
	watch   *time.Timer
	release func() bool

	read   int64 // bytes that came from body
	empty  int   // reads in a row that gave neither bytes nor an error
	ended  bool  // body said io.EOF
	err    error // any other end, with its verdict; Read says it again and again
	report func(done int64)
	dir    string // for the spool

	pushed []byte // read already, to be read again first
	record []byte // everything read so far, while keeping is memory
	spool  *os.File
	mode   keeping
}

// keeping says what becomes of bytes that were read.
type keeping int

const (
	keepMemory  keeping = iota // until it is known whether they can be copied
	keepNothing                // they can
	keepSpool                  // perhaps they can not
)

// maxRecord bounds what is kept in memory; a head that is longer goes to a spool.
const maxRecord = 256 << 10

// copyBytes is the size of the buffer with which bytes are moved.
const copyBytes = 64 << 10

// maxEmpty is how often a body may return nothing before it is given up.
const maxEmpty = 100

// errIdle is the cause of a feed that was stopped because nothing came.
var errIdle = errors.New("no data")

// newFeed takes over body. ctx bounds all reads; stop ends it.
func (p *Pipeline) newFeed(ctx context.Context, stop context.CancelCauseFunc, body io.ReadCloser, size int64, report func(int64)) *feed {
	f := &feed{ctx: ctx, stop: stop, body: body, size: max(size, 0), limit: p.MaxBytes, idle: p.IdleTimeout, report: report, dir: p.TempDir}
	f.close = sync.OnceValue(body.Close)
	// A body that does not look at ctx is woken up by closing it.
	f.release = context.AfterFunc(ctx, func() { _ = f.close() })
	if f.idle > 0 {
		f.watch = time.AfterFunc(f.idle, func() { stop(errIdle) })
		f.watch.Stop()
	}
	return f
}

// Close gives everything back. What close says is of no interest any more: all
// bytes that were wanted have come, or there was an error before.
func (f *feed) Close() {
	f.release()
	if f.watch != nil {
		f.watch.Stop()
	}
	_ = f.close()
	if f.spool != nil {
		_ = f.spool.Close()
	}
	f.stop(nil)
}

// Read implements io.Reader. After an error other than io.EOF, f.err has it.
func (f *feed) Read(b []byte) (int, error) {
	if len(f.pushed) > 0 {
		n := copy(b, f.pushed)
		f.pushed = f.pushed[n:]
		return n, nil
	}
	switch {
	case f.err != nil:
		return 0, f.err
	case f.ended:
		return 0, io.EOF
	}
	n, err := f.fetch(b)
	f.read += int64(n)
	if n > 0 {
		if f.report != nil {
			f.report(f.read)
		}
		if keptErr := f.keep(b[:n]); keptErr != nil {
			f.err = keptErr
			return 0, f.err
		}
	}
	switch {
	case f.limit > 0 && f.read > f.limit:
		f.err = tooLarge(f.limit)
		return 0, f.err
	case err == io.EOF: //nolint:errorlint // a wrapped one is an error
		f.ended = true
		return n, io.EOF
	case err != nil:
		f.err = f.explain(err)
		return n, f.err
	case n > 0:
		f.empty = 0
	default:
		if f.empty++; f.empty == maxEmpty {
			f.err = sourceError(io.ErrNoProgress)
			return 0, f.err
		}
	}
	return n, nil
}

// fetch reads from body under the watch.
func (f *feed) fetch(b []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	if f.watch != nil {
		f.watch.Reset(f.idle)
		defer f.watch.Stop()
	}
	return f.body.Read(b)
}

// explain gives an error of body its verdict.
func (f *feed) explain(err error) error {
	if f.ctx.Err() == nil {
		return sourceError(err)
	}
	cause := context.Cause(f.ctx)
	if errors.Is(cause, errIdle) {
		return jobs.Transient(CodeStalled, "the download stopped moving", fmt.Errorf("no byte for %v at byte %d", f.idle, f.read))
	}
	return fmt.Errorf("stopped: %w", cause)
}

// keep remembers what was read, if that may be needed.
func (f *feed) keep(b []byte) error {
	switch f.mode {
	case keepNothing:
		return nil
	case keepMemory:
		if len(f.record)+len(b) <= maxRecord {
			f.record = append(f.record, b...)
			return nil
		}
		if err := f.toSpool(); err != nil {
			return err
		}
	}
	if _, err := f.spool.Write(b); err != nil {
		return spoolError(err)
	}
	return nil
}

// peek returns the first bytes without using them up, fewer than n only if there
// are not so many.
func (f *feed) peek(n int) ([]byte, error) {
	head := make([]byte, n)
	got, err := io.ReadFull(f, head)
	f.pushed = head[:got]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return head[:got], nil
}

// forget stops keeping: what has been read is not needed again.
func (f *feed) forget() {
	if f.mode == keepMemory {
		f.mode, f.record = keepNothing, nil
	}
}

// drain reads what the container's reader left, so that the size can be proved.
func (f *feed) drain() error {
	if f.ended {
		return nil
	}
	buf := make([]byte, copyBytes)
	for {
		if _, err := f.Read(buf); err != nil {
			if err == io.EOF { //nolint:errorlint // Read's own mark
				return nil
			}
			return err
		}
	}
}

// checkSize compares what came with what was announced, once everything has
// come. nil: they agree, or there is nothing to compare yet.
func (f *feed) checkSize() error {
	if !f.ended || f.size == 0 || f.read == f.size {
		return nil
	}
	return jobs.Transient(CodeIncomplete, "the download is incomplete",
		fmt.Errorf("%d bytes came, %d were announced", f.read, f.size))
}

// kept reports whether everything that was read can be read again.
func (f *feed) kept() bool { return f.mode != keepNothing }

// toSpool moves what is kept from memory to a temporary file; further bytes
// follow it there.
func (f *feed) toSpool() error {
	if f.mode == keepSpool {
		return nil
	}
	spool, err := newSpool(f.dir)
	if err != nil {
		return err
	}
	f.spool = spool
	if _, err := spool.Write(f.record); err != nil {
		return spoolError(err)
	}
	f.mode, f.record = keepSpool, nil
	return nil
}

// all brings the whole media into a temporary file, which belongs to f, and
// returns it with its size.
func (f *feed) all() (*os.File, int64, error) {
	if err := f.toSpool(); err != nil {
		return nil, 0, err
	}
	f.pushed = nil // kept already
	if err := f.drain(); err != nil {
		return nil, 0, err
	}
	if err := f.checkSize(); err != nil {
		return nil, 0, err
	}
	return f.spool, f.read, nil
}

func tooLarge(limit int64) error {
	return jobs.Permanent(CodeTooLarge, fmt.Sprintf("the file is too large (limit %d MiB)", limit>>20), nil)
}

package youtube

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"
)

// chunkBytes is the most that is asked for at once: YouTube slows down whoever
// asks for more than 10 MiB.
const chunkBytes = 10 << 20

// Bounds of perseverance.
const (
	maxResolves = 2  // fresh links for one song, after the first
	maxIdleHits = 3  // breaks in a row without one new byte
	maxBreaks   = 64 // breaks of one song
	maxDrips    = 2  // connections that were too slow
)

var (
	errStalled = errors.New("no byte came in time")
	errDrip    = errors.New("the bytes come too slowly")
	errShunned = errors.New("the server gives the whole file when asked for a part")
	errClosed  = errors.New("the media was closed")
	errRefused = errors.New("the link is refused")
)

// track is an audio stream that can be fetched.
type track struct {
	url      string
	itag     int
	size     int64 // 0: not announced
	modified string
	fresh    bool // no byte of it has come yet
	identity Identity
}

// same tells whether t's bytes go on where o's stopped.
func (t *track) same(o *track) bool {
	return t.itag == o.itag && t.size == o.size && t.size > 0 && t.modified == o.modified
}

// fetchConfig is what a stream needs of the source.
type fetchConfig struct {
	client  *http.Client
	idle    time.Duration
	pause   time.Duration // before the second try without a new byte, doubled each time
	minRate int64         // bytes a second
	window  time.Duration // over which that is measured
	clean   *redactor
	now     func() time.Time

	// resolve returns a fresh link to the track; other, one of another identity.
	resolve, other func(context.Context, *track) (*track, error)
	// rest opens the song anew by another extractor, from its first byte; nil:
	// there is none.
	rest func(context.Context) (io.ReadCloser, int64, error)
	// throttled is told when the media servers ask us to wait.
	throttled func(error)
}

// stream fetches a track as it is read: in ranges, going on at the last byte
// after any break. It holds no more than the caller's buffer and what the
// connection has in flight. Read is for one goroutine.
type stream struct {
	fetchConfig
	ctx   context.Context
	end   context.CancelCauseFunc
	track *track

	off      int64 // delivered
	body     io.ReadCloser
	bodyCtx  context.Context
	bodyEnd  int64 // off at which body is over
	cancel   context.CancelCauseFunc
	watch    *time.Timer
	sum      hash.Hash // of what was delivered
	tag      string    // ETag of the first answer
	header   bool      // ask with a Range header, because the query is not understood
	resolves int
	breaks   int
	idleHits int
	drips    int
	slow     meter
	othered  bool // another identity was tried
	swapped  bool // body is another extractor's
	done     error
}

// meter watches the speed while we wait for bytes, not while nobody wants any.
type meter struct {
	waited time.Duration
	bytes  int64
}

func newStream(ctx context.Context, c fetchConfig, t *track) *stream {
	s := &stream{fetchConfig: c, track: t, sum: sha256.New()}
	s.ctx, s.end = context.WithCancelCause(ctx)
	return s
}

// Close gives the connection back.
func (s *stream) Close() error {
	s.end(errClosed)
	return nil
}

// Read implements io.Reader. Errors are verdicts.
func (s *stream) Read(b []byte) (int, error) {
	if s.done != nil {
		return 0, s.done
	}
	if s.ctx.Err() != nil {
		s.done = stopped(s.ctx)
		return 0, s.done
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := s.read(b)
	if err != nil {
		s.drop(nil)
		if s.ctx.Err() != nil && !errors.Is(err, io.EOF) {
			err = stopped(s.ctx)
		}
		s.done = err
	}
	return n, err
}

func (s *stream) read(b []byte) (int, error) {
	for {
		if s.track.size > 0 && s.off == s.track.size {
			if s.body != nil && s.more() {
				return 0, fail(CodeIncomplete, fmt.Errorf("more than the announced %d bytes came", s.track.size))
			}
			return 0, io.EOF
		}
		if s.body == nil {
			if err := s.reopen(); err != nil {
				return 0, err
			}
		}
		want := b
		if s.bodyEnd > 0 {
			want = b[:min(int64(len(b)), s.bodyEnd-s.off)]
		}
		n, err := s.take(want)
		if n > 0 {
			s.off += int64(n)
			s.idleHits, s.track.fresh = 0, false
			_, _ = s.sum.Write(want[:n]) // never fails
		}
		switch {
		case s.track.size > 0 && s.off == s.track.size: // the end, or one byte too many: see above
		case s.bodyEnd > 0 && s.off == s.bodyEnd:
			s.drop(nil)
		case err == io.EOF && s.track.size == 0: //nolint:errorlint // a body's own end
			s.track.size = s.off
		case err != nil:
			if err := s.broke(err); err != nil {
				return n, err
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

// take reads under the watch.
func (s *stream) take(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, io.EOF
	}
	s.watch.Reset(s.idle)
	began := time.Now()
	n, err := s.body.Read(b)
	s.watch.Stop()
	s.slow.waited += time.Since(began)
	s.slow.bytes += int64(n)
	if s.slow.waited >= s.window {
		rate := float64(s.slow.bytes) / s.slow.waited.Seconds()
		s.slow = meter{}
		if err == nil && rate < float64(s.minRate) {
			return n, errDrip
		}
	}
	return n, err
}

// more tells whether there are bytes after the last one.
func (s *stream) more() bool {
	s.watch.Reset(s.idle)
	defer s.watch.Stop()
	var one [1]byte
	n, _ := s.body.Read(one[:])
	return n > 0
}

// broke decides whether to go on after a body ended too soon; nil: yes.
func (s *stream) broke(err error) error {
	if s.bodyCtx != nil && errors.Is(context.Cause(s.bodyCtx), errStalled) {
		err = errStalled
	}
	s.drop(nil)
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	cause := fmt.Errorf("byte %d of %d: %w", s.off, s.track.size, s.clean.err(err))
	if errors.Is(err, errDrip) {
		s.drips++
	}
	if s.swapped || s.track.size == 0 || s.drips > maxDrips {
		return fail(CodeNetwork, cause)
	}
	return s.again(fail(CodeNetwork, cause))
}

// again counts a break and waits a little before the next try; when there were
// too many, verdict ends the stream.
func (s *stream) again(verdict error) error {
	s.breaks++
	s.idleHits++
	if s.breaks > maxBreaks || s.idleHits > maxIdleHits {
		return verdict
	}
	if s.idleHits > 1 {
		return sleep(s.ctx, s.pause<<s.idleHits)
	}
	return nil
}

// drop ends the present body.
func (s *stream) drop(why error) {
	if s.body == nil {
		return
	}
	s.watch.Stop()
	s.cancel(why)
	_ = s.body.Close()
	s.body = nil
}

// reopen gets a body that begins at off, however many tries it takes.
func (s *stream) reopen() error {
	for {
		err := s.request()
		if err == nil {
			return nil
		}
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
		switch {
		case errors.Is(err, errRefused):
			err = s.renew(err)
		case errors.Is(err, errShunned) && !s.header:
			s.header = true
			continue
		case errors.Is(err, errShunned):
			return fail(CodeIncomplete, err)
		case codeOf(err) == CodeRateLimited, codeOf(err) == CodeBotCheck:
			s.throttled(err)
			return err
		case codeOf(err) == CodeNetwork, codeOf(err) == CodeUpstream && asError(err).RetryAfter == 0:
			err = s.again(err)
		}
		if err != nil {
			return err
		}
		if s.body != nil {
			return nil
		}
	}
}

// renew replaces a link that is refused: by a fresh one, then by another way.
func (s *stream) renew(refused error) error {
	verdict := fail(CodeExpiredURL, refused)
	dead := s.track.fresh // refused at once: it is not its age
	if s.off == 0 && dead {
		return verdict // nothing is lost: the caller tries the next way
	}
	if !dead && s.resolves < maxResolves {
		s.resolves++
		fresh, err := s.resolve(s.ctx, s.track)
		switch {
		case err == nil && (fresh.same(s.track) || s.off == 0):
			s.track = fresh
			return nil
		case err == nil:
			return fail(CodeIncomplete, errors.New("the audio was changed while it was fetched"))
		case codeOf(err) != CodeExpiredURL:
			return err
		}
	}
	if !s.othered {
		s.othered = true
		if fresh, err := s.other(s.ctx, s.track); err == nil && fresh.same(s.track) {
			s.track = fresh
			return nil
		}
	}
	if s.rest == nil {
		return verdict
	}
	return s.swap(verdict)
}

// swap goes on with another extractor's bytes if they are the same so far.
func (s *stream) swap(verdict error) error {
	body, size, err := s.rest(s.ctx)
	if err != nil {
		return verdict
	}
	if err := s.skip(body, size); err != nil {
		_ = body.Close()
		return fail(CodeIncomplete, err)
	}
	ctx, cancel := context.WithCancelCause(s.ctx)
	s.install(ctx, cancel, body)
	s.bodyEnd, s.swapped = 0, true
	return nil
}

// skip reads up to off and compares.
func (s *stream) skip(body io.Reader, size int64) error {
	if size != s.track.size {
		return fmt.Errorf("the other extractor has %d bytes, not %d", size, s.track.size)
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, body, s.off); err != nil {
		return fmt.Errorf("read the other extractor's bytes: %w", err)
	}
	if string(sum.Sum(nil)) != string(s.sum.Sum(nil)) {
		return errors.New("the other extractor has other bytes")
	}
	return nil
}

func (s *stream) install(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser) {
	s.body, s.bodyCtx, s.cancel = body, ctx, cancel
	s.watch = time.AfterFunc(s.idle, func() { cancel(errStalled) })
	s.watch.Stop()
	context.AfterFunc(ctx, func() { _ = body.Close() })
}

package localfs

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"time"
)

// lock keeps other writers of the key away, those of this process and those of
// others. A process that dies gives its locks back. ctx's error when ctx is done
// before.
func (s *Store) lock(ctx context.Context, key string) (unlock func(), err error) {
	stripe := sha256.Sum256([]byte(key))[0]
	select {
	case s.stripes[stripe] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := func() { <-s.stripes[stripe] }
	const digits = "0123456789abcdef"
	name := locksDir + "/" + string([]byte{digits[stripe>>4], digits[stripe&15]})
	f, err := s.openHidden(name, 0)
	if err == nil {
		if err = lockFile(ctx, f); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		release()
		return nil, wrap("lock the key", err)
	}
	return func() {
		_ = f.Close() // nothing was written; closing is what unlocks
		release()
	}, nil
}

// lockFile waits for the file's lock. It asks again and again, because the
// system's own wait can not be interrupted by ctx.
func lockFile(ctx context.Context, f *os.File) error {
	wait := time.Millisecond
	for {
		switch taken, err := tryLock(f); {
		case err != nil:
			return wrap("lock file", err)
		case taken:
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		wait = min(2*wait, 32*time.Millisecond)
	}
}

package awss3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const (
	partSize      = 8 << 20
	settleTimeout = 15 * time.Second // for what has to be said even when the work is cancelled
	conflictTries = 5
)

var errUploadEnded = errors.New("the upload has ended")

// upload implements pipeline.Upload.
type upload struct {
	store   *Store
	ctx     context.Context // bounds the whole upload
	key     string
	name    string // fresh, in the object's metadata
	ended   bool
	written int64
	sum     hash.Hash // of everything written
	filling *buffer
	parts   *multipart // nil: everything is in filling
	failed  error      // of a Write: what was written is not whole
}

// Create implements pipeline.Blobs. Nothing is sent before there are more than 8
// MiB.
func (s *Store) Create(ctx context.Context, key string) (pipeline.Upload, error) {
	if err := s.checkKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &upload{
		store: s, ctx: ctx, key: key, name: jobs.RandomID(), sum: sha256.New(), filling: &buffer{limit: partSize},
	}, nil
}

// Write implements io.Writer. It waits while two parts are in flight.
func (u *upload) Write(p []byte) (int, error) {
	if u.ended {
		return 0, errUploadEnded
	}
	if u.failed == nil {
		u.failed = u.ctx.Err()
	}
	done := 0
	for len(p) > 0 && u.failed == nil {
		if u.filling.full() {
			u.failed = u.flush()
			continue
		}
		n := u.filling.write(p)
		u.sum.Write(p[:n])
		u.written += int64(n)
		done += n
		p = p[n:]
	}
	return done, u.failed
}

// flush sends what was gathered as a part and takes an empty buffer.
func (u *upload) flush() (err error) {
	if u.parts == nil {
		if u.parts, err = u.store.beginMultipart(u.ctx, u.key, u.name); err != nil {
			return err
		}
	}
	u.filling, err = u.parts.send(u.filling)
	return err
}

// Abort implements pipeline.Upload.
func (u *upload) Abort() error {
	if u.ended {
		return nil
	}
	u.ended = true
	u.filling = nil
	if u.parts == nil {
		return nil
	}
	return u.parts.abort()
}

// Commit implements pipeline.Upload. A file whose length or hash is not what meta
// says is refused with pipeline.ErrNotWhole.
func (u *upload) Commit(ctx context.Context, meta pipeline.BlobMeta, replace bool) error {
	if u.ended {
		return errUploadEnded
	}
	for _, err := range []error{u.failed, u.ctx.Err(), ctx.Err(), u.check(meta)} {
		if err != nil {
			return errors.Join(err, u.Abort())
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(u.ctx, cancel)()
	old, err := u.before(ctx, replace)
	if err != nil {
		return errors.Join(err, u.Abort())
	}
	w := write{upload: u, meta: meta, replace: replace}
	if u.parts != nil {
		err = w.large(ctx)
	} else {
		err = w.small(ctx)
	}
	u.ended, u.filling = true, nil
	if err == nil && old != "" {
		settle, cancel := settling(ctx)
		defer cancel()
		u.store.removeRecord(settle, old)
	}
	return err
}

func (u *upload) check(meta pipeline.BlobMeta) error {
	if meta.Bytes != u.written {
		return fmt.Errorf("%w: %d bytes were written and %d announced", pipeline.ErrNotWhole, u.written, meta.Bytes)
	}
	if sum := hex.EncodeToString(u.sum.Sum(nil)); meta.SHA256 != sum {
		return fmt.Errorf("%w: SHA-256 %s was written and %q announced", pipeline.ErrNotWhole, sum, meta.SHA256)
	}
	return nil
}

// before looks at what is under the key where that has to be known: it returns
// the record of the file that is going to be replaced, "" if it has none, and
// pipeline.ErrExists where the server would not refuse the write by itself.
func (u *upload) before(ctx context.Context, replace bool) (record string, err error) {
	if !replace && u.conditional() {
		return "", nil
	}
	there, err := u.store.head(ctx, u.key)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case !replace:
		return "", pipeline.ErrExists
	}
	return there.metadata[metaRecord], nil
}

// conditional reports whether the server itself refuses to overwrite.
func (u *upload) conditional() bool {
	if u.parts != nil {
		return u.store.conditions.complete
	}
	return u.store.conditions.put
}

// condition is the if-none-match header.
func (w *write) condition() *string {
	if w.replace || !w.upload.conditional() {
		return nil
	}
	return aws.String("*")
}

// write is the last step of an upload: making it visible.
type write struct {
	upload  *upload
	meta    pipeline.BlobMeta
	replace bool
	record  bool // a record was, or may have been, written
}

// small stores a file in one request.
func (w *write) small(ctx context.Context) error {
	u := w.upload
	described, fits := metadata(u.name, w.meta)
	if !fits {
		described, w.record = recordMetadata(u.name), true
		if err := u.store.writeRecord(ctx, u.name, record{Key: u.key, Meta: w.meta}); err != nil {
			return w.settle(ctx, err)
		}
	}
	var err error
	for try := 1; ; try++ {
		_, err = u.store.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &u.store.bucket, Key: aws.String(u.store.object(u.key)), Body: u.filling.reader(), ContentLength: aws.Int64(u.written),
			ContentType: aws.String(pipeline.ContentType), Metadata: described, ChecksumSHA256: aws.String(checksumOf(w.meta.SHA256)), IfNoneMatch: w.condition(),
		})
		// 409: somebody else was writing the same key; S3 asks to try again.
		if !isStatus(err, http.StatusConflict) || try == conflictTries || !pause(ctx, time.Duration(try)*50*time.Millisecond) {
			break
		}
	}
	return w.settle(ctx, wrap(ctx, "store file", err))
}

// large completes a multipart upload.
func (w *write) large(ctx context.Context) error {
	u := w.upload
	if u.filling.n > 0 {
		if _, err := u.parts.send(u.filling); err != nil {
			return w.settle(ctx, err)
		}
	}
	if err := u.parts.wait(); err != nil {
		return w.settle(ctx, err)
	}
	w.record = true
	if err := u.store.writeRecord(ctx, u.name, record{Key: u.key, Checksum: u.parts.checksum(), Meta: w.meta}); err != nil {
		return w.settle(ctx, err)
	}
	return w.settle(ctx, u.parts.complete(ctx, w.condition()))
}

// settle finds out what became of a write. An error does not mean that there is
// no file: the answer may have been lost, and a repeated request is then refused
// because of the very file that it was to make. What did not become visible is
// cleaned up.
func (w *write) settle(ctx context.Context, err error) error {
	u := w.upload
	if err == nil && (w.replace || u.conditional()) {
		return nil
	}
	stopped := ctx.Err() != nil
	ctx, cancel := settling(ctx)
	defer cancel()
	var left error
	if err != nil && u.parts != nil {
		left = u.parts.abort() // of a completed upload: nothing
	}
	there, headErr := u.store.head(ctx, u.key)
	switch {
	case headErr == nil && there.metadata[metaUpload] == u.name:
		return nil
	case headErr != nil && !errors.Is(headErr, jobs.ErrNotFound):
		// Nothing is known: a record has to stay, for its file may be there.
		if err == nil {
			err = headErr
		}
		return errors.Join(err, left)
	}
	if left == nil && w.record {
		u.store.removeRecord(ctx, u.name)
	}
	if headErr == nil && !w.replace && !stopped && errors.Is(err, jobs.ErrUnavailable) {
		// Somebody else's file, which is why: S3 may answer 409 while two write, and
		// some servers hang up on whoever comes too late instead of answering.
		err = fmt.Errorf("store file: %w", pipeline.ErrExists)
	}
	if err == nil { // overwritten at once, on a server that can not refuse
		err = pipeline.ErrExists
	}
	return errors.Join(err, left)
}

// settling is a context for what must be done even if the work was cancelled.
func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
}

// pause waits; false if ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

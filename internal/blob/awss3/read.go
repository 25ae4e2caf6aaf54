package awss3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/butakero/butakero/internal/jobs"
)

const readTries = 3 // without a byte in between

// Open implements pipeline.Blobs. Reading from the end on, or behind it, yields
// io.EOF. A connection that breaks is taken up again where it broke, as long as
// the file is the same one.
func (s *Store) Open(ctx context.Context, key string, offset int64) (io.ReadCloser, error) {
	if err := s.checkKey(key); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fmt.Errorf("open at the negative offset %d", offset)
	}
	r := &reader{store: s, ctx: ctx, key: key, at: offset}
	err := r.connect()
	if isStatus(err, http.StatusRequestedRangeNotSatisfiable) {
		return io.NopCloser(strings.NewReader("")), nil // from the end on
	}
	if err != nil {
		return nil, wrap(ctx, "open file", err)
	}
	return r, nil
}

// reader reads an object from a place on.
type reader struct {
	store *Store
	ctx   context.Context
	key   string
	at    int64
	end   int64
	etag  *string // of the object that was opened; nil before
	body  io.ReadCloser
	tries int
}

// connect asks for what is still to be read.
func (r *reader) connect() error {
	in := &s3.GetObjectInput{Bucket: &r.store.bucket, Key: aws.String(r.store.object(r.key)), IfMatch: r.etag}
	if r.at > 0 {
		in.Range = aws.String("bytes=" + strconv.FormatInt(r.at, 10) + "-")
	}
	got, err := r.store.client.GetObject(r.ctx, in)
	if err != nil {
		return err
	}
	if r.etag == nil {
		r.etag, r.end = got.ETag, r.at+aws.ToInt64(got.ContentLength)
	}
	r.body = got.Body
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		n, err := r.body.Read(p)
		r.at += int64(n)
		if n > 0 {
			r.tries = 0
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && r.at >= r.end:
			return n, err
		case r.ctx.Err() != nil:
			return n, r.ctx.Err()
		case r.at >= r.end: // all of it is there, and not what it should be
			return n, fmt.Errorf("read file: %w", err)
		}
		if r.tries++; r.tries > readTries {
			return n, fmt.Errorf("read file: %w: %w", jobs.ErrUnavailable, err)
		}
		if err := r.again(); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (r *reader) again() error {
	_ = r.body.Close() // it is broken
	err := r.connect()
	if isStatus(err, http.StatusPreconditionFailed) || isStatus(err, http.StatusNotFound) {
		return errors.New("read file: it was replaced or removed meanwhile")
	}
	return wrap(r.ctx, "read file", err)
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.body.Close() }

package awss3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/butakero/butakero/internal/pipeline"
)

const maxParts = 10_000

// multipart is a multipart upload. Its methods are called from one goroutine.
type multipart struct {
	store *Store
	key   string
	id    string
	ctx   context.Context // of the parts: done when one has failed
	stop  context.CancelCauseFunc
	outer context.Context
	free  chan *buffer // the second buffer, when it is not in flight

	sending sync.WaitGroup
	sent    []*part // in order; each is filled in by the goroutine that sends it
}

type part struct {
	number int32
	sum    []byte // SHA-256
	etag   *string
}

// beginMultipart tells the server that parts are going to come.
func (s *Store) beginMultipart(ctx context.Context, key, name string) (*multipart, error) {
	begun, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: aws.String(s.object(key)), ContentType: aws.String(pipeline.ContentType), Metadata: recordMetadata(name),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumType: types.ChecksumTypeComposite,
	})
	if err != nil {
		return nil, wrap(ctx, "begin upload", err)
	}
	m := &multipart{store: s, key: key, id: aws.ToString(begun.UploadId), outer: ctx, free: make(chan *buffer, 2)}
	m.ctx, m.stop = context.WithCancelCause(ctx)
	m.free <- &buffer{limit: partSize}
	return m, nil
}

// send sends a part and returns an empty buffer for the next one, as soon as
// there is one.
func (m *multipart) send(b *buffer) (*buffer, error) {
	if len(m.sent) == maxParts {
		return nil, fmt.Errorf("the file has more than %d parts", maxParts)
	}
	p := &part{number: int32(len(m.sent)) + 1}
	m.sent = append(m.sent, p)
	m.sending.Go(func() {
		if err := m.sendPart(p, b); err != nil {
			m.stop(err)
		}
		b.reset()
		m.free <- b
	})
	select {
	case next := <-m.free:
		return next, nil
	case <-m.ctx.Done():
		return nil, m.why()
	}
}

func (m *multipart) sendPart(p *part, b *buffer) error {
	h := sha256.New()
	if _, err := io.Copy(h, b.reader()); err != nil {
		return err
	}
	p.sum = h.Sum(nil)
	sent, err := m.store.client.UploadPart(m.ctx, &s3.UploadPartInput{
		Bucket: &m.store.bucket, Key: aws.String(m.store.object(m.key)), UploadId: &m.id, PartNumber: &p.number,
		Body: b.reader(), ContentLength: aws.Int64(int64(b.n)), ChecksumSHA256: p.checksum(),
	})
	if err != nil {
		return wrap(m.outer, fmt.Sprintf("send part %d", p.number), err)
	}
	p.etag = sent.ETag
	return nil
}

func (p *part) checksum() *string { return aws.String(base64.StdEncoding.EncodeToString(p.sum)) }

// why says why no more parts are sent.
func (m *multipart) why() error {
	if err := m.outer.Err(); err != nil {
		return err
	}
	return context.Cause(m.ctx)
}

// wait returns when every part has been sent, or one of them has failed.
func (m *multipart) wait() error {
	m.sending.Wait()
	if m.ctx.Err() != nil {
		return m.why()
	}
	return nil
}

// checksum is that of all parts, as S3 tells it: the hash of their hashes.
func (m *multipart) checksum() string {
	h := sha256.New()
	for _, p := range m.sent {
		h.Write(p.sum)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(m.sent))
}

// complete makes the file visible.
func (m *multipart) complete(ctx context.Context, condition *string) error {
	parts := make([]types.CompletedPart, len(m.sent))
	for i, p := range m.sent {
		parts[i] = types.CompletedPart{ETag: p.etag, PartNumber: &p.number, ChecksumSHA256: p.checksum()}
	}
	_, err := m.store.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &m.store.bucket, Key: aws.String(m.store.object(m.key)), UploadId: &m.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, IfNoneMatch: condition,
	})
	if err == nil {
		m.stop(nil)
	}
	return wrap(ctx, "store file", err)
}

// abort leaves nothing of the parts. Parts that are still being sent are stopped
// and waited for: they could arrive after the upload was given up, and stay.
func (m *multipart) abort() error {
	m.stop(errUploadEnded)
	m.sending.Wait()
	ctx, cancel := settling(m.outer)
	defer cancel()
	_, err := m.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &m.store.bucket, Key: aws.String(m.store.object(m.key)), UploadId: &m.id,
	})
	if isStatus(err, http.StatusNotFound) && !isCode(err, "NoSuchBucket") {
		return nil // already aborted, or completed
	}
	return wrap(ctx, "give up upload", err)
}

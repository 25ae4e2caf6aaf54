package awss3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// Options say where the songs are. Bucket must be set.
type Options struct {
	Bucket string

	// Prefix of all objects' names, such as "songs/"; none is fine.
	Prefix string

	// PathStyle puts the bucket into the path and not into the host name. It is
	// always done where the endpoint is an IP address or localhost.
	PathStyle bool

	// CreateResources makes a bucket that is not there, private and with a rule
	// that removes unfinished uploads after a day.
	CreateResources bool

	// ReadOnly is for processes that never store anything: nothing is written to
	// find out what the server can do, and no permission to write is needed.
	// Create still works, as if the server had no conditional writes.
	ReadOnly bool

	// URLExpiry is how long what PublicURL returns is good for; 1 hour. S3 takes
	// at most 7 days.
	URLExpiry time.Duration

	Log *slog.Logger     // nil: silent
	Now func() time.Time // nil: time.Now; tells Sweep what is old
}

// Store is a bucket of songs. It implements pipeline.Blobs and jobs.Files. Any
// number of processes may share a bucket.
type Store struct {
	client     *s3.Client
	presign    *s3.PresignClient
	bucket     string
	prefix     string
	expiry     time.Duration
	log        *slog.Logger
	now        func() time.Time
	conditions conditions
	swept      atomic.Bool // see sweepRecords
}

var (
	_ pipeline.Blobs = (*Store)(nil)
	_ jobs.Files     = (*Store)(nil)
)

// Open looks for the bucket and tries what the server can do. config is the
// SDK's own, with region, credentials and endpoints (AWS_ENDPOINT_URL_S3). A
// server that can not be reached is an error that wraps jobs.ErrUnavailable; a
// bucket that does not exist is one that does not.
func Open(ctx context.Context, config aws.Config, o Options) (*Store, error) {
	if o.Bucket == "" {
		return nil, errors.New("no bucket for the songs is set")
	}
	if err := checkPrefix(o.Prefix); err != nil {
		return nil, err
	}
	if o.URLExpiry <= 0 {
		o.URLExpiry = time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	client := s3.NewFromConfig(config, func(c *s3.Options) {
		c.UsePathStyle = c.UsePathStyle || o.PathStyle || needsPath(aws.ToString(c.BaseEndpoint))
		// Large files have checksums of their parts, which a reader of the whole can
		// not compare; it is not worth a line in the log for every file.
		c.DisableLogOutputChecksumValidationSkipped = true
	})
	s := &Store{
		client: client, presign: s3.NewPresignClient(client), bucket: o.Bucket, prefix: o.Prefix, expiry: o.URLExpiry, log: o.Log, now: o.Now,
	}
	if err := s.findBucket(ctx, o.CreateResources); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return s, nil
	}
	return s, s.probe(ctx)
}

// checkPrefix accepts what starts keys and leaves room for them.
func checkPrefix(prefix string) error {
	if prefix != "" && (!mayStart(prefix) || !utf8.ValidString(prefix) || len(prefix) > maxObject-maxKey) {
		return fmt.Errorf("the prefix %q can not start the name of an object", prefix)
	}
	return nil
}

// needsPath tells endpoints that have no host names for buckets.
func needsPath(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host) != nil
}

// Ping reports whether the bucket can be reached with these credentials.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if isStatus(err, http.StatusNotFound) {
		return fmt.Errorf("%w: the bucket %q is gone", jobs.ErrUnavailable, s.bucket)
	}
	return wrap(ctx, "look for the bucket", err)
}

// Close does nothing: there is nothing to let go of.
func (s *Store) Close() error { return nil }

// Remove implements pipeline.Blobs.
func (s *Store) Remove(ctx context.Context, key string) error {
	if err := s.checkKey(key); err != nil {
		return err
	}
	there, err := s.head(ctx, key)
	if errors.Is(err, jobs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.object(key))}); err != nil {
		return wrap(ctx, "remove file", err)
	}
	// The record goes after its file: a record alone is nothing, a file alone is
	// not whole.
	s.removeRecord(ctx, there.metadata[metaRecord])
	return nil
}

// PublicURL returns a URL at which anybody can fetch the file for
// Options.URLExpiry, or for as long as the credentials that sign it are good,
// whichever is less. It does not look whether there is a file.
func (s *Store) PublicURL(ctx context.Context, key string) (string, error) {
	if err := s.checkKey(key); err != nil {
		return "", err
	}
	signed, err := s.presign.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.object(key)),
	}, s3.WithPresignExpires(s.expiry))
	if err != nil {
		return "", wrap(ctx, "sign URL", err)
	}
	return signed.URL, nil
}

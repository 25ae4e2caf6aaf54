package awss3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/butakero/butakero/internal/jobs"
)

// findBucket makes sure that there is a bucket.
func (s *Store) findBucket(ctx context.Context, create bool) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	status, _ := answer(err)
	switch {
	case err == nil:
		return nil
	case status == http.StatusNotFound && create:
		return s.createBucket(ctx)
	case status == http.StatusNotFound:
		return fmt.Errorf("the bucket %q does not exist: create it, or set BUTAKERO_CREATE_RESOURCES=true to have it made", s.bucket)
	case status == http.StatusMovedPermanently:
		return fmt.Errorf("the bucket %q is in another region than AWS_REGION says", s.bucket)
	case status == http.StatusForbidden:
		return fmt.Errorf("%w: the bucket %q may not be listed with these credentials, or is somebody else's: %w", jobs.ErrUnavailable, s.bucket, err)
	}
	return wrap(ctx, "look for the bucket", err)
}

// createBucket makes a private bucket in the configured region. What a server
// does not know of its protection and rules is said in the log.
func (s *Store) createBucket(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &s.bucket}
	if region := s.client.Options().Region; region != "" && region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := s.client.CreateBucket(ctx, in)
	if isCode(err, "BucketAlreadyOwnedByYou") {
		return nil // another process was quicker, and does the rest
	}
	if err != nil {
		return wrap(ctx, fmt.Sprintf("create the bucket %q", s.bucket), err)
	}
	s.log.Info("created the bucket", "bucket", s.bucket)
	_, err = s.client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket: &s.bucket,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true),
		},
	})
	if err != nil {
		s.log.Info("this server has no block of public access: the bucket is as private as its defaults", "bucket", s.bucket, "error", err)
	}
	_, err = s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &s.bucket,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			ID: aws.String("unfinished-uploads"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
		}}},
	})
	if err != nil {
		s.log.Info("this server takes no rule that removes unfinished uploads: see to it in its own way", "bucket", s.bucket, "error", err)
	}
	return nil
}

// conditions are the writes on which the server heeds if-none-match.
type conditions struct {
	put, complete bool
}

// probe finds out what the server heeds, with an object of its own that it
// removes.
func (s *Store) probe(ctx context.Context) error {
	name := s.prefix + probeDir + strings.ToLower(jobs.RandomID())
	defer func() {
		ctx, cancel := settling(ctx)
		defer cancel()
		_, _ = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &name}) // one byte; harmless if it stays
	}()
	put := func(condition *string) error {
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &name, Body: strings.NewReader("?"), IfNoneMatch: condition})
		return err
	}
	if err := put(nil); err != nil {
		return wrap(ctx, "try the bucket", err)
	}
	var err error
	if s.conditions.put, err = heeded(put(aws.String("*"))); err != nil {
		return wrap(ctx, "try conditional writes", err)
	}
	if s.conditions.complete, err = s.probeComplete(ctx, name); err != nil {
		return wrap(ctx, "try conditional uploads", err)
	}
	if !s.conditions.put || !s.conditions.complete {
		s.log.Warn("the server does not heed if-none-match: two workers that make the same song at the same moment may both store it; only one of them can commit the job",
			"bucket", s.bucket, "put", s.conditions.put, "multipart", s.conditions.complete)
	}
	return nil
}

// probeComplete completes an upload of one byte over the object that is there.
func (s *Store) probeComplete(ctx context.Context, name string) (bool, error) {
	begun, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: &name, ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumType: types.ChecksumTypeComposite,
	})
	if err != nil {
		return false, err
	}
	m := &multipart{store: s, key: strings.TrimPrefix(name, s.prefix), id: aws.ToString(begun.UploadId), outer: ctx, free: make(chan *buffer, 1)}
	m.ctx, m.stop = context.WithCancelCause(ctx)
	b := &buffer{limit: 1}
	b.write([]byte{'?'})
	_, err = m.send(b)
	if err == nil {
		err = m.wait()
	}
	if err != nil {
		return false, errors.Join(err, m.abort())
	}
	yes, err := heeded(m.complete(ctx, aws.String("*")))
	return yes, errors.Join(err, m.abort()) // also what the server did not understand
}

// heeded reads the answer to a conditional write over something that is there:
// refused, as it should be; done, or not understood; or no answer.
func heeded(err error) (bool, error) {
	switch status, _ := answer(err); {
	case err == nil, status == http.StatusNotImplemented, status == http.StatusBadRequest:
		return false, nil
	case status == http.StatusPreconditionFailed:
		return true, nil
	}
	return false, err
}

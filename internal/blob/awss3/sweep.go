package awss3

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const (
	// Records are looked at when they are old enough for their upload to have
	// ended. A process looks far back once, and then only at what has come since:
	// there is a record for every large file.
	sweepFrom  = time.Hour
	sweepFirst = 7 * 24 * time.Hour
	sweepUntil = 4 * time.Hour

	staleAfter = 24 * time.Hour
	songEnding = ".dca"
)

// Sweep removes what crashes have left: records that no file names, and
// unfinished uploads of songs that began more than a day ago (which costs
// nothing where the bucket has a rule for that). It may run at any time and in
// any number of processes.
func (s *Store) Sweep(ctx context.Context) error {
	return errors.Join(s.sweepRecords(ctx, s.now()), s.sweepUploads(ctx, s.now()))
}

func (s *Store) sweepRecords(ctx context.Context, now time.Time) error {
	until := sweepFirst
	if s.swept.Load() {
		until = sweepUntil
	}
	after := ""
	for {
		records, more, err := s.page(ctx, recordsDir, after, maxPage)
		if err != nil {
			return err
		}
		for _, r := range records {
			after = r.Key
			if age := now.Sub(r.ModTime); age < sweepFrom || age > until {
				continue
			}
			if err := s.sweepRecord(ctx, strings.TrimSuffix(strings.TrimPrefix(r.Key, recordsDir), ".json")); err != nil {
				return err
			}
		}
		if !more {
			s.swept.Store(true)
			return nil
		}
	}
}

// sweepRecord removes a record unless its key's file names it.
func (s *Store) sweepRecord(ctx context.Context, upload string) error {
	r, err := s.readRecord(ctx, upload)
	if errors.Is(err, jobs.ErrNotFound) || errors.Is(err, pipeline.ErrNotWhole) {
		return nil // removed meanwhile; or not ours
	}
	if err != nil {
		return err
	}
	there, err := s.head(ctx, r.Key)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		return err
	}
	if there.metadata[metaRecord] != upload {
		s.removeRecord(ctx, upload)
	}
	return nil
}

// sweepUploads gives up uploads that nobody can be working on any more. Only
// those of songs: the bucket may hold other people's things.
func (s *Store) sweepUploads(ctx context.Context, now time.Time) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &s.bucket}
	if s.prefix != "" {
		in.Prefix = &s.prefix
	}
	for {
		out, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return wrap(ctx, "list uploads", err)
		}
		for _, u := range out.Uploads {
			if now.Sub(aws.ToTime(u.Initiated)) < staleAfter || !strings.HasSuffix(aws.ToString(u.Key), songEnding) {
				continue
			}
			_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: u.Key, UploadId: u.UploadId})
			if err := wrap(ctx, "give up upload", err); err != nil && !isCode(err, "NoSuchUpload") {
				return err
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}

package awss3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// Names in an object's metadata. Values are percent-encoded UTF-8.
const (
	metaVersion    = "butakero-version"
	metaUpload     = "butakero-upload" // fresh for every upload
	metaRecord     = "butakero-record" // the description is in this record and not here
	metaPlatform   = "platform"
	metaSong       = "song-id"
	metaProfile    = "profile"
	metaTitle      = "title"
	metaBytes      = "bytes"
	metaSHA256     = "sha256"
	metaFrames     = "frames"
	metaDuration   = "duration"
	metaTranscoded = "transcoded"

	version        = "1"
	maxMetadata    = 2048 // bytes of names and values, at S3
	maxRecordBytes = 64 << 10
)

// record describes the file that one upload made.
type record struct {
	Version  string            `json:"v"`
	Key      string            `json:"key"`
	Checksum string            `json:"checksum,omitempty"` // of all parts, as S3 tells it: base64-N
	Meta     pipeline.BlobMeta `json:"meta"`
}

// metadata is a description as an object's metadata; false if it does not fit.
func metadata(upload string, m pipeline.BlobMeta) (map[string]string, bool) {
	all := map[string]string{
		metaVersion: version, metaUpload: upload, metaPlatform: m.Song.Platform, metaSong: m.Song.ID, metaProfile: m.Profile, metaTitle: m.Title,
		metaBytes: strconv.FormatInt(m.Bytes, 10), metaSHA256: m.SHA256, metaFrames: strconv.FormatInt(m.Frames, 10),
		metaDuration: m.Duration.String(), metaTranscoded: strconv.FormatBool(m.Transcoded),
	}
	size := 0
	for name, value := range all {
		if value == "" {
			delete(all, name) // some servers do not keep empty ones
			continue
		}
		all[name] = url.PathEscape(value)
		size += len(name) + len(all[name])
	}
	return all, size <= maxMetadata
}

// recordMetadata says that the upload's description is in its record.
func recordMetadata(upload string) map[string]string {
	return map[string]string{metaVersion: version, metaUpload: upload, metaRecord: upload}
}

// describe reads what metadata made. The error wraps pipeline.ErrNotWhole.
func describe(all map[string]string) (m pipeline.BlobMeta, err error) {
	text := func(name string) string {
		value, e := url.PathUnescape(all[name])
		err = errors.Join(err, e)
		return value
	}
	number := func(name string) int64 {
		n, e := strconv.ParseInt(all[name], 10, 64)
		err = errors.Join(err, e)
		return n
	}
	m = pipeline.BlobMeta{
		Song: jobs.Song{Platform: text(metaPlatform), ID: text(metaSong)}, Profile: text(metaProfile), Title: text(metaTitle),
		Bytes: number(metaBytes), SHA256: text(metaSHA256), Frames: number(metaFrames), Transcoded: all[metaTranscoded] == "true",
	}
	var e error
	m.Duration, e = time.ParseDuration(text(metaDuration))
	if err = errors.Join(err, e); err != nil {
		return m, fmt.Errorf("%w: its description is damaged: %w", pipeline.ErrNotWhole, err)
	}
	return m, nil
}

// writeRecord keeps what an upload is going to make, before that is visible.
func (s *Store) writeRecord(ctx context.Context, upload string, r record) error {
	r.Version = version
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.recordObject(upload)), Body: bytes.NewReader(body), ContentType: aws.String("application/json"),
	})
	return wrap(ctx, "write record", err)
}

// readRecord is jobs.ErrNotFound if there is none, pipeline.ErrNotWhole if it is
// none of ours.
func (s *Store) readRecord(ctx context.Context, upload string) (r record, err error) {
	if upload == "" || strings.ContainsAny(upload, "/.%") {
		return r, fmt.Errorf("%w: its record has no proper name", pipeline.ErrNotWhole)
	}
	got, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.recordObject(upload))})
	if err != nil {
		return r, wrap(ctx, "read record", err)
	}
	defer func() { _ = got.Body.Close() }() // everything needed has been read
	body, err := io.ReadAll(io.LimitReader(got.Body, maxRecordBytes))
	if err != nil {
		return r, fmt.Errorf("read record: %w: %w", jobs.ErrUnavailable, err)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("%w: its record is damaged: %w", pipeline.ErrNotWhole, err)
	}
	if r.Version != version {
		return r, fmt.Errorf("%w: its record is of version %q", pipeline.ErrNotWhole, r.Version)
	}
	if err := s.checkKey(r.Key); err != nil {
		return r, fmt.Errorf("%w: its record is of no file: %w", pipeline.ErrNotWhole, err)
	}
	return r, nil
}

// removeRecord is for records that no object names. One that stays is removed by
// a sweep.
func (s *Store) removeRecord(ctx context.Context, upload string) {
	if upload == "" {
		return
	}
	_, _ = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.recordObject(upload))})
}

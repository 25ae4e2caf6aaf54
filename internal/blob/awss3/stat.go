package awss3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// found is an object as the server describes it.
type found struct {
	info     pipeline.BlobInfo
	metadata map[string]string
	checksum string // SHA-256 in base64, with -N for one of N parts; "": not told
}

// head asks for an object. jobs.ErrNotFound.
func (s *Store) head(ctx context.Context, key string) (found, error) {
	h, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.object(key)), ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return found{}, wrap(ctx, "look for file", err)
	}
	return found{
		info:     pipeline.BlobInfo{Key: key, Bytes: aws.ToInt64(h.ContentLength), ModTime: aws.ToTime(h.LastModified)},
		metadata: h.Metadata, checksum: aws.ToString(h.ChecksumSHA256),
	}, nil
}

// Stat implements pipeline.Blobs: one request for most files, two for those of
// more than 8 MiB.
func (s *Store) Stat(ctx context.Context, key string) (pipeline.BlobInfo, error) {
	if err := s.checkKey(key); err != nil {
		return pipeline.BlobInfo{}, err
	}
	missing := ""
	for looks := 1; ; looks++ {
		f, err := s.head(ctx, key)
		if err != nil {
			return pipeline.BlobInfo{}, err
		}
		if f.metadata[metaVersion] != version {
			return f.info, fmt.Errorf("%w: nothing is recorded of it", pipeline.ErrNotWhole)
		}
		parts, upload := "", f.metadata[metaRecord]
		if upload == "" {
			f.info.Meta, err = describe(f.metadata)
		} else {
			f.info.Meta, parts, err = s.described(ctx, upload, key)
		}
		if errors.Is(err, jobs.ErrNotFound) && upload != missing {
			// The file may have been replaced or removed, and its record with it,
			// since it was asked for. Look again.
			missing = upload
			continue
		}
		if errors.Is(err, jobs.ErrNotFound) {
			return f.info, fmt.Errorf("%w: its record is gone", pipeline.ErrNotWhole)
		}
		if err == nil {
			err = f.disagrees(parts)
		}
		// On servers that keep metadata apart from the bytes, a look while the file
		// is replaced may see those of the one and those of the other.
		if errors.Is(err, pipeline.ErrNotWhole) && looks == 1 {
			continue
		}
		return f.info, err
	}
}

// described reads the description that is in a record, and the checksum of the
// parts.
func (s *Store) described(ctx context.Context, upload, key string) (pipeline.BlobMeta, string, error) {
	r, err := s.readRecord(ctx, upload)
	if err == nil && r.Key != key {
		err = fmt.Errorf("%w: its record is of %q", pipeline.ErrNotWhole, r.Key)
	}
	return r.Meta, r.Checksum, err
}

// disagrees tells whether the object is not what its description says. parts is
// the checksum of its parts, if it was recorded; an object that somebody has
// copied may have others, or none.
func (f found) disagrees(parts string) error {
	if f.info.Bytes != f.info.Meta.Bytes {
		return fmt.Errorf("%w: %d bytes, %d are recorded", pipeline.ErrNotWhole, f.info.Bytes, f.info.Meta.Bytes)
	}
	want := ""
	_, count, composite := strings.Cut(f.checksum, "-")
	switch {
	case f.checksum == "":
		return nil
	case !composite:
		want = checksumOf(f.info.Meta.SHA256)
	case strings.HasSuffix(parts, "-"+count):
		want = parts
	default:
		return nil
	}
	if f.checksum != want {
		return fmt.Errorf("%w: its checksum is not that of its record", pipeline.ErrNotWhole)
	}
	return nil
}

// checksumOf is a hexadecimal SHA-256 as S3 writes it.
func checksumOf(sum string) string {
	b, err := hex.DecodeString(sum)
	if err != nil {
		return "?" // no checksum
	}
	return base64.StdEncoding.EncodeToString(b)
}

// Exists implements jobs.Files: the file is there, and size and hash are those
// of the result.
func (s *Store) Exists(ctx context.Context, r jobs.Result) (bool, error) {
	info, err := s.Stat(ctx, r.Path)
	switch {
	case err == nil:
		return info.Bytes == r.Bytes && info.Meta.SHA256 == r.SHA256, nil
	case errors.Is(err, jobs.ErrNotFound), errors.Is(err, pipeline.ErrNotWhole), errors.Is(err, pipeline.ErrBadKey):
		return false, nil
	}
	return false, err
}

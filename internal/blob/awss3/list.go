package awss3

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/butakero/butakero/internal/pipeline"
)

const maxPage = 1000

// List implements pipeline.Blobs. Files that somebody else put into the bucket
// are listed too, where their names are keys.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]pipeline.BlobInfo, error) {
	if limit <= 0 || !mayStart(prefix) || strings.HasPrefix(prefix, hidden) {
		return nil, ctx.Err()
	}
	// Servers that keep objects in folders refuse to look for the beginnings of
	// names "." and "..": look from before them on ("-" comes before ".").
	folder := prefix
	if i := strings.LastIndexByte(prefix, '/') + 1; prefix[i:] == "." || prefix[i:] == ".." {
		folder, after = prefix[:i], max(after, prefix[:i]+"-~")
	}
	var infos []pipeline.BlobInfo
	for {
		objects, more, err := s.page(ctx, folder, after, min(limit-len(infos), maxPage))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			after = o.Key
			if strings.HasPrefix(o.Key, hidden) {
				after, more = hiddenEnd, true // go on behind all of it
				break
			}
			if !strings.HasPrefix(o.Key, prefix) && o.Key > prefix {
				return infos, nil // behind them
			}
			if strings.HasPrefix(o.Key, prefix) && s.checkKey(o.Key) == nil {
				infos = append(infos, o)
			}
		}
		if !more || len(infos) >= limit {
			return infos, nil
		}
	}
}

// page lists objects by their names below the store's prefix, whatever they are.
func (s *Store) page(ctx context.Context, prefix, after string, limit int) (infos []pipeline.BlobInfo, more bool, err error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &s.bucket, Prefix: aws.String(s.prefix + prefix), MaxKeys: aws.Int32(int32(limit)),
		EncodingType: types.EncodingTypeUrl, // names may have what XML has not
	}
	if after != "" {
		in.StartAfter = aws.String(s.prefix + after)
	}
	out, err := s.client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, false, wrap(ctx, "list files", err)
	}
	for _, o := range out.Contents {
		name := aws.ToString(o.Key)
		if out.EncodingType == types.EncodingTypeUrl { // some servers do not do it
			if name, err = url.QueryUnescape(name); err != nil {
				return nil, false, wrap(ctx, "list files", err)
			}
		}
		infos = append(infos, pipeline.BlobInfo{
			Key: strings.TrimPrefix(name, s.prefix), Bytes: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified),
		})
	}
	return infos, aws.ToBool(out.IsTruncated) && len(infos) > 0, nil
}

package awss3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// wrap says what was being done and gives the server's error its meaning.
// Whatever may pass without anybody changing the request, or be set right by an
// operator (credentials, permissions, a bucket that is gone), wraps
// jobs.ErrUnavailable.
func wrap(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if why := ctx.Err(); why != nil {
		return fmt.Errorf("%s: %w", doing, why)
	}
	meaning := jobs.ErrUnavailable
	switch status, code := answer(err); {
	case code == "NoSuchBucket", code == "NoSuchUpload", status == 0, status >= 500 && status != http.StatusNotImplemented && status != http.StatusInsufficientStorage:
	case status == http.StatusInsufficientStorage, code == "QuotaExceeded", code == "XMinioStorageFull", code == "XMinioAdminBucketQuotaExceeded":
		meaning = pipeline.ErrNoSpace
	case status == http.StatusNotFound:
		meaning = jobs.ErrNotFound
	case status == http.StatusPreconditionFailed:
		meaning = pipeline.ErrExists
	case code == "KeyTooLongError", code == "XMinioInvalidObjectName", code == "InvalidObjectName", code == "InvalidURI":
		meaning = pipeline.ErrBadKey
	case code == "BadDigest", code == "XAmzContentSHA256Mismatch", code == "XAmzContentChecksumMismatch":
		meaning = pipeline.ErrNotWhole
	case status == http.StatusForbidden, status == http.StatusUnauthorized, status == http.StatusTooManyRequests,
		status == http.StatusConflict, status == http.StatusRequestTimeout, code == "RequestTimeout", code == "SlowDown":
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, meaning, err)
}

// answer is what the server said: 0 if it said nothing.
func answer(err error) (status int, code string) {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	return status, code
}

func isStatus(err error, want int) bool {
	status, _ := answer(err)
	return status == want
}

func isCode(err error, want string) bool {
	_, code := answer(err)
	return code == want
}

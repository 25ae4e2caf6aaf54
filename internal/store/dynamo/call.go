package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/butakero/butakero/internal/jobs"
)

const (
	concurrency = 32 // requests of one call at a time
	backoffBase = 25 * time.Millisecond
	backoffCap  = 2 * time.Second
)

var retryable = retry.IsErrorRetryables(retry.DefaultRetryables)

// call sends a request, and again when it was throttled, found nobody, or got no
// answer: up to Options.Attempts times with full jitter, while ctx lasts. A
// failed condition comes back as it is; every other error wraps
// jobs.ErrUnavailable or ctx's error.
func (s *Store) call(ctx context.Context, what string, send func(context.Context) error) error {
	var err error
	for try := range s.options.Attempts {
		if ctx.Err() != nil {
			break
		}
		if try > 0 && !pause(ctx, try) {
			break
		}
		once, cancel := context.WithTimeout(ctx, s.options.AttemptTimeout)
		err = send(once)
		timedOut := once.Err() != nil
		cancel()
		if err == nil {
			return nil
		}
		var failed *types.ConditionalCheckFailedException
		if errors.As(err, &failed) {
			return err
		}
		if !timedOut && !again(err) {
			break
		}
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("dynamodb: %s: %w", what, cause)
	}
	return fmt.Errorf("dynamodb: %s: %w: %w", what, jobs.ErrUnavailable, err)
}

func again(err error) bool {
	if retryable.IsErrorRetryable(err) == aws.TrueTernary {
		return true
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
		return true
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		_, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]
		return throttled
	}
	var lost *smithy.DeserializationError // the answer broke off
	if errors.As(err, &lost) {
		return true
	}
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent) || strings.Contains(err.Error(), "failed to read response body")
}

// pause waits with full jitter; false when ctx ended first.
func pause(ctx context.Context, try int) bool {
	limit := min(backoffCap, backoffBase<<min(try, 10))
	t := time.NewTimer(time.Duration(rand.Float64() * float64(limit)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// each runs f for 0 to n-1, at most concurrency at a time, and waits.
func each(n int, f func(i int)) {
	if n == 1 {
		f(0)
		return
	}
	slots := make(chan struct{}, concurrency)
	var wait sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wait.Wait()
}

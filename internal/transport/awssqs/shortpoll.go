package awssqs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// waiting has a receive without waiting say so. The SDK leaves out what is zero, and
// then SQS takes the queue's own long polling, which may be 20 s.
func waiting(wait time.Duration) func(*sqs.Options) {
	return func(o *sqs.Options) {
		if wait >= time.Second {
			return
		}
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return s.Build.Add(middleware.BuildMiddlewareFunc("butakeroShortPoll", sayZero), middleware.Before)
		})
	}
}

// sayZero adds the wait of zero to the request's body, before its length is taken
// and it is signed.
func sayZero(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (out middleware.BuildOutput, meta middleware.Metadata, err error) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return out, meta, fmt.Errorf("a request of the unknown type %T", in.Request)
	}
	body, err := io.ReadAll(request.GetStream())
	if err != nil {
		return out, meta, fmt.Errorf("read the request: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return out, meta, fmt.Errorf("the request is not of SQS's JSON protocol: %w", err)
	}
	fields["WaitTimeSeconds"] = json.RawMessage("0")
	if body, err = json.Marshal(fields); err != nil {
		return out, meta, err
	}
	if in.Request, err = request.SetStream(bytes.NewReader(body)); err != nil {
		return out, meta, err
	}
	return next.HandleBuild(ctx, in)
}

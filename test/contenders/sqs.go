package contenders

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"
	wsqs "github.com/ThreeDotsLabs/watermill-aws/sqs"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// WatermillSQS is a range over the channel of Watermill's subscriber for SQS on the
// queue at url. receive is how many messages a request brings: 1 is the library's own
// choice, 10 the most that SQS gives.
func WatermillSQS(config aws.Config, url string, receive int32) Loop {
	return func(ctx context.Context, work func()) error {
		s, err := wsqs.NewSubscriber(wsqs.SubscriberConfig{
			AWSConfig: config, QueueUrlResolver: wsqs.TransparentUrlResolver{}, DoNotCreateQueueIfNotExists: true,
			GenerateReceiveMessageInput: func(ctx context.Context, url wsqs.QueueURL) (*sqs.ReceiveMessageInput, error) {
				in, err := wsqs.GenerateReceiveMessageInputDefault(ctx, url)
				if err == nil {
					in.MaxNumberOfMessages = receive
				}
				return in, err
			},
		}, watermill.NopLogger{})
		if err != nil {
			return err
		}
		return drainChannel(ctx, s, url, work)
	}
}

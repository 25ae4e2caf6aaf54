package wire_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/butakero/butakero/test/servers/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// config is that of clients that try once: the tests want to see each fault.
func config(endpoint, key, secret string) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(key, secret, ""),
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// queue makes a queue of this test's own, and a client that goes to an endpoint.
func queue(t *testing.T, endpoint string) (*sqs.Client, *string) {
	t.Helper()
	c := sqs.NewFromConfig(config(endpoint, "test", "test"))
	q, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("wire-" + strings.ToLower(rand.Text()))})
	if err != nil {
		t.Fatal(err)
	}
	return c, q.QueueUrl
}

// table makes a table of this test's own with the key k.
func table(t *testing.T, endpoint string) (*dynamodb.Client, *string) {
	t.Helper()
	c := dynamodb.NewFromConfig(config(endpoint, "test", "test"))
	name := aws.String("wire-" + strings.ToLower(rand.Text()))
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            name,
		BillingMode:          dynamotypes.BillingModePayPerRequest,
		AttributeDefinitions: []dynamotypes.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: dynamotypes.ScalarAttributeTypeS}},
		KeySchema:            []dynamotypes.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: dynamotypes.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	quick := func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond }
	err = dynamodb.NewTableExistsWaiter(c, quick).Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: name}, patience)
	if err != nil {
		t.Fatal(err)
	}
	return c, name
}

// bucket makes a bucket and a client of MinIO.
func bucket(t *testing.T, endpoint string) (*s3.Client, *string) {
	t.Helper()
	account := servers.S3(t)
	name := "wire-" + strings.ToLower(rand.Text())
	c := s3.NewFromConfig(config(endpoint, account.Key, account.Secret), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return c, &name
}

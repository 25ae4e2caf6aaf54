package servers

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// BUTAKERO_TEST_AWS=real has the shared SQS, DynamoDB and S3 be AWS's own, with the
// SDK's own credentials and region, and costs money. SQS also needs the number of the
// account, as a queue's URL holds it.
const (
	realVariable    = "BUTAKERO_TEST_AWS"
	accountVariable = "BUTAKERO_TEST_AWS_ACCOUNT"
	emulatorAccount = "000000000000"
)

// realAddress is a service's own endpoint, if that is wanted.
func realAddress(name string) string {
	service, ok := map[string]string{"sqs": "sqs", "dynamodb": "dynamodb", "s3": "s3"}[name]
	if !ok || os.Getenv(realVariable) != "real" {
		return ""
	}
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = "us-east-1"
	}
	return "https://" + service + "." + region + ".amazonaws.com"
}

func isReal(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && strings.HasSuffix(u.Hostname(), ".amazonaws.com")
}

// AWS is the SDK's configuration for an endpoint: region us-east-1 and the tests' key
// for emulators, all of the SDK's own settings for AWS itself.
func AWS(tb testing.TB, endpoint string) aws.Config {
	tb.Helper()
	if !isReal(endpoint) {
		return aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	}
	c, err := config.LoadDefaultConfig(tb.Context(), config.WithRegion(strings.Split(endpoint, ".")[1]))
	if err != nil {
		tb.Fatalf("%s=real: %v", realVariable, err)
	}
	return c
}

// QueueURL is the URL of a queue at an endpoint of SQS.
func QueueURL(tb testing.TB, endpoint, name string) string {
	tb.Helper()
	account := emulatorAccount
	if isReal(endpoint) {
		if account = os.Getenv(accountVariable); account == "" {
			tb.Fatalf("%s=real: %s must be the account's number", realVariable, accountVariable)
		}
	}
	return fmt.Sprintf("%s/%s/%s", endpoint, account, name)
}

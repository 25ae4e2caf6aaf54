//go:build deploycheck

package kube

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/transport/awssqs"
	"github.com/butakero/butakero/test/kube/plane"
	"github.com/butakero/butakero/test/servers/servers"
)

func TestKEDATry(t *testing.T) {
	engine := servers.NewSQS(t)
	p := plane.Start(t)
	p.KEDA(t, "AWS_ENDPOINT_URL_SQS="+engine.Address, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
	url := engine.Address + "/000000000000/butakero-jobs"
	q, err := awssqs.Open(t.Context(), aws.Config{Region: "us-east-1", BaseEndpoint: &engine.Address, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")},
		awssqs.Options{URL: url, CreateResources: true, Visibility: time.Minute, Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	p.Kubectl(t, "create", "deployment", "x", "--image", "x", "--replicas", "0")
	p.Apply(t, fmt.Sprintf(`apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: x, namespace: default}
spec:
  scaleTargetRef: {name: x}
  pollingInterval: 1
  cooldownPeriod: 1
  minReplicaCount: 0
  maxReplicaCount: 10
  advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 0}}}}
  triggers:
    - type: aws-sqs-queue
      metadata: {queueURL: %q, queueLength: "4", awsRegion: us-east-1, identityOwner: operator}
`, url))
	var out []jobs.Outgoing
	for n := range 20 {
		out = append(out, jobs.Outgoing{Message: jobs.Message{Version: 1, Key: fmt.Sprintf("demo:song%07d:default", n), Generation: 1}})
	}
	for _, o := range out {
		if err := q.Send(t.Context(), []jobs.Outgoing{o}); err != nil {
			t.Fatal(err)
		}
	}
	plane.Await(t, time.Minute, "scaled out", func(ctx context.Context) error {
		out, err := p.Do(ctx, "", "kubectl", "get", "deployment", "x", "-o", "jsonpath={.spec.replicas}")
		if err == nil && out != "5" {
			err = fmt.Errorf("%s replicas", out)
		}
		return err
	})
	t.Log(p.Kubectl(t, "get", "scaledobjects,hpa,pods"))
}

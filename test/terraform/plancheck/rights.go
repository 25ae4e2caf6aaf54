package plancheck

import (
	"encoding/json"
	"slices"
	"strings"
)

// known are the actions that our services use. What is not here is too much, or
// misspelt, which AWS would accept in silence.
var known = strings.Fields(`
	sqs:SendMessage sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility sqs:GetQueueAttributes sqs:GetQueueUrl
	dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:DescribeTable
	s3:ListBucket s3:ListBucketMultipartUploads s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload
	kms:Decrypt kms:GenerateDataKey secretsmanager:GetSecretValue ecs:UpdateTaskProtection ecs:GetTaskProtection
	logs:CreateLogStream logs:PutLogEvents logs:DescribeLogStreams
	ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer`)

// required is what the programs can not do without, by a part of the role's address
// (docs/engines.md).
var required = map[string][]string{
	"module.worker.aws_iam_role_policy.task": strings.Fields(`sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:GetQueueAttributes
		dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:DescribeTable
		s3:ListBucket s3:ListBucketMultipartUploads s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload
		secretsmanager:GetSecretValue ecs:UpdateTaskProtection`),
	"module.api.aws_iam_role_policy.task": strings.Fields(`sqs:SendMessage sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ReceiveMessage sqs:DeleteMessage
		dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:DescribeTable
		s3:ListBucket s3:GetObject secretsmanager:GetSecretValue`),
}

// forbidden is what a service has no business with.
var forbidden = map[string][]string{
	"module.api.": {"s3:PutObject", "s3:DeleteObject", "sqs:ChangeMessageVisibility", "ecs:UpdateTaskProtection"},
}

type policy struct {
	Statement []struct {
		Sid, Effect         string
		Action, NotAction   any
		Resource, Principal any
		Condition           map[string]any
	}
}

func rights(r Resource, _ []Resource, report reporter) {
	var p policy
	if err := json.Unmarshal([]byte(r.text("policy")), &p); err != nil {
		report("policy: %v", err)
		return
	}
	var granted []string
	for _, s := range p.Statement {
		if s.Effect != "Allow" {
			continue
		}
		if s.NotAction != nil {
			report("statement %s allows by leaving out", s.Sid)
		}
		for _, action := range texts(s.Action) {
			granted = append(granted, action)
			switch {
			case strings.Contains(action, "*"):
				report("statement %s allows %s", s.Sid, action)
			case !slices.Contains(known, action):
				report("statement %s allows %s, which no service of ours uses", s.Sid, action)
			}
			for part, actions := range forbidden {
				if strings.Contains(r.Address, part) && slices.Contains(actions, action) {
					report("allows %s, which is not its business", action)
				}
			}
		}
		for _, resource := range texts(s.Resource) {
			if resource == "*" && !slices.Equal(texts(s.Action), []string{"ecr:GetAuthorizationToken"}) {
				report("statement %s is about every resource", s.Sid)
			}
		}
	}
	for _, action := range required[r.Address] {
		if !slices.Contains(granted, action) {
			report("lacks %s", action)
		}
	}
}

func trust(r Resource, _ []Resource, report reporter) {
	var p policy
	if err := json.Unmarshal([]byte(r.text("assume_role_policy")), &p); err != nil {
		report("assume_role_policy: %v", err)
		return
	}
	for _, s := range p.Statement {
		principals, _ := s.Principal.(map[string]any)
		services := texts(principals["Service"])
		if len(principals) != 1 || len(services) != 1 || !slices.Contains([]string{"ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com"}, services[0]) {
			report("is trusted to %v", s.Principal)
		}
	}
}

func door(r Resource, _ []Resource, report reporter) {
	for _, name := range []string{"cidr_ipv4", "cidr_ipv6"} {
		if strings.HasSuffix(r.text(name), "/0") {
			report("lets everybody in (%s)", r.text(name))
		}
	}
}

func balancer(r Resource, _ []Resource, report reporter) {
	if len(texts(r.Values["subnets"])) < 2 {
		report("a load balancer needs subnets in two zones")
	}
	if r.Values["drop_invalid_header_fields"] != true {
		report("invalid header fields are handed on")
	}
}

func listener(r Resource, _ []Resource, report reporter) {
	if r.text("protocol") != "HTTPS" {
		return
	}
	if r.text("certificate_arn") == "" {
		report("HTTPS without a certificate")
	}
	if !strings.Contains(r.text("ssl_policy"), "TLS13-1-") {
		report("ssl_policy %q lets old protocols in", r.text("ssl_policy"))
	}
}

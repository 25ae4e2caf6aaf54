package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/terraform/plancheck"
)

// mistake is one that is planted in the code, and what its discovery says.
type mistake struct {
	file, old, new string
	want           string
}

func (m mistake) plant(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, m.file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), m.old) {
		t.Fatalf("%s has no %q to replace", m.file, m.old)
	}
	changed := strings.Replace(string(content), m.old, m.new, 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Those that the schema convicts: terraform validate. What is found while the code is
// read hides what is found later, and what is wrong hides what depends on it, hence the
// rounds.
func TestValidationConvicts(t *testing.T) {
	t.Parallel()
	for name, mistakes := range map[string][]mistake{
		"read": {
			{"main.tf", "  max_receives           = var.queue_max_receives\n", "", `The argument "max_receives" is required`},
			{"main.tf", "  wait_seconds           = var.queue_wait_seconds\n", "  wait_second            = var.queue_wait_seconds\n", `An argument named "wait_second" is not expected`},
		},
		"services": {
			{"modules/service-worker/main.tf", "  deployment_circuit_breaker {", "  deployment_circuit_breaker {\n    enable   = true\n    rollback = true\n  }\n\n  deployment_circuit_breaker {", `No more than 1 "deployment_circuit_breaker" blocks are allowed`},
			{"modules/service-api/scaling.tf", "min_capacity       = var.min_tasks", `min_capacity       = "few"`, `Inappropriate value for attribute "min_capacity": a number is required`},
		},
		"roles and bounds": {
			{"modules/service-worker/scaling.tf", "  max_capacity       = var.max_tasks\n", "", `The argument "max_capacity" is required`},
			{"modules/service-api/main.tf", "aws_iam_role.task.arn", "aws_iam_role.tasks.arn", `A managed resource "aws_iam_role" "tasks" has not been declared`},
		},
		"alarms": {
			{"modules/observability/main.tf", "  evaluation_periods  = each.value.periods\n", "", `The argument "evaluation_periods" is required`},
		},
		"schema": {
			{"modules/queue/main.tf", "visibility_timeout_seconds ", "visibility_timeout_second ", `An argument named "visibility_timeout_second" is not expected`},
			{"modules/edge/main.tf", "unhealthy_threshold", "unhealthy_treshold", `An argument named "unhealthy_treshold" is not expected`},
			{"modules/secrets/main.tf", "  name                    = var.name\n", "  name                    = var.nam\n", `An input variable with the name "nam" has not been declared`},
			{"modules/tables/main.tf", "  point_in_time_recovery {", "  point_in_time_restore {", `Blocks of type "point_in_time_restore" are not expected`},
			{"modules/files/main.tf", "  versioning_configuration {", "  versioning_configuration = {", `An argument named "versioning_configuration" is not expected`},
			{"modules/cluster/main.tf", "tags = merge(var.tags, { Name = var.name })", "tags {\n    Name = var.name\n  }", `Blocks of type "tags" are not expected`},
			{"modules/queue/main.tf", `resource "aws_sqs_queue_redrive_allow_policy"`, `resource "aws_sqs_redrive_allow_policy"`, `does not support resource type "aws_sqs_redrive_allow_policy"`},
			{"modules/secrets/outputs.tf", "aws_secretsmanager_secret.cookies.arn", "aws_secretsmanager_secret.cookies.urn", `exported attribute named "urn"`},
			{"modules/registry/main.tf", "  force_delete         = var.force_delete", "  force_delete         = var.force_delete\n  arn                  = \"x\"", "arn is not to be set"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := workspace(t)
			for _, m := range mistakes {
				m.plant(t, dir)
			}
			out, err := run(dir, "validate", "-no-color")
			if err == nil {
				t.Fatal("all is valid")
			}
			for _, m := range mistakes {
				if !strings.Contains(flat(out), m.want) {
					t.Errorf("%s: not convicted: %s", m.file, m.want)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

// flat undoes the breaking of lines.
func flat(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "│", " ")), " ")
}

// Those that somebody's variables make: terraform plan.
func TestVariablesAreRefused(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	wrong := []struct{ set, want string }{
		{"aws_region=virginia", "aws_region is a region"},
		{"project_name=Butakero_Music", "project_name has 3 to 26"},
		{"environment=Production", "environment has 2 to 8"},
		{"gin_mode=fast", "gin_mode is release"},
		{"service_max_attempts=0", "service_max_attempts is a whole number"},
		{"service_timeout=900", "service_timeout is a number of minutes"},
		{"oauth2_enabled=maybe", "oauth2_enabled is true or false"},
		{"container_port=80", "container_port is 1024"},
		{"secret_name=a b", "secret_name has letters"},
		{`sqs_queue_tag={"aws:x"="y"}`, "do not begin with aws:"},
		{"image_tag=latest", "not latest"},
		{`allowed_cidrs=["0.0.0.0/0"]`, "none larger than a /8"},
		{"worker_size={cpu=1024,memory=1024}", "a pair that Fargate knows"},
		{"lease_seconds=5", "lease_seconds is 30"},
		{"queue_max_receives=3", "queue_max_receives is 10"},
		{"worker_stop_timeout=300", "worker_stop_timeout is 30 to 120"},
		{"worker_drain_seconds=119", "worker_drain_seconds is 0 to 100"},
		{"worker_start_steps=[{backlog=5,add=1}]", "begins with backlog 1"},
		{"log_retention_days=31", "log_retention_days is one of those"},
		{`settings={YOUTUBE_API_KEY="x"}`, "settings hold no secrets"},
		{`vpc_cidr=10.0.0.0/28`, "vpc_cidr is a range"},
	}
	args := []string{"plan", "-input=false", "-no-color", "-refresh=false", example}
	for _, w := range wrong {
		args = append(args, "-var="+w.set)
	}
	out, err := run(dir, args...)
	if err == nil {
		t.Fatal("all is accepted")
	}
	for _, w := range wrong {
		if !strings.Contains(flat(out), w.want) {
			t.Errorf("%s: not refused with %q", w.set, w.want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestPlainHTTPIsAChoice(t *testing.T) {
	t.Parallel()
	out, err := run(workspace(t), "plan", "-input=false", "-no-color", example, "-var=plain_http=false")
	if err == nil || !strings.Contains(flat(out), "Set certificate_arn") {
		t.Errorf("a load balancer without TLS and without saying so: %v\n%s", err, out)
	}
}

// Those that no schema knows: all planted at once, each has to be found. They lie far
// enough apart that none hides another.
func TestPlanCheckConvicts(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	mistakes := []mistake{
		{"modules/tables/main.tf", `billing_mode                = "PAY_PER_REQUEST"`, `billing_mode                = "ON_DEMAND"`, `billing_mode is "ON_DEMAND"`},
		{"modules/tables/main.tf", `desk = "S", touched = "S"`, `desk = "S", touches = "S"`, "key attribute touched is not declared"},
		{"modules/tables/main.tf", "    enabled        = true", "    enabled        = false", "ttl is not enabled"},
		{"modules/tables/main.tf", `{ hash = "ended_shard", range = "ended", include = null }`, `{ hash = "ended_shard", range = "PK", include = null }`, "attribute ended is in no key"},
		{"modules/queue/main.tf", "maxReceiveCount     =", "maxReceives         =", `unknown field "maxReceives"`},
		{"modules/queue/main.tf", "receive_wait_time_seconds         = var.wait_seconds", "receive_wait_time_seconds         = 2 * var.wait_seconds", "receive_wait_time_seconds is 40"},
		{"modules/files/main.tf", "restrict_public_buckets = true", "restrict_public_buckets = false", "restrict_public_buckets is not set"},
		{"modules/files/main.tf", "    abort_incomplete_multipart_upload {", "    expiration {\n      days = 30\n    }\n\n    abort_incomplete_multipart_upload {", "songs expire"},
		{"modules/registry/main.tf", `"IMMUTABLE"`, `"MUTABLE"`, `image_tag_mutability is "MUTABLE"`},
		{"modules/edge/main.tf", "description       = var.plain_http ? \"HTTP\" : \"HTTP, redirected to HTTPS\"\n  cidr_ipv4         = each.key", "description       = \"HTTP\"\n  cidr_ipv4         = \"0.0.0.0/0\"", "lets everybody in"},
		{"modules/edge/main.tf", `"/healthz"`, `"/readyz"`, `health_check.path is "/readyz"`},
		{"modules/edge/main.tf", `target_type          = "ip"`, `target_type          = "instance"`, `target_type is "instance"`},
		{"modules/edge/main.tf", `"${var.name}-api"` + "\n  vpc_id", `"${var.name}-target-group-of-the-api"` + "\n  vpc_id", "is longer than 32"},
		{"modules/service-api/main.tf", "stopTimeout            = var.stop_timeout", "stopTimeout            = 300", "Fargate kills after 120 s"},
		{"modules/service-worker/main.tf", `condition = "SUCCESS" }`, `condition = "SUCCESS" }]` + "\n    secrit = [1", `unknown field "secrit"`},
		{"modules/service-worker/iam.tf", `"sqs:ChangeMessageVisibility", `, "", "lacks sqs:ChangeMessageVisibility"},
		{"modules/service-worker/iam.tf", `"s3:PutObject"]`, `"s3:PutObject", "s3:*"]`, "allows s3:*"},
		{"modules/service-worker/iam.tf", `"ecs:GetTaskProtection"`, `"ecs:GetTaskProtections"`, "which no service of ours uses"},
		{"modules/service-worker/scaling.tf", `"ApproximateNumberOfMessagesNotVisible"`, `"ApproximateNumberOfMessagesInFlight"`, "nobody publishes AWS/SQS ApproximateNumberOfMessagesInFlight"},
		{"modules/service-worker/scaling.tf", `backlog = "(visible + inflight)`, `backlog = "(visible + notvisible)`, "uses notvisible, which is no metric"},
		{"modules/service-worker/scaling.tf", `"ChangeInCapacity"`, `"AddCapacity"`, `adjustment_type is "AddCapacity"`},
		{"modules/service-worker/scaling.tf", "alarm_actions       = [aws_appautoscaling_policy.start.arn]", "alarm_actions       = [aws_appautoscaling_policy.backlog.arn]", "no alarm takes these steps"},
		{"modules/service-worker/collector.tf", "retention_in_days = 3 ", "retention_in_days = 4 ", "retention_in_days is 4"},
		{"modules/service-api/main.tf", "readonlyRootFilesystem = true", "readonlyRootFilesystem = false", "its root file system can be written"},
		{"modules/service-api/main.tf", `container_name   = "api"`, `container_name   = "app"`, "asks container app for port 8080"},
		{"modules/service-api/main.tf", "assign_public_ip = false", "assign_public_ip = true", "have public addresses"},
		{"modules/service-api/main.tf", "    rollback = true", "    rollback = false", "is not rolled back"},
		{"modules/service-api/main.tf", `sourceVolume = "data"`, `sourceVolume = "date"`, "mounts the volume date"},
		{"modules/service-api/iam.tf", `["s3:GetObject"]`, `["s3:GetObject", "s3:DeleteObject"]`, "allows s3:DeleteObject, which is not its business"},
		{"modules/service-api/iam.tf", "resources = [var.bucket_arn]", `resources = ["*"]`, "is about every resource"},
		{"modules/service-api/scaling.tf", `"ALBRequestCountPerTarget"`, `"ALBRequestsPerTarget"`, `predefined_metric_type is "ALBRequestsPerTarget"`},
		{"modules/observability/main.tf", `metric = "butakero_oldest_pending_seconds"`, `metric = "oldest_pending_seconds"`, "nobody publishes Butakero oldest_pending_seconds"},
		{"modules/observability/main.tf", `missing = "breaching"`, `missing = "break"`, `treat_missing_data is "break"`},
		{"main.tf", "GIN_MODE                    = var.gin_mode", "GIN_MODE                    = var.gin_mode\n    YOUTUBE_API_KEY = \"x\"", "is in the environment in plain text"},
	}
	for _, m := range mistakes {
		m.plant(t, dir)
	}
	found := strings.Join(plancheck.Findings(deploy(t, dir)), "\n")
	for _, m := range mistakes {
		if !strings.Contains(found, m.want) {
			t.Errorf("%s: %q is not found", m.file, m.want)
		}
	}
	if t.Failed() {
		t.Log("found:\n" + found)
	}
}

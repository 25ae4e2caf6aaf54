package terraform

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/terraform/plancheck"
)

// deploy applies with the example's variables and returns what there is then.
func deploy(t *testing.T, dir string, args ...string) []plancheck.Resource {
	t.Helper()
	must(t, dir, append([]string{"apply", "-input=false", "-no-color", "-auto-approve", example}, args...)...)
	resources, err := plancheck.Read([]byte(must(t, dir, "show", "-json")))
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

func find(t *testing.T, resources []plancheck.Resource, address string) plancheck.Resource {
	t.Helper()
	for _, r := range resources {
		if r.Address == address {
			return r
		}
	}
	t.Fatalf("there is no %s", address)
	return plancheck.Resource{}
}

// at walks into a value: names of members, and "0" for the first element.
func at(v any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		switch w := v.(type) {
		case map[string]any:
			v = w[part]
		case []any:
			if len(w) == 0 {
				return nil
			}
			v = w[0]
		}
	}
	return v
}

// The example is applied, is as it should be, needs no second apply, and goes away.
func TestExampleIsDeployed(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	resources := deploy(t, dir)
	for _, finding := range plancheck.Findings(resources) {
		t.Error(finding)
	}
	if len(resources) < 80 {
		t.Errorf("only %d resources", len(resources))
	}
	for _, is := range []struct {
		address, path string
		want          any
	}{
		{"module.queue.aws_sqs_queue.jobs", "visibility_timeout_seconds", 90.0},
		{"module.queue.aws_sqs_queue.jobs", "receive_wait_time_seconds", 20.0},
		{"module.queue.aws_sqs_queue.jobs", "message_retention_seconds", 345600.0},
		{"module.queue.aws_sqs_queue.dead", "message_retention_seconds", 1209600.0},
		{"module.queue.aws_sqs_queue.jobs", "sqs_managed_sse_enabled", true},
		{"module.tables.aws_dynamodb_table.songs", "billing_mode", "PAY_PER_REQUEST"},
		{"module.tables.aws_dynamodb_table.songs", "ttl.0.attribute_name", "ttl"},
		{"module.tables.aws_dynamodb_table.operations", "ttl.0.attribute_name", "ttl"},
		{"module.tables.aws_dynamodb_table.operations", "local_secondary_index.0.name", "open"},
		{"module.tables.aws_dynamodb_table.operations", "deletion_protection_enabled", true},
		{"module.files.aws_s3_bucket.songs", "force_destroy", false},
		{"module.files.aws_s3_bucket_lifecycle_configuration.songs", "rule.0.abort_incomplete_multipart_upload.0.days_after_initiation", 1.0},
		{`module.registry.aws_ecr_repository.this["worker"]`, "image_tag_mutability", "IMMUTABLE"},
		{`module.registry.aws_ecr_repository.this["api"]`, "image_scanning_configuration.0.scan_on_push", true},
		{"module.edge.aws_lb_target_group.api", "health_check.0.path", "/healthz"},
		{"module.edge.aws_lb_target_group.api", "target_type", "ip"},
		{"module.api.aws_appautoscaling_policy.cpu", "target_tracking_scaling_policy_configuration.0.target_value", 75.0},
		{"module.worker.aws_appautoscaling_policy.backlog", "target_tracking_scaling_policy_configuration.0.target_value", 16.0},
		{"module.worker.aws_appautoscaling_policy.backlog", "target_tracking_scaling_policy_configuration.0.scale_in_cooldown", 300.0},
		{"module.worker.aws_appautoscaling_policy.start", "policy_type", "StepScaling"},
		{"module.worker.aws_appautoscaling_target.this", "min_capacity", 1.0},
		{"module.worker.aws_ecs_service.this", "capacity_provider_strategy.0.capacity_provider", "FARGATE"},
		{"module.queue.aws_sqs_queue.jobs", "tags_all.ManagedBy", "terraform"},
		{"module.queue.aws_sqs_queue.jobs", "tags_all.Project", "music-downloader"}, // the original's map wins
		{"module.observability.aws_cloudwatch_metric_alarm.this[\"dead-jobs\"]", "dimensions.state", "dead"},
		{"module.secrets.aws_secretsmanager_secret.settings", "name", "butakero-audio-service-secrets"},
	} {
		if got := at(find(t, resources, is.address).Values, is.path); got != is.want {
			t.Errorf("%s: %s is %v, want %v", is.address, is.path, got, is.want)
		}
	}
	if out := must(t, dir, "plan", "-input=false", "-no-color", "-detailed-exitcode", example); !strings.Contains(out, "No changes.") {
		t.Errorf("a second apply would change something:\n%s", out)
	}
	must(t, dir, "destroy", "-input=false", "-no-color", "-auto-approve", example)
	if left := must(t, dir, "state", "list"); strings.TrimSpace(left) != "" {
		t.Errorf("destroy left:\n%s", left)
	}
}

// Other ways to set it up hold the same rules.
func TestVariantsAreSound(t *testing.T) {
	t.Parallel()
	certificate := "-var=certificate_arn=arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
	key := "-var=kms_key_arn=arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
	for name, args := range map[string][]string{
		"HTTPS, own key":     {"-var=plain_http=false", certificate, key, "-var=alb_access_logs=true", "-var=flow_logs=true", "-var=alarm_email=a@example.org"},
		"asleep, no metrics": {"-var=worker_min_tasks=0", "-var-file=silent.tfvars", "-var=youtube_cookies=false", "-var=worker_spot=true", "-var=alb_internal=true"},
		"three zones": {
			"-var=zones=3", "-var=nat=one_per_zone", `-var=interface_endpoints=["sqs","logs"]`, "-var=worker_disk_gib=50", "-var=worker_size={cpu=4096,memory=30720}",
			"-var=worker_image=example.org/worker:1", "-var=environment=staging", "-var=container_port=9090",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := workspace(t)
			if err := os.WriteFile(filepath.Join(dir, "silent.tfvars"), []byte("metrics_image = null\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, finding := range plancheck.Findings(deploy(t, dir, args...)) {
				t.Error(finding)
			}
		})
	}
}

// No value of a secret is anywhere in what Terraform keeps.
func TestNoSecretInTheState(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(origin, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tf" {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), "aws_secretsmanager_secret_version") {
			t.Errorf("%s writes or reads the value of a secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(workspace(t), "plan", "-input=false", "-no-color", example, "-var=youtube_api_key=AIzaNotReallyOne")
	if err == nil || !strings.Contains(out, "put-secret-value") {
		t.Errorf("a key in a variable is not refused with the command that puts it right: %v\n%s", err, out)
	}
	if strings.Contains(out, "AIzaNotReallyOne") {
		t.Errorf("the refusal prints the key:\n%s", out)
	}
}

// Every setting that the tasks get is one that the programs read.
func TestSettingsAreTheProgramsOwn(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../internal/app/settings.go")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, m := range regexp.MustCompile(`\{name: "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		known = append(known, m[1])
	}
	known = append(known, "TMPDIR", "AOT_CONFIG_CONTENT") // of the system, and of the collector
	resources := deploy(t, workspace(t))
	for _, address := range []string{"module.api.aws_ecs_task_definition.this", "module.worker.aws_ecs_task_definition.this"} {
		var containers []struct {
			Environment []struct{ Name string }
		}
		text, _ := find(t, resources, address).Values["container_definitions"].(string)
		if err := json.Unmarshal([]byte(text), &containers); err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, c := range containers {
			for _, e := range c.Environment {
				count++
				if !slices.Contains(known, e.Name) {
					t.Errorf("%s: nothing reads %s", address, e.Name)
				}
			}
		}
		if count < 20 {
			t.Errorf("%s: only %d settings", address, count)
		}
	}
}

// Every metric that is collected, drawn or watched is one that the program publishes.
func TestMetricsAreTheProgramsOwn(t *testing.T) {
	t.Parallel()
	var published, used []string
	read := func(root, ext string, into *[]string) {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ext {
				return err
			}
			content, err := os.ReadFile(path)
			*into = append(*into, regexp.MustCompile(`\bbutakero_[a-z_]+`).FindAllString(string(content), -1)...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read("../../internal/app", ".go", &published)
	read(filepath.Join(origin, "modules"), ".tf", &used)
	if len(used) < 20 {
		t.Fatalf("only %d uses of metrics", len(used))
	}
	for _, name := range used {
		if !slices.Contains(published, name) {
			t.Errorf("nothing publishes %s", name)
		}
	}
}

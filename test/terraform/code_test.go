package terraform

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const example = "-var-file=terraform.example.tfvars"

func TestFormatted(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	if out, err := run(dir, "fmt", "-check", "-recursive", "-diff", "-no-color"); err != nil {
		t.Fatalf("not formatted: %v\n%s", err, out)
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	out := must(t, dir, "validate", "-no-color")
	if strings.Contains(out, "Warning") {
		t.Errorf("warnings:\n%s", out)
	}
}

func TestExamplesAreValidAndPlanned(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"minimal", "complete"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(workspace(t), "examples", name)
			must(t, dir, "init", "-input=false", "-no-color")
			must(t, dir, "validate", "-no-color")
			if _, err := plan(t, dir); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What the original's own file of variables set can be set here, by the same names.
func TestVariablesOfTheOriginal(t *testing.T) {
	t.Parallel()
	names := strings.Fields(`aws_region project_name environment gin_mode service_max_attempts service_timeout youtube_api_key oauth2_enabled
		container_port secret_name alb_tags ecs_tags storage_s3_tags dynamodb_table_operations_tags dynamodb_table_songs_tag sqs_queue_tag
		ecr_tags networking_tags cloudwatch_tags iam_tags security_group_tags sm_tags`)
	given, err := os.ReadFile(filepath.Join(origin, "terraform.example.tfvars"))
	if err != nil {
		t.Fatal(err)
	}
	var declarations []byte
	for _, file := range []string{"variables.tf", "variables-tags.tf"} {
		content, err := os.ReadFile(filepath.Join(origin, file))
		if err != nil {
			t.Fatal(err)
		}
		declarations = append(declarations, content...)
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + ` += `).Match(given) {
			t.Errorf("terraform.example.tfvars does not give %s", name)
		}
		block := regexp.MustCompile(`(?ms)^variable "` + name + `" \{.*?^}`).Find(declarations)
		if block == nil {
			t.Errorf("there is no variable %s", name)
		} else if name != "youtube_api_key" && !strings.Contains(string(block), "validation {") { // of that one see TestNoSecretInTheState
			t.Errorf("variable %s is not validated", name)
		}
	}
}

// The tests beside the code, in Terraform's own language, with a mocked provider.
func TestTerraformTest(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	out := must(t, dir, "test", "-no-color")
	if !strings.Contains(out, "Success! 7 passed, 0 failed.") {
		t.Errorf("not seven tests that pass:\n%s", out)
	}
	mistake{"autoscaling.tf", "default     = 95", "default     = 100", ""}.plant(t, dir)
	mistake{"autoscaling.tf", "default     = 120", "default     = 110", ""}.plant(t, dir)
	if out, err := run(dir, "test", "-no-color"); err == nil || !strings.Contains(out, "killed before it has handed back") {
		t.Errorf("a drain that is too long passes: %v\n%s", err, out)
	}
}

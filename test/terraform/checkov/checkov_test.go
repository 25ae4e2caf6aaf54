//go:build deploycheck

// Package checkov runs the linter checkov over the Terraform code: its own checks at a
// pinned version, but for those that skips.txt names with a reason each, and policies of
// ours. It needs: bash scripts/setup.sh terraform
package checkov

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const version = "3.3.30" // scripts/setup.d/terraform.sh installs it

// ours are the policies in policies/.
var ours = []string{"CKV2_BUTAKERO_1", "CKV2_BUTAKERO_2"}

type finding struct {
	ID       string `json:"check_id"`
	Name     string `json:"check_name"`
	Resource string `json:"resource"`
	File     string `json:"file_path"`
}

func scan(t *testing.T, folder string, args ...string) (failed []finding, passed int) {
	t.Helper()
	dir := os.Getenv("BUTAKERO_TEST_CACHE")
	if dir == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(caches, "butakero")
	}
	program := filepath.Join(dir, "checkov", "bin", "checkov")
	if _, err := os.Stat(filepath.Join(dir, "checkov", ".done-"+version)); err != nil {
		t.Fatalf("checkov %s is missing; run: bash scripts/setup.sh terraform", version)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	args = append([]string{"-d", folder, "--framework", "terraform", "--skip-download", "--compact", "--soft-fail", "-o", "json", "--external-checks-dir", "policies"}, args...)
	c := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	c.Env = append(os.Environ(), "LOG_LEVEL=ERROR", "PYTHONDONTWRITEBYTECODE=1")
	if err := c.Run(); err != nil {
		t.Fatal(errors.Join(err, errors.New(errs.String())))
	}
	var report struct {
		Summary struct {
			Passed   int    `json:"passed"`
			Parsing  int    `json:"parsing_errors"`
			Version  string `json:"checkov_version"`
			Resource int    `json:"resource_count"`
		} `json:"summary"`
		Results struct {
			Failed []finding `json:"failed_checks"`
		} `json:"results"`
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v\n%.2000s", err, &out)
	}
	if report.Summary.Version != version || report.Summary.Parsing > 0 || report.Summary.Resource == 0 {
		t.Fatalf("not a whole scan: %+v", report.Summary)
	}
	return report.Results.Failed, report.Summary.Passed
}

func TestCheckov(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("skips.txt")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{} // whether anything was found
	for line := range strings.Lines(string(content)) {
		id, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if id == "" || strings.HasPrefix(id, "#") {
			continue
		}
		if len(strings.TrimSpace(reason)) < 20 {
			t.Errorf("skips.txt: no reason for %s", id)
		}
		reasons[id] = false
	}
	failed, passed := scan(t, "../../../terraform")
	for _, f := range failed {
		if _, ok := reasons[f.ID]; !ok {
			t.Errorf("%s %s: %s (%s)", f.ID, f.Name, f.Resource, f.File)
		}
		reasons[f.ID] = true
	}
	for id, needed := range reasons {
		if !needed {
			t.Errorf("skips.txt: nothing is found for %s any more", id)
		}
	}
	if passed < 200 {
		t.Errorf("only %d checks passed: was everything read?", passed)
	}
	t.Logf("checkov %s: %d passed, %d found in %d checks that skips.txt explains", version, passed, len(failed), len(reasons))
}

// Our policies convict what they are for, and nothing beside it.
func TestPoliciesConvict(t *testing.T) {
	t.Parallel()
	failed, passed := scan(t, "testdata", "-c", strings.Join(ours, ","))
	var got []string
	for _, f := range failed {
		got = append(got, f.ID+" "+f.Resource)
	}
	slices.Sort(got)
	want := []string{"CKV2_BUTAKERO_1 aws_sqs_queue.jobs", "CKV2_BUTAKERO_2 aws_vpc_security_group_ingress_rule.everybody"}
	if !slices.Equal(got, want) || passed != 2 {
		t.Errorf("convicted %q and passed %d, want %q and 2", got, passed, want)
	}
}

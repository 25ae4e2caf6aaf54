//go:build deploycheck

package helm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The alarms come when they should, and not before: promtool's own tests of the rules.
func TestRules(t *testing.T) {
	t.Parallel()
	promtool := filepath.Join(filepath.Dir(filepath.Dir(tool(t))), "kube", "bin", "promtool")
	if _, err := os.Stat(promtool); err != nil {
		t.Fatalf("promtool is missing: bash scripts/setup.sh kube: %v", err)
	}
	c := exec.CommandContext(t.Context(), promtool, "test", "rules", "butakero.test.yaml")
	c.Dir = filepath.Join(chart, "rules")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "rules", "butakero.yaml")
	check.Dir = c.Dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

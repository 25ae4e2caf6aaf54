//go:build deploycheck

package kube

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/kube/plane"
)

// The chart is installed, changed, taken back and taken away, and every step waits until
// the pods are ready, as they are in a cluster that enforces the restricted standard.
func TestChartLife(t *testing.T) {
	p := plane.Start(t)
	p.Definitions(t, "keda", "cert-manager", "prometheus-operator")
	p.Kubectl(t, "apply", "-f", filepath.Join(plane.Root(t), "deploy/kubernetes/namespaces/backend.yaml"))
	p.Kubectl(t, "create", "secret", "generic", "backend-secret", "-n", "backend", "--from-literal=YOUTUBE_API_KEY=x")
	if out, err := p.Do(t.Context(), volume, "kubectl", "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	chart := filepath.Join(t.TempDir(), "butakero")
	if err := copyAll(ours(t), chart); err != nil {
		t.Fatal(err)
	}
	before := state(t, p)
	helm := func(arguments ...string) {
		t.Helper()
		if out, err := p.Do(t.Context(), "", "helm", append(arguments, "-n", "backend", "--wait", "--timeout", "2m")...); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, p.Kubectl(t, "get", "events", "-n", "backend"))
		}
	}
	version := func() string {
		t.Helper()
		p.Kubectl(t, "rollout", "status", "-n", "backend", "--timeout", "60s", "deployment/backend-application")
		return p.Kubectl(t, "get", "deployment/backend-application", "-n", "backend", "-o", `jsonpath={.metadata.labels.helm\.sh/chart}`)
	}

	helm("install", "butakero", chart)
	first := version()
	if ready := p.Kubectl(t, "get", "deployment/backend-application", "-n", "backend", "-o", "jsonpath={.status.readyReplicas}"); ready == "" || ready == "0" {
		t.Error("no pod of the API is ready")
	}
	endpoints := p.Kubectl(t, "get", "endpointslices", "-n", "backend", "-l", "kubernetes.io/service-name=backend-service", "-o", "jsonpath={.items[*].endpoints[*].conditions.ready} {.items[*].ports[*].port}")
	if !strings.Contains(endpoints, "true") || !strings.Contains(endpoints, "8080") {
		t.Errorf("backend-service leads to %q", endpoints)
	}

	file := filepath.Join(chart, "Chart.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, regexp.MustCompile(`(?m)^version: .*`).ReplaceAll(raw, []byte("version: 99.0.0")), 0o600); err != nil {
		t.Fatal(err)
	}
	helm("upgrade", "butakero", chart)
	if now := version(); now == first || !strings.Contains(now, "99.0.0") {
		t.Errorf("upgraded from %s to %s", first, now)
	}
	helm("rollback", "butakero", "1")
	if now := version(); now != first {
		t.Errorf("rolled back to %s, it was %s", now, first)
	}
	var history []struct {
		Revision int
		Status   string
	}
	out, err := p.Do(t.Context(), "", "helm", "history", "butakero", "-n", "backend", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &history); err != nil || len(history) != 3 || history[2].Status != "deployed" {
		t.Errorf("history %s: %v", out, err)
	}
	helm("uninstall", "butakero")
	p.Kubectl(t, "wait", "-n", "backend", "--for", "delete", "pods", "--all", "--timeout", "60s")
	for _, line := range differences(before, state(t, p)) {
		if !strings.Contains(line, "PersistentVolume") { // songs outlive a release
			t.Errorf("after uninstall: %s", line)
		}
	}
}

// volume is where songs are kept: nobody makes volumes on this control plane.
const volume = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: songs}
spec:
  capacity: {storage: 20Gi}
  accessModes: [ReadWriteMany]
  hostPath: {path: /songs}
`

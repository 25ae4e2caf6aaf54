//go:build deploycheck

package kube

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/kube/plane"
)

// remote are the charts that come from the internet, by the name of their version in
// deploy.sh. In their place stand charts with nothing but a Deployment.
var remote = map[string]string{
	"cert-manager": "cert_manager_version", "community-operator": "mongodb_operator_version", "strimzi-kafka-operator": "strimzi_version",
	"kube-prometheus-stack": "monitoring_version", "keda": "keda_version",
}

// ours is Butakero's chart. A checkout without it is tried on a small one of the tests'
// own, which is said.
func ours(t *testing.T) string {
	t.Helper()
	root := plane.Root(t)
	chart := filepath.Join(root, "helm/butakero")
	if _, err := os.Stat(filepath.Join(chart, "Chart.yaml")); err == nil {
		return chart
	}
	t.Log("NOT RUN: chart helm/butakero: it is not in this checkout; a small one of the tests' own was installed instead")
	return filepath.Join(root, "test/kube/testdata/chart")
}

// standInCharts makes a folder for deploy.sh --charts.
func standInCharts(t *testing.T, script string) string {
	t.Helper()
	raw, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, variable := range remote {
		found := regexp.MustCompile(`(?m)^` + variable + `=(\S+)`).FindSubmatch(raw)
		if found == nil {
			t.Fatalf("deploy.sh pins no %s", variable)
		}
		chart := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Join(chart, "templates"), 0o755); err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string]string{
			"Chart.yaml":               fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, found[1]),
			"templates/operator.yaml":  fmt.Sprintf(operator, name),
			"templates/resources.yaml": "# values: {{ .Values | toJson }}\n",
		} {
			if err := os.WriteFile(filepath.Join(chart, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

const operator = `apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - {name: operator, image: stand-in, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
`

// standInOperators says of everything that the operators of the remote charts would see
// to that it is ready, until the test ends.
func standInOperators(t *testing.T, p *plane.Plane) {
	t.Helper()
	ready := `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"StandIn","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`
	statuses := map[string]string{
		"clusterissuers.cert-manager.io": ready, "certificates.cert-manager.io": ready, "kafkas.kafka.strimzi.io": ready,
		"kafkatopics.kafka.strimzi.io": ready, "kafkausers.kafka.strimzi.io": ready,
		"mongodbcommunity.mongodbcommunity.mongodb.com": `{"status":{"phase":"Running","mongoUri":"","currentMongoDBMembers":3,"currentStatefulSetReplicas":3}}`,
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for ctx.Err() == nil {
			for kind, status := range statuses {
				// An error is a kind that is not there yet.
				all, _ := p.Do(ctx, "", "kubectl", "get", kind, "-A", "-o", `jsonpath={range .items[?(@.metadata.name)]}{.metadata.namespace},{.metadata.name},{.status.phase}{.status.conditions[0].status}{"\n"}{end}`)
				for _, line := range strings.Fields(all) {
					part := strings.Split(line, ",")
					if part[2] != "" {
						continue
					}
					arguments := []string{"patch", kind, part[1], "--subresource", "status", "--type", "merge", "-p", status}
					if part[0] != "" {
						arguments = append(arguments, "-n", part[0])
					}
					if _, err := p.Do(ctx, "", "kubectl", arguments...); err != nil && ctx.Err() == nil {
						t.Errorf("stand-in for an operator: %v", err)
						return
					}
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
}

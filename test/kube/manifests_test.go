//go:build deploycheck

package kube

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/kube/plane"
)

// Every manifest of deploy/kubernetes is accepted by a server that knows the kinds from
// the operators themselves, strictly: a field it does not know is an error. Mistakes
// planted in them are found, so the server does look.
func TestManifests(t *testing.T) {
	p := plane.Start(t)
	p.Definitions(t, "keda", "cert-manager", "prometheus-operator", "mongodb", "strimzi")
	folder := filepath.Join(plane.Root(t), "deploy/kubernetes")
	p.Kubectl(t, "apply", "-f", filepath.Join(folder, "namespaces"))

	var all []string
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	checked := 0
	for _, file := range all {
		if filepath.Base(filepath.Dir(file)) == "values" || filepath.Base(file) == "secret.yaml" {
			continue
		}
		checked++
		p.Kubectl(t, "apply", "--dry-run=server", "--validate=strict", "-f", file)
	}
	if checked < 18 {
		t.Errorf("%d manifests, there were more", checked)
	}

	for _, c := range []struct{ file, right, wrong, want string }{
		{"kafka/2-cluster.yaml", "deleteClaim: false", "deleteClaims: false", "unknown field"},
		{"kafka/2-cluster.yaml", "type: scram-sha-512", "type: scram-sha-513", "scram-sha-513"},
		{"kafka/2-cluster.yaml", "roles: [controller, broker]", "roles: [controler]", "controler"},
		{"kafka/3-topics.yaml", "partitions: 24", "partitions: many", "partitions"},
		{"kafka/4-user.yaml", "operations: [Read, Describe]", "operations: [Reed]", "Reed"},
		{"mongodb/2-replicaset.yaml", "type: ReplicaSet", "type: Standalone", "type"},
		{"mongodb/2-replicaset.yaml", "scramCredentialsSecretName: mongodb-backend", "scramCredentialsSecretName: Mongo_Backend", "scramCredentialsSecretName"},
		{"mongodb/3-network.yaml", "policyTypes: [Ingress]", "policyTypes: [Inside]", "Inside"},
		{"mongodb/1-certificate.yaml", "issuerRef:", "issuer:", "issuer"},
		{"cert-manager/issuers.yaml", "rotationPolicy: Never", "rotationPolicy: Sometimes", "Sometimes"},
		{"rbac/backend.yaml", "kind: Role\n  name: butakero-oncall", "kind: Rule\n  name: butakero-oncall", "Rule"},
		{"namespaces/backend.yaml", "pod-security.kubernetes.io/enforce: restricted", "pod-security.kubernetes.io/enforce: strict", "strict"},
	} {
		raw, err := os.ReadFile(filepath.Join(folder, c.file))
		if err != nil {
			t.Fatal(err)
		}
		planted := strings.Replace(string(raw), c.right, c.wrong, 1)
		if planted == string(raw) {
			t.Fatalf("%s has no %q", c.file, c.right)
		}
		_, err = p.Do(t.Context(), planted, "kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %q in place of %q: %v", c.file, c.wrong, c.right, err)
		}
	}
}

// Whoever is on call may look, read logs, forward ports and restart, and nothing else;
// nor may anybody who was not asked.
func TestOnCall(t *testing.T) {
	p := plane.Start(t)
	folder := filepath.Join(plane.Root(t), "deploy/kubernetes")
	p.Kubectl(t, "apply", "-f", filepath.Join(folder, "namespaces"), "-f", filepath.Join(folder, "rbac"))
	for _, c := range []struct {
		who   string
		right []string
		want  bool
	}{
		{"butakero:oncall", []string{"get", "pods", "-n", "backend"}, true},
		{"butakero:oncall", []string{"get", "pods", "--subresource=log", "-n", "backend"}, true},
		{"butakero:oncall", []string{"create", "pods", "--subresource=portforward", "-n", "backend"}, true},
		{"butakero:oncall", []string{"create", "pods", "--subresource=portforward", "-n", "monitoring"}, true},
		{"butakero:oncall", []string{"delete", "pods", "-n", "kafka"}, true},
		{"butakero:oncall", []string{"list", "deployments.apps", "-n", "mongodb"}, true},
		{"butakero:oncall", []string{"get", "secrets", "-n", "backend"}, false},
		{"butakero:oncall", []string{"create", "pods", "--subresource=exec", "-n", "backend"}, false},
		{"butakero:oncall", []string{"delete", "deployments.apps", "-n", "backend"}, false},
		{"butakero:oncall", []string{"delete", "persistentvolumeclaims", "-n", "mongodb"}, false},
		{"butakero:oncall", []string{"update", "configmaps", "-n", "backend"}, false},
		{"butakero:oncall", []string{"get", "pods", "-n", "default"}, false},
		{"butakero:oncall", []string{"get", "pods", "-n", "cert-manager"}, false},
		{"butakero:oncall", []string{"list", "nodes"}, false},
		{"somebody", []string{"get", "pods", "-n", "backend"}, false},
	} {
		out, _ := p.Do(t.Context(), "", "kubectl", append([]string{"auth", "can-i", "--as", "person", "--as-group", c.who, "--as-group", "system:authenticated"}, c.right...)...)
		if got := strings.TrimSpace(out); got != map[bool]string{true: "yes", false: "no"}[c.want] {
			t.Errorf("%s may %s: %q", c.who, strings.Join(c.right, " "), got)
		}
	}
}

// The values for cert-manager fit its own chart, the one remote chart that can be had
// here, and what it makes of them is accepted.
func TestCertManagerValues(t *testing.T) {
	p := plane.Start(t)
	folder := filepath.Join(plane.Root(t), "deploy/kubernetes")
	p.Kubectl(t, "apply", "-f", filepath.Join(folder, "namespaces"))
	values, chart := filepath.Join(folder, "values/cert-manager.yaml"), filepath.Join(plane.Cache(t), "kube/charts/cert-manager")
	out, err := p.Do(t.Context(), "", "helm", "template", "cert-manager", chart, "--kube-version", "v1.34.2", "-n", "cert-manager", "--values", values)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Do(t.Context(), out, "kubectl", "apply", "--server-side", "--dry-run=server", "-n", "cert-manager", "-f", "-"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out, "kind: CustomResourceDefinition\n"); n != 6 {
		t.Errorf("%d definitions", n)
	}
	if _, err := p.Do(t.Context(), "crd: {enabled: true}", "helm", "template", chart, "--kube-version", "v1.34.2", "--values", "-"); err == nil || !strings.Contains(err.Error(), "crd") {
		t.Errorf("a value that there is not: %v", err)
	}
}

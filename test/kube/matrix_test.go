//go:build deploycheck

package kube

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/kube/plane"
)

// What the chart renders is accepted by a server that knows the kinds from the operators
// themselves, strictly, in every mix; mistakes planted in it are found.
func TestChartAccepted(t *testing.T) {
	p := plane.Start(t)
	p.Definitions(t, "keda", "cert-manager", "prometheus-operator")
	p.Kubectl(t, "apply", "-f", filepath.Join(plane.Root(t), "deploy/kubernetes/namespaces/backend.yaml"))
	aws := "engines.queue=sqs,engines.store=dynamodb,engines.files=s3,aws.jobsQueueURL=https://sqs.us-east-1.amazonaws.com/1/jobs,aws.bucket=songs"
	render := func(values string) string {
		t.Helper()
		args := []string{"template", "butakero", ours(t), "-n", "backend", "--kube-version", "1.34.0", "--skip-tests"}
		if values != "" {
			args = append(args, "--set", values)
		}
		out, err := p.Do(t.Context(), "", "helm", args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", values, err, out)
		}
		return out
	}
	apply := func(manifests string) (string, error) {
		return p.Do(t.Context(), manifests, "kubectl", "apply", "--dry-run=server", "--validate=strict", "-n", "backend", "-f", "-")
	}
	for _, values := range []string{
		"", "demo.enabled=true", aws, aws + ",autoscaling.worker.enabled=true",
		"autoscaling.worker.enabled=true,monitoring.enabled=true,certificate.enabled=true,ingress.enabled=true,ingress.host=songs.example.org,ingress.tlsSecret=tls",
		"networkPolicy.enabled=false,podDisruptionBudget.enabled=false,autoscaling.api.enabled=false,storage.existingClaim=mine,secret.create=true,secret.data.YOUTUBE_API_KEY=x,networkPolicy.apiFrom={bots}",
	} {
		out, err := apply(render(values))
		if err != nil {
			t.Errorf("%q: %v\n%s", values, err, out)
		}
		if strings.Contains(out, "Warning") { // as for pods that break the restricted standard
			t.Errorf("%q: %s", values, out)
		}
	}
	all := render("autoscaling.worker.enabled=true,monitoring.enabled=true,certificate.enabled=true")
	for right, wrong := range map[string]string{
		"pollingInterval:": "poolingInterval:", "maxReplicaCount: 20": "maxReplicaCount: many", "secretTargetRef:": "secretTargetReference:",
		"terminationGracePeriodSeconds:": "terminationGrace:", "maxUnavailable: 1\n  selector": "maxUnavailable: 1\n  selectors",
		"issuerRef:": "issuer:", "endpoints: [": "endpoint: [", "alert: ButakeroStoreDown": "alerts: ButakeroStoreDown",
	} {
		if !strings.Contains(all, right) {
			t.Errorf("%q is nowhere to be spoilt", right)
			continue
		}
		if out, err := apply(strings.ReplaceAll(all, right, wrong)); err == nil {
			t.Errorf("%q was accepted:\n%s", wrong, out)
		}
	}
}

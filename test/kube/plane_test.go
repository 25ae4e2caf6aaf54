//go:build deploycheck

package kube

import (
	"strings"
	"testing"

	"github.com/butakero/butakero/test/kube/plane"
)

func TestPlane(t *testing.T) {
	p := plane.Start(t)
	p.Definitions(t, "keda", "cert-manager", "prometheus-operator", "mongodb", "strimzi")
	p.Kubectl(t, "create", "deployment", "x", "--image", "x", "--replicas", "3")
	p.Kubectl(t, "rollout", "status", "deployment/x", "--timeout", "60s")
	if out := p.Kubectl(t, "logs", "deployment/x"); !strings.Contains(out, plane.PodLog) {
		t.Error(out)
	}
	t.Log(p.Kubectl(t, "get", "pods", "-o", "wide"))
}

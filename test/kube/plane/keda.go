package plane

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// KEDA starts the operator of KEDA and its server of metrics, which the autoscaler of
// Kubernetes asks. They are processes of this machine, not pods, so they reach what a
// test runs on 127.0.0.1; environment is what the operator gets besides.
func (p *Plane) KEDA(tb testing.TB, environment ...string) {
	tb.Helper()
	p.Definitions(tb, "keda")
	folder := p.path("keda")
	if err := p.keys.pair(folder); err != nil {
		tb.Fatal(err)
	}
	metrics, provider := servers.Port(tb), servers.Port(tb)
	_, port, _ := net.SplitHostPort(provider)
	_, further, _ := net.SplitHostPort(servers.Port(tb))
	environment = append([]string{"KUBECONFIG=" + p.Kubeconfig, "WATCH_NAMESPACE=", "POD_NAMESPACE=keda", "KEDA_CLUSTER_OBJECT_NAMESPACE=keda"}, environment...)
	ca, err := os.ReadFile(p.path("ca.crt"))
	if err != nil {
		tb.Fatal(err)
	}
	p.Apply(tb, fmt.Sprintf(keda, port, base64.StdEncoding.EncodeToString(ca)))
	p.Run(tb, environment, "keda", "--cert-dir", folder, "--metrics-service-bind-address", metrics, "--ca-dir", folder,
		"--metrics-bind-address", servers.Port(tb), "--health-probe-bind-address", servers.Port(tb))
	p.Run(tb, environment, "keda-adapter", "--cert-dir", folder, "--metrics-service-address", "localhost"+metrics[strings.LastIndex(metrics, ":"):],
		"--secure-port", port, "--bind-address", "127.0.0.1", "--port", further, "--client-ca-file", p.path("ca.crt"),
		"--tls-cert-file", filepath.Join(folder, "tls.crt"), "--tls-private-key-file", filepath.Join(folder, "tls.key"),
		"--lister-kubeconfig", p.Kubeconfig, "--authentication-kubeconfig", p.Kubeconfig, "--authorization-kubeconfig", p.Kubeconfig)
	Await(tb, time.Minute, "KEDA's server of metrics is there", func(ctx context.Context) error {
		_, err := p.Do(ctx, "", "kubectl", "get", "--raw", "/apis/external.metrics.k8s.io/v1beta1")
		return err
	})
}

// What KEDA's own installation has besides its processes: the way to them, and the
// autoscaler's right to ask.
const keda = `apiVersion: v1
kind: Namespace
metadata: {name: keda}
---
apiVersion: v1
kind: Service
metadata: {name: keda-metrics-apiserver, namespace: keda}
spec: {type: ExternalName, externalName: localhost, ports: [{port: %[1]s}]}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  service: {name: keda-metrics-apiserver, namespace: keda, port: %[1]s}
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: false
  caBundle: %[2]s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: keda-external-metrics-reader}
rules: [{apiGroups: [external.metrics.k8s.io], resources: ["*"], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: keda-hpa-controller-external-metrics}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: keda-external-metrics-reader}
subjects: [{kind: ServiceAccount, name: horizontal-pod-autoscaler, namespace: kube-system}]
`

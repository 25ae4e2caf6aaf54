package plane

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// store starts etcd and returns its address.
func (p *Plane) store(tb testing.TB) string {
	tb.Helper()
	client, peer := "http://"+servers.Port(tb), "http://"+servers.Port(tb)
	p.Run(tb, nil, "etcd", "--data-dir", p.path("etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--log-level", "warn")
	return client
}

// server starts the API server with what a production cluster has: rights by RBAC,
// admission with pod security, aggregation of further APIs.
func (p *Plane) server(tb testing.TB, store string) {
	tb.Helper()
	_, port, _ := net.SplitHostPort(p.Address)
	p.Run(tb, nil, "kube-apiserver",
		"--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", port, "--endpoint-reconciler-type", "none",
		"--cert-dir", p.path("certs"), "--tls-cert-file", p.path("server.crt"), "--tls-private-key-file", p.path("server.key"),
		"--client-ca-file", p.path("ca.crt"), "--token-auth-file", p.path("tokens"), "--authorization-mode", "RBAC",
		"--service-cluster-ip-range", "10.96.0.0/16", "--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", p.path("accounts.key"), "--service-account-signing-key-file", p.path("accounts.key"),
		"--requestheader-client-ca-file", p.path("ca.crt"), "--requestheader-allowed-names", "front",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-username-headers", "X-Remote-User",
		"--proxy-client-cert-file", p.path("front.crt"), "--proxy-client-key-file", p.path("front.key"),
		"--kubelet-preferred-address-types", "InternalIP", "--allow-privileged")
	Await(tb, 2*time.Minute, "the API server is ready", func(ctx context.Context) error {
		_, err := p.Do(ctx, "", "kubectl", "get", "--raw", "/readyz")
		return err
	})
}

// controllers starts the controller manager, which looks at autoscalers every two
// seconds, and the scheduler.
func (p *Plane) controllers(tb testing.TB) {
	tb.Helper()
	common := func() []string {
		_, port, _ := net.SplitHostPort(servers.Port(tb))
		return []string{"--kubeconfig", p.Kubeconfig, "--authentication-kubeconfig", p.Kubeconfig, "--authorization-kubeconfig", p.Kubeconfig,
			"--bind-address", "127.0.0.1", "--secure-port", port, "--cert-dir", p.path("certs"), "--leader-elect=false"}
	}
	p.Run(tb, nil, "kube-controller-manager", append(common(), "--service-account-private-key-file", p.path("accounts.key"), "--root-ca-file", p.path("ca.crt"),
		"--use-service-account-credentials", "--horizontal-pod-autoscaler-sync-period", "2s", "--horizontal-pod-autoscaler-initial-readiness-delay", "0s",
		"--horizontal-pod-autoscaler-cpu-initialization-period", "0s")...)
	p.Run(tb, nil, "kube-scheduler", common()...)
}

// nodes starts kwok and makes three nodes.
func (p *Plane) nodes(tb testing.TB) {
	tb.Helper()
	kubelet := servers.Port(tb)
	_, port, _ := net.SplitHostPort(kubelet)
	_, to, _ := net.SplitHostPort(p.Backend)
	arguments := []string{"--kubeconfig", p.Kubeconfig, "--manage-all-nodes", "--node-ip", "127.0.0.1", "--node-port", port, "--server-address", kubelet,
		"--tls-cert-file", p.path("server.crt"), "--tls-private-key-file", p.path("server.key"),
		"--config", p.write(tb, "kwok.yaml", fmt.Sprintf(kwok, p.write(tb, "pod.log", "2026-01-01T00:00:00.000000000Z stdout F "+PodLog+"\n"), to))}
	stages, err := filepath.Glob(filepath.Join(p.cache, "kube/stages/*.yaml"))
	if err != nil || len(stages) == 0 {
		tb.Fatal("kwok's stages are missing; get them with: bash scripts/setup.sh kube")
	}
	for _, stage := range stages {
		arguments = append(arguments, "--config", stage)
	}
	p.Run(tb, nil, "kwok", arguments...)
	var all strings.Builder
	for i := range 3 {
		fmt.Fprintf(&all, node, i+1, 'a'+i)
	}
	p.Apply(tb, all.String())
	p.Kubectl(tb, "wait", "--for", "condition=Ready", "--timeout", "60s", "nodes", "--all")
}

// PodLog is what every pod's log holds.
const PodLog = "level=INFO msg=listening"

// The stages are kwok's own: a pod runs as soon as it is scheduled, a job's pod is done
// at once. Logs and forwarded ports of pods are what is said here.
const kwok = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: {name: pods}
spec:
  logs:
    - {logsFile: %s, follow: false}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterPortForward
metadata: {name: pods}
spec:
  forwards:
    - ports: [8080]
      target: {port: %s, address: 127.0.0.1}
`

const node = `---
apiVersion: v1
kind: Node
metadata:
  name: node-%[1]d
  labels: {kubernetes.io/hostname: node-%[1]d, kubernetes.io/os: linux, kubernetes.io/arch: amd64, topology.kubernetes.io/zone: zone-%[2]c}
status:
  allocatable: {cpu: "32", memory: 256Gi, pods: "110", ephemeral-storage: 500Gi}
  capacity: {cpu: "32", memory: 256Gi, pods: "110", ephemeral-storage: 500Gi}
`

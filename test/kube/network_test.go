//go:build deploycheck

package kube

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/butakero/butakero/test/kube/plane"
)

// peer is one end of a connection: a pod, or an address outside the cluster.
type peer struct {
	namespace string
	labels    map[string]string
	address   string
}

type selector struct {
	MatchLabels      map[string]string
	MatchExpressions []struct {
		Key, Operator string
		Values        []string
	}
}

func (s *selector) matches(labels map[string]string) bool {
	for key, value := range s.MatchLabels {
		if labels[key] != value {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		value, there := labels[e.Key]
		if matched := map[string]bool{
			"In": there && slices.Contains(e.Values, value), "NotIn": !there || !slices.Contains(e.Values, value), "Exists": there, "DoesNotExist": !there,
		}[e.Operator]; !matched {
			return false
		}
	}
	return true
}

type rule struct {
	From, To []struct {
		PodSelector, NamespaceSelector *selector
		IPBlock                        *struct {
			CIDR   string
			Except []string
		}
	}
	Ports []struct {
		Protocol string
		Port     any
		EndPort  float64
	}
}

type policy struct {
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		PodSelector     selector
		PolicyTypes     []string
		Ingress, Egress []rule
	}
}

// network is what a plugin that enforces policies would work with. The control plane
// alone enforces none, so the rules of NetworkPolicy are applied here to what the server
// holds.
type network struct {
	policies   []policy
	namespaces map[string]map[string]string // labels
	named      map[string]int               // ports
}

func newNetwork(t *testing.T, p *plane.Plane) *network {
	t.Helper()
	n := &network{namespaces: map[string]map[string]string{}, named: map[string]int{"http": 8080}}
	var policies struct{ Items []policy }
	if err := json.Unmarshal([]byte(p.Kubectl(t, "get", "networkpolicies", "-A", "-o", "json")), &policies); err != nil {
		t.Fatal(err)
	}
	n.policies = policies.Items
	var namespaces struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(p.Kubectl(t, "get", "namespaces", "-o", "json")), &namespaces); err != nil {
		t.Fatal(err)
	}
	for _, one := range namespaces.Items {
		n.namespaces[one.Metadata.Name] = one.Metadata.Labels
	}
	return n
}

// allows tells whether a connection comes about: the policies of both ends let it.
func (n *network) allows(from, to peer, port int) bool {
	return n.way("Egress", from, to, port) && n.way("Ingress", to, from, port)
}

// way applies the policies of one direction to the pod that they are for.
func (n *network) way(direction string, pod, other peer, port int) bool {
	if pod.address != "" {
		return true // nobody's pod
	}
	isolated := false
	for _, p := range n.policies {
		if p.Metadata.Namespace != pod.namespace || !slices.Contains(p.Spec.PolicyTypes, direction) || !p.Spec.PodSelector.matches(pod.labels) {
			continue
		}
		isolated = true
		rules := p.Spec.Ingress
		if direction == "Egress" {
			rules = p.Spec.Egress
		}
		if slices.ContainsFunc(rules, func(r rule) bool { return n.lets(r, p.Metadata.Namespace, other, port) }) {
			return true
		}
	}
	return !isolated
}

func (n *network) lets(r rule, home string, other peer, port int) bool {
	right := len(r.Ports) == 0
	for _, p := range r.Ports {
		switch number := p.Port.(type) {
		case nil:
			right = true
		case string:
			right = right || n.named[number] == port
		case float64:
			right = right || float64(port) == number || p.EndPort > 0 && float64(port) >= number && float64(port) <= p.EndPort
		}
	}
	ends := slices.Concat(r.From, r.To)
	if !right || len(ends) == 0 {
		return right
	}
	for _, end := range ends {
		switch {
		case end.IPBlock != nil:
			address, err := netip.ParseAddr(other.address)
			if err != nil || !netip.MustParsePrefix(end.IPBlock.CIDR).Contains(address) {
				continue
			}
			if !slices.ContainsFunc(end.IPBlock.Except, func(c string) bool { return netip.MustParsePrefix(c).Contains(address) }) {
				return true
			}
		case other.address != "":
		case end.NamespaceSelector == nil && other.namespace != home:
		case end.NamespaceSelector != nil && !end.NamespaceSelector.matches(n.namespaces[other.namespace]):
		case end.PodSelector == nil || end.PodSelector.matches(other.labels):
			return true
		}
	}
	return false
}

// flow is a connection that has to come about, or must not.
type flow struct {
	words    string
	from, to peer
	port     int
	want     bool
}

func (n *network) check(t *testing.T, flows []flow) {
	t.Helper()
	for _, f := range flows {
		if n.allows(f.from, f.to, f.port) != f.want {
			t.Errorf("%s: allowed is %v", f.words, !f.want)
		}
	}
}

// MongoDB lets in its own members and Butakero.
func TestNetworkOfMongoDB(t *testing.T) {
	p := plane.Start(t)
	folder := filepath.Join(plane.Root(t), "deploy/kubernetes")
	p.Kubectl(t, "apply", "-f", filepath.Join(folder, "namespaces"), "-f", filepath.Join(folder, "mongodb/3-network.yaml"))
	t.Log("NOT RUN: enforcement of NetworkPolicies: it needs a network plugin on real nodes; their rules were applied to what the server holds")
	n := newNetwork(t, p)
	mongo := peer{namespace: "mongodb", labels: map[string]string{"app": "mongodb-svc"}}
	worker := peer{namespace: "backend", labels: map[string]string{"app.kubernetes.io/component": "worker"}}
	n.check(t, []flow{
		{"a worker asks MongoDB", worker, mongo, 27017, true},
		{"a member asks another", mongo, mongo, 27017, true},
		{"the operator asks a member", peer{namespace: "mongodb", labels: map[string]string{"name": "mongodb-kubernetes-operator"}}, mongo, 27017, true},
		{"a worker asks another port", worker, mongo, 22, false},
		{"somebody's pod asks MongoDB", peer{namespace: "default"}, mongo, 27017, false},
		{"Kafka asks MongoDB", peer{namespace: "kafka"}, mongo, 27017, false},
		{"an address outside asks MongoDB", peer{address: "203.0.113.9"}, mongo, 27017, false},
		{"MongoDB asks somebody", mongo, peer{address: "203.0.113.9"}, 443, true},
	})
}

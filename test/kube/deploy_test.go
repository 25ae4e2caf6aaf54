//go:build deploycheck

package kube

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/butakero/butakero/test/kube/plane"
)

// script is a copy of what deploy.sh needs, for one cluster.
type script struct {
	plane  *plane.Plane
	folder string
	charts string
}

func newScript(t *testing.T, p *plane.Plane) *script {
	t.Helper()
	s := &script{plane: p, folder: t.TempDir()}
	root := plane.Root(t)
	for to, from := range map[string]string{"deploy.sh": root + "/deploy.sh", "deploy": root + "/deploy", "helm/butakero": ours(t)} {
		if err := copyAll(from, filepath.Join(s.folder, to)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.folder, "deploy/kubernetes/secret.yaml")); err != nil { // somebody's own
		t.Fatal(err)
	}
	s.charts = standInCharts(t, filepath.Join(s.folder, "deploy.sh"))
	return s
}

// run runs deploy.sh, wants an exit code, and returns what it said.
func (s *script) run(t *testing.T, code int, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{filepath.Join(s.folder, "deploy.sh"), "--timeout", "2m"}, arguments...)...)
	cmd.Env = s.plane.Environment()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("deploy.sh %s: code %d, want %d:\n%s", strings.Join(arguments, " "), got, code, said.String())
	}
	t.Logf("deploy.sh %s\n%s", strings.Join(arguments, " "), said.String())
	return said.String()
}

// state is every object of the cluster with its version, but for what clusters write
// by themselves.
func state(t *testing.T, p *plane.Plane) []string {
	t.Helper()
	kinds := strings.Fields(p.Kubectl(t, "api-resources", "--verbs", "list", "-o", "name"))
	kinds = slices.DeleteFunc(kinds, func(kind string) bool {
		return slices.Contains([]string{"events", "events.events.k8s.io", "leases.coordination.k8s.io", "nodes", "componentstatuses", "endpoints"}, kind) || strings.Contains(kind, "metrics.k8s.io")
	})
	out := p.Kubectl(t, "get", strings.Join(kinds, ","), "-A", "--ignore-not-found", "-o",
		`jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`)
	all := slices.DeleteFunc(strings.Split(strings.TrimSpace(out), "\n"), byItself.MatchString)
	slices.Sort(all)
	return all
}

// byItself matches what a new cluster fills in by and by.
var byItself = regexp.MustCompile(`^(ServiceCIDR/|ClusterRole//(admin|edit|view) |[A-Za-z]+/kube-|[A-Za-z]*/default/|[A-Za-z]+/[a-z-]+/(default|kube-root-ca.crt) )`)

func differences(before, after []string) (all []string) {
	for _, line := range before {
		if !slices.Contains(after, line) {
			all = append(all, "- "+line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			all = append(all, "+ "+line)
		}
	}
	return all
}

// unchanged runs something that must leave the cluster as it is.
func unchanged(t *testing.T, p *plane.Plane, do func()) {
	t.Helper()
	before := state(t, p)
	do()
	if all := differences(before, state(t, p)); len(all) > 0 {
		t.Errorf("the cluster was changed:\n%s", strings.Join(all, "\n"))
	}
}

// song has the real program answer where the pods' ports lead.
func song(t *testing.T, p *plane.Plane) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "butakero")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/butakero/butakero/cmd/butakero").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	p.Start(t, []string{"BUTAKERO_LISTEN=" + p.Backend, "BUTAKERO_DATA_DIR=" + t.TempDir()}, program, "up", "--source", "demo")
}

// originals runs the commands that the original documents for a running system.
func originals(t *testing.T, p *plane.Plane) {
	t.Helper()
	pods := p.Kubectl(t, "get", "pods", "-n", "backend")
	name := regexp.MustCompile(`(?m)^backend-application-\S+`).FindString(pods)
	if name == "" {
		t.Fatalf("no pod of the API:\n%s", pods)
	}
	if all := p.Kubectl(t, "get", "pods", "--all-namespaces"); !strings.Contains(all, name) {
		t.Errorf("%s is not among all pods:\n%s", name, all)
	}
	if log := p.Kubectl(t, "logs", "--tail", "5", name, "-n", "backend"); !strings.Contains(log, plane.PodLog) {
		t.Errorf("log of %s: %q", name, log)
	}
}

// deploy.sh from an empty cluster to an empty cluster. The charts of others are stand-ins,
// and so are their operators; the cluster, the manifests and Butakero's chart are not.
func TestDeploy(t *testing.T) {
	p := plane.Start(t)
	s := newScript(t, p)
	for _, name := range []string{"cert-manager", "community-operator (MongoDB)", "strimzi-kafka-operator", "kube-prometheus-stack", "keda"} {
		t.Logf("NOT RUN: chart %s: it comes from the internet; a stand-in was installed instead", name)
	}

	unchanged(t, p, func() {
		s.run(t, 1, "--charts", s.charts)                             // no secret
		s.run(t, 0, "--charts", s.charts, "--demo", "--dry-run")      // an empty cluster
		s.run(t, 0, "--charts", s.charts, "--uninstall", "--dry-run") // nothing to take away
	})
	said := s.run(t, 3, "--charts", t.TempDir(), "--demo", "--only", "cert-manager,kafka")
	for _, want := range []string{"NOT RUN: cert-manager: chart cert-manager v", "NOT RUN: kafka: chart strimzi-kafka-operator "} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s", want)
		}
	}

	p.Definitions(t, "cert-manager", "prometheus-operator", "mongodb", "strimzi")
	p.KEDA(t)
	standInOperators(t, p)
	song(t, p)
	arguments := []string{"--charts", s.charts, "--demo"}
	said = s.run(t, 0, arguments...)
	for _, want := range []string{"health: {", "test song: made (LunaOctubre)"} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s", want)
		}
	}
	originals(t, p)
	unchanged(t, p, func() {
		if again := s.run(t, 0, arguments...); strings.Contains(again, "at revision") || strings.Contains(again, "configured") {
			t.Error("the second run changed something, as it says")
		}
		s.run(t, 0, append(arguments, "--dry-run")...)
	})

	// What somebody altered or deleted by hand is put right.
	p.Kubectl(t, "delete", "kafkatopic/butakero.jobs", "-n", "kafka")
	p.Kubectl(t, "set", "image", "deployment/keda", "operator=other", "-n", "keda")
	said = s.run(t, 0, arguments...)
	for _, want := range []string{"kafkatopic.kafka.strimzi.io/butakero.jobs created", "release keda at revision 2", "release strimzi unchanged"} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s", want)
		}
	}
	if image := p.Kubectl(t, "get", "deployment/keda", "-n", "keda", "-o", "jsonpath={.spec.template.spec.containers[0].image}"); image != "stand-in" {
		t.Errorf("keda's image is %s still", image)
	}

	secret := p.Kubectl(t, "get", "secret/backend-secret", "-n", "backend", "-o", "jsonpath={.data}")
	s.run(t, 0, "--uninstall")
	if left := p.Kubectl(t, "get", "deployments,kafkas,mongodbcommunity,certificates", "-A", "-o", "name"); left != "" {
		t.Errorf("left after --uninstall: %s", left)
	}
	if now := p.Kubectl(t, "get", "secret/backend-secret", "-n", "backend", "-o", "jsonpath={.data}"); now != secret {
		t.Error("the secret did not outlive --uninstall")
	}
	p.Kubectl(t, "delete", "apiservice", "v1beta1.external.metrics.k8s.io") // as KEDA's own chart does
	s.run(t, 0, "--uninstall", "--purge")
	if _, err := p.Do(context.WithoutCancel(t.Context()), "", "kubectl", "get", "namespace", "backend"); err == nil {
		t.Error("namespace backend outlived --purge")
	}
}

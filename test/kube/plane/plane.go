// Package plane runs a real Kubernetes control plane for tests: etcd, API server,
// controller manager and scheduler as they are released, with nodes that exist in name
// only. kwok stands in for their kubelets: it says that scheduled pods run, and answers
// for their ports and logs what it is told. So all that Kubernetes itself decides is
// real (admission, validation, rights, scheduling, roll-outs, autoscaling), and no
// container ever runs.
//
// The programs come from the set-up, bash scripts/setup.sh kube; nothing is downloaded
// here. All of it listens on 127.0.0.1 alone and ends with the process that began it.
package plane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// Plane is a running control plane.
type Plane struct {
	Kubeconfig string // of an administrator
	Address    string // host:port of the API server
	Folder     string // its own, with the logs
	Backend    string // host:port that port 8080 of every pod leads to, where a test may listen

	keys  *keys
	cache string
}

// Cache is the folder of what the set-up installed.
func Cache(tb testing.TB) string {
	tb.Helper()
	if dir := os.Getenv("BUTAKERO_TEST_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, "butakero")
}

// Program is the path of a program of the set-up's; without it the test fails and
// says how to get it.
func Program(tb testing.TB, name string) string {
	tb.Helper()
	for _, folder := range []string{"kube/bin", "bin"} {
		if path := filepath.Join(Cache(tb), folder, name); found(path) {
			return path
		}
	}
	tb.Fatalf("%s is missing; get it with: bash scripts/setup.sh kube", name)
	return ""
}

func found(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Root is the top of the repository.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
	}
	tb.Fatal("there is no go.work above the test")
	return ""
}

// Start starts a control plane with three nodes, and ends it with the test.
func Start(tb testing.TB) *Plane {
	tb.Helper()
	p := &Plane{Folder: tb.TempDir(), cache: Cache(tb)}
	p.Address, p.Backend = servers.Port(tb), servers.Port(tb)
	p.Kubeconfig = p.path("kubeconfig")
	var err error
	if p.keys, err = makeKeys(p.Folder); err != nil {
		tb.Fatal(err)
	}
	p.write(tb, "kubeconfig", fmt.Sprintf(kubeconfig, p.path("ca.crt"), p.Address, p.keys.token))
	p.write(tb, "tokens", p.keys.token+",admin,admin,\"system:masters\"\n")

	store := p.store(tb)
	p.server(tb, store)
	p.controllers(tb)
	p.nodes(tb)
	return p
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: admin}}]
clusters: [{name: test, cluster: {certificate-authority: %s, server: "https://%s"}}]
users: [{name: admin, user: {token: %s}}]
`

func (p *Plane) path(name string) string { return filepath.Join(p.Folder, name) }

func (p *Plane) write(tb testing.TB, name, text string) string {
	tb.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return p.path(name)
}

// Run starts one of the set-up's programs for the time of the test.
func (p *Plane) Run(tb testing.TB, environment []string, name string, arguments ...string) {
	tb.Helper()
	p.Start(tb, environment, Program(tb, name), arguments...)
}

// Start starts a program for the time of the test. Its output is in a file of its name
// in the folder, and its end in the test's output when that fails.
func (p *Plane) Start(tb testing.TB, environment []string, path string, arguments ...string) {
	tb.Helper()
	name := filepath.Base(path)
	log, err := os.Create(p.path(name + ".log"))
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, arguments...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Folder, log, log
	if err := servers.Spawn(cmd); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be over
		_ = cmd.Wait()         // it was killed
		if err := log.Close(); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Logf("%s said at last:\n%s", name, tail(p.path(name+".log")))
		}
	})
}

// tail is what matters at the end of a log: klog's plain information is left out.
func tail(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	var kept []string
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		if !strings.HasPrefix(line, "I") && !strings.Contains(line, `"level":"INFO"`) && !strings.Contains(line, "watchlist request ended") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-5):], "\n")
}

// Environment is what kubectl, helm and deploy.sh find this cluster with.
func (p *Plane) Environment() []string {
	var kept []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		switch {
		case name == "PATH", name == "KUBECONFIG", strings.HasPrefix(name, "HELM_"), strings.HasPrefix(name, "BUTAKERO_"):
		case name == "YOUTUBE_API_KEY", strings.HasPrefix(name, "MONGO_"):
		default:
			kept = append(kept, pair)
		}
	}
	path := strings.Join([]string{filepath.Join(p.cache, "kube/bin"), filepath.Join(p.cache, "bin"), os.Getenv("PATH")}, ":")
	return append(kept, "PATH="+path, "KUBECONFIG="+p.Kubeconfig,
		"HELM_CACHE_HOME="+p.path("helm/cache"), "HELM_CONFIG_HOME="+p.path("helm/config"), "HELM_DATA_HOME="+p.path("helm/data"))
}

// Do runs a command against the cluster with an input, and returns what it printed to
// its standard output; what went wrong is in the error with its error output.
func (p *Plane) Do(ctx context.Context, input, name string, arguments ...string) (string, error) {
	path := name
	for _, folder := range []string{"bin", "kube/bin"} {
		if at := filepath.Join(p.cache, folder, name); !strings.Contains(name, "/") && found(at) {
			path = at
		}
	}
	cmd := exec.CommandContext(ctx, path, arguments...)
	cmd.Env = p.Environment()
	cmd.Stdin = strings.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

// Kubectl runs kubectl, and the test fails when that does.
func (p *Plane) Kubectl(tb testing.TB, arguments ...string) string {
	tb.Helper()
	out, err := p.Do(tb.Context(), "", "kubectl", arguments...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Apply has the cluster hold what a manifest says.
func (p *Plane) Apply(tb testing.TB, manifest string) {
	tb.Helper()
	if _, err := p.Do(tb.Context(), manifest, "kubectl", "apply", "--server-side", "--validate=strict", "-f", "-"); err != nil {
		tb.Fatal(err)
	}
}

// Definitions has the cluster know the kinds of some operators: keda, cert-manager,
// prometheus-operator, mongodb, strimzi.
func (p *Plane) Definitions(tb testing.TB, operators ...string) {
	tb.Helper()
	for _, operator := range operators {
		folder := filepath.Join(p.cache, "kube/crds", operator)
		if _, err := os.Stat(folder); err != nil {
			tb.Fatalf("the definitions of %s are missing; get them with: bash scripts/setup.sh kube", operator)
		}
		p.Kubectl(tb, "apply", "--server-side", "-f", folder)
		p.Kubectl(tb, "wait", "--for", "condition=Established", "--timeout", "60s", "-f", folder)
	}
}

// Await tries something until it succeeds, and fails the test when it has not in time.
func Await(tb testing.TB, patience time.Duration, words string, try func(ctx context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("%s: not within %s: %v", words, patience, last)
		}
	}
}

// ErrNotYet is what a try returns that has nothing better to say.
var ErrNotYet = errors.New("not yet")

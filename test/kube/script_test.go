package kube

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What is called wrongly, or can not work, is said before anything is changed.
func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arguments []string
		rules     []string
		without   string // program
		file      string // content of secret.yaml
		code      int
		want      string
	}{
		"option":           {arguments: []string{"--frob"}, code: 2, want: "there is no option --frob"},
		"component":        {arguments: []string{"--only", "zookeeper"}, code: 2, want: "there is no component zookeeper"},
		"empty list":       {arguments: []string{"--only", ""}, code: 2, want: "--only needs a value"},
		"nothing left":     {arguments: []string{"--only", "keda", "--skip", "keda"}, code: 2, want: "nothing is left"},
		"purge alone":      {arguments: []string{"--purge"}, code: 2, want: "--purge goes with --uninstall"},
		"charts nowhere":   {arguments: []string{"--charts", "/nonexistent"}, code: 2, want: "is no folder"},
		"no kubectl":       {without: "kubectl", code: 1, want: "kubectl is missing"},
		"no helm":          {without: "helm", code: 1, want: "helm is missing"},
		"no curl":          {without: "curl", code: 1, want: "curl is missing"},
		"old helm":         {rules: []string{"helm version => v3.9.4"}, code: 1, want: "helm v3.9.4 is too old"},
		"old cluster":      {arguments: []string{"--demo"}, rules: []string{"/version => {|  \"major\": \"1\",|  \"minor\": \"23+\"|}"}, code: 1, want: "Kubernetes 1.23: 1.24 or later"},
		"no cluster":       {rules: []string{"/version => ! The connection was refused"}, code: 1, want: "does not answer: The connection was refused"},
		"no right":         {arguments: []string{"--demo"}, rules: []string{"can-i * * => ! no", "can-i create clusterroles => ! no"}, code: 1, want: "no right to create clusterroles.rbac.authorization.k8s.io"},
		"no right there":   {arguments: []string{"--demo", "--only", "backend"}, rules: []string{"can-i * * => ! no", "can-i create secrets -n backend => ! no"}, code: 1, want: "no right to create secrets in backend"},
		"no secret":        {code: 1, want: "there is no Secret backend-secret in namespace backend"},
		"placeholder":      {file: "stringData:\n  YOUTUBE_API_KEY: \"${YOUTUBE_API_KEY}\"\n", code: 1, want: "still has a placeholder: 2:"},
		"chart not folder": {arguments: []string{"--demo", "--only", "keda", "--charts", "."}, code: 3, want: "NOT RUN: keda: chart keda"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if c.without != "" {
				if err := os.Remove(filepath.Join(s.bin, c.without)); err != nil {
					t.Fatal(err)
				}
			}
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(s.folder, "deploy/kubernetes/secret.yaml"), []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, said, calls := s.deploy(t, []string{answers(c.rules...)}, c.arguments...)
			if code != c.code || !strings.Contains(said, c.want) {
				t.Errorf("code %d, want %d with %q:\n%s", code, c.code, c.want, said)
			}
			for _, call := range calls {
				if call.changes() && c.code != 3 {
					t.Errorf("changed something: %s", call)
				}
			}
		})
	}
}

// No secret is ever an argument of a program, where everybody on the machine can read
// it; it goes by pipe alone.
func TestDeployKeepsSecretsOffCommandLines(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const cookies = "cookie-sentinel"
	if err := os.WriteFile(filepath.Join(s.folder, "yt-cookies.txt"), []byte(cookies), 0o600); err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"YOUTUBE_API_KEY": "key-sentinel", "MONGO_USER": "admin-user", "MONGO_PASSWORD": "password-sentinel/%s\\n"}
	environment := []string{answers("jsonpath={.data.MONGO_USER} => "+base64.StdEncoding.EncodeToString([]byte("admin-user")), "get secret backend-secret -n backend -o => "+base64.StdEncoding.EncodeToString([]byte("from-cluster")))}
	for name, value := range given {
		environment = append(environment, name+"="+value)
	}
	code, said, calls := s.deploy(t, environment, "--no-verify")
	if code != 0 {
		t.Fatalf("code %d:\n%s", code, said)
	}
	given["YT_COOKIES"] = cookies
	passed := map[string]bool{}
	for _, call := range calls {
		for name, value := range given {
			if name == "MONGO_USER" { // stands in the manifest as well
				continue
			}
			encoded := base64.StdEncoding.EncodeToString([]byte(value))
			if strings.Contains(call.String(), value) || strings.Contains(call.String(), encoded) {
				t.Errorf("%s is on a command line: %s", name, call)
			}
			passed[name] = passed[name] || strings.Contains(call.Input, encoded)
		}
		if strings.Contains(call.String(), "from-cluster") {
			t.Errorf("what is in the cluster is on a command line: %s", call)
		}
	}
	for name := range given {
		if !passed[name] && name != "MONGO_USER" {
			t.Errorf("%s did not reach the cluster", name)
		}
	}
	if strings.Contains(said, "sentinel") || strings.Contains(said, "from-cluster") {
		t.Errorf("a secret was printed:\n%s", said)
	}
}

// Every chart from elsewhere comes in one exact version, from one place.
func TestDeployPinsCharts(t *testing.T) {
	t.Parallel()
	exact := regexp.MustCompile(`^v?\d+\.\d+\.\d+$`)
	_, said, calls := newStage(t).deploy(t, nil, "--demo", "--no-verify")
	var charts []string
	for _, c := range calls {
		if c.Program != "helm" || !c.has("upgrade") || !c.changes() {
			continue
		}
		charts = append(charts, c.Arguments[1])
		if c.has("--repo") {
			version := c.Arguments[indexOf(c.Arguments, "--version")+1]
			if !exact.MatchString(version) {
				t.Errorf("version %q: %s", version, c)
			}
		} else if !c.has("helm/butakero") {
			t.Errorf("neither ours nor pinned: %s", c)
		}
		if !c.has("--wait") {
			t.Errorf("does not wait: %s", c)
		}
	}
	if got, want := strings.Join(charts, " "), "cert-manager mongodb-operator strimzi monitoring keda butakero"; got != want {
		t.Errorf("installed %s, want %s\n%s", got, want, said)
	}
}

func indexOf(all []string, one string) int {
	for i, a := range all {
		if a == one {
			return i
		}
	}
	return -1
}

func TestDeployDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{"--demo"}, {"--uninstall", "--purge"}} {
		code, said, calls := newStage(t).deploy(t, []string{answers("helm status => STATUS: deployed", "get secret => ! not found")}, append(arguments, "--dry-run")...)
		if code != 0 || len(calls) == 0 {
			t.Errorf("%v: code %d after %d calls:\n%s", arguments, code, len(calls), said)
		}
		for _, c := range calls {
			if c.changes() {
				t.Errorf("%v changed something: %s", arguments, c)
			}
		}
	}
}

// What is taken away leaves data, secrets and namespaces; --purge is for those.
func TestDeployUninstall(t *testing.T) {
	t.Parallel()
	deployed := answers("helm status => STATUS: deployed")
	for _, purge := range []bool{false, true} {
		arguments := []string{"--uninstall"}
		if purge {
			arguments = append(arguments, "--purge")
		}
		code, said, calls := newStage(t).deploy(t, []string{deployed}, arguments...)
		if code != 0 {
			t.Fatalf("code %d:\n%s", code, said)
		}
		var gone []string
		for _, c := range calls {
			if c.has("uninstall") {
				gone = append(gone, c.Arguments[1])
			}
			if c.has("delete", "namespace") != (purge && c.has("delete", "namespace")) || c.has("delete", "secret") || c.has("delete", "pvc") {
				t.Errorf("purge %v: %s", purge, c)
			}
		}
		if got, want := strings.Join(gone, " "), "butakero keda monitoring strimzi mongodb-operator cert-manager"; got != want {
			t.Errorf("uninstalled %s, want %s", got, want)
		}
	}
}

// At the end stand the commands that the original documents.
func TestDeploySaysHowToReachIt(t *testing.T) {
	t.Parallel()
	_, said, _ := newStage(t).deploy(t, nil, "--demo", "--no-verify", "--skip", "kafka")
	for _, want := range []string{
		"kubectl port-forward svc/backend-service 8080 -n backend", "http://localhost:8080/api/v1/health",
		"kubectl get pods -n backend", "kubectl get pods --all-namespaces", "kubectl logs -f backend-application-HASH -n backend",
		"kubectl port-forward svc/grafana 3000 -n monitoring", "left out, as asked: kafka",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s\n%s", want, said)
		}
	}
}

// The user that MongoDB is made with stands in a manifest; another one in the secret
// would be locked out, and is refused before MongoDB is touched.
func TestDeployRefusesAnotherUser(t *testing.T) {
	t.Parallel()
	code, said, calls := newStage(t).deploy(t, []string{answers("jsonpath={.data.MONGO_USER} => " + base64.StdEncoding.EncodeToString([]byte("other")))}, "--demo")
	if code != 1 || !strings.Contains(said, "MONGO_USER of backend-secret is not the user") {
		t.Errorf("code %d:\n%s", code, said)
	}
	for _, c := range calls {
		if c.has("upgrade") {
			t.Errorf("went on: %s", c)
		}
	}
}

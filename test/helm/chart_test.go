package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/butakero/butakero/internal/app"
)

const chart = "../../helm/butakero"

// tool is helm, as the set-up has built it.
func tool(tb testing.TB) string {
	tb.Helper()
	cache := os.Getenv("BUTAKERO_TEST_CACHE")
	if cache == "" {
		folder, err := os.UserCacheDir()
		if err != nil {
			tb.Fatal(err)
		}
		cache = filepath.Join(folder, "butakero")
	}
	path := filepath.Join(cache, "bin", "helm")
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("helm is missing: bash scripts/setup.sh helm: %v", err)
	}
	return path
}

// object is a manifest.
type object = map[string]any

// render is helm template with values, as NAME=VALUE.
func render(tb testing.TB, values ...string) ([]object, error) {
	tb.Helper()
	args := []string{"template", "butakero", chart, "--namespace", "backend", "--kube-version", "1.30.0"}
	for _, v := range values {
		args = append(args, "--set", v)
	}
	c := exec.CommandContext(context.WithoutCancel(tb.Context()), tool(tb), args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var all []object
	for d := yaml.NewDecoder(bytes.NewReader(out)); ; {
		var o object
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if o != nil {
			all = append(all, o)
		}
	}
}

// at walks into a manifest; nil where there is nothing.
func at(o any, path ...any) any {
	for _, step := range path {
		switch k := step.(type) {
		case string:
			m, ok := o.(object)
			if !ok {
				return nil
			}
			o = m[k]
		case int:
			l, ok := o.([]any)
			if !ok || k >= len(l) {
				return nil
			}
			o = l[k]
		}
	}
	return o
}

func find(all []object, kind, name string) object {
	for _, o := range all {
		if o["kind"] == kind && at(o, "metadata", "name") == name {
			return o
		}
	}
	return nil
}

var onAWS = []string{"engines.queue=sqs", "engines.store=dynamodb", "engines.files=s3", "aws.jobsQueueURL=https://sqs.us-east-1.amazonaws.com/1/jobs", "aws.bucket=songs"}

// matrix are the values that the chart is rendered with.
var matrix = map[string][]string{
	"defaults":   nil,
	"demo":       {"demo.enabled=true"},
	"aws":        onAWS,
	"scaled":     {"autoscaling.worker.enabled=true"},
	"scaled aws": append([]string{"autoscaling.worker.enabled=true"}, onAWS...),
	"crossed":    {"engines.store=dynamodb", "engines.files=s3", "aws.bucket=songs", "kafka.tls=false", "kafka.sasl.mechanism="},
	"all":        {"monitoring.enabled=true", "certificate.enabled=true", "ingress.enabled=true", "ingress.host=songs.example", "gateway.enabled=true", "gateway.name=edge", "autoscaling.worker.enabled=true"},
	"bare":       {"networkPolicy.enabled=false", "podDisruptionBudget.enabled=false", "autoscaling.api.enabled=false", "storage.existingClaim=mine", "secret.create=true", "secret.data.YOUTUBE_API_KEY=x"},
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	for name, values := range matrix {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := render(t, values...)
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range judge(all) {
				t.Error(wrong)
			}
		})
	}
}

// judge holds manifests against the rules.
func judge(all []object) (wrong []string) {
	bad := func(format string, arguments ...any) { wrong = append(wrong, fmt.Sprintf(format, arguments...)) }
	seen := map[string]bool{}
	for _, o := range all {
		kind := fmt.Sprint(o["kind"])
		name := fmt.Sprint(at(o, "metadata", "name"))
		if seen[kind+"/"+name] {
			bad("%s %s is there twice", kind, name)
		}
		seen[kind+"/"+name] = true
		spec := at(o, "spec", "template", "spec")
		if kind == "Pod" {
			spec = o["spec"]
		}
		if spec != nil {
			wrong = append(wrong, pod(kind+" "+name, spec)...)
		}
	}
	config := at(find(all, "ConfigMap", "backend-config"), "data")
	settings, ok := config.(object)
	if !ok {
		return append(wrong, "no settings")
	}
	var pairs []string
	for k, v := range settings {
		pairs = append(pairs, fmt.Sprintf("%s=%v", k, v))
	}
	if _, err := app.Load(pairs, "", nil); err != nil {
		for _, problem := range strings.Split(err.Error(), "\n") {
			if !strings.Contains(problem, "_FILE") { // it is mounted in a cluster
				bad("the program refuses the settings: %s", problem)
			}
		}
	}
	if w := find(all, "Deployment", "backend-worker"); w != nil {
		grace, _ := at(w, "spec", "template", "spec", "terminationGracePeriodSeconds").(int)
		var drain int
		if _, err := fmt.Sscan(fmt.Sprint(settings["BUTAKERO_DRAIN_SECONDS"]), &drain); err != nil || grace <= drain {
			bad("a worker has %d s to end, and drains for %v", grace, settings["BUTAKERO_DRAIN_SECONDS"])
		}
		if s := find(all, "ScaledObject", "backend-worker"); s != nil && at(w, "spec", "replicas") != nil {
			bad("the worker's replicas are set though KEDA scales it: each upgrade would kill workers")
		}
	}
	return wrong
}

// pod holds a pod against Kubernetes's restricted standard and ours.
func pod(name string, spec any) (wrong []string) {
	want := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			wrong = append(wrong, fmt.Sprintf("%s: %s is %v, not %v", name, what, got, want))
		}
	}
	want("runAsNonRoot", at(spec, "securityContext", "runAsNonRoot"), true)
	want("seccomp", at(spec, "securityContext", "seccompProfile", "type"), "RuntimeDefault")
	want("the token", at(spec, "automountServiceAccountToken"), false)
	want("escalation", at(spec, "containers", 0, "securityContext", "allowPrivilegeEscalation"), false)
	want("the root file system read only", at(spec, "containers", 0, "securityContext", "readOnlyRootFilesystem"), true)
	want("capabilities dropped", at(spec, "containers", 0, "securityContext", "capabilities", "drop"), []any{"ALL"})
	if at(spec, "containers", 0, "resources", "limits", "memory") == nil {
		wrong = append(wrong, name+": no limit of memory")
	}
	return wrong
}

// What judges the manifests can itself convict.
func TestJudgeConvicts(t *testing.T) {
	t.Parallel()
	for words, spoil := range map[string]func(all []object){
		"runAsNonRoot":       func(all []object) { delete(inWorker(all), "securityContext") },
		"token":              func(all []object) { inWorker(all)["automountServiceAccountToken"] = true },
		"drains for":         func(all []object) { inWorker(all)["terminationGracePeriodSeconds"] = 30 },
		"though KEDA scales": func(all []object) { find(all, "Deployment", "backend-worker")["spec"].(object)["replicas"] = 2 },
		"program refuses":    func(all []object) { find(all, "ConfigMap", "backend-config")["data"].(object)["BUTAKERO_SLOTTS"] = "4" },
		"is there twice":     func(all []object) { all[0]["kind"], all[0]["metadata"] = all[1]["kind"], all[1]["metadata"] },
		"no limit of memory": func(all []object) { delete(inWorker(all)["containers"].([]any)[0].(object), "resources") },
		"root file system":   func(all []object) { delete(inWorker(all)["containers"].([]any)[0].(object), "securityContext") },
		"no settings":        func(all []object) { find(all, "ConfigMap", "backend-config")["kind"] = "Secret" },
		"seccomp is <nil>":   func(all []object) { delete(inWorker(all)["securityContext"].(object), "seccompProfile") },
		"capabilities dropped": func(all []object) {
			delete(inWorker(all)["containers"].([]any)[0].(object)["securityContext"].(object), "capabilities")
		},
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			all, err := render(t, "autoscaling.worker.enabled=true")
			if err != nil {
				t.Fatal(err)
			}
			spoil(all)
			if got := strings.Join(judge(all), "\n"); !strings.Contains(got, words) {
				t.Errorf("not convicted: %q", got)
			}
		})
	}
}

func inWorker(all []object) object {
	return at(find(all, "Deployment", "backend-worker"), "spec", "template", "spec").(object)
}

// Values that can not work are refused with the reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for want, values := range map[string][]string{
		"drainSeconds":     {"worker.terminationGracePeriodSeconds=600"},
		"aws.jobsQueueURL": {"engines.queue=sqs"},
		"aws.bucket":       {"engines.files=s3"},
		"ingress.host":     {"ingress.enabled=true"},
		"gateway.name":     {"gateway.enabled=true"},
		"engines":          {"engines.queue=rabbitmq"},
		"slots":            {"worker.slots=many"},
		"wroker":           {"wroker.slots=3"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			if _, err := render(t, values...); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v", values, err)
			}
		})
	}
}

// KEDA is told what the reference of this project says of each queue.
func TestScaledObject(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []string
		want   map[string]string
	}{
		"sqs":   {append([]string{"autoscaling.worker.enabled=true"}, onAWS...), map[string]string{"queueLength": "4", "activationQueueLength": "0", "scaleOnInFlight": "true", "scaleOnDelayed": "false"}},
		"kafka": {[]string{"autoscaling.worker.enabled=true"}, map[string]string{"lagThreshold": "4", "excludePersistentLag": "false", "offsetResetPolicy": "earliest", "allowIdleConsumers": "true", "tls": "enable", "sasl": "scram_sha512"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := render(t, c.values...)
			if err != nil {
				t.Fatal(err)
			}
			s := find(all, "ScaledObject", "backend-worker")
			for key, want := range c.want {
				if got := at(s, "spec", "triggers", 0, "metadata", key); got != want {
					t.Errorf("%s is %v, not %s", key, got, want)
				}
			}
			query := fmt.Sprint(at(s, "spec", "triggers", 1, "metadata", "query"))
			if at(s, "spec", "triggers", 1, "type") != "prometheus" || !strings.Contains(query, `state="running"`) {
				t.Errorf("no trigger on what runs: %s", query)
			}
		})
	}
}

var metricName = regexp.MustCompile(`butakero_[a-z_]+`)

// Rules, dashboards and triggers ask for metrics that the program has.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	sources, err := filepath.Glob("../../internal/app/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatal(sources, err)
	}
	for _, file := range sources {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricName.FindAllString(string(text), -1) {
			known[name] = true
		}
	}
	asked := 0
	for _, pattern := range []string{"rules/*.yaml", "dashboards/*.json", "templates/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(chart, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range metricName.FindAllString(string(text), -1) {
				asked++
				if base := strings.TrimSuffix(name, "_bucket"); !known[base] {
					t.Errorf("%s asks for %s, which nobody tells", file, name)
				}
			}
		}
	}
	if asked < 30 {
		t.Errorf("only %d metrics are asked for", asked)
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), tool(t), "lint", "--strict", "--kube-version", "1.30.0", chart).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

//go:build deploycheck

package kube

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/butakero/butakero/test/kube/plane"
)

type schema = map[string]any

// cache is where the set-up has put the tools.
func cacheFolder(t *testing.T) string {
	t.Helper()
	if folder := os.Getenv("BUTAKERO_TEST_CACHE"); folder != "" {
		return folder
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "butakero")
}

// schemas makes a folder of JSON schemas for kubeconform, without the internet: of
// Kubernetes's own kinds from its published description, of the operators' from their
// definitions. A field that a kind does not have is an error.
func schemas(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write := func(name string, s any) {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob(filepath.Join(cacheFolder(t), "kube", "swagger-*.json"))
	if err != nil || len(found) == 0 {
		t.Fatalf("the description of Kubernetes is missing; get it with: bash scripts/setup.sh kube (%v)", err)
	}
	raw, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		t.Fatal(err)
	}
	var api struct{ Definitions map[string]schema }
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), `"#/definitions/`, `"_definitions.json#/definitions/`)), &api); err != nil {
		t.Fatal(err)
	}
	for name, d := range api.Definitions {
		switch { // what is written as text or number
		case strings.HasSuffix(name, "IntOrString"), strings.HasSuffix(name, "api.resource.Quantity"):
			api.Definitions[name] = schema{"type": []string{"string", "number", "integer"}}
			continue
		}
		closed(d)
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			id, ok := k.(schema)
			if !ok {
				continue
			}
			write(fileName(id["group"].(string), id["version"].(string), id["kind"].(string)), schema{"$ref": "_definitions.json#/definitions/" + name})
		}
	}
	write("_definitions.json", schema{"definitions": api.Definitions})

	files, err := filepath.Glob(filepath.Join(cacheFolder(t), "kube", "crds", "*", "*.yaml"))
	if err != nil || len(files) < 10 {
		t.Fatalf("the operators' definitions are missing; get them with: bash scripts/setup.sh kube (%d, %v)", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						OpenAPIV3Schema schema `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := yaml.Unmarshal(raw, &crd); err != nil {
			t.Fatal(file, err)
		}
		for _, v := range crd.Spec.Versions {
			s := v.Schema.OpenAPIV3Schema
			if s == nil {
				continue
			}
			closed(s)
			delete(s, "additionalProperties") // apiVersion and kind are not in all of them
			write(fileName(crd.Spec.Group, v.Name, crd.Spec.Names.Kind), s)
		}
	}
	return folder
}

// fileName is where kubeconform looks for a kind.
func fileName(group, version, kind string) string {
	parts := []string{strings.ToLower(kind)}
	if group != "" {
		parts = append(parts, strings.Split(group, ".")[0])
	}
	return strings.Join(append(parts, version), "-") + ".json"
}

// closed allows no fields but those that are described.
func closed(s schema) {
	properties, ok := s["properties"].(schema)
	if ok && s["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] != true {
		s["additionalProperties"] = false
	}
	if s["x-kubernetes-int-or-string"] == true {
		delete(s, "type")
		delete(s, "anyOf")
		delete(s, "pattern")
	}
	for _, p := range properties {
		if inner, ok := p.(schema); ok {
			closed(inner)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := s[key].(schema); ok {
			closed(inner)
		}
	}
}

// kubeconform takes what the chart renders and the manifests of deploy.sh, by schemas
// that lie here; mistakes are found.
func TestKubeconform(t *testing.T) {
	folder := schemas(t)
	cache := cacheFolder(t)
	root := plane.Root(t)
	conform := func(manifests string) (string, error) {
		c := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(cache, "bin", "kubeconform"), "-strict", "-summary",
			"-schema-location", folder+"/{{ .ResourceKind }}{{ .KindSuffix }}.json", "-skip", "HTTPRoute,KafkaNodePool,KafkaTopic,KafkaUser,Kafka", "-")
		c.Stdin = strings.NewReader(manifests)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	render := func(values string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), filepath.Join(cache, "bin", "helm"), "template", "butakero", filepath.Join(root, "helm/butakero"), "-n", "backend", "--kube-version", "1.34.0", "--set", values).Output()
		if err != nil {
			t.Fatal(values, err)
		}
		return string(out)
	}
	all := "autoscaling.worker.enabled=true,monitoring.enabled=true,certificate.enabled=true,ingress.enabled=true,ingress.host=songs.example.org,gateway.enabled=true,gateway.name=edge"
	for _, values := range []string{
		"demo.enabled=true", all,
		all + ",engines.queue=sqs,engines.store=dynamodb,engines.files=s3,aws.jobsQueueURL=https://sqs.us-east-1.amazonaws.com/1/jobs,aws.bucket=songs",
	} {
		if out, err := conform(render(values)); err != nil {
			t.Errorf("%s: %v\n%s", values, err, out)
		} else {
			t.Log(strings.TrimSpace(out))
		}
	}
	for _, pattern := range []string{"*/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, "deploy/kubernetes", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if filepath.Base(filepath.Dir(file)) == "values" {
				continue
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := conform(string(raw)); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
		}
	}
	good := render(all)
	for right, wrong := range map[string]string{
		"terminationGracePeriodSeconds:": "terminationGrace:", "pollingInterval:": "poolingInterval:", "maxReplicas: 6": "maxReplicas: six", "issuerRef:": "issuer:",
	} {
		if out, err := conform(strings.ReplaceAll(good, right, wrong)); err == nil {
			t.Errorf("%q was taken: %s", wrong, out)
		}
	}
}

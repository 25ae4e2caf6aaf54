package events

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/butakero/butakero/internal/events"
)

// asyncapi is the parsed asyncapi.yaml.
func asyncapi(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// at follows a path of member names, nil if it leads nowhere.
func at(node any, path ...string) any {
	for _, step := range path {
		m, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = m[step]
	}
	return node
}

// TestReferences: every $ref of the file leads somewhere.
func TestReferences(t *testing.T) {
	t.Parallel()
	document := asyncapi(t)
	count := 0
	var walk func(node any)
	walk = func(node any) {
		switch n := node.(type) {
		case map[string]any:
			if ref, ok := n["$ref"].(string); ok {
				count++
				if path, local := strings.CutPrefix(ref, "#/"); local {
					if at(document, strings.Split(path, "/")...) == nil {
						t.Errorf("%s leads nowhere", ref)
					}
				} else if _, err := os.Stat(filepath.Join(folder, ref)); err != nil {
					t.Errorf("%s: %v", ref, err)
				}
			}
			for _, child := range n {
				walk(child)
			}
		case []any:
			for _, child := range n {
				walk(child)
			}
		}
	}
	walk(document)
	if count < 20 {
		t.Errorf("%d references followed, want all of them", count)
	}
}

// TestDescribesTheCode holds names in the file to those in the code.
func TestDescribesTheCode(t *testing.T) {
	t.Parallel()
	document := asyncapi(t)
	if v := document["asyncapi"]; v != "3.0.0" {
		t.Errorf("asyncapi %v", v)
	}
	for message, want := range map[string]struct{ contentType, schema string }{
		"sqsCloudEvent":   {events.ContentTypeCloudEvents, formats["cloudevents"]},
		"kafkaCloudEvent": {events.ContentTypeCloudEvents, formats["cloudevents"]},
		"sqsOriginal":     {events.ContentTypeOriginal, formats["original"]},
		"kafkaOriginal":   {events.ContentTypeOriginal, formats["original"]},
	} {
		m := at(document, "components", "messages", message)
		if got := at(m, "contentType"); got != want.contentType {
			t.Errorf("%s: content type %v, the code says %q", message, got, want.contentType)
		}
		if got := at(m, "payload", "$ref"); got != "./"+want.schema {
			t.Errorf("%s: payload %v, want %s", message, got, want.schema)
		}
	}
	headers := at(document, "components", "schemas", "headers", "properties")
	types, _ := at(headers, "ce_type", "enum").([]any)
	for _, state := range []string{"succeeded", "failed", "cancelled"} {
		if !slices.Contains(types, any(events.TypePrefix+state)) {
			t.Errorf("ce_type has no %s%s", events.TypePrefix, state)
		}
	}
	contents, _ := at(headers, "content-type", "enum").([]any)
	if len(types) != 3 || !slices.Contains(contents, any(events.ContentTypeCloudEvents)) || !slices.Contains(contents, any(events.ContentTypeOriginal)) {
		t.Errorf("headers say %v and %v", types, contents)
	}
}

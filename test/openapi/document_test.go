package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// document is the parsed openapi.yaml.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

const documentURL = "https://butakero.test/openapi.json"

func load(t *testing.T) *document {
	t.Helper()
	text, err := os.ReadFile("../../internal/httpapi/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	closeObjects(root["components"].(map[string]any)["schemas"])
	encoded, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(documentURL, plain); err != nil {
		t.Fatal(err)
	}
	return &document{root: root, compiler: c}
}

// closeObjects forbids members that the document does not name. Clients must
// expect new ones; this test must not.
func closeObjects(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, open := n["additionalProperties"]; n["type"] == "object" && n["properties"] != nil && !open {
			n["additionalProperties"] = false
		}
		for _, v := range n {
			closeObjects(v)
		}
	case []any:
		for _, v := range n {
			closeObjects(v)
		}
	}
}

// at follows a JSON pointer and the references on the way. It returns the
// pointer of what it found, too.
func (d *document) at(t *testing.T, pointer string) (any, string) {
	t.Helper()
	var node any = d.root
	at := ""
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		m, ok := node.(map[string]any)
		if !ok {
			return nil, pointer
		}
		node = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
		at += "/" + part
		if m, ok := node.(map[string]any); ok {
			if ref, ok := m["$ref"].(string); ok {
				node, at = d.at(t, strings.TrimPrefix(ref, "#"))
				if node == nil {
					t.Fatalf("%s leads nowhere", ref)
				}
			}
		}
	}
	return node, at
}

func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// operations returns "method path" of every operation with the statuses that are
// documented for it.
func (d *document) operations(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for path, item := range d.root["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			for status := range op.(map[string]any)["responses"].(map[string]any) {
				name := method + " " + path
				found[name] = append(found[name], status)
			}
		}
	}
	return found
}

// check validates an answer: status, media type, required headers and body.
func (d *document) check(t *testing.T, operation string, w *httptest.ResponseRecorder) error {
	t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	responses := fmt.Sprintf("/paths/%s/%s/responses/%d", escape(path), method, w.Code)
	response, at := d.at(t, responses)
	if response == nil {
		return fmt.Errorf("status %d is not documented: %s", w.Code, w.Body)
	}
	contents, _ := response.(map[string]any)["content"].(map[string]any)
	if len(contents) == 0 {
		if w.Body.Len() > 0 {
			return fmt.Errorf("status %d has a body that is not documented: %s", w.Code, w.Body)
		}
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("Content-Type %q: %w", w.Header().Get("Content-Type"), err)
	}
	content, ok := contents[mediaType].(map[string]any)
	if !ok {
		return fmt.Errorf("media type %s is not documented for status %d", mediaType, w.Code)
	}
	if mediaType != "application/json" && mediaType != "application/problem+json" {
		return nil
	}
	if content["schema"] == nil {
		return fmt.Errorf("no schema for %s", mediaType)
	}
	schema, err := d.compiler.Compile(documentURL + "#" + at + "/content/" + escape(mediaType) + "/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// TestDocument: every reference leads somewhere, every schema is one, every
// operation has an id of its own and says what it does.
func TestDocument(t *testing.T) {
	t.Parallel()
	d := load(t)
	if v := d.root["openapi"]; v != "3.1.0" {
		t.Errorf("openapi %v", v)
	}
	var refs func(node any)
	refs = func(node any) {
		switch n := node.(type) {
		case map[string]any:
			if ref, ok := n["$ref"].(string); ok {
				if found, _ := d.at(t, strings.TrimPrefix(ref, "#")); found == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, v := range n {
				refs(v)
			}
		case []any:
			for _, v := range n {
				refs(v)
			}
		}
	}
	refs(d.root)
	for name := range d.root["components"].(map[string]any)["schemas"].(map[string]any) {
		if _, err := d.compiler.Compile(documentURL + "#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ids := map[string]bool{}
	for operation := range d.operations(t) {
		method, path, _ := strings.Cut(operation, " ")
		op, _ := d.at(t, "/paths/"+escape(path)+"/"+method)
		id, _ := op.(map[string]any)["operationId"].(string)
		if summary, _ := op.(map[string]any)["summary"].(string); id == "" || summary == "" || ids[id] {
			t.Errorf("%s: operation id %q, summary %q", operation, id, summary)
		}
		ids[id] = true
	}
}

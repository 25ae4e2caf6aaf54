package helm

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Readme describes the values of a chart, from the comments in its values.yaml that
// begin with "# --".
func Readme(values []byte) (string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(values, &root); err != nil {
		return "", err
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return "", fmt.Errorf("values.yaml is not a mapping")
	}
	var b strings.Builder
	b.WriteString("# Chart butakero\n\n" +
		"API and workers of Butakero. How to install it: [docs/deploy/kubernetes.md](../../docs/deploy/kubernetes.md). This page is made from `values.yaml`:\n" +
		"`UPDATE=1 go -C test test ./helm -run TestReadme`.\n\n| value | default | what it is |\n|---|---|---|\n")
	rows(&b, "", root.Content[0])
	return b.String(), nil
}

func rows(b *strings.Builder, prefix string, m *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		name := prefix + key.Value
		words := comment(key.HeadComment)
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 && value.Style != yaml.FlowStyle {
			if words != "" {
				fmt.Fprintf(b, "| **`%s`** | | %s |\n", name, words)
			}
			rows(b, name+".", value)
			continue
		}
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", name, literal(value), words)
	}
}

func comment(text string) string {
	var words []string
	for _, line := range strings.Split(text, "\n") {
		words = append(words, strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " --")))
	}
	return strings.ReplaceAll(strings.TrimSpace(strings.Join(words, " ")), "|", "\\|")
}

// literal is a value as it stands in one line.
func literal(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Value == "":
		return `""`
	case n.Kind == yaml.ScalarNode:
		return strings.ReplaceAll(n.Value, "|", "\\|")
	case n.Kind == yaml.SequenceNode:
		var all []string
		for _, e := range n.Content {
			all = append(all, literal(e))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	var all []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		all = append(all, n.Content[i].Value+": "+literal(n.Content[i+1]))
	}
	return "{" + strings.Join(all, ", ") + "}"
}

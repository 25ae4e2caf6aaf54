package helm

import (
	"os"
	"path/filepath"
	"testing"
)

// The chart's README is what its values say; UPDATE=1 writes it.
func TestReadme(t *testing.T) {
	t.Parallel()
	values, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Readme(values)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(chart, "README.md")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("README.md of the chart is not what values.yaml says (%v): UPDATE=1 go -C test test ./helm -run TestReadme", err)
	}
}

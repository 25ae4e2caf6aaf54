package httpapi

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryCodeIsExplained: the type of a problem leads to a place in docs/api.md.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	for _, file := range []string{"problem.go", "decode.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`status: [^,]+, code: "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
			codes++
			if !strings.Contains(string(page), `<a id="`+m[1]+`"></a>`) {
				t.Errorf("%s has no place in docs/api.md", m[1])
			}
		}
	}
	if codes < 25 {
		t.Errorf("only %d codes were found", codes)
	}
}

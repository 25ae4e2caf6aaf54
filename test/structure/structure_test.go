package structure_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/butakero/butakero"

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Dir, Name, Doc string
	Standard                   bool
	Imports                    []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Name,Doc,Standard,Imports"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// layer is the part of the project that a package belongs to; "" is none.
func layer(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	parts := strings.Split(rest, "/")
	switch {
	case parts[0] == "cmd" || parts[0] == "test":
		return parts[0]
	case parts[0] != "internal" || len(parts) < 2:
		return ""
	case parts[1] == "pipeline" && len(parts) > 2:
		return "format"
	case len(parts) > 2 && strings.HasSuffix(parts[2], "test") && adapters[parts[1]]:
		return "suite"
	case adapters[parts[1]] && len(parts) > 2:
		if rest == "internal/source/link" {
			return "link"
		}
		if len(parts) > 3 && parts[3] == "gen" {
			return "generator"
		}
		return "adapter"
	}
	return parts[1]
}

var adapters = map[string]bool{"store": true, "transport": true, "blob": true, "source": true}

// arrows says which layers a layer may import.
var arrows = map[string][]string{
	"cmd":       {"app"},
	"app":       {"httpapi", "pipeline", "format", "adapter", "link", "jobs"},
	"httpapi":   {"jobs", "pipeline"},
	"pipeline":  {"jobs", "format"},
	"adapter":   {"jobs", "pipeline", "link"},
	"generator": {},
	"link":      {"jobs"},
	"suite":     {"jobs", "pipeline"},
	"format":    {},
	"jobs":      {},
	"test":      {"app", "httpapi", "pipeline", "format", "adapter", "suite", "link", "jobs", "test"},
}

// badArrow says what is wrong with an import, "" if nothing.
func badArrow(from, to string) string {
	a, b := layer(from), layer(to)
	if b == "" {
		return ""
	}
	if a == "adapter" && b == "adapter" && !strings.HasPrefix(to, from+"/") && !strings.HasPrefix(from, to+"/") {
		return "adapters must not know each other"
	}
	if a == b && a == "adapter" {
		return ""
	}
	for _, allowed := range arrows[a] {
		if allowed == b {
			return ""
		}
	}
	return a + " must not import " + b
}

func TestArrows(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, module+"/...") {
		for _, imported := range p.Imports {
			if what := badArrow(p.ImportPath, imported); what != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, what)
			}
			pure := layer(p.ImportPath) == "jobs" || layer(p.ImportPath) == "format"
			if pure && strings.Contains(strings.Split(imported, "/")[0], ".") && layer(imported) == "" {
				t.Errorf("%s imports %s: the standard library alone", p.ImportPath, imported)
			}
		}
	}
	for _, bad := range [][2]string{
		{"cmd/api", "internal/jobs"}, {"internal/jobs", "internal/app"}, {"internal/store/sqlite", "internal/transport/sqlite"},
		{"internal/httpapi", "internal/store/sqlite"}, {"internal/pipeline/webm", "internal/pipeline/opus"}, {"internal/app", "test/servers"},
		{"internal/jobs", "cmd/api"}, {"internal/blob/localfs", "internal/blob/blobtest"},
	} {
		if badArrow(module+"/"+bad[0], module+"/"+bad[1]) == "" {
			t.Errorf("%s → %s went unnoticed", bad[0], bad[1])
		}
	}
}

// The binaries hold no test code.
func TestBinariesHoldNoTestCode(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "-deps", module+"/cmd/...") {
		if p.ImportPath == "testing" || strings.Contains(p.ImportPath, "testify") || layer(p.ImportPath) == "suite" {
			t.Errorf("a binary links %s", p.ImportPath)
		}
	}
}

// Every package says what it is, and none is called after nothing.
func TestPackages(t *testing.T) {
	t.Parallel()
	empty := map[string]bool{"util": true, "utils": true, "common": true, "models": true, "helpers": true, "mocks": true}
	for _, p := range list(t, module+"/...") {
		if p.Doc == "" {
			t.Errorf("%s has no package documentation", p.ImportPath)
		}
		if empty[p.Name] {
			t.Errorf("%s: a name that says nothing", p.ImportPath)
		}
	}
}

// Every adapter is in the registry and runs its family's suite.
func TestAdaptersAreRegisteredAndHeldToTheirSuite(t *testing.T) {
	t.Parallel()
	top := root(t)
	registry := read(t, filepath.Join(top, "internal", "app", "registry.go"))
	checked := 0
	for family, suite := range map[string]string{"store": "storetest", "transport": "transporttest", "blob": "blobtest", "source": "sourcetest"} {
		entries, err := os.ReadDir(filepath.Join(top, "internal", family))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := "internal/" + family + "/" + e.Name()
			if layer(module+"/"+path) != "adapter" {
				continue
			}
			checked++
			if !strings.Contains(registry, `"`+module+"/"+path+`"`) {
				t.Errorf("%s is not in the registry", path)
			}
			if !callsSuite(t, filepath.Join(top, path), suite) && !callsSuite(t, filepath.Join(top, "test", family), suite+".Run(t") {
				t.Errorf("%s does not run %s", path, suite)
			}
		}
	}
	if checked < 6 {
		t.Errorf("only %d adapters found", checked)
	}
}

func callsSuite(t *testing.T, dir, suite string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(read(t, f), suite+".") || strings.Contains(read(t, f), suite) && strings.Contains(suite, "(") {
			return true
		}
	}
	return false
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// A port has at most six methods, and every exported one is documented.
func TestPortsAreSmall(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"internal/jobs/ports.go", "internal/pipeline/ports.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), file), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				found++
				if n := len(i.Methods.List); n > 6 {
					t.Errorf("%s: %s has %d methods", file, spec.Name, n)
				}
			}
			return true
		})
		if found == 0 {
			t.Errorf("%s: no port found", file)
		}
	}
}

var (
	sleeps       = regexp.MustCompile(`\btime\.Sleep\(`)
	machinePaths = regexp.MustCompile(`(^|[^A-Za-z0-9_.-])/(work|farm)/[a-z]`)
)

// Files are short, mains are shells, tests do not sleep, and nothing speaks of
// one machine.
func TestFiles(t *testing.T) {
	t.Parallel()
	top := root(t)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, path)
		if d.IsDir() {
			if name := d.Name(); name == ".git" || name == "bin" || name == "build" || name == "data" || name == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".sh", ".md", ".yaml", ".yml", ".json", ".toml", ".env", "":
		default:
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, what := range faults(filepath.ToSlash(rel), raw) {
			t.Errorf("%s: %s", rel, what)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte("\n"), 600)
	for name, bad := range map[string][]byte{
		"cmd/api/main.go": long[:70], "internal/jobs/x.go": long,
		"x_test.go": []byte("time." + "Sleep(1)"), "README.md": []byte("see /wo" + "rk/main"),
	} {
		if len(faults(name, bad)) == 0 {
			t.Errorf("a fault in %s went unnoticed", name)
		}
	}
}

func faults(name string, raw []byte) (all []string) {
	lines := bytes.Count(raw, []byte("\n"))
	switch {
	case strings.HasPrefix(name, "cmd/") && strings.HasSuffix(name, "/main.go") && lines > 60:
		all = append(all, "a main of more than 60 lines")
	case strings.HasSuffix(name, ".go") && lines > 500:
		all = append(all, "more than 500 lines")
	}
	if strings.HasSuffix(name, "_test.go") && sleeps.Match(raw) {
		all = append(all, "a test sleeps")
	}
	if machinePaths.Match(raw) {
		all = append(all, "a path of one machine")
	}
	return all
}

package structure_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/butakero/butakero/test/structure"
)

// project is what there is to look at, read once.
type project struct {
	packages []structure.Package // of both modules
	deps     []structure.Package // of the root module, with all that they need
	linked   []structure.Package // into the binaries
	files    []structure.Source
}

var load = sync.OnceValues(func() (*project, error) {
	work, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(work)) == 0 {
		return nil, errors.New("the go.work of the project is needed: it joins both modules")
	}
	p := &project{}
	root := filepath.Dir(strings.TrimSpace(string(work)))
	if p.packages, err = list(root, "./...", "./test/..."); err != nil {
		return nil, err
	}
	if p.deps, err = list(root, "-deps", "./..."); err != nil {
		return nil, err
	}
	if p.linked, err = list(root, "-deps", "./cmd/..."); err != nil {
		return nil, err
	}
	p.files, err = files(root)
	return p, err
})

func list(dir string, args ...string) ([]structure.Package, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Name,Doc,Standard,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	var all []structure.Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p structure.Package
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// files reads the project's texts, whether committed yet or not.
func files(root string) (all []structure.Source, err error) {
	out, err := exec.Command("git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z").Output()
	var names []string
	if err == nil {
		names = strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	} else if names, err = walk(root); err != nil { // an archive, say
		return nil, err
	}
	for _, name := range names {
		switch filepath.Ext(name) {
		case ".go", ".sh", ".md", ".yaml", ".yml", ".json", ".toml", ".env", ".tf", ".html", ".js", ".css", "":
		default:
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, not committed
		}
		if err != nil {
			return nil, err
		}
		all = append(all, structure.Source{Name: filepath.ToSlash(name), Text: text})
	}
	return all, nil
}

func walk(root string) (names []string, err error) {
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "bin", "build", "data", "node_modules":
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, name)
		names = append(names, rel)
		return err
	})
	return names, err
}

func get(t *testing.T) *project {
	t.Helper()
	p, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func report(t *testing.T, found []string) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}

func TestArrows(t *testing.T) {
	t.Parallel()
	p := get(t)
	if len(p.packages) < 10 {
		t.Fatalf("only %d packages found", len(p.packages))
	}
	report(t, structure.Arrows(p.packages))
}

func TestDomainAndFormatsNeedTheStandardLibraryAlone(t *testing.T) {
	t.Parallel()
	report(t, structure.Purity(get(t).deps))
}

func TestBinariesHoldNoTestCode(t *testing.T) {
	t.Parallel()
	report(t, structure.TestCode(get(t).linked))
}

func TestPackagesAreNamedAndDocumented(t *testing.T) {
	t.Parallel()
	report(t, structure.Names(get(t).packages))
}

func TestAdaptersAreRegisteredAndHeldToTheirSuite(t *testing.T) {
	t.Parallel()
	p := get(t)
	registry := structure.Source{Name: "internal/app/registry.go"}
	var tests []structure.Source
	for _, f := range p.files {
		if f.Name == registry.Name {
			registry = f
		}
		if strings.HasSuffix(f.Name, "_test.go") {
			tests = append(tests, f)
		}
	}
	found, count := structure.Adapters(p.packages, registry, tests)
	report(t, found)
	t.Logf("%d adapters", count)
}

func TestPortsAreSmall(t *testing.T) {
	t.Parallel()
	byPackage := map[string][]structure.Source{}
	for _, f := range get(t).files {
		if strings.HasPrefix(f.Name, "internal/") && strings.HasSuffix(f.Name, ".go") && !strings.HasSuffix(f.Name, "_test.go") {
			byPackage[path.Dir(f.Name)] = append(byPackage[path.Dir(f.Name)], f)
		}
	}
	for dir, files := range byPackage {
		found, count := structure.Ports(files)
		report(t, found)
		if dir == "internal/jobs" && count == 0 {
			t.Error("internal/jobs declares no port")
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	for _, f := range get(t).files {
		found, warnings := structure.File(f)
		report(t, found)
		for _, w := range warnings {
			t.Log("WARNING: " + w)
		}
	}
}

package structure_test

import (
	"strings"
	"testing"

	"github.com/butakero/butakero/test/structure"
)

// A rule that can not convict holds nothing: each one meets violations here, and
// beside them what is close to a violation and none.

func at(path string) string { return structure.Module + "/" + path }

func pkg(path string, imports ...string) structure.Package {
	return structure.Package{ImportPath: at(path), Name: path[strings.LastIndex(path, "/")+1:], Doc: "Package x is one.", Imports: imports}
}

// convicts fails unless the findings are as many as wanted, each with its part of
// a message.
func convicts(t *testing.T, found []string, want ...string) {
	t.Helper()
	if len(found) != len(want) {
		t.Errorf("%d findings, want %d:\n%s", len(found), len(want), strings.Join(found, "\n"))
		return
	}
	for i, w := range want {
		if !strings.Contains(found[i], w) {
			t.Errorf("finding %d: %q, want something with %q", i, found[i], w)
		}
	}
}

func TestLayerOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]structure.Layer{
		"fmt": structure.Outside, "github.com/butakero/other": structure.Outside,
		at("cmd/api"): structure.Commands, at("internal/app"): structure.App, at("internal/httpapi"): structure.HTTP,
		at("internal/pipeline"): structure.Pipeline, at("internal/pipeline/webm"): structure.Format,
		at("internal/store/dynamo"): structure.Adapter, at("internal/store/dynamo/schema"): structure.Adapter,
		at("internal/store/storetest"): structure.Suite, at("internal/source/link"): structure.Link,
		at("internal/source/demo/gen"): structure.Generator, at("internal/jobs"): structure.Jobs,
		at("test/servers"): structure.Tests, at("internal/telemetry"): structure.Unknown, at("internal/store"): structure.Unknown,
	} {
		if got := structure.LayerOf(path); got != want {
			t.Errorf("LayerOf(%s) = %q, want %q", path, got, want)
		}
	}
}

func TestArrowsConvict(t *testing.T) {
	t.Parallel()
	for _, bad := range []struct{ from, to, want string }{
		{"cmd/api", "internal/jobs", "cmd must not import jobs"},
		{"cmd/api", "internal/store/sqlite", "cmd must not import adapter"},
		{"cmd/api", "cmd/worker", "cmd must not import cmd"},
		{"internal/jobs", "internal/app", "jobs must not import app"},
		{"internal/jobs", "cmd/api", "jobs must not import cmd"},
		{"internal/httpapi", "internal/store/sqlite", "httpapi must not import adapter"},
		{"internal/httpapi", "internal/app", "httpapi must not import app"},
		{"internal/pipeline", "internal/source/youtube", "pipeline must not import adapter"},
		{"internal/pipeline/webm", "internal/pipeline/opus", "format must not import format"},
		{"internal/pipeline/webm", "internal/jobs", "format must not import jobs"},
		{"internal/store/sqlite", "internal/transport/sqlite", "adapters must not know each other"},
		{"internal/store/sqlite", "internal/store/memory", "adapters must not know each other"},
		{"internal/blob/localfs", "internal/blob/blobtest", "adapter must not import suite"},
		{"internal/store/storetest", "internal/store/sqlite", "suite must not import adapter"},
		{"internal/source/link", "internal/source/demo", "link must not import adapter"},
		{"internal/app", "test/servers", "app must not import test"},
		{"internal/app", "internal/store/storetest", "app must not import suite"},
		{"test/chaos", "cmd/butakero", "test must not import cmd"},
		{"internal/telemetry", "internal/jobs", "has no layer"},
		{"internal/httpapi", "internal/telemetry", "httpapi must not import unknown"},
	} {
		convicts(t, structure.Arrows([]structure.Package{pkg(bad.from, "fmt", at(bad.to))}), bad.want)
	}
	for _, good := range [][2]string{
		{"cmd/api", "internal/app"}, {"internal/app", "internal/store/dynamo"}, {"internal/httpapi", "internal/jobs"},
		{"internal/pipeline", "internal/pipeline/ogg"}, {"internal/store/dynamo", "internal/jobs"},
		{"internal/store/dynamo", "internal/store/dynamo/schema"}, {"internal/source/youtube", "internal/source/link"},
		{"test/chaos", "test/servers"}, {"test/chaos", "internal/app"},
	} {
		convicts(t, structure.Arrows([]structure.Package{pkg(good[0], at(good[1]), "github.com/x/y")}))
	}
	p := pkg("internal/jobs")
	p.TestImports = []string{at("internal/store/memory"), at("test/servers")}
	p.XTestImports = []string{at("cmd/api")}
	convicts(t, structure.Arrows([]structure.Package{p}), "the tests of", "the tests of")
}

func TestPurityConvicts(t *testing.T) {
	t.Parallel()
	std := structure.Package{ImportPath: "encoding/json", Standard: true}
	vendored := structure.Package{ImportPath: "vendor/golang.org/x/net/idna", Standard: true}
	uuid := structure.Package{ImportPath: "github.com/google/uuid"}
	convicts(t, structure.Purity([]structure.Package{std, vendored, pkg("internal/jobs", "encoding/json"), pkg("internal/pipeline/ogg", "encoding/json"), pkg("internal/app", "github.com/google/uuid"), uuid}))
	convicts(t, structure.Purity([]structure.Package{std, uuid, pkg("internal/jobs", "encoding/json", "github.com/google/uuid")}), "internal/jobs imports github.com/google/uuid")
	convicts(t, structure.Purity([]structure.Package{uuid, pkg("internal/pipeline/dca", "github.com/google/uuid")}), "internal/pipeline/dca imports github.com/google/uuid")
	convicts(t, structure.Purity([]structure.Package{pkg("internal/jobs", "nodots")}), "internal/jobs imports nodots")
}

func TestTestCodeConvicts(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"testing", "testing/fstest", "net/http/httptest", "github.com/stretchr/testify/require", "github.com/testcontainers/testcontainers-go",
		at("internal/store/storetest"), at("test/servers"),
	} {
		convicts(t, structure.TestCode([]structure.Package{{ImportPath: bad}}), "a binary links "+bad)
	}
	convicts(t, structure.TestCode([]structure.Package{{ImportPath: "internal/testlog"}, {ImportPath: "net/http"}, pkg("internal/app")}))
}

func TestNamesConvict(t *testing.T) {
	t.Parallel()
	silent := pkg("internal/app")
	silent.Doc = " \n"
	convicts(t, structure.Names([]structure.Package{silent}), "no package documentation")
	for _, bad := range []string{"util", "common", "helpers", "models", "mocks"} {
		convicts(t, structure.Names([]structure.Package{pkg("internal/" + bad)}), "says nothing")
	}
	folder := pkg("internal/app/helpers")
	folder.Name = "app"
	convicts(t, structure.Names([]structure.Package{folder}), "says nothing")
	convicts(t, structure.Names([]structure.Package{pkg("internal/jobs"), pkg("test/model"), {ImportPath: "github.com/x/utils", Name: "utils"}}))
}

func TestAdaptersConvict(t *testing.T) {
	t.Parallel()
	source := func(name, text string) structure.Source { return structure.Source{Name: name, Text: []byte(text)} }
	dynamo := pkg("internal/store/dynamo")
	all := []structure.Package{dynamo, pkg("internal/store/dynamo/schema"), pkg("internal/store/storetest"), pkg("internal/source/link")}
	registry := source("internal/app/registry.go", `package app; import d "`+dynamo.ImportPath+`"; var x = d.Open`)
	suite := at("internal/store/storetest")
	test := source("internal/store/dynamo/suite_test.go", `package dynamo_test; import "`+suite+`"; func TestStore(t *testing.T) { storetest.Run(t, nil) }`)
	remote := source("test/engines/dynamo_test.go", `package x; import ("`+dynamo.ImportPath+`"; s "`+suite+`"); func TestStore(t *testing.T) { s.Run(t, dynamo.Open) }`)

	check := func(registry structure.Source, tests []structure.Source, want ...string) {
		t.Helper()
		found, count := structure.Adapters(all, registry, tests)
		if count != 1 {
			t.Errorf("%d adapters, want 1", count)
		}
		convicts(t, found, want...)
	}
	check(registry, []structure.Source{test})
	check(registry, []structure.Source{remote})
	check(registry, nil, "no test of it calls storetest")
	check(structure.Source{Name: registry.Name}, []structure.Source{test}, "is not in internal/app/registry.go")
	check(source(registry.Name, `package app // "`+dynamo.ImportPath+`"`), []structure.Source{test}, "is not in internal/app/registry.go")
	for _, idle := range []structure.Source{
		source("internal/store/mongo/suite_test.go", string(test.Text)), // another one's
		source(test.Name, `package dynamo_test; import _ "`+suite+`"; func TestStore(t *testing.T) {}`),
		source(test.Name, `package dynamo_test; func TestStore(t *testing.T) { storetest.Run(t) }`),
		source(test.Name, `package dynamo_test; import "`+suite+`"; var x storetest.Features // storetest.Run(t)`),
		source("test/engines/dynamo_test.go", string(test.Text)), // does not import the adapter
	} {
		check(registry, []structure.Source{idle}, "no test of it calls storetest")
	}
}

func TestPortsConvict(t *testing.T) {
	t.Parallel()
	ports := func(text string) []structure.Source {
		return []structure.Source{{Name: "x.go", Text: []byte("package x\n" + text)}}
	}
	check := func(text string, count int, want ...string) {
		t.Helper()
		found, n := structure.Ports(ports(text))
		if n != count {
			t.Errorf("%d ports, want %d: %s", n, count, text)
		}
		convicts(t, found, want...)
	}
	check("type P interface { A(); B(); C(); D(); E(); F() }", 1)
	check("type P interface { A(); B(); C(); D(); E(); F(); G() }", 1, "P has 7 methods")
	check("type P interface { A(); B(); C(); Q }; type Q interface { D(); E(); F(); G() }", 2, "P has 7 methods")
	check("type P interface { A(); B(); C(); D(); E(); F(); io.Closer }", 1, "P has 7 methods")
	check("type All interface { P; Q }; type P interface { A(); B(); C(); D() }; type Q interface { E(); F(); G() }", 2)
	check("type p interface { A(); B(); C(); D(); E(); F(); G() }; type S struct{}", 0)
}

func TestFileConvicts(t *testing.T) {
	t.Parallel()
	lines := func(n int) string { return "package x\n" + strings.Repeat("\n", n-1) }
	test := func(imports, body string) string {
		return "package x\nimport (\n" + imports + "\n)\nfunc f() {\n" + body + "\n}\n"
	}
	machine := "see /" + "root/x"
	for name, c := range map[string]struct{ file, text, want string }{
		"long main":        {"cmd/api/main.go", lines(60), "a main of 60 lines"},
		"long file":        {"internal/jobs/x.go", lines(501), "501 lines"},
		"long test":        {"internal/jobs/x_test.go", lines(501), "501 lines"},
		"sleep":            {"x_test.go", test(`"time"`, "time.Sleep(1)"), "sleeps"},
		"sleep, renamed":   {"x_test.go", test(`clock "time"`, "clock.Sleep(1)"), "sleeps"},
		"sleep, as value":  {"x_test.go", test(`"time"`, "g := time.Sleep; g(1)"), "sleeps"},
		"sleep in a suite": {"internal/store/storetest/x.go", test(`"time"`, "time.Sleep(1)"), "sleeps"},
		"timer":            {"x_test.go", test(`"time"`, "<-time.After(1)"), "by a timer"},
		"timer, long form": {"x_test.go", test(`"time"`, "<-time.NewTimer(1).C"), "by a timer"},
		"machine in docs":  {"README.md", machine, "a path of one machine"},
		"machine in code":  {"x.go", "package x\n// " + machine, "a path of one machine"},
		"home":             {"scripts/x.sh", "cd '/" + "home/ana/butakero'", "a path of one machine"},
	} {
		found, _ := structure.File(structure.Source{Name: c.file, Text: []byte(c.text)})
		if len(found) != 1 || !strings.Contains(found[0], c.want) {
			t.Errorf("%s: %q, want something with %q", name, found, c.want)
		}
	}
	for name, c := range map[string]struct{ file, text string }{
		"short main":          {"cmd/api/main.go", lines(59)},
		"file":                {"internal/jobs/x.go", lines(400)},
		"generated":           {"internal/jobs/x.go", "// Code generated by gen. DO NOT EDIT.\n" + lines(900)},
		"speaks of sleep":     {"x_test.go", test(`"time"`, "// time.Sleep(1)\n_ = \"time.Sleep(1)\"; time.Now()")},
		"sleep of its own":    {"x_test.go", test(`"x/time"`+"\n"+`clock "time"`, "time.Sleep(1); clock.Now()")},
		"code sleeps":         {"internal/jobs/x.go", test(`"time"`, "time.Sleep(1)")},
		"polls":               {"x_test.go", test(`"time"`, "for !ended() {\n<-time.After(1)\n}")},
		"fake time":           {"x_test.go", test(`"time"`+"\n"+`"testing/synctest"`, "<-time.After(1)")},
		"gives up after":      {"x_test.go", test(`"time"`, "select {\ncase <-done:\ncase <-time.After(1):\n}")},
		"documented":          {"README.md", "COOKIES_YOUTUBE=/" + "root/yt-cookies.txt"},
		"an address, a place": {"README.md", "https://example.org/home/ana/x and $HOME/work/x, ~/work/x, ./work/x"},
	} {
		if found, _ := structure.File(structure.Source{Name: c.file, Text: []byte(c.text)}); len(found) > 0 {
			t.Errorf("%s: %q", name, found)
		}
	}
	if _, warnings := structure.File(structure.Source{Name: "x.go", Text: []byte(lines(401))}); len(warnings) != 1 {
		t.Errorf("401 lines: %d warnings, want 1", len(warnings))
	}
}

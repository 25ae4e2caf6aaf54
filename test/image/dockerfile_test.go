package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var pinned = regexp.MustCompile(`^[a-z0-9./-]+:[A-Za-z0-9.-]+@sha256:[0-9a-f]{64}$`)

// dockerfileProblems says what is wrong with a Dockerfile of ours.
func dockerfileProblems(text string) (problems []string) {
	bases, stages, users := map[string]string{}, map[string]bool{"scratch": true}, map[string]string{}
	stage := ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "ARG":
			name, value, _ := strings.Cut(words[1], "=")
			if stage == "" {
				bases["${"+name+"}"] = value
			}
		case "FROM":
			words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "--") })
			base := words[0]
			if value, ok := bases[base]; ok {
				base = value
			}
			if !stages[base] && !pinned.MatchString(base) {
				problems = append(problems, "base without a digest: "+words[0])
			}
			if len(words) == 3 {
				stage = words[2]
				stages[stage] = true
			}
		case "USER":
			users[stage] = words[1]
		case "ADD":
			problems = append(problems, "ADD fetches and unpacks: COPY is meant")
		case "COPY":
			if words[1] == "." {
				problems = append(problems, "COPY . takes everything")
			}
		}
	}
	for _, target := range []string{"api", "worker"} {
		if user, _, _ := strings.Cut(users[target], ":"); user == "" || user == "0" || user == "root" {
			problems = append(problems, target+" runs as root")
		}
	}
	return problems
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := read(t, "Dockerfile")
	if problems := dockerfileProblems(text); len(problems) > 0 {
		t.Error(problems)
	}
	for what, change := range map[string][2]string{
		"base without a digest": {"@sha256:", ":sha256-"},
		"runs as root":          {"USER 65532:65532", "USER root"},
		"takes everything":      {"COPY internal internal", "COPY . ."},
		"unpacks":               {"COPY cmd cmd", "ADD cmd cmd"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Errorf("nothing to change: %s", change[0])
		}
		if found := dockerfileProblems(strings.ReplaceAll(text, change[0], change[1])); !strings.Contains(strings.Join(found, "\n"), what) {
			t.Errorf("%s: not found: %v", what, found)
		}
	}
	for _, want := range []string{"GOWORK=off", "main.release=$VERSION ($COMMIT)", `"/usr/local/bin/api", "health"`, `"/usr/local/bin/worker", "health"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the Dockerfile lacks %s", want)
		}
	}
	for _, cut := range []string{"curl", "wget"} {
		if strings.Contains(text, cut) {
			t.Errorf("the images need no %s", cut)
		}
	}
}

// Go is the one of go.mod or a later one of the same line, so that nothing is fetched in
// the build.
func TestGoOfTheImages(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if !strings.Contains(read(t, "Dockerfile"), "GO_IMAGE=golang:"+line[1]+".") {
		t.Errorf("go.mod says Go %s, the Dockerfile another", line[1])
	}
}

// The image's yt-dlp is the one that the tests run, and each file is known by its hash.
func TestYTDLPOfTheImage(t *testing.T) {
	t.Parallel()
	list, setup := read(t, "deploy/image/yt-dlp.txt"), read(t, "scripts/setup.sh")
	for name, variable := range map[string]string{"yt-dlp": "ytdlp_version", "yt-dlp-ejs": "ytdlp_ejs_version", "deno": "deno_version"} {
		version := regexp.MustCompile(`(?m)^` + variable + `=(\S+)$`).FindStringSubmatch(setup)
		if version == nil || !strings.Contains(list, "\n"+name+"=="+version[1]+" \\\n") {
			t.Errorf("%s: scripts/setup.sh says %v, the image another", name, version)
		}
	}
	requirements := regexp.MustCompile(`(?m)^[a-z0-9-]+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+`).FindAllString(list, -1)
	if named := len(regexp.MustCompile(`(?m)^[^#\s]`).FindAllString(list, -1)); named != len(requirements) || named < 10 {
		t.Errorf("%d requirements, %d with hashes", named, len(requirements))
	}
	deno := requirements[slices.IndexFunc(requirements, func(r string) bool { return strings.HasPrefix(r, "deno==") })]
	if strings.Count(deno, "--hash") < 2 {
		t.Error("deno for one architecture alone")
	}
}

// With the tag of the image an API leaves out the JavaScript engine, which would make it
// half as large again; without it, it is there.
func TestAPIWithoutJavaScript(t *testing.T) {
	t.Parallel()
	if !strings.Contains(read(t, "Dockerfile"), "-tags apionly ") {
		t.Error("the API is built without the tag apionly")
	}
	for tags, want := range map[string]bool{"apionly": false, "": true} {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", tags, "./cmd/api")
		list.Dir, list.Env = "../..", append(os.Environ(), "GOWORK=off")
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(out), "dop251/goja"); has != want {
			t.Errorf("tags %q: goja is linked: %v", tags, has)
		}
	}
}

// Everything is left out of a build but what is named.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(read(t, ".dockerignore")), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "#") })
	if lines[0] != "*" {
		t.Errorf("the first line is %q, not *", lines[0])
	}
	allowed := []string{"!go.mod", "!go.sum", "!cmd", "!internal", "!deploy", "!deploy/image"}
	for _, line := range lines {
		if strings.HasPrefix(line, "!") && !slices.Contains(allowed, line) {
			t.Errorf("%s lets more into the build", line)
		}
	}
	for _, kept := range []string{"**/*.env", "**/*cookies*.txt", "**/*.key", "**/*.pem", "deploy/*"} {
		if !slices.Contains(lines, kept) {
			t.Errorf("%s is not left out", kept)
		}
	}
}

//go:build deploycheck

package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// marker stands in every secret that the test plants.
const marker = "b7d1-planted-secret-5c03"

// What secrets look like, whoever left them. The patterns are in pieces, so that this
// file itself is none.
var secrets = regexp.MustCompile(marker + `|-----BEGIN ([A-Z]+ )?PRIVATE` + ` KEY-----\n|AKIA` + `[0-9A-Z]{16}|AIza` + `[0-9A-Za-z_-]{35}|\tLOGIN` + `_INFO\t`)

// hints are how each of them begins: most files have none, and need no closer look.
var hints = [][]byte{[]byte(marker), []byte("-----BEGIN "), []byte("AKIA"), []byte("AIza"), []byte("\tLOGIN" + "_INFO")}

// webKey is what YouTube's own pages send to everybody; the library has it too.
const webKey = "AIza" + "SyAO_FJ2SlqU8Q4STEHLGCilw_"

// suspicious returns the secrets in a file. What a distribution or a Python package brings
// is searched for the marker alone: extractors and crypto libraries are full of samples.
func suspicious(name string, text []byte) (found []string) {
	if !slices.ContainsFunc(hints, func(h []byte) bool { return bytes.Contains(text, h) }) {
		return nil
	}
	foreign := strings.HasPrefix(name, "opt/yt-dlp/") || strings.HasPrefix(name, "usr/") && !strings.HasPrefix(name, "usr/local/")
	for _, m := range secrets.FindAll(text, -1) {
		if string(m) == marker || !foreign && !bytes.HasPrefix(m, []byte(webKey)) {
			found = append(found, fmt.Sprintf("%s: %.30q", name, m))
		}
	}
	return found
}

// searched keeps what was found in each layer, by its hash: images share most of theirs.
var searched sync.Map

// leaks searches a saved image, layer by layer: a file that a later layer deletes is still
// in the earlier one. It also reads the history and the settings.
func leaks(t *testing.T, image string) (found []string) {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image.tar")
	must(t, "save", "-o", archive, image)
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	layers := 0
	each(t, f, func(h *tar.Header, r io.Reader) {
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var inner io.Reader = bytes.NewReader(body)
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			inner = z
		}
		if !strings.HasSuffix(h.Name, ".tar") && !strings.HasPrefix(h.Name, "blobs/") || len(body) > 0 && body[0] == '{' {
			found = append(found, suspicious(h.Name, body)...)
			return
		}
		layers++
		sum := sha256.Sum256(body)
		known, ok := searched.Load(sum)
		if !ok {
			known = leaksOfLayer(t, inner)
			searched.Store(sum, known)
		}
		found = append(found, known.([]string)...)
	})
	if layers == 0 {
		t.Fatalf("%s: no layer was read", image)
	}
	return found
}

func leaksOfLayer(t *testing.T, layer io.Reader) (found []string) {
	t.Helper()
	each(t, layer, func(h *tar.Header, r io.Reader) {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, "./") // of a base that was imported
		base := filepath.Base(name)
		if strings.HasSuffix(base, ".env") || strings.HasSuffix(base, "cookies.txt") || strings.Contains(name, ".git/") {
			found = append(found, name)
		}
		found = append(found, suspicious(name, text)...)
	})
	return found
}

func each(t *testing.T, r io.Reader, visit func(*tar.Header, io.Reader)) {
	t.Helper()
	files := tar.NewReader(r)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			visit(h, files)
		}
	}
}

// A checkout full of keys and cookies, wherever people leave them, makes images without.
func TestNoSecretInAnyLayer(t *testing.T) {
	folder := checkout(t)
	for _, name := range []string{
		".env", "test_local.env", "yt-cookies.txt", ".git/config", "cmd/api/.env", "internal/app/prod.env", "internal/app/yt-cookies.txt",
		"deploy/image/sbom/test.key", "deploy/image/server.pem", "deploy/compose/cookies.txt", "terraform/terraform.tfvars", "data/records.db",
		"internal/testdata/cookies.json", "compose.override.yaml", "secret.yaml",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("KEY="+marker+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"modules", "api", "worker"} { // modules is all that the build sees
		image := "butakero/" + target + ":check-planted"
		if err := build(t.Context(), folder, target, image); err != nil {
			t.Fatal(err)
		}
		if target == "modules" {
			out := must(t, "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", "grep -rl "+marker+" /src || true; test -f /src/go.mod")
			if out != "" {
				t.Errorf("the build sees %s", out)
			}
			continue
		}
		if found := leaks(t, image); len(found) > 0 {
			t.Errorf("%s: %q", image, found)
		}
	}
}

// The search itself finds what is planted, in a layer whose file a later one deletes too.
func TestLeaksAreFound(t *testing.T) { // after the one above, which has read most layers
	for name, lines := range map[string]string{
		"file":    "COPY secret /data/notes",
		"deleted": "COPY secret /tmp/notes\nRUN rm /tmp/notes",
		"setting": "ENV TOKEN=" + marker,
		"history": "RUN true " + marker,
		"name":    "COPY harmless /data/yt-cookies.txt",
		"key":     "COPY key /data/notes",
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, text := range map[string]string{
				"Dockerfile": "FROM " + workerImage + "\nUSER 0\n" + lines + "\n", "secret": marker, "harmless": "x",
				"key": "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIE\n",
			} {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			image := "butakero/check-leak:" + name
			must(t, "build", "--network", "none", "-q", "-t", image, folder)
			if found := leaks(t, image); len(found) == 0 {
				t.Error("not found")
			}
			must(t, "rmi", image)
		})
	}
}

// checkout is a copy of what git knows, and of what is new and not ignored.
func checkout(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	list := exec.CommandContext(t.Context(), "sh", "-c",
		`git ls-files -z --cached --others --exclude-standard Dockerfile .dockerignore go.mod go.sum cmd internal deploy/image | tar -c --null -T - --ignore-failed-read | tar -x -C "$0"`, folder)
	list.Dir = "../.."
	if out, err := list.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return folder
}

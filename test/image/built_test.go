//go:build deploycheck

package image

import (
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type inspected struct {
	Size         int64
	Architecture string
	Config       struct {
		User        string
		Entrypoint  []string
		Env         []string
		Labels      map[string]string
		StopSignal  string
		Volumes     map[string]any
		Healthcheck struct{ Test []string }
	}
}

func inspect(t *testing.T, image string) inspected {
	t.Helper()
	var all []inspected
	if err := json.Unmarshal([]byte(must(t, "image", "inspect", image)), &all); err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func TestImages(t *testing.T) {
	t.Parallel()
	for image, program := range map[string]string{apiImage: "api", workerImage: "worker"} {
		i := inspect(t, image)
		t.Logf("%s: %.1f MB", image, float64(i.Size)/1e6)
		c := i.Config
		if c.User != "65532:65532" || c.StopSignal != "SIGTERM" || len(c.Volumes) != 1 {
			t.Errorf("%s: user %q, signal %q, volumes %v", image, c.User, c.StopSignal, c.Volumes)
		}
		if want := []string{"CMD", "/usr/local/bin/" + program, "health"}; !slices.Equal(c.Healthcheck.Test, want) {
			t.Errorf("%s: health by %q", image, c.Healthcheck.Test)
		}
		if c.Labels["org.opencontainers.image.version"] != "v9.8.7" || c.Labels["org.opencontainers.image.revision"] != "0a1b2c3" ||
			c.Labels["org.opencontainers.image.licenses"] != "MIT" {
			t.Errorf("%s: labels %v", image, c.Labels)
		}
		said := must(t, append(append([]string{"run", "--rm", "--network", "none"}, confined...), image, "version")...)
		if said != "v9.8.7 (0a1b2c3)" {
			t.Errorf("%s: version %q", image, said)
		}
		if _, err := docker.Docker(t.Context(), append(append([]string{"run", "--rm", "--network", "none"}, confined...), image, "heath")...); err == nil {
			t.Errorf("%s: an unknown command succeeds", image)
		}
	}
}

// The API's image is a static program, what TLS needs, and nothing that could run anything.
func TestAPIImage(t *testing.T) {
	t.Parallel()
	if size := inspect(t, apiImage).Size; size >= 40e6 {
		t.Errorf("%d bytes, 40 MB at most", size)
	}
	root := unpack(t, apiImage)
	var found []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found = append(found, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// What the engine itself puts into every container.
	found = slices.DeleteFunc(found, func(f string) bool {
		return slices.Contains([]string{"/.dockerenv", "/dev/console", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}, f)
	})
	want := []string{"/etc/group", "/etc/passwd", "/etc/ssl/certs/ca-certificates.crt", "/usr/local/bin/api", "/usr/share/sbom/butakero.cdx.json"}
	if !slices.Equal(found, want) {
		t.Errorf("files: %q, want %q", found, want)
	}
	static(t, filepath.Join(root, "usr/local/bin/api"), elf.EM_X86_64)
}

func static(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s is not static", path)
		}
	}
	if f.Machine != machine {
		t.Errorf("%s is for %s, want %s", path, f.Machine, machine)
	}
}

// unpack returns a folder with an image's files.
func unpack(t *testing.T, image string) string {
	t.Helper()
	root := t.TempDir()
	id := must(t, "create", image)
	defer must(t, "rm", "-v", id)
	archive := filepath.Join(t.TempDir(), "image.tar")
	must(t, "export", "-o", archive, id)
	if _, err := docker.Run(t.Context(), nil, "tar", "-x", "-f", archive, "-C", root, "--no-same-owner"); err != nil {
		t.Fatal(err)
	}
	return root
}

// The other architecture: the API is compiled across, the worker would need emulation.
func TestARM64(t *testing.T) {
	t.Parallel()
	const image = "butakero/api:check-arm64"
	if err := build(t.Context(), "../..", "api", image, "--platform", "linux/arm64"); err != nil {
		t.Fatal(err)
	}
	if got := inspect(t, image).Architecture; got != "arm64" {
		t.Errorf("the image is for %q", got)
	}
	static(t, filepath.Join(unpack(t, image), "usr/local/bin/api"), elf.EM_AARCH64)
	t.Log("NOT RUN: image of the worker for arm64: its base has to be run on arm64 or emulated to install ffmpeg; its programs compile across like the API's")
}

// What the worker calls is there and works without rights and without a writable root.
func TestToolsOfTheWorker(t *testing.T) {
	t.Parallel()
	in := func(script string) string {
		t.Helper()
		return must(t, append(append([]string{"run", "--rm", "--network", "none"}, confined...), "--entrypoint", "sh", workerImage, "-c", script)...)
	}
	if got := in("id -u; id -g"); got != "65532\n65532" {
		t.Errorf("user %q", got)
	}
	if got := in("yt-dlp --version"); !strings.Contains(read(t, "scripts/setup.sh"), "ytdlp_version="+got+"\n") {
		t.Errorf("yt-dlp %q", got)
	}
	if got := in("HOME=/tmp yt-dlp -v 2>&1 | grep 'JS runtimes'"); !strings.Contains(got, "deno-") {
		t.Errorf("yt-dlp finds no JavaScript runtime: %q", got)
	}
	if got := in(`HOME=/tmp deno eval 'console.log(6*7)'`); got != "42" {
		t.Errorf("deno: %q", got)
	}
	if got := in("ffmpeg -v error -f lavfi -i sine=d=0.1 -c:a libopus -f ogg - | wc -c"); len(got) < 3 {
		t.Errorf("ffmpeg makes %s bytes of Opus", got)
	}
	if got := in("for d in / /usr/local/bin /opt/yt-dlp /etc /var; do touch $d/x 2>/dev/null && echo $d; done; touch /tmp/x /data/x && echo fine"); got != "fine" {
		t.Errorf("writable: %q", got)
	}
	if got := in("find / -xdev \\( -name pip -o -name curl -o -name wget -o -name gcc \\) -type f 2>/dev/null; true"); got != "" {
		t.Errorf("left in the image: %q", got)
	}
}

// The bill of materials names what is really there.
func TestBillsOfMaterials(t *testing.T) {
	t.Parallel()
	for image, wants := range map[string][]string{
		apiImage: {"pkg:golang/stdlib@1.", "pkg:golang/go.mongodb.org/mongo-driver/v2@", "pkg:golang/modernc.org/sqlite@"},
		workerImage: {
			"pkg:golang/stdlib@1.", "pkg:golang/github.com/dop251/goja@", "pkg:deb/debian/ffmpeg@", "pkg:deb/debian/libopus0@", "pkg:pypi/yt-dlp@2", "pkg:pypi/deno@2",
		},
	} {
		text, err := os.ReadFile(filepath.Join(unpack(t, image), "usr/share/sbom/butakero.cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var bill struct {
			Format     string `json:"bomFormat"`
			Metadata   struct{ Component struct{ Version string } }
			Components []struct{ Name, Version, PURL string }
		}
		if err := json.Unmarshal(text, &bill); err != nil || bill.Format != "CycloneDX" || bill.Metadata.Component.Version != "v9.8.7" {
			t.Errorf("%s: %v, %q, %q", image, err, bill.Format, bill.Metadata.Component.Version)
		}
		for _, want := range wants {
			if !slices.ContainsFunc(bill.Components, func(c struct{ Name, Version, PURL string }) bool { return strings.HasPrefix(c.PURL, want) }) {
				t.Errorf("%s: %s is not in the bill of %d components", image, want, len(bill.Components))
			}
		}
		if image == apiImage && strings.Contains(string(text), "goja") {
			t.Error("the bill of the API names what it leaves out")
		}
		if image == workerImage {
			installed := must(t, "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", "dpkg-query -f '.\n' -W | wc -l")
			n, _ := strconv.Atoi(installed)
			if billed := strings.Count(string(text), `"pkg:deb/debian/`); billed != n {
				t.Errorf("%d packages of Debian's in the bill, %d installed", billed, n)
			}
		}
	}
}

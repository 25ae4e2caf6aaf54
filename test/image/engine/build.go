//go:build deploycheck

package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Root is the checkout.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "Dockerfile")); missing == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no Dockerfile above the tests")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// BuildArguments names the bases for a build: none for somebody else's engine, which takes
// those that the Dockerfile names, by digest, from their registry.
func (e *Engine) BuildArguments(ctx context.Context) ([]string, error) {
	if e.daemon == nil {
		return nil, nil
	}
	debian, golang, err := e.Bases(ctx)
	return []string{"--network", "host", "--build-arg", "DEBIAN_IMAGE=" + debian, "--build-arg", "GO_IMAGE=" + golang}, err
}

// Bases makes what stands in for the Dockerfile's bases: a Debian of the same release and,
// in it, the Go that runs the tests, with the modules of go.mod beside it.
func (e *Engine) Bases(ctx context.Context) (debian, golang string, err error) {
	root, err := Root()
	if err != nil {
		return "", "", err
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return "", "", err
	}
	stamp := sha256.Sum256(append(sums, runtime.Version()...))
	debian = "butakero-base/debian:bookworm"
	golang = "butakero-base/golang:" + hex.EncodeToString(stamp[:6])
	if !e.has(ctx, debian) {
		if err := e.makeDebian(ctx, debian); err != nil {
			return "", "", err
		}
	}
	if !e.has(ctx, golang) {
		if err := e.makeGo(ctx, root, debian, golang); err != nil {
			return "", "", err
		}
	}
	return debian, golang, nil
}

func (e *Engine) has(ctx context.Context, image string) bool {
	_, err := e.Docker(ctx, "image", "inspect", image)
	return err == nil
}

func (e *Engine) makeDebian(ctx context.Context, name string) error {
	if _, err := e.Docker(ctx, "import", filepath.Join(e.Cache, "docker", "debian-bookworm.tar"), name+"-plain"); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(filepath.Join(e.Cache, "docker"), "base-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	// Who signs for registries may be somebody whom only this machine knows.
	authorities, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		return err
	}
	return e.build(ctx, folder, name, map[string][]byte{
		"authorities": authorities,
		"Dockerfile":  []byte("FROM " + name + "-plain\nCOPY authorities /etc/ssl/certs/ca-certificates.crt\n"),
	})
}

func (e *Engine) makeGo(ctx context.Context, root, debian, name string) error {
	folder, err := os.MkdirTemp(filepath.Join(e.Cache, "docker"), "base-")
	if err != nil {
		return err
	}
	defer func() {
		_, _ = exec.CommandContext(context.WithoutCancel(ctx), "chmod", "-R", "u+w", folder).CombinedOutput()
		_ = os.RemoveAll(folder)
	}()
	where, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		return err
	}
	lines := strings.Split(string(where), "\n")
	if _, err := e.Run(ctx, nil, "cp", "-R", lines[0], filepath.Join(folder, "go")); err != nil {
		return err
	}
	fetch := exec.CommandContext(ctx, "go", "mod", "download")
	fetch.Dir = root
	fetch.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "GOMODCACHE="+filepath.Join(folder, "modules"),
		"GOPROXY=file://"+filepath.Join(lines[1], "cache", "download")+","+lines[2])
	if out, err := fetch.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod download: %w: %s", err, out)
	}
	return e.build(ctx, folder, name, map[string][]byte{
		"Dockerfile": []byte("FROM " + debian + `
COPY go /usr/local/go
COPY modules/cache/download /modules
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOPROXY=file:///modules GOSUMDB=off
`)})
}

func (e *Engine) build(ctx context.Context, folder, name string, files map[string][]byte) error {
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
			return err
		}
	}
	_, err := e.Docker(ctx, "build", "--network", "host", "-q", "-t", name, folder)
	return err
}
